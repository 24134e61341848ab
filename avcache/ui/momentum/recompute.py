"""A score computed once more from the prices that are cached, beside the one that is; nothing is stored or fetched."""

from __future__ import annotations

import datetime as dt

from avcache.errors import ProviderError
from avcache.market.scoring import COMPOSITES, Score
from avcache.runtime import Runtime

__all__ = ["NotComparable", "recomputed"]


class NotComparable(Exception):
    """Why a score cannot be computed once more without fetching anything."""


def recomputed(runtime: Runtime, cached: Score) -> Score:
    """
    Return *cached* as its prices make it now. Its prices are read, which counts.

    Raises:
        NotComparable: Of its profile that cannot be done, or what it rests on is not fresh in the cache.
    """
    if cached.profile not in COMPOSITES:
        raise NotComparable(f"A score by {cached.profile} depends on its universe, and is only computed as a whole.")
    market = runtime.market
    names = [f"history:{ticker}" for ticker in (cached.ticker, cached.benchmark) if ticker]
    names += [f"fundamentals:{cached.ticker}"] if "fundamentals" in cached.inputs else []
    looked = zip(names, runtime.cache.peek_many(names), strict=True)
    lacking = [name for name, peek in looked if peek is None or peek.is_stale or peek.is_foreign]
    if lacking:
        raise NotComparable(
            f"{' and '.join(lacking)} would have to be fetched first: warm the ticker up, then compare."
        )
    try:
        return market.score_as_of(cached.ticker, dt.date.max, profile=cached.profile)
    except ProviderError as exc:
        raise NotComparable(exc.detail) from exc
