"""The store inside the process: least recently used goes first, bounded by entries and by bytes."""

from __future__ import annotations

import heapq
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal

from avcache.backends.base import HEAD_BYTES, MISS, BackendInfo, Cleared, Miss, Page, State, Stored
from avcache.backends.pattern import EVERYTHING, Pattern
from avcache.clock import Clock
from avcache.errors import LockTimeout

__all__ = ["MemoryBackend"]

_OVERHEAD_BYTES = 300
"""What an entry costs besides its key and data (dict slot, tuple, float, headers of str and bytes)."""


class MemoryBackend:
    """A bounded dict with expiry, safe between threads. *clock* decides expiry, *wall* only dates the state."""

    def __init__(
        self,
        *,
        max_entries: int = 100_000,
        max_bytes: int = 256 * 2**20,
        clock: Clock = time.monotonic,
        wall: Clock = time.time,
    ) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._clock = clock
        self._data: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self._bytes = 0
        self._evictions = 0
        self._mutex = threading.Lock()
        self._locks: dict[str, _NamedLock] = {}
        self._state = State("memory", since=wall())

    def get(self, key: str) -> bytes | Literal[Miss.MISS]:
        with self._mutex:
            return self._get(key)

    def get_many(self, keys: Sequence[str]) -> list[bytes | Literal[Miss.MISS]]:
        with self._mutex:
            return [self._get(key) for key in keys]

    def set(self, key: str, data: bytes, *, ttl: float) -> None:
        with self._mutex:
            self._set(key, data, ttl)

    def set_many(self, items: Mapping[str, tuple[bytes, float]]) -> None:
        with self._mutex:
            for key, (data, ttl) in items.items():
                self._set(key, data, ttl)

    def delete(self, keys: Iterable[str]) -> Cleared:
        with self._mutex:
            # Looked up first: what has expired is not there, and must not be counted.
            return Cleared(sum(self._get(key) is not MISS and self._drop(key) for key in keys))

    def clear(self, pattern: Pattern, wanted: Callable[[bytes], bool] | None = None) -> Cleared:
        with self._mutex:
            meant = [key for key in self._live(pattern) if wanted is None or wanted(self._data[key][1][:HEAD_BYTES])]
            return Cleared(sum(self._drop(key) for key in meant))

    def scan(self, pattern: Pattern, cursor: str = "", limit: int = 1000) -> Page:
        now, limit = self._clock(), max(1, limit)
        # The cursor is the last key shown: entries that come and go between two pages shift nothing.
        with self._mutex:
            names = [key for key, (expires_at, _) in self._data.items() if key > cursor and expires_at > now]
        found = heapq.nsmallest(limit + 1, filter(pattern.matches, names))
        return Page(tuple(found[:limit]), found[limit - 1] if len(found) > limit else "")

    def inspect(self, keys: Sequence[str]) -> list[Stored | None]:
        now = self._clock()
        with self._mutex:
            found = [self._data.get(key) for key in keys]
        return [
            Stored(entry[0] - now, len(entry[1]), entry[1][:HEAD_BYTES]) if entry and entry[0] > now else None
            for entry in found
        ]

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
            keys = sum(1 for _ in self._live(EVERYTHING))
            return BackendInfo("memory", keys, exact=True, memory_bytes=self._bytes, evictions=self._evictions)

    def state(self) -> State:
        return self._state

    def close(self) -> None:
        """Nothing to release: the content goes with the process."""

    def _live(self, pattern: Pattern) -> list[str]:
        now = self._clock()
        for key in [key for key, (expires_at, _) in self._data.items() if expires_at <= now]:
            self._drop(key)
        return [key for key in self._data if pattern.matches(key)]

    def _get(self, key: str) -> bytes | Literal[Miss.MISS]:
        found = self._data.get(key)
        if found is None:
            return MISS
        expires_at, data = found
        if self._clock() >= expires_at:
            self._drop(key)
            return MISS
        self._data.move_to_end(key)
        return data

    def _set(self, key: str, data: bytes, ttl: float) -> None:
        self._drop(key)
        if _cost(key, data) > self._max_bytes:  # it would push out everything, and then itself
            self._evictions += 1
            return
        self._data[key] = (self._clock() + ttl, data)
        self._bytes += _cost(key, data)
        while len(self._data) > self._max_entries or self._bytes > self._max_bytes:
            self._drop(next(iter(self._data)))
            self._evictions += 1

    def _drop(self, key: str) -> bool:
        found = self._data.pop(key, None)
        if found is None:
            return False
        self._bytes -= _cost(key, found[1])
        return True


class _NamedLock:
    """A lock and the number of threads that hold or want it; the last one takes it away."""

    __slots__ = ("lock", "users")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users = 0


def _cost(key: str, data: bytes) -> int:
    return len(key) + len(data) + _OVERHEAD_BYTES
