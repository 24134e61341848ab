"""What the cache did in a window, against the same window of yesterday: hit rates, loads and what they cost."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from numbers import Real
from types import MappingProxyType
from typing import ClassVar, Final

from avcache.clock import Clock
from avcache.core.cache import Cache
from avcache.core.counters import Figures
from avcache.core.counts import Counts, Stats
from avcache.errors import InvalidInput
from avcache.ops.popular import TopTickers, top_tickers
from avcache.telemetry.others import Process
from avcache.telemetry.totals import Totals, Worker

__all__ = ["Activity", "ActivityWindow", "Tally"]

_DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Tally:
    """
    What one namespace did, or all of them together.

    Attributes:
        requests: Reads that were counted.
        hit_rate: Share of them answered from the cache, 0 to 1; None without any.
        stale_hits: Reads answered past the ttl.
        misses_by_reason: The reasons that occurred, most frequent first.
        load_failures: Loads that raised; *loads* are those that did not.
        load_seconds: Time spent in *loads*, together.
        saved_seconds: Loading time that answers from the cache spared, at the mean of the loads of their namespace.
        load_p50: Seconds within which half of the loads were done; None without any. So *load_p95* and *load_p99*.
    """

    requests: int
    hit_rate: float | None
    stale_hits: int
    misses: int
    misses_by_reason: Mapping[str, int]
    loads: int
    load_failures: int
    load_seconds: float
    saved_seconds: float
    load_p50: float | None
    load_p95: float | None
    load_p99: float | None

    @classmethod
    def of(cls, counts: Counts) -> Tally:
        """What follows from the *counts* of a namespace."""
        return cls(
            requests=counts.requests,
            hit_rate=counts.hit_rate,
            stale_hits=counts.stale_hits,
            misses=counts.misses,
            misses_by_reason=counts.misses_by_reason,
            loads=counts.loads,
            load_failures=counts.load_failures,
            load_seconds=counts.load_seconds,
            saved_seconds=counts.saved_seconds,
            load_p50=counts.load_quantile(0.5),
            load_p95=counts.load_quantile(0.95),
            load_p99=counts.load_quantile(0.99),
        )


@dataclass(frozen=True, slots=True)
class ActivityWindow:
    """
    What happened from *since* to *until*, wall clock.

    Attributes:
        since: Where the figures begin: later than the window does if counting did.
        by_namespace: Most requests first.
        earlier: The same window of yesterday; None if nothing is known of then, or it was not asked for.
    """

    since: float
    until: float
    total: Tally
    by_namespace: Mapping[str, Tally]
    earlier: ActivityWindow | None = None


class Activity:
    """
    The figures of all processes on one store, where they tell each other (*totals*), else those of this process.

    Args:
        clock: Wall clock, the one of the counters.
    """

    WINDOWS: ClassVar[Mapping[str, float | None]] = MappingProxyType(
        {"1 min": 60.0, "15 min": 900.0, "1 h": 3600.0, "24 h": _DAY, "since start": None}
    )
    """Seconds by name. *Since start*: of this process; of the others what they counted within a day."""

    def __init__(self, cache: Cache, totals: Totals | None = None, clock: Clock = time.time) -> None:
        self._cache = cache
        self._totals = totals
        self._figures: Figures = cache.counters if totals is None else totals
        self._clock = clock

    @property
    def is_all_processes(self) -> bool:
        """Whether the figures are those of all processes on the store; else they are of this one alone."""
        return self._totals is not None

    @property
    def others_as_of(self) -> float | None:
        """When the other processes were last asked with success, wall clock; None: never, or there is no asking."""
        return None if self._totals is None else self._totals.others_as_of

    def window(self, seconds: float | None, *, with_earlier: bool = True) -> ActivityWindow:
        """
        Return what happened in the last *seconds* (a day at most; None: since the start).

        With it comes the same window of yesterday, unless *with_earlier* is False: of the other processes it has to be
        read, each minute once.

        Raises:
            InvalidInput: *seconds* is no number above 0, or more than a day.
        """
        _check(seconds)
        now = self._clock()
        found = _window(self._figures.stats(seconds), now)
        if seconds is None or not with_earlier:
            return found
        until = now - _DAY
        earlier = self._figures.between(until - seconds, until)
        return found if earlier is None else replace(found, earlier=_window(earlier, until))

    def workers(self, seconds: float | None) -> list[Worker]:
        """
        Each process that lives, or did in the last *seconds*, with what it did; without *totals* this one alone.

        Raises:
            InvalidInput: *seconds* is no number above 0, or more than a day.
        """
        _check(seconds)
        if self._totals is not None:
            return self._totals.by_process(seconds)
        counters = self._cache.counters
        me = Process.here(int(counters.since // 60))
        return [Worker(me, self._clock(), is_alive=True, is_this=True, stats=counters.stats(seconds))]

    def top_tickers(self, number: int, seconds: float | None = None) -> TopTickers:
        """
        Return the *number* most read tickers of this process in the last *seconds*, among its last million accesses.

        Raises:
            InvalidInput: *number* is none from 1 to 1000, or *seconds* no number above 0, or more than a day.
        """
        _check(seconds)
        since = None if seconds is None else self._clock() - seconds
        return top_tickers(self._cache.accesses.columns(), number, since)


def _check(seconds: float | None) -> None:
    if seconds is None:
        return
    if isinstance(seconds, bool) or not isinstance(seconds, Real) or not 0 < seconds <= _DAY:
        raise InvalidInput("seconds", seconds, f"a number above 0 and at most {_DAY:.0f}, or None for since the start")


def _window(stats: Stats, until: float) -> ActivityWindow:
    found = {name: Tally.of(counts) for name, counts in stats.by_namespace.items()}
    ordered = sorted(found.items(), key=lambda item: (-item[1].requests, item[0]))
    # At the mean of all loads together, hits of a cheap namespace would count as dear ones.
    total = replace(Tally.of(stats.total), saved_seconds=stats.saved_seconds)
    return ActivityWindow(stats.since, until, total, dict(ordered))
