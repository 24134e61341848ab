"""The figures of a namespace: what is counted, and what follows from it."""

from __future__ import annotations

import math
import struct
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from operator import add, attrgetter, sub
from typing import Final

__all__ = ["LOAD_BOUNDS", "NOTHING", "Counts", "Stats", "between", "pack_sum"]

LOAD_BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, math.inf)
"""Seconds up to which a load is counted in each place of `Counts.load_times`."""

_MISS_REASONS = ("absent", "expired", "invalidated", "evicted", "other_source", "backend_errors", "foreign")


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


_NAMES = tuple(one.name for one in fields(Counts) if one.name != "load_times")
_named = attrgetter(*_NAMES)
_ROW = struct.Struct(f"{len(_NAMES) + len(LOAD_BOUNDS)}d")
NOTHING: Final = bytes(_ROW.size)
"""What `Counts.pack` makes of figures that are all 0."""


def pack_sum(one: Counts, other: Counts) -> bytes:
    """The figures of both together, packed."""
    return _ROW.pack(*map(add, _figures(one), _figures(other)))


def between(earlier: bytes, later: bytes) -> Counts:
    """What was added to the packed figures *earlier* until they were *later*."""
    if earlier == later:
        return Counts()
    return _counts(tuple(map(sub, _ROW.unpack(later), _ROW.unpack(earlier))))


def _figures(counts: Counts) -> tuple[float, ...]:
    return (*_named(counts), *counts.load_times)


def _counts(figures: Sequence[float]) -> Counts:
    made = Counts(load_times=[int(number) for number in figures[len(_NAMES) :]])
    for name, figure in zip(_NAMES, figures, strict=False):
        setattr(made, name, figure if name == "load_seconds" else int(figure))
    return made


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


def _sum(counts: Iterable[Counts]) -> Counts:
    total = Counts()
    for one in counts:
        total.add(one)
    return total
