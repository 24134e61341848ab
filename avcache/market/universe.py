"""Named lists of tickers."""

from __future__ import annotations

__all__ = ["SAMPLE_25", "UNIVERSES"]

SAMPLE_25 = (
    *("AAPL", "AMD", "AMZN", "BAC", "BBY", "CVX", "GE", "GOOG", "HD", "JNJ", "JPM", "KO", "LLY"),
    *("META", "MRK", "MSFT", "NFLX", "NVDA", "PEP", "PFE", "PG", "RRC", "UNH", "WMT", "XOM"),
)

UNIVERSES: dict[str, tuple[str, ...]] = {"Sample 25": SAMPLE_25}
