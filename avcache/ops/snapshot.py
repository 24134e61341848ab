"""What the cache holds, in figures by namespace: of all of it, or reckoned from a fair part. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from avcache.core.census import Census
from avcache.market.caching import NOTES

__all__ = ["MINUTES", "STEPS", "Due", "NamespaceSize", "Snapshot", "band", "decode", "encode", "snapshot_of"]

STEPS: Final = 60
MINUTES: Final = 75
"""An hour, and as long as a snapshot may get old."""

_MINUTE: Final = 60.0
_Z_SQUARED: Final = 1.96**2
"""Of a band that holds the truth in 95 of 100 cases."""

_NICE_WIDTHS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400)


@dataclass(frozen=True, slots=True)
class Due:
    """
    Fresh entries by when they stop being so: how many in each step, their bytes, what loading them took, and of how
    many that is not known.
    """

    keys: tuple[int, ...]
    bytes: tuple[int, ...]
    load_seconds: tuple[float, ...]
    unknown: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class NamespaceSize:
    """
    What one namespace holds. Where only a part was looked at, all numbers are reckoned from it; see `Snapshot.band`.

    Attributes:
        stale: Past their ttl. *foreign*: none of ours. *endless*: never expire.
        size: Bytes in the store.
        ttl: The longest time to live of those seen, seconds; 0 if there are none.
        soonest: Seconds until the first of them is past its ttl; 0 if none is fresh.
        samples: A few of the keys; *biggest*: (key, bytes), the largest first.
        width: Seconds of each of the `STEPS` of *due*, from the snapshot on to the longest time left.
        due_minutes: The same by minutes, for `MINUTES`.
    """

    name: str
    keys: int
    stale: int
    foreign: int
    endless: int
    size: int
    ttl: float
    soonest: float
    samples: tuple[str, ...]
    foreign_samples: tuple[str, ...]
    biggest: tuple[tuple[str, int], ...]
    width: float
    due: Due
    due_minutes: Due

    @property
    def fresh(self) -> int:
        """How many are not past their ttl."""
        return self.keys - self.stale - self.foreign


@dataclass(frozen=True, slots=True)
class Snapshot:
    """
    The cache as it was at *taken_at* (wall clock).

    Attributes:
        share: How much of the store was looked at, 0 to 1.
        is_exact: Every key was looked at, in the store that is wanted.
        took: Seconds from the first look to the last.
    """

    namespaces: Mapping[str, NamespaceSize]
    taken_at: float
    share: float = 1.0
    is_exact: bool = True
    took: float = 0.0

    @property
    def keys(self) -> int:
        """Of all namespaces together."""
        return sum(one.keys for one in self.namespaces.values())

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing but the notes of the market about its provider."""
        return all(name in NOTES for name, found in self.namespaces.items() if found.keys)

    def band(self, count: int) -> tuple[int, int]:
        """Between which numbers the truth lies in 95 of 100 cases, if *count* is what was reckoned."""
        return band(count, self.share)

    def error(self, count: int) -> float:
        """Half of the band, as a share of *count*: 0.02 is ± 2 %."""
        low, high = self.band(count)
        return (high - low) / 2 / count if count else 0.0


def band(count: int, share: float) -> tuple[int, int]:
    """
    Between which numbers the truth lies in 95 of 100 cases, if *count* was reckoned from a *share* above 0.

    Keys lie in a store as their hashes fall, so a part of it holds a number of them that varies as chance would have it
    (the score interval of a Poisson count), and the less the more was looked at.
    """
    if share >= 1:
        return count, count
    seen, spread = count * share, _Z_SQUARED * (1 - share)
    middle, half = seen + spread / 2, math.sqrt(spread * (seen + spread / 4))
    return math.floor(max(0.0, middle - half) / share), math.ceil((middle + half) / share)


def snapshot_of(census: Census, now: float, *, is_exact: bool, took: float = 0.0) -> Snapshot:
    """Add up a *census* that was taken at *now* (wall clock)."""
    share = census.share or 1.0
    scale = 1 / share
    by_place = census.rows["namespace"]
    found = {
        name: _size(name, census, census.rows[by_place == place], now, scale)
        for place, name in enumerate(census.namespaces)
    }
    kept = {name: found[name] for name in sorted(found) if found[name].keys}
    return Snapshot(kept, now, share, is_exact and share >= 1, took)


def encode(snapshot: Snapshot) -> bytes:
    """As it goes to the other processes."""
    return msgspec.msgpack.encode(snapshot)


def decode(data: bytes) -> Snapshot | None:
    """What `encode` wrote; None for what another version did."""
    try:
        return msgspec.msgpack.decode(data, type=Snapshot)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None


def _size(name: str, census: Census, rows: npt.NDArray[Any], now: float, scale: float) -> NamespaceSize:
    left = rows["fresh_until"] - now
    is_fresh = ~rows["is_foreign"] & (left > 0)
    fresh = rows[is_fresh]
    left = left[is_fresh]
    longest = float(left.max()) if len(left) else 0.0
    width = next((nice for nice in _NICE_WIDTHS if nice * STEPS > longest), longest / STEPS + 1)
    ours = rows[~rows["is_foreign"]]
    ttls = ours["fresh_until"] - ours["written_at"]

    def counted(which: npt.NDArray[np.bool_]) -> int:
        return round(int(which.sum()) * scale)

    return NamespaceSize(
        name,
        keys=round(len(rows) * scale),
        stale=counted(~rows["is_foreign"] & ~is_fresh),
        foreign=counted(rows["is_foreign"]),
        endless=counted(np.isinf(rows["expires_in"])),
        size=round(int(rows["size"].sum()) * scale),
        ttl=float(ttls.max()) if len(ttls) else 0.0,
        soonest=float(left.min()) if len(left) else 0.0,
        samples=tuple(sorted(census.samples.get(name, ()))),
        foreign_samples=tuple(census.foreign_samples.get(name, ())),
        biggest=tuple(census.biggest.get(name, ())),
        width=float(width),
        due=_due(fresh, left, width, STEPS, scale),
        due_minutes=_due(fresh, left, _MINUTE, MINUTES, scale),
    )


def _due(fresh: npt.NDArray[Any], left: npt.NDArray[np.float64], width: float, steps: int, scale: float) -> Due:
    at = np.minimum(left // width, steps).astype(np.int64)  # the last one is beyond the end, and left out
    seconds = fresh["load_seconds"].astype(float)
    weights = (None, fresh["size"], np.nan_to_num(seconds), np.isnan(seconds))
    keys, sizes, known, unknown = (np.bincount(at, weight, steps + 1)[:steps] * scale for weight in weights)
    return Due(_whole(keys), _whole(sizes), tuple(known.tolist()), _whole(unknown))


def _whole(numbers: npt.NDArray[Any]) -> tuple[int, ...]:
    return tuple(np.rint(numbers).astype(np.int64).tolist())
