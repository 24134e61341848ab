"""What happened to each namespace: totals since the start, and what each step of the last two days added to them."""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from itertools import pairwise
from typing import Final, Protocol

from avcache.clock import Clock
from avcache.core.counts import LOAD_BOUNDS, NOTHING, Counts, Stats, between, pack_sum
from avcache.forks import renew_in_children

__all__ = ["BUCKET_SECONDS", "LOAD_BOUNDS", "MAX_NAMESPACES", "OTHER", "Counters", "Counts", "Figures", "Stats"]

BUCKET_SECONDS: Final = 10
OTHER: Final = "other"
"""Counts of all namespaces past the first `MAX_NAMESPACES`, so that keys made by users cannot fill the memory."""

MAX_NAMESPACES: Final = 64

_MINUTE = 60 // BUCKET_SECONDS
_QUARTER = 15 * _MINUTE
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_NEAR = _DAY + _HOUR + 5 * _MINUTE
"""Buckets: an hour of yesterday is told to the minute as well."""

_FAR = 2 * _DAY + _HOUR
_PATIENCE = _MINUTE
"""Buckets: a clock that is behind by more was set back; by less, it is waited for."""

_NO_COUNTS = Counts()


class Figures(Protocol):
    """Whoever can tell what happened: `Counters` for this process, `telemetry.totals.Totals` for all of them."""

    def stats(self, window: float | None = None) -> Stats:
        """Counts of the last *window* seconds; None: as far back as they go."""
        ...

    def series(self, window: float, step: float) -> tuple[list[float], dict[str, list[Counts]]]:
        """When each step of the last *window* seconds began, and the counts within it by namespace."""
        ...

    def between(self, start: float, end: float) -> Stats | None:
        """Counts from *start* to *end*, wall clock; None: of then nothing is known."""
        ...


class Counters:
    """
    Counts events of this process. *clock*, a wall clock, dates them.

    Attributes:
        rolls_at: Whoever counts through `of` calls `roll` first, once this moment has come: what is counted before
            that belongs to the bucket that was open, be that hours ago.

    For an hour what happened is known in steps of `BUCKET_SECONDS`, for 25 hours in minutes, for 49 in quarters of an
    hour. Kept are the totals at the end of each step, so that any window is one subtraction; where nothing happened,
    nothing is kept.
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

    def between(self, start: float, end: float) -> Stats | None:
        """
        Copy the counts from *start* to *end* (wall clock), each taken back to where a step begins.

        None if counting began later, or that is more than 49 hours ago. `Stats.since` says where the counts do begin.
        """
        self._rolled()
        with self._mutex:
            oldest, last = self._bucket - _FAR, int(end // BUCKET_SECONDS)
            if end <= self._since or last <= oldest:
                return None
            first = min(max(int(start // BUCKET_SECONDS), oldest), last)
            made = {name: place.between(first - 1, last - 1, self._bucket) for name, place in self._used()}
            width, _ = _COURSES[_finest(first - 1, self._bucket)]
            return Stats(made, max(self._since, float(first // width * width * BUCKET_SECONDS)))

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
        return [(name, place) for name, place in self._places.items() if place.now() != NOTHING]

    def _open(self, bucket: int) -> None:
        self._bucket = bucket
        self.rolls_at = float((bucket + 1) * BUCKET_SECONDS)

    def _set_back(self, bucket: int) -> None:
        """The clock was set back: date everything as much earlier, so that ten minutes ago stays ten minutes ago."""
        minutes = -(-(self._bucket - bucket) // _MINUTE)
        for place in self._places.values():
            place.shift(minutes * _MINUTE)
        self._since -= minutes * 60
        self._open(self._bucket - minutes * _MINUTE)


class _Place:
    """One namespace: what its callers add to, and its totals at the end of each step."""

    def __init__(self) -> None:
        self.hot = Counts()
        # `count` makes calls between reading and writing: it must not add to what others add to without a lock.
        self.cold = Counts()
        self._courses = [_Course(width, reach) for width, reach in _COURSES]

    def now(self) -> bytes:
        return pack_sum(self.hot, self.cold)

    def counts(self, before: int | None = None, current: int = 0) -> Counts:
        """What happened behind the end of bucket *before*; None: ever."""
        return between(NOTHING if before is None else self._at(before, current), self.now())

    def between(self, before: int, until: int, current: int) -> Counts:
        """What happened behind the end of bucket *before*, until bucket *until* ended."""
        return between(self._at(before, current), self._at(until, current) if until < current else self.now())

    def steps(self, steps: range, width: int, current: int) -> list[Counts]:
        """What happened in each of *steps*, which are *width* buckets wide; the last one goes on."""
        edges = [self._at(step * width - 1, current) for step in steps]
        return [between(earlier, later) for earlier, later in pairwise([*edges, self.now()])]

    def close(self, bucket: int) -> None:
        row = self.now()
        if row != self._courses[0].last:
            for course in self._courses:
                course.put(bucket, row)

    def shift(self, buckets: int) -> None:
        for course in self._courses:
            course.shift(buckets)

    def _at(self, bucket: int, current: int) -> bytes:
        """The totals when *bucket* ended."""
        return self._courses[_finest(bucket, current)].at(bucket)


_COURSES: Final = ((1, _HOUR), (_MINUTE, _NEAR), (_QUARTER, _FAR))
"""The buckets in a step, and how many buckets back it is known what was in each."""


def _finest(bucket: int, current: int) -> int:
    """Which of the courses knows best what was when *bucket* ended."""
    return next((at for at, (_, reach) in enumerate(_COURSES) if bucket >= current - reach), len(_COURSES) - 1)


class _Course:
    """Totals at the end of each step of *width* buckets in which something happened; for *reach* buckets back."""

    def __init__(self, width: int, reach: int) -> None:
        self._width = width
        self._kept = reach // width + 2
        self._steps: list[int] = []
        self._rows: list[bytes] = []
        self._before = NOTHING
        # Not the steps: wider ones would have to move by a part of their width.
        self._shifted = 0

    @property
    def last(self) -> bytes:
        return self._rows[-1] if self._rows else self._before

    def put(self, bucket: int, row: bytes) -> None:
        step = (bucket + self._shifted) // self._width
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
        found = bisect_right(self._steps, (bucket + self._shifted + 1) // self._width - 1)
        return self._rows[found - 1] if found else self._before

    def shift(self, buckets: int) -> None:
        """Date everything *buckets* earlier."""
        self._shifted += buckets
