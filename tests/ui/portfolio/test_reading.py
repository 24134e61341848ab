from __future__ import annotations

import threading
from collections.abc import Mapping

import pytest

from avcache.market.holdings import Holding, parse_holdings, portfolio_key
from avcache.market.portfolio import PortfolioAnalysis
from avcache.market.service import Market
from avcache.ui.portfolio.reading import read_portfolio
from tests.market.doubles import Kept, MemoryProvider, history

HOLDINGS = parse_holdings("AAPL 10")


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def market(kept: Kept) -> Market:
    closes = [100.0 + day for day in range(300)]
    return kept.market(MemoryProvider({"AAPL": history(closes), "MKT": history(closes, "MKT")}))


def test_a_first_analysis_comes_with_its_entry(kept: Kept, market: Market) -> None:
    _, entry = read_portfolio(kept.cache, market, HOLDINGS)

    assert entry is not None
    assert not entry.is_stale


def test_a_stale_analysis_is_not_given_the_age_of_the_one_that_replaces_it(
    kept: Kept, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = market.portfolio(HOLDINGS)
    kept.clock.advance(700.0)
    read = market.portfolio

    def overtaken(holdings: Mapping[str, Holding]) -> PortfolioAnalysis:
        found, waiting = read(holdings), threading.Event()
        for _ in range(1000):  # until it was computed again behind the scenes
            newer = kept.cache.peek(portfolio_key(holdings))
            if newer is not None and not newer.is_stale:
                return found
            waiting.wait(0.01)
        raise AssertionError("it was not computed again")

    monkeypatch.setattr(market, "portfolio", overtaken)

    analysis, entry = read_portfolio(kept.cache, market, HOLDINGS)

    assert analysis.computed_at == old.computed_at
    assert entry is not None
    assert entry.is_stale
