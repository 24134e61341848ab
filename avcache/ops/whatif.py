"""What another ttl would have made of the last accesses: each of them replayed, none left out. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from avcache.core.accesses import LOAD, Columns
from avcache.errors import InvalidInput

__all__ = ["LONGEST_TTL", "MOST_TTLS", "WhatIf", "WhatIfRow", "what_if"]

MOST_TTLS: Final = 16
LONGEST_TTL: Final = 30 * 24 * 3600

_ALLOWED = f"1 to {MOST_TTLS} numbers of seconds, each above 0 and at most {LONGEST_TTL}"
_FEW = 64
"""Keys: the loads of so few are found sooner one by one than in steps that all of them take together."""

_Ints = npt.NDArray[np.integer[Any]]
_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class WhatIfRow:
    """
    What *ttl* seconds would have made of the reads.

    Attributes:
        hit_rate: Share of reads answered from the cache, 0 to 1; None without any read.
        mean_age: Seconds since the load of what a hit answered, in the mean; None without any hit.
        load_seconds: What those loads would have taken whose cost is known; None if it is of none of them.
        unknown_loads: Of how many it is not: no load of their key or namespace is among the accesses.
    """

    ttl: float
    hit_rate: float | None
    mean_age: float | None
    loads: int
    load_seconds: float | None
    unknown_loads: int


@dataclass(frozen=True, slots=True)
class WhatIf:
    """
    A row for each ttl, and what was replayed: reads of this process, whatever had become of them.

    Attributes:
        rows: In the order of the ttls.
        reads: How many, of *keys* keys.
        since: When the first of them was, wall clock; None without any.
        until: When the last was; None without any.
        namespace: The only one that was looked at; None: all.
    """

    rows: tuple[WhatIfRow, ...]
    reads: int
    keys: int
    since: float | None
    until: float | None
    namespace: str | None


def what_if(columns: Columns, ttls: Sequence[float], namespace: str | None = None) -> WhatIf:
    """
    Replay the reads in *columns* (those of one *namespace*, if given) under each of *ttls*, seconds.

    The first read of a key is a load. A later one is a hit while it is less than a ttl after the last load, else it is
    a load. A load costs what those of its key took in the mean, else those of its namespace.

    Raises:
        InvalidInput: There are no *ttls*, or more than 16, or one is no number of seconds within 30 days.
    """
    wanted = _checked(ttls)
    reads = _sorted(_of(columns, namespace), max(wanted))
    return WhatIf(
        rows=tuple(_row(reads, ttl) for ttl in wanted),
        reads=reads.at.size,
        keys=reads.starts.size,
        since=float(reads.at.min()) if reads.at.size else None,
        until=float(reads.at.max()) if reads.at.size else None,
        namespace=namespace,
    )


@dataclass(frozen=True, slots=True)
class _Reads:
    """
    Reads sorted by key, and those of a key by time.

    Attributes:
        at: Wall clock.
        cost: Seconds of a load of the key that is read; NaN: unknown.
        starts: At which read each key begins.
        ends: And behind which it ends.
        first_at: The time of the first read of all.
        apart: Seconds from the first read of all to the longest ttl after the last.
        places: What grows from read to read: seconds since *first_at*, and *apart* more with each key.
    """

    at: _Floats
    cost: _Floats
    starts: _Ints
    ends: _Ints
    first_at: float
    apart: float
    places: _Floats

    def next_loads(self, keys: _Ints, loaded: _Ints, ttl: float) -> _Ints:
        """The first reads of *keys* that their loads at the reads *loaded* do not serve; where none is, their ends."""
        ends, expiry = self.ends[keys], self.at[loaded] + ttl
        found = np.searchsorted(self.places, keys * self.apart + (expiry - self.first_at))
        found = np.maximum(found, loaded + 1)
        # Rounded, an earlier read may have the place of a later one: what that hides is told by the times themselves.
        while (is_served := (found < ends) & (self.at[np.minimum(found, ends - 1)] < expiry)).any():
            found += is_served
        return found


def _checked(ttls: Sequence[float]) -> list[float]:
    if not 1 <= len(ttls) <= MOST_TTLS:
        raise InvalidInput("ttls", ttls, _ALLOWED)
    for ttl in ttls:
        if isinstance(ttl, bool) or not isinstance(ttl, Real) or not 0 < ttl <= LONGEST_TTL:
            raise InvalidInput("ttls", ttl, _ALLOWED)
    return [float(ttl) for ttl in ttls]


def _of(columns: Columns, namespace: str | None) -> Columns:
    if namespace is None:
        return columns
    known = columns.namespace_names
    rows = np.flatnonzero(columns.namespaces == (known.index(namespace) if namespace in known else len(known)))
    return Columns(
        keys=columns.keys[rows],
        namespaces=columns.namespaces[rows],
        kinds=columns.kinds[rows],
        at=columns.at[rows],
        seconds=columns.seconds[rows],
        names=columns.names,
        namespace_names=known,
    )


def _sorted(columns: Columns, longest: float) -> _Reads:
    is_read = columns.kinds != LOAD
    at = columns.at[is_read]
    # By time first: threads write a little out of turn, and a clock may be set back.
    by_time = np.argsort(at, kind="stable") if (at[1:] < at[:-1]).any() else np.arange(at.size)
    keys, known = pd.factorize(columns.keys[is_read][by_time])
    # Numbers of 16 bits are sorted twenty times as fast as longer ones.
    by_key = np.argsort(keys.astype(np.uint16 if known.size <= 2**16 else np.int64), kind="stable")
    keys, at = keys[by_key], at[by_time][by_key]
    starts = np.searchsorted(keys, np.arange(known.size))
    first_at = float(at.min()) if at.size else 0.0
    apart = float(at.max(initial=first_at)) - first_at + longest
    return _Reads(
        at=at,
        cost=_costs(columns)[is_read][by_time][by_key],
        starts=starts,
        ends=np.append(starts[1:], at.size),
        first_at=first_at,
        apart=apart,
        places=keys * apart + (at - first_at),
    )


def _costs(columns: Columns) -> _Floats:
    """What a load takes, for each access; NaN where it is not known."""
    keys, known = pd.factorize(columns.keys)
    by_key = _mean_seconds(keys, columns, known.size)[keys]
    by_namespace = _mean_seconds(columns.namespaces, columns, len(columns.namespace_names))[columns.namespaces]
    return np.where(np.isnan(by_key), by_namespace, by_key)


def _mean_seconds(groups: _Ints, columns: Columns, number: int) -> _Floats:
    """The mean duration of the loads of each group; NaN without any."""
    is_load = columns.kinds == LOAD
    loads = np.bincount(groups[is_load], minlength=number)
    seconds = np.bincount(groups[is_load], columns.seconds[is_load], number)
    means: _Floats = np.divide(seconds, loads, out=np.full(number, np.nan), where=loads > 0)
    return means


def _row(reads: _Reads, ttl: float) -> WhatIfRow:
    loads = np.flatnonzero(_loads(reads, ttl))
    number, hits = reads.at.size, reads.at.size - loads.size
    ages = reads.at - np.repeat(reads.at[loads], np.diff(loads, append=number))
    costs = reads.cost[loads]
    unknown = int(np.isnan(costs).sum())
    return WhatIfRow(
        ttl=ttl,
        hit_rate=hits / number if number else None,
        mean_age=float(ages.sum()) / hits if hits else None,
        loads=loads.size,
        load_seconds=None if unknown == loads.size > 0 else float(np.nansum(costs)),
        unknown_loads=unknown,
    )


def _loads(reads: _Reads, ttl: float) -> npt.NDArray[np.bool_]:
    """Whether each read is a load."""
    is_load = np.zeros(reads.at.size, np.bool_)
    keys, loaded = np.arange(reads.starts.size), reads.starts
    while keys.size > _FEW:
        is_load[loaded] = True
        found = reads.next_loads(keys, loaded, ttl)
        is_left = found < reads.ends[keys]
        keys, loaded = keys[is_left], found[is_left]
    for key, start in zip(keys.tolist(), loaded.tolist(), strict=True):
        is_load[list(_loads_of_one(reads.at[start : reads.ends[key]].tolist(), start, ttl))] = True
    return is_load


def _loads_of_one(at: Sequence[float], start: int, ttl: float) -> Iterator[int]:
    place = 0
    while place < len(at):
        yield start + place
        place = bisect_left(at, at[place] + ttl, place + 1)
