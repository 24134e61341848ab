"""What all processes on one store tell each other besides entries: small records, leases and logs."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, Protocol

from avcache.backends.kept import Kept, KeptFile
from avcache.clock import Clock
from avcache.errors import BackendError
from avcache.forks import renew_in_children

__all__ = ["DURABLE", "LONGEST_KEPT", "Board", "MemoryBoard", "checked", "edit"]

LONGEST_KEPT: Final = 30 * 24 * 3600.0
"""Seconds for which a record is kept where nothing else is said: nothing on a server stays for ever."""

DURABLE: Final = frozenset({"schedules", "schedule-run:", "portfolios"})
"""How the names of records begin that a `MemoryBoard` keeps in its file."""

_DURABLE_LOGS: Final = frozenset({"audit"})
_FIRST_SWEEP: Final = 256
_TRIES: Final = 100


class Board(Protocol):
    """
    Records by name, which no pattern and no clear ever reaches. Names are made by this package, never by a user.

    A record, a lease and a log may have one name: they are three things. No record is empty (`ValueError`), so that an
    empty *expected* means the same as None. Seconds are positive; a store may round them up to a millisecond.

    Every method may raise `BackendUnavailable` (no answer; what was to be written may have been) or `BackendError`
    (refused).

    Attributes:
        is_shared: Whether other processes see it.
    """

    @property
    def is_shared(self) -> bool: ...

    def read(self, names: Sequence[str]) -> list[bytes | None]:
        """Return the record under each of *names*, in their order."""
        ...

    def write(self, name: str, data: bytes, ttl: float = LONGEST_KEPT) -> None:
        """Put *data* in place of whatever is under *name*."""
        ...

    def swap(self, name: str, expected: bytes | None, data: bytes, ttl: float = LONGEST_KEPT) -> bool:
        """`write`, if what is there is *expected* (None: nothing); says whether it was."""
        ...

    def erase(self, names: Sequence[str]) -> None:
        """Drop the records under *names*."""
        ...

    def take(self, name: str, token: str, seconds: float) -> bool:
        """Take the lease *name* for so long, or renew it; says whether *token* holds it now."""
        ...

    def give_back(self, name: str, token: str) -> None:
        """End the lease *name*, if *token* holds it."""
        ...

    def append(self, log: str, data: bytes, most: int) -> None:
        """Add to a log, of which the last *most* (1 or more) are kept."""
        ...

    def tail(self, log: str, number: int) -> list[bytes]:
        """The last *number* of a log, newest first."""
        ...


def edit(board: Board, name: str, change: Callable[[bytes | None], bytes | None], ttl: float = LONGEST_KEPT) -> None:
    """
    Put what *change* makes of the record *name* in its place, whoever else changes it meanwhile; None leaves it.

    Raises:
        BackendError: The board refuses, or others changed it a hundred times in between.
    """
    for _ in range(_TRIES):
        (found,) = board.read([name])
        made = change(found)
        if made is None or board.swap(name, found, made, ttl):
            return
    raise BackendError(f"others changed it {_TRIES} times in between ({name})")


def checked(data: bytes) -> bytes:
    """Return *data* if it can be a record. Raises `ValueError`."""
    if not data:
        raise ValueError("a record is never empty")
    return data


@dataclass(frozen=True, slots=True)
class _Record:
    data: bytes
    expires_at: float


class MemoryBoard:
    """
    The board of a process that shares nothing; safe between threads.

    Args:
        keep: A file in which the records that begin with one of *durable*, and the log `audit`, survive a restart. It
            is written within a second of a change, and by `close`. Of two processes on one file the last writer wins.
        wall: Wall clock, by which what is in the file expires.
    """

    is_shared = False

    def __init__(
        self,
        clock: Clock = time.monotonic,
        keep: Path | None = None,
        *,
        wall: Clock = time.time,
        durable: frozenset[str] = DURABLE,
    ) -> None:
        self._clock = clock
        self._wall = wall
        self._durable = tuple(durable)
        self._records: dict[str, _Record] = {}
        self._leases: dict[str, _Record] = {}
        self._logs: dict[str, deque[bytes]] = {}
        self._sweep_at = _FIRST_SWEEP
        self._file = None if keep is None else KeptFile(keep, self._kept)
        self.begin_anew()
        renew_in_children(self)
        if self._file is not None:
            self._restore(self._file.read())

    def begin_anew(self) -> None:
        """In a forked process: no thread of its parent holds the lock."""
        self._mutex = threading.RLock()

    def close(self) -> None:
        """Write to the file what is not there yet."""
        if self._file is not None:
            self._file.close()

    def empty(self) -> None:
        """Forget all records, leases and logs; what is in the file goes too."""
        with self._mutex:
            self._records.clear()
            self._leases.clear()
            self._logs.clear()
            if self._file is not None:
                self._file.write_soon()

    def read(self, names: Sequence[str]) -> list[bytes | None]:
        with self._mutex:
            return [self._get(self._records, name) for name in names]

    def write(self, name: str, data: bytes, ttl: float = LONGEST_KEPT) -> None:
        with self._mutex:
            self._put(self._records, name, checked(data), ttl)
            self._changed(name)

    def swap(self, name: str, expected: bytes | None, data: bytes, ttl: float = LONGEST_KEPT) -> bool:
        with self._mutex:
            if self._get(self._records, name) != (expected or None):
                return False
            self.write(name, data, ttl)
            return True

    def erase(self, names: Sequence[str]) -> None:
        with self._mutex:
            for name in names:
                if self._records.pop(name, None) is not None:
                    self._changed(name)

    def take(self, name: str, token: str, seconds: float) -> bool:
        mine = token.encode()
        with self._mutex:
            if self._get(self._leases, name) not in {None, mine}:
                return False
            self._put(self._leases, name, mine, seconds)
            return True

    def give_back(self, name: str, token: str) -> None:
        with self._mutex:
            if self._get(self._leases, name) == token.encode():
                del self._leases[name]

    def append(self, log: str, data: bytes, most: int) -> None:
        with self._mutex:
            kept = self._logs.setdefault(log, deque())
            kept.appendleft(data)
            while len(kept) > most:
                kept.pop()
            if self._file is not None and log in _DURABLE_LOGS:
                self._file.write_soon()

    def tail(self, log: str, number: int) -> list[bytes]:
        with self._mutex:
            return list(islice(self._logs.get(log, ()), max(0, number)))

    def _get(self, among: dict[str, _Record], name: str) -> bytes | None:
        found = among.get(name)
        if found is None or self._clock() >= found.expires_at:
            among.pop(name, None)
            return None
        return found.data

    def _put(self, among: dict[str, _Record], name: str, data: bytes, ttl: float) -> None:
        among[name] = _Record(data, self._clock() + ttl)
        # Records that nobody reads again would stay for ever.
        if len(self._records) + len(self._leases) > self._sweep_at:
            for kind in (self._records, self._leases):
                for old in list(kind):
                    self._get(kind, old)
            self._sweep_at = max(_FIRST_SWEEP, 2 * (len(self._records) + len(self._leases)))

    def _changed(self, name: str) -> None:
        if self._file is not None and name.startswith(self._durable):
            self._file.write_soon()

    def _kept(self) -> Kept:
        with self._mutex:
            ahead = self._wall() - self._clock()
            records = {
                name: (found.data, found.expires_at + ahead)
                for name, found in self._records.items()
                if name.startswith(self._durable)
            }
            return Kept(records, {log: list(self._logs[log]) for log in _DURABLE_LOGS & self._logs.keys()})

    def _restore(self, kept: Kept) -> None:
        ahead = self._wall() - self._clock()
        with self._mutex:
            self._records = {name: _Record(data, until - ahead) for name, (data, until) in kept.records.items()}
            self._logs = {log: deque(rows) for log, rows in kept.logs.items()}
