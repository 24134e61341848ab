"""What stands behind the hash of a portfolio's key."""

from __future__ import annotations

from avcache.core.cache import Cache
from avcache.market.caching import UNREADABLE
from avcache.market.portfolio import from_record

__all__ = ["holdings_of"]


def holdings_of(cache: Cache, key: str) -> dict[str, float | None] | None:
    """
    The shares of each ticker in the analysis under *key*, the largest position first; None: it has no price.

    None if nothing is under *key*, fresh or stale, or it is no portfolio. Not counted.
    """
    value = cache.peek_value(key)
    if not isinstance(value, dict):
        return None
    try:
        found = from_record(value)
    except UNREADABLE:
        return None
    table = found.table.sort_values("value", ascending=False)
    priced = zip(table["ticker"], table["shares"], strict=True)
    return {**{str(ticker): float(shares) for ticker, shares in priced}, **dict.fromkeys(found.missing)}
