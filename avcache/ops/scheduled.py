"""Begins warm-ups when their time has come: once for all processes, and one after the other."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from avcache.clock import Clock
from avcache.errors import BackendError, CacheError
from avcache.market.universe import Universes
from avcache.ops.jobs import Job, JobRunning
from avcache.ops.schedule import Due
from avcache.ops.schedules import Schedules
from avcache.ops.warmup import Warmup

__all__ = ["ScheduledWarmups"]

logger = logging.getLogger(__name__)

_PATIENCE: Final = 1800.0
"""Seconds that a run waits for another warm-up to end."""


class ScheduledWarmups:
    """A chore of the process that leads."""

    name = "schedules"

    def __init__(
        self, schedules: Schedules, warmup: Warmup, universes: Callable[[], Universes], clock: Clock = time.time
    ) -> None:
        self._schedules = schedules
        self._warmup = warmup
        self._universes = universes
        self._clock = clock
        self._waiting: list[Due] = []

    def tick(self, go_on: Callable[[], bool]) -> None:
        """Begin what is due."""
        self._waiting += self._schedules.due()
        while self._waiting and go_on():
            if not self._begin(self._waiting[0]):
                return
            self._waiting.pop(0)

    def ended(self, job: Job) -> None:
        """Note how a warm-up ended, if a schedule began it."""
        run = job.what.get("schedule")
        if run is None:
            return
        try:
            self._schedules.ended(run["id"], run["fire_at"], job.result, job.id)
        except (BackendError, CacheError) as exc:
            logger.warning("schedule.not_noted", extra={"schedule": run["id"], "error": str(exc)})

    def _begin(self, due: Due) -> bool:
        """Whether there is nothing left to do about this run."""
        schedule = due.schedule
        tickers = schedule.tickers if schedule.universe is None else self._universes().get(schedule.universe)
        try:
            self._warmup.start(
                tickers,
                schedule.kinds,
                actor=f"schedule {schedule.name}",
                ahead=True,
                schedule={"id": schedule.id, "fire_at": due.fire_at},
            )
        except JobRunning as exc:
            if self._clock() - due.fire_at < _PATIENCE:
                return False
            self._schedules.ended(schedule.id, due.fire_at, f"not begun: {exc}")
        except CacheError as exc:
            self._schedules.ended(schedule.id, due.fire_at, f"not begun: {exc}")
        return True
