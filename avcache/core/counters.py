"""What happened to each namespace: totals since the start, and ten-second buckets of the last 24 hours."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Final

from avcache.clock import Clock

__all__ = ["BUCKET_SECONDS", "OTHER", "Counters", "Counts", "Stats"]

BUCKET_SECONDS: Final = 10
OTHER: Final = "other"
"""Counts of all namespaces past the first `_MAX_NAMESPACES`, so that keys made by users cannot fill the memory."""

_MAX_NAMESPACES = 64
_BUCKETS = 24 * 3600 // BUCKET_SECONDS


@dataclass(slots=True)
class Counts:
    """
    Attributes:
        hits: Answered fresh.
        stale_hits: Answered past the ttl, while one caller reloads or because the load failed.
        misses: Nothing to answer with.
        loads: Values computed at their source.
        load_failures: Loads that raised.
        load_seconds: Time spent in `loads`, together.
        coalesced: Misses that waited for somebody else's load.
        refused: Values that were not stored: of a type that cannot come back, too large, or refused by the store.
        foreign: Answers of the store that were no entry of this key.
    """

    hits: int = 0
    stale_hits: int = 0
    misses: int = 0
    loads: int = 0
    load_failures: int = 0
    load_seconds: float = 0.0
    coalesced: int = 0
    refused: int = 0
    foreign: int = 0

    @property
    def requests(self) -> int:
        """Reads that were counted."""
        return self.hits + self.stale_hits + self.misses

    @property
    def hit_rate(self) -> float | None:
        """Share of reads that were answered from the cache, fresh or stale; None without any read."""
        return (self.hits + self.stale_hits) / self.requests if self.requests else None

    @property
    def mean_load_seconds(self) -> float | None:
        """Mean duration of a load; None without any."""
        return self.load_seconds / self.loads if self.loads else None

    @property
    def saved_seconds(self) -> float:
        """Loading time that hits spared, at the mean of the loads seen."""
        return (self.hits + self.stale_hits) * (self.mean_load_seconds or 0.0)

    def add(self, other: Counts) -> None:
        """Add each figure of *other*."""
        for name in _NAMES:
            setattr(self, name, getattr(self, name) + getattr(other, name))


_NAMES = tuple(field.name for field in fields(Counts))


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts by namespace, and since when (wall clock)."""

    by_namespace: Mapping[str, Counts]
    since: float

    @property
    def saved_seconds(self) -> float:
        """Loading time that hits spared: each namespace at the mean of its own loads."""
        return sum(counts.saved_seconds for counts in self.by_namespace.values())

    @property
    def total(self) -> Counts:
        """All namespaces together."""
        return _sum(self.by_namespace.values())


class Counters:
    """Counts events of this process. *clock* dates the buckets."""

    def __init__(self, clock: Clock = time.time) -> None:
        self._clock = clock
        self._since = clock()
        self._mutex = threading.Lock()
        self._totals: dict[str, Counts] = {}
        self._buckets: dict[str, deque[tuple[int, Counts]]] = {}

    def count(self, namespace: str, event: str, amount: float = 1) -> None:
        """Add *amount* to the figure *event* (an attribute of `Counts`) of *namespace*."""
        number = int(self._clock() // BUCKET_SECONDS)
        with self._mutex:
            for counts in self._current(namespace, number):
                setattr(counts, event, getattr(counts, event) + amount)

    def stats(self, window: float | None = None) -> Stats:
        """Copy the counts since the start, or of the last *window* seconds (in steps of `BUCKET_SECONDS`)."""
        now = self._clock()
        with self._mutex:
            if window is None:
                return Stats({name: replace(counts) for name, counts in self._totals.items()}, self._since)
            # The bucket that goes on always counts, however short the window.
            first = min(int((now - window) // BUCKET_SECONDS) + 1, int(now // BUCKET_SECONDS))
            recent = {
                name: _sum(counts for number, counts in buckets if number >= first)
                for name, buckets in self._buckets.items()
            }
            return Stats(recent, max(self._since, now - window))

    def series(self, window: float, step: float) -> tuple[list[float], dict[str, list[Counts]]]:
        """
        Return when each step of the last *window* seconds began, and the counts within it by namespace.

        The last step is the one that goes on.
        """
        width = max(1, round(step / BUCKET_SECONDS))
        last = int(self._clock() // BUCKET_SECONDS) // width
        steps = range(last - max(1, round(window / BUCKET_SECONDS) // width) + 1, last + 1)
        with self._mutex:
            made = {name: [Counts() for _ in steps] for name in self._buckets}
            for name, buckets in self._buckets.items():
                for number, counts in buckets:
                    if number // width >= steps.start:
                        made[name][number // width - steps.start].add(counts)
        return [float(at * width * BUCKET_SECONDS) for at in steps], made

    def _current(self, namespace: str, number: int) -> tuple[Counts, Counts]:
        if namespace not in self._totals and len(self._totals) >= _MAX_NAMESPACES:
            namespace = OTHER
        totals = self._totals.setdefault(namespace, Counts())
        buckets = self._buckets.setdefault(namespace, deque(maxlen=_BUCKETS))
        if not buckets or buckets[-1][0] != number:
            buckets.append((number, Counts()))
        return totals, buckets[-1][1]


def _sum(counts: Iterable[Counts]) -> Counts:
    total = Counts()
    for one in counts:
        total.add(one)
    return total
