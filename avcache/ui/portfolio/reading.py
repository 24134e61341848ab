"""A portfolio, and how old its analysis is."""

from __future__ import annotations

from collections.abc import Mapping

from avcache.core.cache import Cache
from avcache.core.peek import Peek
from avcache.market.holdings import Holding, portfolio_key
from avcache.market.portfolio import PortfolioAnalysis
from avcache.market.service import Market

__all__ = ["read_portfolio"]


def read_portfolio(
    cache: Cache, market: Market, holdings: Mapping[str, Holding]
) -> tuple[PortfolioAnalysis, Peek | None]:
    """Return the analysis of *holdings*, and the entry that it is from; None if it was not kept."""
    key = portfolio_key(holdings)
    before = cache.peek(key)
    analysis = market.portfolio(holdings)
    # What is stale is computed again behind the scenes: what is there by now may be newer than what was read.
    return analysis, before if before is not None and before.is_stale else cache.peek(key)
