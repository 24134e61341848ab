"""The seam between the cache and a store: bytes in, bytes out, each with its remaining time."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from avcache.backends.pattern import Pattern

__all__ = ["HEAD_BYTES", "MISS", "Backend", "BackendInfo", "Cleared", "Miss", "Page", "State", "Stored"]

HEAD_BYTES: Final = 12_288
"""How much of a value `inspect` returns: no entry has a longer header (one with 500 long tickers as tags fits)."""


class Miss(enum.Enum):
    """The type of `MISS`, so that a cached None and nothing can never be confused."""

    MISS = "miss"

    def __bool__(self) -> Literal[False]:
        return False

    def __repr__(self) -> str:
        return "MISS"


MISS: Final = Miss.MISS

StateName = Literal["memory", "redis", "valkey", "degraded", "recovering"]


@dataclass(frozen=True, slots=True)
class State:
    """What serves right now. *since* is a wall-clock reading; *pending* counts invalidations not yet in Redis."""

    name: StateName
    since: float
    error: str | None = None
    pending: int = 0

    @property
    def is_degraded(self) -> bool:
        """Whether Redis is wanted, and memory serves instead."""
        return self.name in {"degraded", "recovering"}


@dataclass(frozen=True, slots=True)
class BackendInfo:
    """A store in figures; what a store does not know is None. *exact* is about *keys*."""

    kind: Literal["memory", "redis", "valkey"]
    keys: int
    exact: bool
    memory_bytes: int | None = None
    version: str | None = None
    clients: int | None = None
    evictions: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the keys that match; an empty *cursor* says that nothing is left."""

    keys: tuple[str, ...]
    cursor: str


@dataclass(frozen=True, slots=True)
class Stored:
    """An entry from outside: seconds until the store drops it, its size, and its first `HEAD_BYTES`."""

    expires_in: float
    size: int
    head: bytes


class Cleared(int):
    """How many entries went. *pending*: Redis was away, the rest goes before it is read again."""

    pending: bool

    def __new__(cls, count: int, *, pending: bool = False) -> Cleared:
        made = super().__new__(cls, count)
        made.pending = pending
        return made


class Backend(Protocol):
    """
    A store of bytes by key, each entry with its time to live.

    Keys are those of the application; where a store adds a prefix, only the store knows it. Every method may raise
    `BackendUnavailable` (no answer) or `BackendError` (refused).
    """

    def get(self, key: str) -> bytes | Literal[Miss.MISS]:
        """Return the bytes under *key*, or `MISS`."""
        ...

    def get_many(self, keys: Sequence[str]) -> list[bytes | Literal[Miss.MISS]]:
        """Return one answer for each of *keys*, in their order."""
        ...

    def set(self, key: str, data: bytes, *, ttl: float) -> None:
        """Keep *data* for *ttl* seconds, in place of what was there."""
        ...

    def set_many(self, items: Mapping[str, tuple[bytes, float]]) -> None:
        """Keep each (bytes, ttl) under its key."""
        ...

    def delete(self, keys: Iterable[str]) -> Cleared:
        """Drop *keys*; those that are not there are no-ops and not counted."""
        ...

    def clear(self, pattern: Pattern, wanted: Callable[[bytes], bool] | None = None) -> Cleared:
        """Drop the keys that match and whose first `HEAD_BYTES` are *wanted*, and count exactly those."""
        ...

    def scan(self, pattern: Pattern, cursor: str = "", limit: int = 1000) -> Page:
        """Return the next keys that match, about *limit* of them; begins with cursor ""."""
        ...

    def inspect(self, keys: Sequence[str]) -> list[Stored | None]:
        """Look at entries from outside, in the order of *keys*; None where nothing is."""
        ...

    def lock(self, name: str, *, lease: float, wait: float) -> AbstractContextManager[None]:
        """Hold the named lock; a holder that dies loses it after *lease* seconds. Raises `LockTimeout`."""
        ...

    def info(self) -> BackendInfo:
        """Describe the store."""
        ...

    def state(self) -> State:
        """Say what serves right now; never waits for a store."""
        ...

    def close(self) -> None:
        """Release connections and threads; the store's content stays."""
        ...
