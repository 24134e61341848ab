"""What a provider delivers, as it is kept in the cache, and back."""

from __future__ import annotations

from avcache.market.caching import Record
from avcache.market.provider import Figures, PriceHistory

__all__ = ["of_history", "to_figures", "to_history"]


def of_history(history: PriceHistory) -> Record:
    """Return *history* as plain values and one DataFrame, `prices`."""
    return {
        "ticker": history.ticker,
        "currency": history.currency,
        "prices": history.prices,
        "fetched_at": history.fetched_at,
        "is_complete": history.is_complete,
        "last_split": history.last_split,
        "zone": history.zone,
    }


def to_history(record: Record) -> PriceHistory:
    """Return the history that `of_history` made *record* of."""
    # Copy-on-write: a shallow copy shares memory, yet no caller can change the cached frame through it.
    return PriceHistory(
        record["ticker"],
        record["prices"].copy(deep=False),
        record["currency"],
        fetched_at=record["fetched_at"],
        is_complete=record["is_complete"],
        last_split=record["last_split"],
        zone=record["zone"],
    )


def to_figures(record: Record) -> tuple[Figures, float]:
    """Return the fundamentals in *record*, and when they were fetched."""
    return record["figures"], record["fetched_at"]
