"""A cache with a clock that stands still, providers in memory, and histories made of a list of closes."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from avcache import runtime
from avcache.backends.memory import MemoryBackend
from avcache.clock import ManualClock
from avcache.config import Settings
from avcache.core.cache import Cache
from avcache.core.store import CacheLimits
from avcache.errors import ProviderError
from avcache.market.freshness import Freshness
from avcache.market.provider import COLUMNS, Figures, PriceHistory, PriceProvider
from avcache.market.scoring import COMPOSITES, DEFAULT_PROFILE, Score, Subject, scores
from avcache.market.service import Market

if TYPE_CHECKING:
    from avcache.market.calendar import Calendar


class Kept:
    """A real cache in memory with the namespaces of the runtime, and the clock of all its entries."""

    def __init__(self, settings: Mapping[str, str] | None = None, *, failure_throttle: float = 0.0) -> None:
        self.clock = ManualClock()
        backend = MemoryBackend(clock=self.clock, wall=self.clock)
        self.settings = Settings.from_env(settings or {})
        self.cache = Cache(
            backend,
            runtime.namespaces(self.settings),
            limits=CacheLimits(max_ttl=self.settings.cache_max_ttl, jitter=0.0, failure_throttle=failure_throttle),
            wall=self.clock,
        )

    def market(self, provider: PriceProvider, calendar: Calendar | None = None) -> Market:
        """A market on it."""
        return Market(self.cache, provider, freshness=Freshness(self.clock, calendar=calendar))


class MemoryProvider:
    """A test double of a provider: serves what it is given, counts what it is asked."""

    label = "Prices in memory"

    def __init__(
        self,
        histories: Mapping[str, PriceHistory | ProviderError],
        figures: Mapping[str, Figures | ProviderError] | None = None,
        name: str = "memory",
        benchmark: str = "MKT",
    ) -> None:
        self.name = name
        self.benchmark = benchmark
        self.given = dict(histories)
        self.figures = dict(figures or {})
        self.asked: Counter[str] = Counter()
        self.batches: list[tuple[str, ...]] = []
        self._lock = threading.Lock()

    def current(self) -> PriceProvider:
        """Return this provider."""
        return self

    def histories(self, tickers: Sequence[str]) -> dict[str, PriceHistory | ProviderError]:
        """Return the histories or the errors given."""
        with self._lock:
            self.asked.update(tickers)
            self.batches.append(tuple(tickers))
        return {ticker: self.given.get(ticker, ProviderError(ticker, "unknown", "not in memory")) for ticker in tickers}

    def fundamentals(self, tickers: Sequence[str]) -> dict[str, Figures | ProviderError]:
        """Return the figures or the errors given."""
        with self._lock:
            self.asked.update(f"fundamentals:{ticker}" for ticker in tickers)
        return {ticker: self.figures.get(ticker, {}) for ticker in tickers}


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


def score_of(
    of: PriceHistory,
    benchmark: PriceHistory | None = None,
    figures: Figures | None = None,
    profile: str = DEFAULT_PROFILE,
) -> Score:
    """Return the score of one history."""
    subject = Subject(of, benchmark, figures)
    (found,) = scores([subject], source="memory", computed_at=1_700_000_000.0, profile=COMPOSITES[profile]).values()
    return found


def steady(daily: float, rows: int = 300, ticker: str = "AAPL", currency: str | None = "USD") -> PriceHistory:
    """Return a history that starts at 100 and changes by the factor 1 + *daily* each day."""
    return history([100 * (1 + daily) ** row for row in range(rows)], ticker, currency=currency)
