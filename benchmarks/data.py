"""What the rows keep: one price, one score of 300 bytes of JSON, and 500 of those."""

from __future__ import annotations

import itertools
import string

__all__ = ["BATCH", "PRICE", "PRICE_KEY", "SCORE", "SCORE_KEY", "TTL", "is_same"]

TTL = 300.0

PRICE_KEY = "price:AAPL"
PRICE = 187.44

SCORE_KEY = "momentum:AAPL"
SCORE: dict[str, object] = {
    "ticker": "AAPL",
    "score": 61.27,
    "rating": "buy",
    "last_close": 187.44,
    "rsi_14": 58.3,
    "macd_histogram": 0.412,
    "sma_50": 181.9,
    "sma_200": 174.23,
    "return_1m": 0.0342,
    "return_6m": 0.1275,
    "above_trend": True,
    "days": 250,
    "source": "sample",
    "components": {"price": 24.1, "trend": 25.0, "volume": 12.17},
}

BATCH: dict[str, dict[str, object]] = {
    f"momentum:{ticker}": {**SCORE, "ticker": ticker}
    for ticker in map("".join, itertools.islice(itertools.product(string.ascii_uppercase, repeat=4), 500))
}


def is_same(found: object, expected: object) -> bool:
    """Whether *found* is of the type and value of *expected*."""
    if type(found) is not type(expected):
        return False
    equals = getattr(expected, "equals", None)  # a frame answers == cell by cell
    return bool(found == expected if equals is None else equals(found))
