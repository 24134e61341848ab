"""The last million accesses, compactly: which keys are read most, and what another ttl would have made of them."""

from __future__ import annotations

import math
import mmap
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from avcache.core.counters import MAX_NAMESPACES, OTHER
from avcache.forks import renew_in_children

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["HIT", "LOAD", "MISSED", "STALE", "Access", "Accesses", "Columns", "Kind", "Mark"]

HIT: Final = 0
MISSED: Final = 1
STALE: Final = 2
LOAD: Final = 3

Kind: TypeAlias = Literal[0, 1, 2]
"""How a read was answered: `HIT`, `MISSED` or `STALE`."""

Mark: TypeAlias = tuple[float, float, float, float, str]
"""A key as the ring writes it: its row for each of `HIT`, `MISSED`, `STALE` and `LOAD`, and its name."""

_ROWS = 2**20
_MASK = _ROWS - 1

# A row says in one double, which has room for 53 bits: 44 of the key's hash, 7 for its namespace, 2 for the kind.
_HASH_BITS = 44
_KEY_AT = 9
_NAMESPACE_AT = 2
_NAMESPACE = 2**7 - 1
_KIND = 2**2 - 1

_MAX_NAMES = 65_536
_MAX_NAME_BYTES = 14 * 2**20
_SIZE_OF_AN_ITEM = 110
"""Bytes of a name besides its text: the number that it is found by, and its place in the dict."""

_SAMPLE = 65_536
_RANKED = 100
_RANKING_SECONDS = 3.0
_MANY = 65_536
"""Reads that take so long to be counted that the ranking is kept for a while."""


@dataclass(frozen=True, slots=True)
class Access:
    """
    One access, as `Accesses.replay` tells it.

    Attributes:
        key: Number of the key: the same for all its accesses, another one for (nearly) every other key.
        name: Its text; None if the ring knows too many keys to name this one.
        kind: `HIT`, `MISSED`, `STALE` or `LOAD`.
        at: When, wall clock.
        seconds: How long a load took; None for a read.
    """

    key: int
    name: str | None
    namespace: str
    kind: int
    at: float
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Columns:
    """
    Accesses oldest first, a column each: for those who reckon with all of them at once.

    Attributes:
        keys: Numbers of the keys, int64.
        namespaces: Places in `namespace_names`, uint8.
        kinds: `HIT`, `MISSED`, `STALE` or `LOAD`, uint8.
        at: When, wall clock, float64.
        seconds: Durations of loads, float32; NaN for reads.
        names: Texts of the keys, as far as known.
    """

    keys: npt.NDArray[np.int64]
    namespaces: npt.NDArray[np.uint8]
    kinds: npt.NDArray[np.uint8]
    at: npt.NDArray[np.float64]
    seconds: npt.NDArray[np.float32]
    names: Mapping[int, str]
    namespace_names: tuple[str, ...]


class Accesses:
    """
    A ring of the last 2**20 accesses of this process: 20 MiB once it is full, and at most 14 for the names of keys.

    Writing takes no lock: CPython lets another thread in only at calls and where a loop goes round, and between the
    first and the last line of `record` there is neither. For the same reason no reader sees half a row.
    """

    def __init__(self) -> None:
        self._codes = _zeros(_ROWS * 8)
        self._times = _zeros(_ROWS * 8)
        self._seconds = _zeros(_ROWS * 4)
        # An item is stored through a view in 17 ns, in an array in 27.
        self._code_items = memoryview(self._codes).cast("d")
        self._time_items = memoryview(self._times).cast("d")
        self._seconds_items = memoryview(self._seconds).cast("f")
        self._next = 0
        self.begin_anew()
        renew_in_children(self)
        self._namespaces: dict[str, int] = {}
        self._names: dict[int, str] = {}
        self._name_bytes = 0
        self._ranking = _Ranking()

    def begin_anew(self) -> None:
        """In a forked process: no thread of its parent holds a lock."""
        self._mutex = threading.Lock()
        self._reading = threading.Lock()

    def mark(self, text: str, namespace: str) -> Mark:
        """What `record` and `loaded` want to know of a key. Make it once, and keep it with the key."""
        number = hash(text) & (1 << _HASH_BITS) - 1
        with self._mutex:
            code = number << _KEY_AT | self._place(namespace) << _NAMESPACE_AT
            self._name(number, text)
        return float(code), float(code + MISSED), float(code + STALE), float(code + LOAD), text

    def record(self, mark: Mark, kind: Kind, now: float) -> None:
        """Write that a key was read at *now* (wall clock)."""
        row = self._next
        self._code_items[row] = mark[kind]
        self._time_items[row] = now
        self._next = row + 1 & _MASK

    def record_all(self, marks: Iterable[Mark], kind: Kind, now: float) -> None:
        """`record` for many keys that were read at once."""
        codes, times = self._code_items, self._time_items
        for mark in marks:
            row = self._next
            codes[row] = mark[kind]
            times[row] = now
            self._next = row + 1 & _MASK

    def loaded(self, mark: Mark, now: float, seconds: float) -> None:
        """Write that a load of a key ended at *now* and took *seconds*."""
        row = self._next
        self._code_items[row] = mark[LOAD]
        self._time_items[row] = now
        self._seconds_items[row] = seconds
        self._next = row + 1 & _MASK
        number = int(mark[HIT]) >> _KEY_AT
        if number not in self._names:  # forgotten since the mark was made
            with self._mutex:
                self._name(number, mark[4])

    def replay(self) -> Iterator[Access]:
        """Every access that the ring still has, oldest first, as of this call."""
        codes, times, seconds = self._rows()
        names, namespaces = self._known()
        rows = zip(memoryview(codes).cast("d"), memoryview(times).cast("d"), memoryview(seconds).cast("f"), strict=True)
        return (_access(int(code), at, took, names, namespaces) for code, at, took in rows)

    def columns(self) -> Columns:
        """What `replay` tells, in columns."""
        import numpy as np  # noqa: PLC0415 - only for those who reckon with accesses

        raw_codes, times, seconds = self._rows()
        names, namespaces = self._known()
        codes = np.frombuffer(raw_codes).astype(np.int64)
        kinds = (codes & _KIND).astype(np.uint8)
        return Columns(
            keys=codes >> _KEY_AT,
            namespaces=((codes >> _NAMESPACE_AT & _NAMESPACE) - 1).astype(np.uint8),
            kinds=kinds,
            at=np.frombuffer(times),
            seconds=np.where(kinds == LOAD, np.frombuffer(seconds, np.float32), np.float32(math.nan)),
            names=names,
            namespace_names=namespaces,
        )

    def most_read(self, number: int) -> list[tuple[str, int]]:
        """
        The *number* most read keys with their reads among the accesses that the ring still has, most read first.

        Where there are many accesses, the answer may be 3 seconds old.
        """
        with self._reading:
            if not self._ranking.serves(number, self._next):
                self._ranking = self._rank(max(number, _RANKED))
            return self._ranking.keys[: max(0, number)]

    def _rank(self, number: int) -> _Ranking:
        import numpy as np  # noqa: PLC0415 - only for those who ask

        position, began = self._next, time.monotonic()
        codes = np.frombuffer(self._codes[:]).astype(np.int64)
        reads = codes[(codes != 0) & (codes & _KIND != LOAD)] >> _KEY_AT
        reads.sort()
        firsts = np.flatnonzero(np.diff(reads, prepend=-1))
        keys, times = reads[firsts], np.diff(firsts, append=reads.size)
        names, _ = self._known()
        wanted = np.fromiter(names, np.int64, len(names))
        at = np.searchsorted(keys, wanted)
        at[at == keys.size] = 0
        found = np.where(keys[at] == wanted, times[at], 0) if keys.size else np.zeros(len(names), np.int64)
        texts = list(names.values())
        best = [one for one in np.argsort(-found, kind="stable")[:number].tolist() if found[one]]
        return _Ranking([(texts[one], int(found[one])) for one in best], number, position, reads.size, began)

    def _rows(self) -> tuple[bytes, bytes, bytes]:
        """A copy of the three columns, oldest first."""
        at = self._next
        codes = self._codes[:]
        times = self._times[:]
        seconds = self._seconds[:]
        # As there was no call in between, nothing was written either. Were it otherwise, those rows are left out.
        oldest = at + (self._next - at & _MASK) if _is_written(codes, at) else _ROWS
        return (
            codes[oldest * 8 :] + codes[: at * 8],
            times[oldest * 8 :] + times[: at * 8],
            seconds[oldest * 4 :] + seconds[: at * 4],
        )

    def _known(self) -> tuple[dict[int, str], tuple[str, ...]]:
        with self._mutex:
            return dict(self._names), tuple(self._namespaces)

    def _place(self, namespace: str) -> int:
        """The number of a namespace, from 1: no code is 0, which says that a row was never written."""
        is_known = namespace in self._namespaces or len(self._namespaces) < MAX_NAMESPACES
        return self._namespaces.setdefault(namespace if is_known else OTHER, len(self._namespaces) + 1)

    def _name(self, number: int, text: str) -> None:
        if number in self._names:
            return
        if len(self._names) >= _MAX_NAMES or self._name_bytes >= _MAX_NAME_BYTES:
            self._forget_names()
        self._names[number] = text
        self._name_bytes += _size_of_name(text)

    def _forget_names(self) -> None:
        """Keep the names of half as many keys: those read most, then those seen last."""
        used = _ROWS if self._code_items[self._next] else self._next
        sample = memoryview(self._codes[: used * 8]).cast("d")[:: max(1, used // _SAMPLE)]
        reads = Counter(int(code) >> _KEY_AT for code in sample)
        popular = [number for number in self._names if reads.get(number, 0) > 1]
        kept, size = set[int](), 0
        for number in (*popular, *reversed(self._names)):
            if len(kept) >= _MAX_NAMES // 2 or size >= _MAX_NAME_BYTES // 2:
                break
            if number not in kept:
                kept.add(number)
                size += _size_of_name(self._names[number])
        self._names = {number: text for number, text in self._names.items() if number in kept}
        self._name_bytes = size


@dataclass(frozen=True, slots=True)
class _Ranking:
    """The most read keys: at most *number* of them, as of the ring's *position* at *made_at*, among *reads*."""

    keys: list[tuple[str, int]] = field(default_factory=list)
    number: int = 0
    position: int = -1
    reads: int = 0
    made_at: float = 0.0

    def serves(self, number: int, position: int) -> bool:
        is_costly_and_young = self.reads >= _MANY and time.monotonic() - self.made_at < _RANKING_SECONDS
        return number <= self.number and (position == self.position or is_costly_and_young)


def _access(code: int, at: float, seconds: float, names: Mapping[int, str], namespaces: Sequence[str]) -> Access:
    number, kind = code >> _KEY_AT, code & _KIND
    namespace = namespaces[(code >> _NAMESPACE_AT & _NAMESPACE) - 1]
    return Access(number, names.get(number), namespace, kind, at, seconds if kind == LOAD else None)


def _zeros(size: int) -> mmap.mmap:
    """Zeros that take memory only where something is written; a forked process goes on with its own."""
    if sys.platform == "win32":
        return mmap.mmap(-1, size)
    return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


def _is_written(codes: bytes, row: int) -> bool:
    return any(codes[row * 8 : row * 8 + 8])


def _size_of_name(text: str) -> int:
    return sys.getsizeof(text) + _SIZE_OF_AN_ITEM
