"""Test doubles: a cache in a dict, providers in memory, and histories made of a list of closes."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import pandas as pd

from avcache.errors import ProviderError
from avcache.market.caching import StalePolicy
from avcache.market.provider import COLUMNS, PriceHistory, PriceProvider

T = TypeVar("T")


class DictCache:
    """A test double of the cache: keeps everything for ever, one load per key at a time."""

    def __init__(self) -> None:
        self.entries: dict[str, tuple[str, object]] = {}
        self.tags: dict[str, tuple[str, ...]] = {}
        self._locks: dict[str, threading.RLock] = {}
        self._lock = threading.Lock()

    def delete(self, key: str) -> int:
        """Drop *key*."""
        return int(self.entries.pop(key, None) is not None)

    def get_or_load(
        self,
        key: str,
        load: Callable[[], T],
        *,
        ttl: float | None = None,
        stale_ttl: float | None = None,
        source: str = "",
        tags: Sequence[str] = (),
        stale: StalePolicy = "serve",  # noqa: ARG002 - nothing here ever grows stale
    ) -> T:
        """Return the value of *key* that *source* wrote, or load it."""
        assert ttl is None or ttl > 0
        assert stale_ttl is None or stale_ttl > 0
        with self._lock:
            lock = self._locks.setdefault(key, threading.RLock())
        with lock:
            if key in self.entries and self.entries[key][0] == source:
                return self.entries[key][1]  # type: ignore[return-value]
            value = load()
            self.entries[key] = (source, value)
            self.tags[key] = tuple(tags)
            return value


class MemoryProvider:
    """A test double of a provider: serves what it is given, counts what it is asked."""

    label = "Prices in memory"

    def __init__(
        self,
        histories: Mapping[str, PriceHistory | ProviderError],
        figures: Mapping[str, dict[str, float] | ProviderError] | None = None,
        name: str = "memory",
        benchmark: str = "MKT",
    ) -> None:
        self.name = name
        self.benchmark = benchmark
        self.histories = dict(histories)
        self.figures = dict(figures or {})
        self.asked: Counter[str] = Counter()
        self._lock = threading.Lock()

    def current(self) -> PriceProvider:
        """Return this provider."""
        return self

    def history(self, ticker: str) -> PriceHistory:
        """Return the history given, or raise the error given."""
        with self._lock:
            self.asked[ticker] += 1
        found = self.histories.get(ticker, ProviderError(ticker, "unknown", "not in memory"))
        if isinstance(found, ProviderError):
            raise found
        return found

    def fundamentals(self, ticker: str) -> dict[str, float] | None:
        """Return the figures given, or raise the error given."""
        with self._lock:
            self.asked[f"fundamentals:{ticker}"] += 1
        found = self.figures.get(ticker)
        if isinstance(found, ProviderError):
            raise found
        return found


def history(
    closes: Sequence[float],
    ticker: str = "AAPL",
    *,
    currency: str | None = "USD",
    volumes: Sequence[float] | None = None,
    first_day: str = "2020-01-01",
) -> PriceHistory:
    """Return a history of *closes* on consecutive business days; open, high and low are NaN."""
    index = pd.bdate_range(first_day, periods=len(closes), name="date").as_unit("ns")
    frame = pd.DataFrame(index=index, columns=list(COLUMNS), dtype="float64")
    frame["close"] = frame["adj_close"] = [float(close) for close in closes]
    if volumes is not None:
        frame["volume"] = [float(volume) for volume in volumes]
    return PriceHistory(ticker, frame, currency)


def steady(daily: float, rows: int = 300, ticker: str = "AAPL", currency: str | None = "USD") -> PriceHistory:
    """Return a history that starts at 100 and changes by the factor 1 + *daily* each day."""
    return history([100 * (1 + daily) ** row for row in range(rows)], ticker, currency=currency)
