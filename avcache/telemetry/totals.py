"""What happened in all processes together: each tells the others its minute totals."""

from __future__ import annotations

import logging
import math
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final, Protocol

import msgspec

from avcache.clock import Clock
from avcache.core.counters import LOAD_BOUNDS, Counters, Counts, Stats
from avcache.errors import BackendError

__all__ = ["MINUTES_LATE", "Process", "Totals", "TotalsStore", "Worker", "decode", "encode"]

logger = logging.getLogger(__name__)

MINUTES_LATE: Final = 60
"""How many minutes a process still writes that it could not write in time."""

_KEPT_MINUTES = 24 * 60
_FRESH_SECONDS = 1.0
_PAUSE_SECONDS = 5.0
_SILENT_SECONDS = 10.0
_NO_TIMES = [0] * len(LOAD_BOUNDS)
_decoder = msgspec.msgpack.Decoder(Counts)


class TotalsStore(Protocol):
    """Where processes tell each other their totals. Every method may raise `BackendError`."""

    def write(self, process: str, minutes: Mapping[int, Mapping[str, bytes]], now: float) -> None:
        """Put the totals of *minutes*, by namespace, in place of what is there, and note that *process* lives."""
        ...

    def processes(self) -> dict[str, float]:
        """All processes of the last day, and when each was last seen."""
        ...

    def read(self, wanted: Sequence[tuple[str, int]]) -> list[dict[str, bytes]]:
        """The totals by namespace of each (process, minute), in their order; empty where nothing was written."""
        ...


def encode(counts: Counts) -> bytes:
    """The figures that are not 0, by name: a process of another version takes those that it knows."""
    figures = {name: value for name, value in asdict(counts).items() if value and value != _NO_TIMES}
    return msgspec.msgpack.encode(figures)


def decode(raw: bytes) -> Counts | None:
    """What `encode` wrote; None for what it did not."""
    try:
        counts = _decoder.decode(raw)
    except msgspec.DecodeError:
        return None
    # Of a version with other bounds: how long its loads took is not told by ours.
    if len(counts.load_times) != len(LOAD_BOUNDS):
        counts.load_times = list(_NO_TIMES)
    return counts if math.isfinite(counts.load_seconds) else None


@dataclass(frozen=True, slots=True)
class Process:
    """Who counts. A restart is another process; *first* is the minute (of the epoch) with which its totals begin."""

    host: str
    pid: int
    first: int
    nonce: str

    @classmethod
    def here(cls, first: int) -> Process:
        """This process, counting from minute *first*."""
        return cls(socket.gethostname(), os.getpid(), first, secrets.token_hex(4))

    @classmethod
    def parse(cls, text: str) -> Process | None:
        """The process that calls itself *text*; None if none does."""
        try:
            host, pid, first, nonce = text.rsplit(":", 3)
            return cls(host, int(pid), int(first), nonce)
        except ValueError:
            return None

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}:{self.first}:{self.nonce}"


@dataclass(frozen=True, slots=True)
class Worker:
    """
    What one process did in a window.

    Attributes:
        last_seen: When it last wrote, wall clock; of this process: now.
        is_alive: It was seen within the last ten seconds.
    """

    process: Process
    last_seen: float
    is_alive: bool
    is_this: bool
    stats: Stats


class Totals:
    """
    The figures of all processes on one store. Of this process they are those of its own counters, to the moment; of
    the others what they last wrote, in whole minutes, for a day back.

    Args:
        me: Says which process this one is, as it writes itself.
        is_away: Whether it is known that the store would not answer; then it is not asked.

    While the store is away the others' figures stay as they were: see `others_as_of`. Nothing here ever raises for it.
    """

    def __init__(
        self,
        counters: Counters,
        store: TotalsStore,
        me: Callable[[], Process],
        *,
        clock: Clock = time.time,
        is_away: Callable[[], bool] = lambda: False,
    ) -> None:
        self._counters = counters
        self._store = store
        self._me = me
        self._clock = clock
        self._is_away = is_away
        self._mutex = threading.Lock()
        self._others: dict[str, _Other] = {}
        self._minutes_back = 0
        self._next_reading = 0.0
        self._is_failing = False
        self.others_as_of: float | None = None
        """When the others were last asked with success, wall clock; None: never."""

    def stats(self, window: float | None = None) -> Stats:
        """Counts of the last *window* seconds (a day at most, and of the others up to a minute more); None: of all."""
        mine, now = self._counters.stats(window), self._clock()
        rows: dict[str, list[bytes]] = {}
        first = _first_minute(now, window)
        others = self._known(first)
        for other in others:
            other.collect(first, rows)
        began = min([mine.since, *(other.process.first * 60.0 for other in others)])
        since = began if window is None else max(began, now - window)
        return Stats(_added(mine.by_namespace, _sums(rows)), since)

    def series(self, window: float, step: float) -> tuple[list[float], dict[str, list[Counts]]]:
        """
        Return when each step of the last *window* seconds began, and the counts within it by namespace.

        A step has whole minutes. The last one is the one that goes on.
        """
        width = max(1, round(step / 60))
        begins, made = self._counters.series(window, width * 60)
        first, cells = int(begins[0]) // 60, dict[tuple[str, int], list[bytes]]()
        for other in self._known(first):
            for minute, totals in other.since(first):
                for name, row in totals.items():
                    cells.setdefault((name, min((minute - first) // width, len(begins) - 1)), []).append(row)
        for (name, at), rows in cells.items():
            made.setdefault(name, [Counts() for _ in begins])[at].add(_sum(rows))
        return begins, made

    def by_process(self, window: float) -> list[Worker]:
        """Each process that lives, or did within the last *window* seconds; by host and number."""
        now, me = self._clock(), self._me()
        first = _first_minute(now, window)
        workers = [Worker(me, now, is_alive=True, is_this=True, stats=self._counters.stats(window))]
        for other in self._known(first):
            if other.last_seen >= min(now - window, now - _SILENT_SECONDS):
                rows: dict[str, list[bytes]] = {}
                other.collect(first, rows)
                stats = Stats(_sums(rows), max(other.process.first * 60.0, now - window))
                is_alive = other.last_seen >= now - _SILENT_SECONDS
                workers.append(Worker(other.process, other.last_seen, is_alive, is_this=False, stats=stats))
        return sorted(workers, key=lambda worker: (worker.process.host, worker.process.pid, worker.process.first))

    def _known(self, first: int) -> list[_Other]:
        """The other processes, with their minutes from *first* on as far as they could be read."""
        with self._mutex:
            last = int(self._clock() // 60)
            is_longer = last - first > self._minutes_back
            # As far back as anybody ever asked: a minute that is complete is read once, so that costs nothing more.
            self._minutes_back = max(self._minutes_back, last - first)
            is_due = time.monotonic() >= self._next_reading or (is_longer and not self._is_failing)
            if is_due and not self._is_away():
                self._refresh(last)
            return list(self._others.values())

    def _refresh(self, last: int) -> None:
        try:
            self._read(last - self._minutes_back, last)
        except BackendError as exc:
            self._next_reading = time.monotonic() + _PAUSE_SECONDS
            if not self._is_failing:
                logger.warning("totals.unreadable", extra={"error": str(exc)})
            self._is_failing = True
            return
        self._next_reading = time.monotonic() + _FRESH_SECONDS
        self.others_as_of = self._clock()
        if self._is_failing:
            logger.info("totals.readable")
        self._is_failing = False

    def _read(self, first: int, last: int) -> None:
        seen = self._store.processes()
        others = {text: self._other(text, last_seen) for text, last_seen in seen.items()}
        known = {text: other for text, other in others.items() if other is not None}
        wanted = [(text, minute) for text, other in known.items() for minute in other.missing(first, last)]
        for (text, minute), raw in zip(wanted, self._store.read(wanted), strict=True):
            known[text].learn(minute, raw, last)
        self._others = known

    def _other(self, text: str, last_seen: float) -> _Other | None:
        process = Process.parse(text)
        if process is None or process.nonce == self._me().nonce or not math.isfinite(last_seen):
            return None
        other = self._others.get(text) or _Other(process)
        other.last_seen = last_seen
        return other


class _Other:
    """Another process and its minutes, as far as they were read; the figures are packed."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.last_seen = 0.0
        self._minutes: dict[int, dict[str, bytes]] = {}
        self._final: set[int] = set()

    def since(self, first: int) -> Iterator[tuple[int, dict[str, bytes]]]:
        # A list: another thread may read on meanwhile.
        return ((minute, totals) for minute, totals in list(self._minutes.items()) if minute >= first)

    def collect(self, first: int, rows: dict[str, list[bytes]]) -> None:
        """Add the figures from minute *first* on to *rows*, by namespace."""
        for _, totals in self.since(first):
            for name, row in totals.items():
                rows.setdefault(name, []).append(row)

    def missing(self, first: int, last: int) -> list[int]:
        """The minutes that have to be read, again or for the first time."""
        ended = min(last, int(self.last_seen // 60))
        span = range(max(first, self.process.first, last - _KEPT_MINUTES), ended + 1)
        return [minute for minute in span if minute not in self._final]

    def learn(self, minute: int, raw: Mapping[str, bytes], last: int) -> None:
        found = {name: decode(data) for name, data in raw.items()}
        self._minutes[minute] = {name: counts.pack() for name, counts in found.items() if counts is not None}
        # With what it writes a process says that it lives: seen after a minute's end, it has written that minute.
        if self.last_seen >= (minute + 1) * 60 or minute < last - MINUTES_LATE:
            self._final.add(minute)
        for old in [one for one in self._minutes if one < last - _KEPT_MINUTES]:
            del self._minutes[old]
            self._final.discard(old)


def _first_minute(now: float, window: float | None) -> int:
    """The minute in which the window begins."""
    oldest = int(now // 60) - _KEPT_MINUTES
    return oldest if window is None else max(oldest, int(max(0.0, now - window) // 60))


def _sum(rows: Sequence[bytes]) -> Counts:
    if len(rows) == 1:
        return Counts.unpack(rows[0])
    import numpy as np  # noqa: PLC0415 - of a day of four processes there are 35,000: 5 ms instead of 100

    return Counts.unpack(np.frombuffer(b"".join(rows)).reshape(len(rows), -1).sum(axis=0).tobytes())


def _sums(rows: Mapping[str, Sequence[bytes]]) -> dict[str, Counts]:
    return {name: _sum(some) for name, some in rows.items()}


def _added(mine: Mapping[str, Counts], others: Mapping[str, Counts]) -> dict[str, Counts]:
    made = {name: replace(counts) for name, counts in mine.items()}
    for name, counts in others.items():
        made.setdefault(name, Counts()).add(counts)
    return made
