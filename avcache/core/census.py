"""Many entries at once, looked at from outside: a column for each fact, for those who reckon with all of them."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from avcache.backends.barriers import Barriers
from avcache.backends.base import MAGIC, Slice
from avcache.core.counters import OTHER
from avcache.core.entry import HEAD, TAG_SEPARATOR
from avcache.core.keys import DEFAULT_NAMESPACE

__all__ = ["Census", "CensusTaker"]

_HEAD = np.dtype(
    [
        ("magic", "S4"),
        ("version", ">u8"),
        ("written_at", ">f8"),
        ("fresh_until", ">f8"),
        ("load_seconds", ">f4"),
        ("flags", "u1"),
        ("nothing", "u1"),
        ("key_bytes", ">u2"),
        ("tag_bytes", ">u2"),
        ("source_bytes", ">u2"),
    ]
)
_NO_HEAD: Final = bytes(_HEAD.itemsize)
_SAMPLES: Final = 5
_BIGGEST: Final = 10
_MOST_NAMESPACES: Final = 256


_ROW = np.dtype(
    [
        ("hash", "i8"),
        ("namespace", "u2"),
        ("size", "i8"),
        ("expires_in", "f8"),
        ("written_at", "f8"),
        ("fresh_until", "f8"),
        ("load_seconds", "f4"),
        ("is_foreign", "?"),
    ]
)


@dataclass(frozen=True, slots=True)
class Census:
    """
    The entries that were seen, each once; without those that were invalidated.

    Attributes:
        namespaces: Their names.
        rows: One for each entry: *namespace* (a place in `namespaces`), *size* (bytes in the store), *expires_in*
            (seconds until the store drops it; infinite: never), *written_at* and *fresh_until* (wall clock; NaN of a
            foreign one), *load_seconds* (NaN of one that was not loaded), *is_foreign*.
        share: How much of the store was looked at, 0 to 1.
        samples: By namespace, a few of the keys; *foreign_samples* of those that are foreign.
        biggest: By namespace, (key, bytes) of the largest, largest first.
    """

    namespaces: tuple[str, ...]
    rows: npt.NDArray[Any]
    share: float
    samples: Mapping[str, Sequence[str]]
    foreign_samples: Mapping[str, Sequence[str]]
    biggest: Mapping[str, Sequence[tuple[str, int]]]


class CensusTaker:
    """
    Takes one slice of a survey after the other. A store may show an entry twice: it counts once.

    Attributes:
        looked_at: How many were shown, once or again.
    """

    def __init__(self, barriers: Barriers) -> None:
        self._barriers = barriers
        self._places: dict[str, int] = {}
        self._parts: list[npt.NDArray[Any]] = []
        self._samples: dict[str, list[str]] = {}
        self._foreign_samples: dict[str, list[str]] = {}
        self._biggest: dict[str, list[tuple[int, str]]] = {}
        self._least: list[int] = []
        self.share = 0.0
        self.looked_at = 0

    def add(self, slice_: Slice) -> None:
        """Count what *slice_* has."""
        self.share = slice_.done
        self.looked_at += len(slice_.names)
        names = [name.decode(errors="backslashreplace") for name in slice_.names]
        heads = np.frombuffer(b"".join(map(_fixed, slice_.heads)), dtype=_HEAD)
        is_ours = self._are_ours(heads, slice_)
        keep = self._are_valid(heads, is_ours, names, slice_.heads)
        if not all(keep):
            chosen = np.flatnonzero(keep)
            names = [names[at] for at in chosen]
            slice_ = _only(slice_, chosen)
            heads, is_ours = heads[chosen], is_ours[chosen]
        rows = np.zeros(len(names), _ROW)
        rows["hash"] = list(map(hash, slice_.names))
        rows["namespace"] = list(map(self._place, names))
        rows["size"] = slice_.sizes
        rows["expires_in"] = slice_.expires_in
        for fact in ("written_at", "fresh_until", "load_seconds"):
            rows[fact] = np.where(is_ours, heads[fact], np.nan)
        rows["is_foreign"] = ~is_ours
        self._note(names, rows)
        self._parts.append(rows)

    def result(self) -> Census:
        """What was counted by now."""
        rows = np.concatenate([np.zeros(0, _ROW), *self._parts])
        _, firsts = np.unique(rows["hash"], return_index=True)
        return Census(
            tuple(self._places),
            rows if len(firsts) == len(rows) else rows[np.sort(firsts)],
            self.share,
            self._samples,
            self._foreign_samples,
            {name: _descending(found) for name, found in self._biggest.items()},
        )

    def _are_ours(self, heads: npt.NDArray[Any], slice_: Slice) -> npt.NDArray[np.bool_]:
        """Which of them are entries of ours: whole, and of the very key that they lie under."""
        lengths = heads["key_bytes"].tolist()
        rows = zip(slice_.names, slice_.heads, lengths, strict=True)
        same = [name.startswith(head[HEAD : HEAD + length]) and len(name) == length for name, head, length in rows]
        finite = np.isfinite(heads["written_at"]) & np.isfinite(heads["fresh_until"])
        made: npt.NDArray[np.bool_] = (heads["magic"] == MAGIC) & finite & np.array(same, bool)
        return made

    def _are_valid(
        self, heads: npt.NDArray[Any], is_ours: npt.NDArray[np.bool_], names: Sequence[str], raw: Sequence[bytes]
    ) -> list[bool]:
        """Which of them no invalidation covers; a foreign one is there whatever was invalidated."""
        barriers = self._barriers
        keep = [True] * len(names)
        for at in np.flatnonzero(is_ours & (heads["version"] < barriers.newest)).tolist():
            head = heads[at]
            tags = _tags(raw[at], head["key_bytes"], head["tag_bytes"]) if head["tag_bytes"] else []
            keep[at] = barriers.allows(names[at], tags, int(head["version"]))
        return keep

    def _place(self, name: str) -> int:
        namespace, colon, _ = name.partition(":")
        if not colon or not namespace:
            namespace = DEFAULT_NAMESPACE
        if namespace not in self._places and len(self._places) >= _MOST_NAMESPACES:  # another program's, by the look
            namespace = OTHER
        return self._places.setdefault(namespace, len(self._places))

    def _note(self, names: Sequence[str], rows: npt.NDArray[Any]) -> None:
        """Remember a few names: samples, and the biggest. Of most slices nothing is worth it."""
        known = tuple(self._places)
        for namespace in known[len(self._least) :]:
            self._least.append(-1)
            self._biggest[namespace] = []
        is_big = rows["size"] > np.array(self._least)[rows["namespace"]] if len(names) else []
        for at in np.flatnonzero(is_big).tolist():
            place, size = int(rows["namespace"][at]), int(rows["size"][at])
            biggest = self._biggest[known[place]]
            if (size, names[at]) in biggest:
                continue
            heapq.heappush(biggest, (size, names[at]))
            if len(biggest) > _BIGGEST:
                heapq.heappop(biggest)
                self._least[place] = biggest[0][0]
        for samples, which in ((self._samples, ~rows["is_foreign"]), (self._foreign_samples, rows["is_foreign"])):
            for place in np.unique(rows["namespace"][which]).tolist():
                found = samples.setdefault(known[place], [])
                if len(found) < _SAMPLES:
                    mine = np.flatnonzero(which & (rows["namespace"] == place))
                    fresh = [names[at] for at in mine.tolist() if names[at] not in found]
                    found += fresh[: _SAMPLES - len(found)]


def _fixed(head: bytes) -> bytes:
    return head[:HEAD] if len(head) >= HEAD else _NO_HEAD


def _tags(head: bytes, key_bytes: int, tag_bytes: int) -> list[str]:
    """As many as the beginning of an entry shows."""
    start = HEAD + key_bytes
    return head[start : start + tag_bytes].decode(errors="replace").split(TAG_SEPARATOR)


def _only(slice_: Slice, chosen: npt.NDArray[np.intp]) -> Slice:
    at = chosen.tolist()
    columns = (slice_.names, slice_.expires_in, slice_.sizes, slice_.heads)
    names, expires_in, sizes, heads = ([column[one] for one in at] for column in columns)
    return Slice(names, expires_in, sizes, heads, slice_.done)


def _descending(found: Iterable[tuple[int, str]]) -> list[tuple[str, int]]:
    return [(name, size) for size, name in sorted(set(found), key=lambda one: (-one[0], one[1]))]
