"""What all processes on one store tell each other besides entries: small records, leases and logs."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, Protocol

from avcache.clock import Clock
from avcache.forks import renew_in_children

__all__ = ["LONGEST_KEPT", "Board", "MemoryBoard"]

LONGEST_KEPT: Final = 30 * 24 * 3600.0
"""Seconds for which a record is kept where nothing else is said: nothing on a server stays for ever."""


class Board(Protocol):
    """
    Records by name, which no pattern and no clear ever reaches. Names are made by this package, never by a user.

    Every method may raise `BackendUnavailable` (no answer) or `BackendError` (refused).

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
        """Add to a log, of which the last *most* are kept."""
        ...

    def tail(self, log: str, number: int) -> list[bytes]:
        """The last *number* of a log, newest first."""
        ...


@dataclass(frozen=True, slots=True)
class _Record:
    data: bytes
    expires_at: float


class MemoryBoard:
    """The board of a process that shares nothing; safe between threads."""

    is_shared = False

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._records: dict[str, _Record] = {}
        self._logs: dict[str, deque[bytes]] = {}
        self.begin_anew()
        renew_in_children(self)

    def begin_anew(self) -> None:
        """In a forked process: no thread of its parent holds the lock."""
        self._mutex = threading.RLock()

    def read(self, names: Sequence[str]) -> list[bytes | None]:
        with self._mutex:
            return [self._get(name) for name in names]

    def write(self, name: str, data: bytes, ttl: float = LONGEST_KEPT) -> None:
        with self._mutex:
            self._records[name] = _Record(data, self._clock() + ttl)

    def swap(self, name: str, expected: bytes | None, data: bytes, ttl: float = LONGEST_KEPT) -> bool:
        with self._mutex:
            if self._get(name) != expected:
                return False
            self.write(name, data, ttl)
            return True

    def erase(self, names: Sequence[str]) -> None:
        with self._mutex:
            for name in names:
                self._records.pop(name, None)

    def take(self, name: str, token: str, seconds: float) -> bool:
        lease, mine = f"lease:{name}", token.encode()
        with self._mutex:
            if self._get(lease) not in {None, mine}:
                return False
            self.write(lease, mine, seconds)
            return True

    def give_back(self, name: str, token: str) -> None:
        with self._mutex:
            if self._get(f"lease:{name}") == token.encode():
                del self._records[f"lease:{name}"]

    def append(self, log: str, data: bytes, most: int) -> None:
        with self._mutex:
            kept = self._logs.setdefault(log, deque())
            kept.appendleft(data)
            while len(kept) > most:
                kept.pop()

    def tail(self, log: str, number: int) -> list[bytes]:
        with self._mutex:
            return list(islice(self._logs.get(log, ()), number))

    def _get(self, name: str) -> bytes | None:
        found = self._records.get(name)
        if found is None or self._clock() >= found.expires_at:
            self._records.pop(name, None)
            return None
        return found.data
