"""The last price of a ticker."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import msgspec

from avcache.market.provider import Day, PriceHistory

__all__ = ["Price", "from_record", "last_price", "to_record"]


@dataclass(frozen=True, slots=True)
class Price:
    """
    The raw close of the session `as_of` (ISO date), in `currency` (None if the source does not say).

    Attributes:
        change_1d: The return over the last session, from adjusted closes; None if there are none.
        is_complete: Whether that session had ended when the price was fetched.
        fetched_at: When that was, epoch seconds; 0 if it does not matter.
        is_provisional: Whether it is from a history past its time, newer ones not being had.
    """

    ticker: str
    price: float
    currency: str | None
    as_of: Day
    change_1d: float | None
    is_complete: bool = True
    fetched_at: float = 0.0
    is_provisional: bool = False


def last_price(history: PriceHistory) -> Price:
    """Return the last price of *history*, which has at least one session."""
    adjusted = history.prices["adj_close"].to_numpy()
    change = float(adjusted[-1] / adjusted[-2] - 1) if len(adjusted) > 1 and adjusted[-2] > 0 else math.nan
    return Price(
        ticker=history.ticker,
        price=float(history.prices["close"].iloc[-1]),
        currency=history.currency,
        as_of=history.as_of,
        change_1d=change if math.isfinite(change) else None,
        is_complete=history.is_complete,
        fetched_at=history.fetched_at,
    )


def to_record(value: Price) -> dict[str, Any]:
    """Return *value* as a plain dict."""
    record: dict[str, Any] = msgspec.to_builtins(value)
    return record


def from_record(record: dict[str, Any]) -> Price:
    """
    Return the price that `to_record` made *record* of.

    Raises:
        msgspec.ValidationError: *record* has other fields, or is of no day.
    """
    return msgspec.convert(record, Price)
