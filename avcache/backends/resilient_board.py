"""The board on a server; while that does not answer, one of this process."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from avcache.backends.board import LONGEST_KEPT, Board, MemoryBoard
from avcache.errors import BackendError, BackendUnavailable
from avcache.forks import renew_in_children

__all__ = ["ResilientBoard"]

logger = logging.getLogger(__name__)
T = TypeVar("T")

_MOST_REMEMBERED: Final = 1_000


class ResilientBoard:
    """
    Use *shared*; while it is away, use *local*, so that jobs and leases go on within this process.

    Nothing that was written to *local* is carried over: with the first answer of *shared* it is empty again, and
    records and leases are what they were there. Only rows of logs are: the last 1,000 of an outage are added to the
    shared log with the next call that is answered, twice if the answer to one of them was lost.

    A refusal (`BackendError`) is the caller's: only a server that does not answer is away.

    Args:
        is_away: Whether it is known that *shared* would not answer; then it is not asked.
        notice: Told that it did not answer, so that who knows of outages need not find out by itself.
    """

    def __init__(
        self,
        shared: Board,
        local: MemoryBoard,
        is_away: Callable[[], bool],
        *,
        notice: Callable[[BackendUnavailable], None] = lambda _exc: None,
    ) -> None:
        self._shared = shared
        self._local = local
        self._is_away = is_away
        self._notice = notice
        self._has_left = False
        self.begin_anew()
        renew_in_children(self)

    def begin_anew(self) -> None:
        """In a forked process: what was remembered is told by the parent."""
        self._mutex = threading.Lock()
        self._telling = threading.Lock()
        self._remembered: deque[tuple[str, bytes, int]] = deque(maxlen=_MOST_REMEMBERED)

    @property
    def is_shared(self) -> bool:
        """Whether the shared one serves right now, as far as is known without asking it."""
        return not self._has_left and not self._is_away()

    def read(self, names: Sequence[str]) -> list[bytes | None]:
        # Nothing asked is nothing answered: it must not pass for a sign of life.
        return self._ask(lambda board: board.read(names)) if names else []

    def write(self, name: str, data: bytes, ttl: float = LONGEST_KEPT) -> None:
        self._ask(lambda board: board.write(name, data, ttl))

    def swap(self, name: str, expected: bytes | None, data: bytes, ttl: float = LONGEST_KEPT) -> bool:
        return self._ask(lambda board: board.swap(name, expected, data, ttl))

    def erase(self, names: Sequence[str]) -> None:
        if names:
            self._ask(lambda board: board.erase(names))

    def take(self, name: str, token: str, seconds: float) -> bool:
        return self._ask(lambda board: board.take(name, token, seconds))

    def give_back(self, name: str, token: str) -> None:
        self._ask(lambda board: board.give_back(name, token))

    def append(self, log: str, data: bytes, most: int) -> None:
        def add(board: Board) -> None:
            board.append(log, data, most)
            if board is self._local:
                with self._mutex:
                    self._remembered.append((log, data, most))

        self._ask(add)

    def tail(self, log: str, number: int) -> list[bytes]:
        return self._ask(lambda board: board.tail(log, number)) if number > 0 else []

    def close(self) -> None:
        """Try once more to tell the shared one what is remembered; what cannot be told is lost."""
        if self._remembered and not self._is_away():
            try:
                self._tell()
            except BackendUnavailable as exc:
                self._notice(exc)
        if self._remembered:
            logger.warning("board.rows_lost", extra={"rows": len(self._remembered)})

    def _ask(self, ask: Callable[[Board], T]) -> T:
        if not self._is_away():
            try:
                self._tell()
                found = ask(self._shared)
            except BackendUnavailable as exc:
                self._notice(exc)
            else:
                self._come_back()
                return found
        self._leave()
        return ask(self._local)

    def _leave(self) -> None:
        with self._mutex:
            if not self._has_left:
                logger.warning("board.degraded")
            self._has_left = True

    def _come_back(self) -> None:
        if not self._has_left:
            return
        with self._mutex:
            if self._has_left:
                self._local.empty()
                logger.warning("board.recovered")
            self._has_left = False

    def _tell(self) -> None:
        """Add to the shared logs what they have missed. Raises `BackendUnavailable`; what is refused waits on."""
        if not self._remembered or not self._telling.acquire(blocking=False):
            return
        try:
            while row := self._next_row():
                try:
                    self._shared.append(*row)
                except BackendError as exc:
                    self._put_back(row)
                    if isinstance(exc, BackendUnavailable):
                        raise
                    return
        finally:
            self._telling.release()

    def _next_row(self) -> tuple[str, bytes, int] | None:
        with self._mutex:
            return self._remembered.popleft() if self._remembered else None

    def _put_back(self, row: tuple[str, bytes, int]) -> None:
        with self._mutex:
            if len(self._remembered) < _MOST_REMEMBERED:  # else it is the oldest, and those go first
                self._remembered.appendleft(row)
