"""The store inside the process: least recently used goes first, bounded by entries and by bytes."""

from __future__ import annotations

import heapq
import random
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from avcache.backends.barriers import Barrier, Barriers
from avcache.backends.base import (
    HEAD_BYTES,
    LONGEST_HEAD,
    BackendInfo,
    Begun,
    Blob,
    Cleared,
    Page,
    Slice,
    State,
    Stored,
    stamp_of,
    stamped,
)
from avcache.backends.pattern import EVERYTHING, Pattern
from avcache.clock import Clock
from avcache.errors import LockTimeout
from avcache.forks import renew_in_children

__all__ = ["CURSOR", "MemoryBackend"]

CURSOR = "~"
"""How the cursors of memory begin: one of a server (it went away in between) means from the beginning."""

_OVERHEAD_BYTES = 580
"""What an entry costs besides its key and data: its place in the dict, the objects around them, what was read of it."""

_COUNTED = 10_000
"""Up to so many entries are looked at one by one, to say how many are alive; more would hold up every writer."""

_SURVEYED = 500
_MOST_TALLIES = 100
_chance = random.Random()  # noqa: S311 - no secret; our own, so that no thread disturbs who seeds theirs


class _Kept(Blob):
    """An entry in memory."""

    __slots__ = ("expires_at",)

    def __init__(self, data: bytes, expires_at: float) -> None:
        self.data = data
        self.entry = None
        self.expires_at = expires_at


class MemoryBackend:
    """
    A bounded dict with expiry, safe between threads. *clock* decides expiry, *wall* only dates the state.

    A hit takes no lock: looking up and moving to the end are one step each for other threads.
    """

    is_local = True

    def __init__(
        self,
        *,
        max_entries: int = 100_000,
        max_bytes: int = 256 * 2**20,
        barriers: Barriers | None = None,
        clock: Clock = time.monotonic,
        wall: Clock = time.time,
    ) -> None:
        self.barriers = barriers or Barriers()
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._clock = clock
        self._data: OrderedDict[str, _Kept] = OrderedDict()
        self._bytes = 0
        self._evictions = 0
        self._mutex = threading.RLock()
        self._leases: dict[str, list[_Lease]] = {}
        self._locks: dict[str, _NamedLock] = {}
        self._tallies: dict[str, int] = {}
        self._state = State("memory", since=wall())
        renew_in_children(self)

    def begin_anew(self) -> None:
        """In a forked process: no thread of its parent holds a lock, or loads."""
        self._mutex = threading.RLock()
        self._leases = {}
        self._locks = {}

    def get(self, key: str) -> Blob | None:
        kept = self._data.get(key)
        if kept is None:
            return None
        if self._clock() >= kept.expires_at:
            self._expire(key, kept)
            return None
        try:
            self._data.move_to_end(key)
        except KeyError:  # dropped by another thread just now
            return None
        return kept

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        return [None if blob is None else blob.data for blob in map(self.get, keys)]

    def put(self, items: Mapping[str, tuple[bytes, float]]) -> None:
        with self._mutex:
            version = self.barriers.version
            for key, (data, ttl) in items.items():
                self._leases.pop(key, None)
                self._keep(key, stamped(data, version), ttl)

    def begin(self, key: str, *, at_once: bool = False) -> Begun:  # noqa: ARG002 - nobody has to wait here
        with self._mutex:
            lease = _Lease(self, key)
            self._leases.setdefault(key, []).append(lease)
            return Begun(self.get(key), self.barriers.version, lease)

    @contextmanager
    def waiting(self, key: str) -> Iterator[Callable[[float], None]]:  # noqa: ARG002 - nobody has to wait here
        yield time.sleep

    def invalidate(self, scopes: Sequence[str], drop: Sequence[str] = ()) -> Cleared:
        with self._mutex:
            return Cleared(self.drop(drop), barriers=self.barriers.raise_locally(scopes))

    def restore(self, barriers: Sequence[Barrier]) -> bool:
        with self._mutex:
            return sum(map(self.barriers.take_back, barriers)) == len(barriers)

    def drop(self, keys: Iterable[str]) -> int:
        """Drop *keys*, and what is being loaded of them; counts those that were there."""
        with self._mutex:
            dropped = 0
            for key in keys:
                self._leases.pop(key, None)
                # Looked up first: what has expired is not there, and must not be counted.
                dropped += self.get(key) is not None and self._drop(key)
            return dropped

    def empty(self) -> None:
        """Drop everything, and what is being loaded."""
        with self._mutex:
            self._data.clear()
            self._leases.clear()
            self._bytes = 0

    def sweep(
        self, pattern: Pattern, below: int, wanted: Callable[[bytes], bool] | None = None, *, tally: str = ""
    ) -> Iterator[int]:
        with self._mutex:
            older = [key for key in self._live(pattern) if _is_older(self._data[key].data, below)]
            doomed = [key for key in older if wanted is None or wanted(self._data[key].data[:LONGEST_HEAD])]
            swept = sum(map(self._drop, doomed))
            if tally:
                swept += self._tallies.pop(tally, 0)
                self._tallies[tally] = swept
                while len(self._tallies) > _MOST_TALLIES:
                    del self._tallies[next(iter(self._tallies))]
        yield swept

    def scan(
        self,
        pattern: Pattern,
        cursor: str = "",
        limit: int = 1000,
        budget: float | None = None,  # noqa: ARG002 - one pass over a dict is never long
    ) -> Page:
        now, limit = self._clock(), max(1, limit)
        # The cursor is the last key shown: entries that come and go between two pages shift nothing. As on a server
        # keys come as their hashes fall, so that the first of them are a fair sample.
        with self._mutex:
            names = [key for key, kept in self._items() if kept.expires_at > now]
        is_ours, after = cursor.startswith(CURSOR), _order(cursor.removeprefix(CURSOR))
        ahead = [place for place in map(_order, names) if not is_ours or place > after]
        found = heapq.nsmallest(limit + 1, (place for place in ahead if pattern.matches(place[1])))
        keys = tuple(key for _, key in found[:limit])
        if len(found) <= limit:
            return Page(keys, "")
        behind = len(names) - sum(place > found[limit - 1] for place in ahead)
        return Page(keys, CURSOR + keys[-1], behind / len(names))

    def inspect(self, keys: Sequence[str], head_bytes: int = HEAD_BYTES) -> list[Stored | None]:
        now = self._clock()
        found = [self._data.get(key) for key in keys]
        return [
            Stored(kept.expires_at - now, len(kept.data), kept.data[:head_bytes])
            if kept is not None and kept.expires_at > now
            else None
            for kept in found
        ]

    def survey(self, *, fair: bool = False) -> Iterator[Slice]:
        names = [key for key, _ in self._items()]
        for start in range(0, len(names) or 1, _SURVEYED):
            if fair:  # only as many as are looked at: to shuffle all of a large store takes long
                _draw(names, start, min(start + _SURVEYED, len(names)))
            keys = names[start : start + _SURVEYED]
            found = [(key, stored) for key, stored in zip(keys, self.inspect(keys), strict=True) if stored is not None]
            yield Slice(
                [key.encode() for key, _ in found],
                [stored.expires_in for _, stored in found],
                [stored.size for _, stored in found],
                [stored.head for _, stored in found],
                min(1.0, (start + _SURVEYED) / (len(names) or 1)),
            )

    @contextmanager
    def lock(self, name: str, *, lease: float, wait: float) -> Iterator[None]:  # noqa: ARG002 - a thread cannot be killed, so no lease is needed
        with self._mutex:
            held = self._locks.setdefault(name, _NamedLock())
            held.users += 1
        try:
            if not held.lock.acquire(timeout=wait):
                raise LockTimeout(f"lock {name!r} stayed taken for {wait:g} s")
            try:
                yield
            finally:
                held.lock.release()
        finally:
            with self._mutex:
                held.users -= 1
                if not held.users:
                    del self._locks[name]

    def info(self) -> BackendInfo:
        with self._mutex:
            is_exact = len(self._data) <= _COUNTED
            keys = len(self._live(EVERYTHING) if is_exact else self._data)
            return BackendInfo("memory", keys, exact=is_exact, memory_bytes=self._bytes, evictions=self._evictions)

    def state(self) -> State:
        return self._state

    def close(self) -> None:
        """Nothing to release: the content goes with the process."""

    def store(self, lease: _Lease, data: bytes, ttl: float) -> bool:
        """Keep what was loaded under *lease*, if that still holds."""
        with self._mutex:
            if not self._took(lease):
                return False
            self._keep(lease.key, data, ttl)
            return True

    def end(self, lease: _Lease, *, discard: bool) -> None:
        """End *lease*; *discard* drops what is under its key, if it still held."""
        with self._mutex:
            if self._took(lease, older=discard) and discard:
                self._drop(lease.key)

    def _took(self, lease: _Lease, *, older: bool = True) -> bool:
        """Take *lease* away, with *older* ones: no load may follow one that began later. False if it had ended."""
        held = self._leases.get(lease.key, [])
        if lease not in held:
            return False
        at = held.index(lease)
        del held[0 if older else at : at + 1]
        if not held:
            del self._leases[lease.key]
        return True

    def _live(self, pattern: Pattern) -> list[str]:
        now, items = self._clock(), self._items()
        for key, kept in items:
            if kept.expires_at <= now:
                self._drop(key)
        return [key for key, kept in items if kept.expires_at > now and pattern.matches(key)]

    def _items(self) -> list[tuple[str, _Kept]]:
        while True:
            try:
                return list(self._data.items())
            except RuntimeError:  # a hit, which takes no lock, has moved one to the end meanwhile
                continue

    def _expire(self, key: str, kept: _Kept) -> None:
        with self._mutex:
            if self._data.get(key) is kept:
                self._drop(key)

    def _keep(self, key: str, data: bytes, ttl: float) -> None:
        self._drop(key)
        cost = _cost(key, data)
        if cost > self._max_bytes:  # it would push out everything, and then itself
            self._evictions += 1
            return
        self._data[key] = _Kept(data, self._clock() + ttl)
        self._bytes += cost
        while len(self._data) > self._max_entries or self._bytes > self._max_bytes:
            oldest, evicted = self._data.popitem(last=False)
            self._bytes -= _cost(oldest, evicted.data)
            self._evictions += 1

    def _drop(self, key: str) -> bool:
        kept = self._data.pop(key, None)
        if kept is None:
            return False
        self._bytes -= _cost(key, kept.data)
        return True


class _Lease:
    """Holds while it is the one that the store has for its key."""

    __slots__ = ("_store", "key")

    def __init__(self, store: MemoryBackend, key: str) -> None:
        self._store = store
        self.key = key

    def store(self, data: bytes, ttl: float) -> bool:
        return self._store.store(self, data, ttl)

    def discard(self) -> None:
        self._store.end(self, discard=True)

    def release(self) -> None:
        self._store.end(self, discard=False)

    abandon = release


class _NamedLock:
    """A lock and the number of threads that hold or want it; the last one takes it away."""

    __slots__ = ("lock", "users")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users = 0


def _is_older(data: bytes, below: int) -> bool:
    version = stamp_of(data)
    return version is not None and version < below


def _order(key: str) -> tuple[int, str]:
    return hash(key), key


def _draw(names: list[str], start: int, stop: int) -> None:
    """Bring to the places from *start* to *stop* any of *names* that come there or later."""
    for at in range(start, stop):
        drawn = _chance.randrange(at, len(names))
        names[at], names[drawn] = names[drawn], names[at]


def _cost(key: str, data: bytes) -> int:
    return len(key) + len(data) + _OVERHEAD_BYTES
