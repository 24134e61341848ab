"""What happened in all processes together: each tells the others its minute totals."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from avcache.clock import Clock
from avcache.core.counters import Counters
from avcache.core.counts import Counts, Stats
from avcache.errors import BackendError
from avcache.telemetry.others import FAR_MINUTES, NEAR_MINUTES, QUARTER, Other, Process, sum_rows, sums

__all__ = ["Totals", "TotalsStore", "Worker"]

logger = logging.getLogger(__name__)

_DAY_MINUTES = 24 * 60
_FRESH_SECONDS = 1.0
_PAUSE_SECONDS = 5.0
_SILENT_SECONDS = 10.0
_NOTHING_MORE = range(0)


class TotalsStore(Protocol):
    """Where processes tell each other their totals. Every method may raise `BackendError`."""

    def write(self, process: str, minutes: Mapping[int, Mapping[str, bytes]], now: float) -> None:
        """Put the totals of *minutes*, by namespace, in place of what is there, and note that *process* lives."""
        ...

    def processes(self) -> dict[str, float]:
        """All processes of the last two days, and when each was last seen."""
        ...

    def read(self, wanted: Sequence[tuple[str, int]]) -> list[dict[str, bytes]]:
        """The totals by namespace of each (process, minute), in their order; empty where nothing was written."""
        ...


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
    the others what they last wrote, in whole minutes.

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
        self._others: dict[str, Other] = {}
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
            other.collect(rows, first)
        began = min([mine.since, *(other.process.first * 60.0 for other in others if other.last_seen >= first * 60)])
        since = began if window is None else max(began, now - window)
        return Stats(_added(mine.by_namespace, sums(rows)), since)

    def series(self, window: float, step: float) -> tuple[list[float], dict[str, list[Counts]]]:
        """
        Return when each step of the last *window* seconds began, and the counts within it by namespace.

        A step has whole minutes. The last one is the one that goes on.
        """
        width = max(1, round(step / 60))
        begins, made = self._counters.series(window, width * 60)
        first, cells = int(begins[0]) // 60, dict[tuple[str, int], list[bytes]]()
        for other in self._known(first):
            for minute, totals in other.within(first):
                for name, row in totals.items():
                    cells.setdefault((name, min((minute - first) // width, len(begins) - 1)), []).append(row)
        for (name, at), rows in cells.items():
            made.setdefault(name, [Counts() for _ in begins])[at].add(sum_rows(rows))
        return begins, made

    def between(self, start: float, end: float) -> Stats | None:
        """
        Counts of the whole minutes from *start* to *end* (wall clock), or quarters of an hour more than 25 hours ago.

        None: nobody counted then, it is more than 49 hours ago, or what the others counted then cannot be read now.
        Their minutes of that window, and no others, are read when it is first asked for.
        """
        span = _span(start, end, int(self._clock() // 60))
        mine = self._counters.between(span.start * 60.0, span.stop * 60.0)
        begins = [] if mine is None else [mine.since]
        rows: dict[str, list[bytes]] = {}
        with self._mutex:  # to the end: minutes that become a quarter meanwhile would be there twice, or not at all
            if not self._can_tell(span):
                return None
            for other in self._others.values():
                if other.process.first < span.stop and other.last_seen >= span.start * 60:
                    begins.append(other.process.first * 60.0)
                    other.collect(rows, span.start, span.stop)
        if not begins:
            return None
        by_namespace = {} if mine is None else mine.by_namespace
        return Stats(_added(by_namespace, sums(rows)), max(span.start * 60.0, min(begins)))

    def by_process(self, window: float | None) -> list[Worker]:
        """
        Each process that lives, or did within the last *window* seconds; by host and number.

        None: this one since its start, the others for a day.
        """
        now, me = self._clock(), self._me()
        first = _first_minute(now, window)
        oldest = first * 60.0 if window is None else now - window
        workers = [Worker(me, now, is_alive=True, is_this=True, stats=self._counters.stats(window))]
        for other in self._known(first):
            if other.last_seen >= min(oldest, now - _SILENT_SECONDS):
                rows: dict[str, list[bytes]] = {}
                other.collect(rows, first)
                stats = Stats(sums(rows), max(other.process.first * 60.0, oldest))
                is_alive = other.last_seen >= now - _SILENT_SECONDS
                workers.append(Worker(other.process, other.last_seen, is_alive, is_this=False, stats=stats))
        return sorted(workers, key=lambda worker: (worker.process.host, worker.process.pid, worker.process.first))

    def _known(self, first: int) -> list[Other]:
        """The other processes, with their minutes from *first* on as far as they could be read."""
        with self._mutex:
            last = int(self._clock() // 60)
            is_longer = last - first > self._minutes_back
            # As far back as anybody ever asked: a minute that is complete is read once, so that costs nothing more.
            self._minutes_back = max(self._minutes_back, last - first)
            self._refresh(last, is_wanted=is_longer)
            return list(self._others.values())

    def _can_tell(self, span: range) -> bool:
        """Read the others' minutes in *span*, if need be; whether all of them are there."""
        self._refresh(int(self._clock() // 60), span, is_wanted=not self._has(span))
        return self._has(span)

    def _has(self, span: range) -> bool:
        """Whether each minute in *span* was read at least once."""
        is_known = self.others_as_of is not None
        return is_known and not any(other.unread(span) for other in self._others.values())

    def _refresh(self, last: int, more: range = _NOTHING_MORE, *, is_wanted: bool) -> None:
        """Read what is not complete, and *more*, once a second; if something *is_wanted* that is not there: now."""
        is_due = time.monotonic() >= self._next_reading or (is_wanted and not self._is_failing)
        if not is_due or self._is_away():
            return
        try:
            self._read(range(last - self._minutes_back, last + 1), more)
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

    def _read(self, recent: range, more: range) -> None:
        seen = self._store.processes()
        others = {text: self._other(text, last_seen) for text, last_seen in seen.items()}
        known = {text: other for text, other in others.items() if other is not None}
        wanted = [
            (text, minute) for text, other in known.items() for minute in {*other.missing(recent), *other.missing(more)}
        ]
        for (text, minute), raw in zip(wanted, self._store.read(wanted), strict=True):
            known[text].learn(minute, raw, recent[-1])
        for other in known.values():
            other.age(recent[-1])
        self._others = known

    def _other(self, text: str, last_seen: float) -> Other | None:
        process = Process.parse(text)
        if process is None or process.nonce == self._me().nonce or not math.isfinite(last_seen):
            return None
        other = self._others.get(text) or Other(process)
        other.last_seen = last_seen
        return other


def _first_minute(now: float, window: float | None) -> int:
    """The minute in which the window begins."""
    oldest = int(now // 60) - _DAY_MINUTES
    return oldest if window is None else max(oldest, int(max(0.0, now - window) // 60))


def _span(start: float, end: float, last: int) -> range:
    """The minutes of a window, as far as they are kept: long ago from quarter to quarter."""
    first, stop = (_whole(int(moment // 60), last) for moment in (start, end))
    return range(max(first, _whole(last - FAR_MINUTES, last)), min(stop, last + 1))


def _whole(minute: int, last: int) -> int:
    return minute if minute >= last - NEAR_MINUTES else minute - minute % QUARTER


def _added(mine: Mapping[str, Counts], others: Mapping[str, Counts]) -> dict[str, Counts]:
    made = {name: replace(counts) for name, counts in mine.items()}
    for name, counts in others.items():
        made.setdefault(name, Counts()).add(counts)
    return made
