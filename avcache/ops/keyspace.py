"""What is in the cache: figures of the whole that all who look share, pages of known names, and a search."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from avcache.backends.board import Board
from avcache.clock import Clock
from avcache.core.cache import Cache
from avcache.core.census import CensusTaker
from avcache.core.keys import DEFAULT_NAMESPACE
from avcache.core.peek import Peek
from avcache.errors import BackendError
from avcache.forks import renew_in_children
from avcache.ops.snapshot import Snapshot, decode, encode, snapshot_of

__all__ = ["KeyPage", "Keyspace", "peek_found"]

logger = logging.getLogger(__name__)

_SLICE: Final = 500
_MOST_KEYS: Final = 10_000
"""So many keys are looked at in one go; of a larger store that is a sample."""

_SAMPLE_KEYS: Final = 8_000
_BUDGET: Final = 0.25
_SAMPLE_PAUSE: Final = 0.001
"""From one answer of the server to the next question; what counting takes meanwhile is part of it."""

_SAMPLE_LIVES: Final = 10.0
"""A sample disturbs the server a little: it is not taken anew for every look."""

_SWEEP_PAUSE: Final = 0.0025
"""So the server is busy with a sweep for less than a fifth of the time, half a millisecond at once."""

_SLOW_STEP: Final = 0.02
_LONGEST_PAUSE: Final = 0.1
_RECORD: Final = "snapshot"
_FORGOTTEN: Final = b"\xc1"
"""With which no snapshot begins."""

_RECORD_LIVES: Final = 24 * 3600.0
_OLD: Final = 300.0
_TEND_EVERY: Final = 20.0


@dataclass(frozen=True, slots=True)
class KeyPage:
    """
    Keys that match, soonest to expire first.

    Attributes:
        is_exact: These are all there are, not the first that were found.
        cursor: Where to look on, for more of them; empty at the end.
        done: Share of the store that was searched by now, 0 to 1.
    """

    rows: tuple[Peek, ...]
    is_exact: bool
    cursor: str = ""
    done: float = 1.0


@dataclass(frozen=True, slots=True)
class _Shared:
    """A snapshot, when it was made, and what stood on the board then."""

    made_at: float
    told: bytes | None
    snapshot: Snapshot


class Keyspace:
    """
    Looks at keys without counting a read, and never keeps the store waiting.

    Args:
        board: Where the processes keep the snapshot of a large store for each other.
        clock: Measures; *wall* dates.
    """

    def __init__(self, cache: Cache, board: Board, clock: Clock = time.monotonic, wall: Clock = time.time) -> None:
        self._cache = cache
        self._board = board
        self._clock = clock
        self._wall = wall
        self._shared: _Shared | None = None
        self._walks = 0
        self.begin_anew()
        renew_in_children(self)
        self._tended_at = -_TEND_EVERY

    def begin_anew(self) -> None:
        """In a forked process: no thread of its parent holds the lock."""
        self._mutex = threading.Lock()

    def snapshot(self, max_age: float = 1.5) -> Snapshot:
        """
        Figures of the whole cache, made once for all who ask meanwhile.

        Of a small store they are exact, and not older than *max_age* seconds. Of a large one they are those of the last
        sweep if that is not old, else reckoned from a sample. Who asks while others make them does not wait: it gets
        what was seen before, if that is not twice as old.
        """
        told = self._told()
        found = self._known(told, max_age)
        if found is None and self._mutex.locked():
            found = self._known(told, max_age, times=2)
        return found or self._renewed(told, max_age)

    def tend(self, go_on: Callable[[float], bool] = lambda _done: True) -> None:
        """Sweep, if the store is a large one and the last sweep was a while ago. *go_on* as for `sweep`."""
        told = self._told()
        if self._stored(told) is not None:
            return
        looked = self._look()
        if looked.is_exact:
            if told is not None:
                self._board.erase([_RECORD])
        elif not self._is_away:
            self.sweep(go_on)

    def sweep(self, go_on: Callable[[float], bool] = lambda _done: True) -> Snapshot | None:
        """
        Look at every key, slowly, and keep the figures for all processes.

        Args:
            go_on: Asked again and again, with the share that is done; if it says no, nothing is kept. Nor is it if
                somebody calls `forget_sweep` meanwhile, in whichever process.
        """
        told = self._told()
        begun, taker, pause = self._clock(), CensusTaker(self._cache.backend.barriers), _SWEEP_PAUSE
        steps = self._cache.backend.survey()
        while True:
            asked_at = time.monotonic()
            step = next(steps, None)
            took = time.monotonic() - asked_at
            if step is None:
                break
            taker.add(step)
            if not go_on(step.done):
                return None
            # A server that takes its time has better things to do than to be looked at.
            pause = min(_LONGEST_PAUSE, pause * 2) if took > _SLOW_STEP else max(_SWEEP_PAUSE, pause / 2)
            time.sleep(pause)
        made = snapshot_of(taker.result(), self._wall(), is_exact=not self._is_away, took=self._clock() - begun)
        is_kept = self._board.swap(_RECORD, told, encode(made), _RECORD_LIVES)
        self.forget()
        return made if is_kept else None

    def forget(self) -> None:
        """What this process knows is not so any more."""
        with self._mutex:
            self._shared = None

    def forget_sweep(self) -> None:
        """What any process knows is not so any more: much was cleared, say. Never raises."""
        try:
            # Not erased: whoever looked before, or sweeps now, has to see that something has changed.
            self._board.write(_RECORD, _FORGOTTEN + secrets.token_bytes(8), _OLD)
        except BackendError as exc:
            logger.info("keyspace.sweep_not_forgotten", extra={"error": str(exc)})
        self.forget()

    @contextmanager
    def at_rest(self) -> Iterator[None]:
        """While this is open, this process sweeps nothing: a clear is dropping keys, say, and changes what there is."""
        with self._mutex:
            self._walks += 1
        try:
            yield
        finally:
            with self._mutex:
                self._walks -= 1

    @property
    def name(self) -> str:
        """As a chore of the process that leads."""
        return "sweep"

    def tick(self, go_on: Callable[[], bool]) -> None:
        """`tend`, now and then; not while something else walks through the store."""
        if not self._walks and self._clock() - self._tended_at >= _TEND_EVERY:
            self.tend(lambda _done: go_on() and not self._walks)
            self._tended_at = self._clock()

    def page(self, names: Sequence[str]) -> list[Peek]:
        """Those of *names* that are there, in their order, in one round trip."""
        return [peek for peek in self._cache.peek_many(names) if peek is not None]

    def find(self, *patterns: str) -> KeyPage:
        """The keys that match the first of *patterns* that any matches, as many as there is time for."""
        page = KeyPage((), is_exact=True)
        for pattern in patterns:
            page = self.search(pattern, most=_MOST_KEYS)
            if page.rows or not page.is_exact:
                break
        return page

    def search(self, pattern: str, cursor: str = "", *, most: int = 200, budget: float = _BUDGET) -> KeyPage:
        """
        Look for keys that match for *budget* seconds, or until *most* are found; go on with the *cursor* it gives.

        Raises:
            InvalidInput: *pattern* is none.
        """
        deadline, found, begins = self._clock() + budget, dict[str, Peek](), not cursor
        while True:
            page = self._cache.scan(pattern, cursor, min(_SLICE, most), max(0.0, deadline - self._clock()))
            found.update((peek.key, peek) for peek in peek_found(self._cache, page.keys))
            cursor = page.cursor
            if not cursor or len(found) >= most or self._clock() > deadline:
                break
        rows = tuple(sorted(found.values(), key=lambda entry: (entry.ttl_left, entry.key)))
        return KeyPage(rows, begins and not cursor and not self._is_away, cursor, page.done)

    @property
    def _is_away(self) -> bool:
        """While Redis is away, only memory is seen."""
        return self._cache.state().is_degraded

    def _known(self, told: bytes | None, max_age: float, times: int = 1) -> Snapshot | None:
        """What was seen last, if nothing else was *told* since then and it is not too old."""
        shared = self._shared
        if shared is None or shared.told != told:
            return None
        snapshot = shared.snapshot
        is_live = snapshot.share >= 1 and snapshot.took <= _BUDGET
        lives = max_age if is_live else max(max_age, _SAMPLE_LIVES)
        return snapshot if self._clock() - shared.made_at <= times * lives else None

    def _renewed(self, told: bytes | None, max_age: float) -> Snapshot:
        with self._mutex:
            found = self._known(told, max_age)  # others may have made it meanwhile
            if found is None:
                found = self._stored(told) or self._look()
                self._shared = _Shared(self._clock(), told, found)
            return found

    def _look(self) -> Snapshot:
        """All of a small store, or a sample of a large one."""
        begun, taker = self._clock(), CensusTaker(self._cache.backend.barriers)
        try:
            for step in self._cache.backend.survey(fair=True):
                told_at = time.monotonic()
                taker.add(step)
                is_large = step.done < (taker.looked_at / _MOST_KEYS)
                if taker.looked_at >= (_SAMPLE_KEYS if is_large else _MOST_KEYS) or self._clock() - begun > _BUDGET:
                    break
                if step.done < 1:
                    time.sleep(max(0.0, told_at + _SAMPLE_PAUSE - time.monotonic()))
        except BackendError:  # memory serves from now on
            return self._look() if self._is_away else snapshot_of(taker.result(), self._wall(), is_exact=False)
        return snapshot_of(taker.result(), self._wall(), is_exact=not self._is_away, took=self._clock() - begun)

    def _stored(self, told: bytes | None) -> Snapshot | None:
        found = None if told is None else decode(told)
        return None if found is None or abs(self._wall() - found.taken_at) > _OLD or self._is_away else found

    def _told(self) -> bytes | None:
        """What the processes have told each other of the whole."""
        try:
            (data,) = self._board.read([_RECORD])
        except BackendError:
            return None
        return data


def peek_found(cache: Cache, names: Sequence[str]) -> list[Peek]:
    """Look at *names* that a scan brought. Under our prefix may be what no key of ours is called: it is foreign."""
    ours = [name for name in names if cache.namespaces.is_canonical(name)]
    others = sorted(set(names) - set(ours))
    looked = zip(others, cache.backend.inspect(others) if others else (), strict=True)
    return [peek for peek in cache.peek_many(ours) if peek is not None] + [
        Peek(name, _namespace(name), stored.size, stored.expires_in, is_foreign=True)
        for name, stored in looked
        if stored is not None
    ]


def _namespace(name: str) -> str:
    namespace, colon, _ = name.partition(":")
    return namespace if colon and namespace else DEFAULT_NAMESPACE
