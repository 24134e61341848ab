"""Tells the other processes what happened in this one: its minute totals, once a second."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from avcache.clock import Clock
from avcache.core.counters import Counters
from avcache.errors import BackendError
from avcache.telemetry.others import MINUTES_LATE, Process, encode
from avcache.telemetry.totals import TotalsStore

__all__ = ["Flusher"]

logger = logging.getLogger(__name__)

_STOP_PATIENCE = 5.0


class Flusher:
    """
    `start` begins a thread that flushes every *interval* seconds, `stop` ends it and flushes once more.

    Totals are written whole, not as what was added: whoever repeats a write that may have arrived counts nothing
    twice. What cannot be written waits, for an hour; a process that dies takes one *interval* with it.

    Args:
        clock: Wall clock, the one of *counters*.
        is_away: Whether it is known that the store would not answer; then it is not asked.
    """

    def __init__(
        self,
        counters: Counters,
        store: TotalsStore,
        *,
        clock: Clock = time.time,
        interval: float = 1.0,
        is_away: Callable[[], bool] = lambda: False,
    ) -> None:
        self._counters = counters
        self._store = store
        self._clock = clock
        self._interval = interval
        self._is_away = is_away
        self._mutex = threading.Lock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._is_failing = False
        self._begin()

    @property
    def process(self) -> Process:
        """This process, as the others see it."""
        return self._process

    def start(self) -> None:
        """Begin to flush; a second call changes nothing."""
        if self._thread is not None:
            return
        self._begin()  # once more: this may be the child of the process that built us
        self._stopped.clear()
        self._thread = threading.Thread(target=self._run, name="avcache-totals", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Flush what is left and end."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._stopped.set()
            thread.join(_STOP_PATIENCE)
            self.flush()

    def flush(self) -> bool:
        """Write the minutes that may not be written yet, and the one that goes on. Says whether the store has them."""
        if self._is_away():
            return False
        with self._mutex:
            try:
                self._write()
            except BackendError as exc:
                if not self._is_failing:
                    logger.warning("totals.unwritten", extra={"error": str(exc)})
                self._is_failing = True
                return False
            if self._is_failing:
                logger.info("totals.written")
            self._is_failing = False
            return True

    def _begin(self) -> None:
        running = int(self._clock() // 60)
        self._first = max(int(self._counters.since // 60), running - MINUTES_LATE + 1)
        self._process = Process.here(self._first)

    def _write(self) -> None:
        now = self._clock()
        running = int(now // 60)
        if running < self._first - 1:  # the clock was set back: what is written lies ahead of it, and stays
            self._process = replace(self._process, first=running)
        # A little behind is no step back: that minute is not over after all.
        first = max(min(self._first, running), running - MINUTES_LATE + 1)
        totals = {
            minute: {name: encode(counts) for name, counts in by_namespace.items()}
            for minute, by_namespace in self._counters.minutes(first).items()
        }
        self._store.write(str(self._process), totals, now)
        self._first = running

    def _run(self) -> None:
        while not self._stopped.wait(self._interval):
            try:
                self.flush()
            except Exception:  # a mistake of ours must not end the telling
                logger.exception("totals.failed")
