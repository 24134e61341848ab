"""What happened to each namespace: totals since the start, and what each step of the last 24 hours added to them."""

from __future__ import annotations

import math
import struct
import threading
import time
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise
from operator import add, attrgetter, sub
from typing import Final, Protocol

from avcache.clock import Clock
from avcache.forks import renew_in_children

__all__ = ["BUCKET_SECONDS", "LOAD_BOUNDS", "MAX_NAMESPACES", "OTHER", "Counters", "Counts", "Figures", "Stats"]

BUCKET_SECONDS: Final = 10
OTHER: Final = "other"
"""Counts of all namespaces past the first `MAX_NAMESPACES`, so that keys made by users cannot fill the memory."""

MAX_NAMESPACES: Final = 64
LOAD_BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, math.inf)
"""Seconds up to which a load is counted in each place of `Counts.load_times`."""

_MISS_REASONS = ("absent", "expired", "invalidated", "evicted", "other_source", "backend_errors", "foreign")
_MINUTE = 60 // BUCKET_SECONDS
_FINE = 3600 // BUCKET_SECONDS
_DAY = 24 * 3600 // BUCKET_SECONDS
_PATIENCE = _MINUTE
"""Buckets: a clock that is behind by more was set back; by less, it is waited for."""


@dataclass(slots=True)
class Counts:
    """
    The figures of one namespace. Any thread may say `counts.hits += 1` without a lock: CPython lets another thread in
    only at calls and where a loop goes round, and there is neither between the reading and the writing.

    Attributes:
        hits: Answered fresh.
        fallback_hits: Of the hits, those answered from memory while Redis was away.
        negative_hits: Answered "nothing there" from a cached `Absent`.
        stale_hits: Answered past the ttl, while one caller reloads or because the load failed.
        misses: Nothing to answer with.
        absent: Misses: there was no entry, and none is known to have been.
        expired: Misses: the entry was past its ttl, and no stale answer was wanted.
        invalidated: Misses: cleared or deleted since it was stored.
        evicted: Misses: it had to make room.
        other_source: Misses: the entry comes from another source than is wanted.
        backend_errors: Misses: the store did not answer, or refused.
        foreign: Misses: what the store answered was no entry of this key.
        loads: Values computed at their source.
        load_failures: Loads that raised.
        load_seconds: Time spent in `loads`, together.
        throttled: Answered as the last failure was, without a load: it was too recent.
        coalesced: Misses that waited for somebody else's load.
        refused: Values that were not stored: of a type that cannot come back, too large, or refused by the store.
        bytes_read: Size of the entries that were fetched from the store.
        bytes_written: Size of the entries that were given to the store.
        load_times: How many loads took up to each of `LOAD_BOUNDS` and longer than the one before.
    """

    hits: int = 0
    fallback_hits: int = 0
    negative_hits: int = 0
    stale_hits: int = 0
    misses: int = 0
    absent: int = 0
    expired: int = 0
    invalidated: int = 0
    evicted: int = 0
    other_source: int = 0
    backend_errors: int = 0
    foreign: int = 0
    loads: int = 0
    load_failures: int = 0
    load_seconds: float = 0.0
    throttled: int = 0
    coalesced: int = 0
    refused: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    load_times: list[int] = field(default_factory=lambda: [0] * len(LOAD_BOUNDS))

    @classmethod
    def unpack(cls, row: bytes) -> Counts:
        """The figures that `pack` wrote."""
        return _counts(_ROW.unpack(row))

    def pack(self) -> bytes:
        """All figures as doubles in a fixed order, which many rows can be added up by."""
        return _ROW.pack(*_figures(self))

    @property
    def answered(self) -> int:
        """Reads that were answered from the cache: fresh, stale, or that nothing is there."""
        return self.hits + self.stale_hits + self.negative_hits

    @property
    def requests(self) -> int:
        """Reads that were counted."""
        return self.answered + self.misses

    @property
    def hit_rate(self) -> float | None:
        """Share of reads that were answered from the cache; None without any read."""
        return self.answered / self.requests if self.requests else None

    @property
    def misses_by_reason(self) -> dict[str, int]:
        """The reasons that occurred, most frequent first."""
        found = {reason: getattr(self, reason) for reason in _MISS_REASONS}
        return {reason: found[reason] for reason in sorted(found, key=lambda one: -found[one]) if found[reason]}

    @property
    def mean_load_seconds(self) -> float | None:
        """Mean duration of a load; None without any."""
        return self.load_seconds / self.loads if self.loads else None

    @property
    def saved_seconds(self) -> float:
        """Loading time that answers from the cache spared, at the mean of the loads seen."""
        return self.answered * (self.mean_load_seconds or 0.0)

    def loaded(self, seconds: float) -> None:
        """Count a load that took *seconds*."""
        self.loads += 1
        self.load_seconds += seconds
        self.load_times[bisect_left(LOAD_BOUNDS, seconds)] += 1

    def load_quantile(self, share: float) -> float | None:
        """
        Seconds within which *share* (0 to 1) of the loads were done; None without any.

        Interpolated between two of `LOAD_BOUNDS`; beyond the longest finite one it is that one, "or more".
        """
        wanted, below, low = share * sum(self.load_times), 0, 0.0
        for high, number in zip(LOAD_BOUNDS, self.load_times, strict=True):
            if number and below + number >= wanted:
                return low if high == math.inf else low + (high - low) * (wanted - below) / number
            below, low = below + number, high
        return None

    def add(self, other: Counts) -> None:
        """Add each figure of *other*."""
        for name in _NAMES:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.load_times = list(map(add, self.load_times, other.load_times))

    def difference(self, earlier: Counts) -> Counts:
        """What happened since these figures were *earlier*."""
        return _counts(tuple(map(sub, _figures(self), _figures(earlier))))


_NAMES = tuple(one.name for one in fields(Counts) if one.name != "load_times")
_named = attrgetter(*_NAMES)
_ROW = struct.Struct(f"{len(_NAMES) + len(LOAD_BOUNDS)}d")
_NOTHING = bytes(_ROW.size)
_NO_COUNTS = Counts()


def _figures(counts: Counts) -> tuple[float, ...]:
    return (*_named(counts), *counts.load_times)


def _counts(figures: Sequence[float]) -> Counts:
    made = Counts(load_times=[int(number) for number in figures[len(_NAMES) :]])
    for name, figure in zip(_NAMES, figures, strict=False):
        setattr(made, name, figure if name == "load_seconds" else int(figure))
    return made


def _between(earlier: bytes, later: bytes) -> Counts:
    if earlier == later:
        return Counts()
    return _counts(tuple(map(sub, _ROW.unpack(later), _ROW.unpack(earlier))))


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


class Figures(Protocol):
    """Whoever can tell what happened: `Counters` for this process, `telemetry.totals.Totals` for all of them."""

    def stats(self, window: float | None = None) -> Stats:
        """Counts of the last *window* seconds; None: as far back as they go."""
        ...

    def series(self, window: float, step: float) -> tuple[list[float], dict[str, list[Counts]]]:
        """When each step of the last *window* seconds began, and the counts within it by namespace."""
        ...


class Counters:
    """
    Counts events of this process. *clock*, a wall clock, dates them.

    Attributes:
        rolls_at: Whoever counts through `of` calls `roll` first, once this moment has come: what is counted before
            that belongs to the bucket that was open, be that hours ago.

    For an hour what happened is known in steps of `BUCKET_SECONDS`, for a day in minutes. Kept are the totals at the
    end of each step, so that any window is one subtraction; where nothing happened, nothing is kept.
    """

    def __init__(self, clock: Clock = time.time) -> None:
        self._clock = clock
        self._since = clock()
        self.begin_anew()
        renew_in_children(self)
        self._places: dict[str, _Place] = {}
        self._bucket = int(self._since // BUCKET_SECONDS)
        self.rolls_at = float((self._bucket + 1) * BUCKET_SECONDS)

    def begin_anew(self) -> None:
        """In a forked process: no thread of its parent holds the lock."""
        self._mutex = threading.Lock()

    @property
    def since(self) -> float:
        """When counting began, wall clock."""
        return self._since

    def of(self, namespace: str) -> Counts:
        """The figures that count for *namespace*, always the same object: add to them directly."""
        return self._place(namespace).hot

    def count(self, namespace: str, event: str, amount: float = 1) -> None:
        """Add *amount* to the figure *event* (an attribute of `Counts`) of *namespace*."""
        self._rolled()
        cold = self._place(namespace).cold
        with self._mutex:
            setattr(cold, event, getattr(cold, event) + amount)

    def roll(self, now: float) -> None:
        """Close the bucket that goes on, if *now* lies behind its end. Any thread may call it at any time."""
        bucket = int(now // BUCKET_SECONDS)
        with self._mutex:
            if self._bucket - bucket > _PATIENCE:
                self._set_back(bucket)
            if bucket > self._bucket:
                for place in self._places.values():
                    place.close(self._bucket)
                self._open(bucket)

    def stats(self, window: float | None = None) -> Stats:
        """Copy the counts since the start, or of the last *window* seconds (a day at most)."""
        now = self._rolled()
        with self._mutex:
            if window is None:
                return Stats({name: place.counts() for name, place in self._used()}, self._since)
            # The bucket that goes on always counts, however short the window.
            first = min(int(max(0.0, now - window) // BUCKET_SECONDS) + 1, self._bucket)
            before = max(first - 1, self._bucket - _DAY - 1)
            recent = {name: place.counts(before, self._bucket) for name, place in self._used()}
            return Stats(recent, max(self._since, now - window))

    def series(self, window: float, step: float) -> tuple[list[float], dict[str, list[Counts]]]:
        """
        Return when each step of the last *window* seconds began, and the counts within it by namespace.

        The last step is the one that goes on.
        """
        self._rolled()
        width = max(1, round(step / BUCKET_SECONDS))
        with self._mutex:
            last = self._bucket // width
            steps = range(last - max(1, round(window / BUCKET_SECONDS) // width) + 1, last + 1)
            made = {name: place.steps(steps, width, self._bucket) for name, place in self._used()}
        return [float(at * width * BUCKET_SECONDS) for at in steps], made

    def minutes(self, first: int) -> dict[int, dict[str, Counts]]:
        """
        The counts by minute (of the epoch) and namespace, from minute *first* to the one that goes on.

        Where nothing happened, there is no item.
        """
        self._rolled()
        made: dict[int, dict[str, Counts]] = {}
        with self._mutex:
            last = self._bucket // _MINUTE
            steps = range(max(first, last - _DAY // _MINUTE), last + 1)
            for name, place in self._used():
                for minute, counts in zip(steps, place.steps(steps, _MINUTE, self._bucket), strict=True):
                    if counts != _NO_COUNTS:
                        made.setdefault(minute, {})[name] = counts
        return made

    def _rolled(self) -> float:
        now = self._clock()
        self.roll(now)
        return now

    def _place(self, namespace: str) -> _Place:
        found = self._places.get(namespace)
        if found is not None:
            return found
        with self._mutex:
            has_room = namespace in self._places or len(self._places) < MAX_NAMESPACES
            return self._places.setdefault(namespace if has_room else OTHER, _Place())

    def _used(self) -> list[tuple[str, _Place]]:
        return [(name, place) for name, place in self._places.items() if place.now() != _NOTHING]

    def _open(self, bucket: int) -> None:
        self._bucket = bucket
        self.rolls_at = float((bucket + 1) * BUCKET_SECONDS)

    def _set_back(self, bucket: int) -> None:
        """The clock was set back: date everything as much earlier, so that ten minutes ago stays ten minutes ago."""
        minutes = -(-(self._bucket - bucket) // _MINUTE)
        for place in self._places.values():
            place.shift(minutes)
        self._since -= minutes * 60
        self._open(self._bucket - minutes * _MINUTE)


class _Place:
    """One namespace: what its callers add to, and its totals at the end of each step."""

    def __init__(self) -> None:
        self.hot = Counts()
        # `count` makes calls between reading and writing: it must not add to what others add to without a lock.
        self.cold = Counts()
        self._fine = _Course(1, _FINE + _MINUTE)
        self._coarse = _Course(_MINUTE, _DAY // _MINUTE + 1)

    def now(self) -> bytes:
        return _ROW.pack(*map(add, _figures(self.hot), _figures(self.cold)))

    def counts(self, before: int | None = None, current: int = 0) -> Counts:
        """What happened behind the end of bucket *before*; None: ever."""
        return _between(_NOTHING if before is None else self._at(before, current), self.now())

    def steps(self, steps: range, width: int, current: int) -> list[Counts]:
        """What happened in each of *steps*, which are *width* buckets wide; the last one goes on."""
        edges = [self._at(step * width - 1, current) for step in steps]
        return [_between(earlier, later) for earlier, later in pairwise([*edges, self.now()])]

    def close(self, bucket: int) -> None:
        row = self.now()
        if row != self._fine.last:
            self._fine.put(bucket, row)
            self._coarse.put(bucket, row)

    def shift(self, minutes: int) -> None:
        self._fine.shift(minutes * _MINUTE)
        self._coarse.shift(minutes)

    def _at(self, bucket: int, current: int) -> bytes:
        """The totals when *bucket* ended."""
        return (self._fine if bucket >= current - _FINE else self._coarse).at(bucket)


class _Course:
    """Totals at the end of each step of *width* buckets in which something happened; of the last *kept* steps."""

    def __init__(self, width: int, kept: int) -> None:
        self._width = width
        self._kept = kept
        self._steps: list[int] = []
        self._rows: list[bytes] = []
        self._before = _NOTHING

    @property
    def last(self) -> bytes:
        return self._rows[-1] if self._rows else self._before

    def put(self, bucket: int, row: bytes) -> None:
        step = bucket // self._width
        if self._steps and self._steps[-1] == step:
            self._rows[-1] = row
            return
        self._steps.append(step)
        self._rows.append(row)
        old = bisect_right(self._steps, step - self._kept)
        if old:
            self._before = self._rows[old - 1]
            del self._steps[:old], self._rows[:old]

    def at(self, bucket: int) -> bytes:
        """The totals when *bucket* ended, or when the last whole step before that did."""
        found = bisect_right(self._steps, (bucket + 1) // self._width - 1)
        return self._rows[found - 1] if found else self._before

    def shift(self, steps: int) -> None:
        self._steps = [step - steps for step in self._steps]


def _sum(counts: Iterable[Counts]) -> Counts:
    total = Counts()
    for one in counts:
        total.add(one)
    return total
