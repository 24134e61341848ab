"""The seam between the cache and a store: bytes in, bytes out, each with its remaining time and its version."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from avcache.backends.barriers import Barrier, Barriers
from avcache.backends.pattern import Pattern
from avcache.errors import BackendError

__all__ = [
    "HEAD_BYTES",
    "LONGEST_HEAD",
    "MISS",
    "Backend",
    "BackendInfo",
    "Begun",
    "Blob",
    "Cleared",
    "Lease",
    "Miss",
    "Page",
    "Slice",
    "State",
    "Stored",
    "stamp_of",
    "stamped",
]

HEAD_BYTES: Final = 512
"""How much of an entry `inspect` returns: nearly every header is shorter."""

LONGEST_HEAD: Final = 12_288
"""No entry has a longer header (one with 500 long tickers as tags fits)."""

MAGIC: Final = b"AVC\x02"
"""An entry's first bytes. Its version follows, 8 bytes, most significant first: a server compares them as text."""

_STAMP: Final = slice(4, 12)


def stamped(data: bytes, version: int) -> bytes:
    """The same entry with *version*."""
    return b"".join((data[:4], version.to_bytes(8), data[12:]))


def stamp_of(data: bytes) -> int | None:
    """The version of an entry, or of its first bytes; None if it is none of ours."""
    return int.from_bytes(data[_STAMP]) if data[:4] == MAGIC else None


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
    """
    What serves right now. *since* is a wall-clock reading; *pending* counts invalidations not yet in Redis.

    An *error* while Redis serves says that it can be read, but refuses what is written.
    """

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
    """
    A store in figures; what a store does not know is None.

    Unless *exact*, there may be more *keys* than that on a server, and fewer in memory, where some may have expired.
    """

    kind: Literal["memory", "redis", "valkey"]
    keys: int
    exact: bool
    memory_bytes: int | None = None
    version: str | None = None
    clients: int | None = None
    evictions: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """
    Some of the keys that match; an empty *cursor* says that nothing is left. *done*: share of the store passed by now.
    """

    keys: tuple[str, ...]
    cursor: str
    done: float = 1.0


@dataclass(frozen=True, slots=True)
class Stored:
    """An entry from outside: seconds until the store drops it, its size, and its first `HEAD_BYTES`."""

    expires_in: float
    size: int
    head: bytes


@dataclass(frozen=True, slots=True)
class Slice:
    """
    Some entries of a store, looked at from outside; for each its name, as bytes, and as in `Stored`.

    What has no bytes of its own (a list, say) has a *size* of 0 and no head.

    Attributes:
        done: Share of the whole store that was passed by now, 0 to 1.
    """

    names: Sequence[bytes]
    expires_in: Sequence[float]
    sizes: Sequence[int]
    heads: Sequence[bytes]
    done: float


class Blob:
    """The bytes of an entry; *entry* is for what the cache reads out of them, and stays with them in memory."""

    __slots__ = ("data", "entry")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.entry: object = None


class Cleared(int):
    """
    How many entries went.

    Attributes:
        pending: Redis was away: what was to go counts as gone, and is invalidated there before it is read again.
        barriers: What was invalidated; `Cache.undo` takes them back.
    """

    pending: bool
    barriers: tuple[Barrier, ...]

    def __new__(cls, count: int, *, pending: bool = False, barriers: Iterable[Barrier] = ()) -> Cleared:
        made = super().__new__(cls, count)
        made.pending = pending
        made.barriers = tuple(barriers)
        return made


class Lease(Protocol):
    """The right to load one key, which only one process has at a time; a `put` or a delete of the key ends it."""

    def store(self, data: bytes, ttl: float) -> bool:
        """Keep what was loaded, if the lease still holds, and give it back; says whether it was kept."""
        ...

    def discard(self) -> None:
        """Drop what is under the key, if the lease still holds, and give it back: nothing that was loaded is kept."""
        ...

    def release(self) -> None:
        """Give the lease back with nothing to keep, so that the next in line need not wait."""
        ...

    def abandon(self) -> None:
        """Give the right back without waiting for anything: it ends by itself, a little later."""
        ...


@dataclass(frozen=True, slots=True)
class Begun:
    """
    The answer to who wants to load.

    Attributes:
        blob: What the store has under the key by now.
        version: The version that a load which begins now carries.
        lease: None where there is none to be had: a load goes ahead, but what it brings is not kept.
        wait: Seconds until a load of another process is over or dead; None where this one may go ahead.
        refused: Why there is no lease, where the store refuses what is written.
    """

    blob: Blob | None
    version: int
    lease: Lease | None = None
    wait: float | None = None
    refused: BackendError | None = None


class Backend(Protocol):
    """
    A store of bytes by key, each entry with its time to live and its version.

    Keys are those of the application; where a store adds a prefix, only the store knows it. Every method may raise
    `BackendUnavailable` (no answer) or `BackendError` (refused).

    Attributes:
        barriers: What was invalidated, as of the last answer of the store at least.
        is_local: Whether this process itself answers right now: nothing waits then.
    """

    @property
    def barriers(self) -> Barriers: ...

    @property
    def is_local(self) -> bool: ...

    def get(self, key: str) -> Blob | None:
        """Return the entry under *key*, if there is one, valid or not."""
        ...

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return the bytes of the entry under each of *keys*, in their order, valid or not."""
        ...

    def put(self, items: Mapping[str, tuple[bytes, float]]) -> None:
        """Keep each (entry, ttl) under its key, newer than all invalidations and all loads under way."""
        ...

    def begin(self, key: str, *, at_once: bool = False) -> Begun:
        """Ask to load *key*, and look at it once more. *at_once* takes the right to do so from who has it."""
        ...

    def waiting(self, key: str) -> AbstractContextManager[Callable[[float], None]]:
        """While this is open, the function given waits until a load of *key* ends, or so many seconds."""
        ...

    def invalidate(self, scopes: Sequence[str], drop: Sequence[str] = ()) -> Cleared:
        """Make every entry of *scopes* invalid, at once and everywhere; counts the entries of *drop* that went."""
        ...

    def restore(self, barriers: Sequence[Barrier]) -> bool:
        """Take back those of *barriers* whose scope was not invalidated again; says whether all of them."""
        ...

    def sweep(
        self, pattern: Pattern, below: int, wanted: Callable[[bytes], bool] | None = None, *, tally: str = ""
    ) -> Iterator[int]:
        """
        Drop matching entries of a version under *below*, in batches; yields how many went, exactly.

        Args:
            wanted: Which of them, by their first `LONGEST_HEAD` bytes; None: all.
            tally: A name under which is counted what goes; what went under it before, in whichever process, is yielded
                first. So one process may go on where another one died.
        """
        ...

    def scan(self, pattern: Pattern, cursor: str = "", limit: int = 1000, budget: float | None = None) -> Page:
        """Return the next keys that match, about *limit* of them, or as many as *budget* seconds allow; from ""."""
        ...

    def inspect(self, keys: Sequence[str], head_bytes: int = HEAD_BYTES) -> list[Stored | None]:
        """Look at entries from outside, in the order of *keys*; None where nothing is."""
        ...

    def survey(self, *, fair: bool = False) -> Iterator[Slice]:
        """
        Look at everything that is there, in steps that keep nobody waiting; what changes meanwhile may come twice, or
        not. Whoever takes one step after the other sees to the pauses.

        Args:
            fair: Begin somewhere, so that what came by any step is a fair sample of the whole.
        """
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
