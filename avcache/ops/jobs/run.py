"""One job under way, as whoever does it sees it: how far it is, and whether to go on."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Final

import msgspec

from avcache.clock import Clock
from avcache.errors import BackendError
from avcache.ops.jobs.desk import Jobs
from avcache.ops.jobs.job import Job, JobState

__all__ = ["Run", "Stopped"]

logger = logging.getLogger(__name__)

_TOLD_EVERY: Final = 0.2


class Stopped(Exception):
    """This process is to go on with it no longer: another one will, or somebody cancelled it."""


class Run:
    """
    Args:
        is_ours: Whether this process still has the lease under which it was begun.
        may_go_on: Whether it is not about to end.
    """

    def __init__(
        self, job: Job, jobs: Jobs, *, is_ours: Callable[[], bool], may_go_on: Callable[[], bool], wall: Clock
    ) -> None:
        self.job = job
        self.wall = wall
        self.is_cancelled = False
        self._jobs = jobs
        self._is_ours = is_ours
        self._may_go_on = may_go_on
        self._told_at = 0.0
        self._is_told = True
        self._asked_at = 0.0
        self._is_failing = False
        self._mutex = threading.RLock()

    def hear(self) -> None:
        """Something was said about the job in this process: ask at once."""
        self._asked_at = 0.0

    def tell(self, *, at_once: bool = False, **changes: Any) -> None:
        """
        Change the job; the others see it within a fifth of a second, or *at_once*.

        A board that does not take it stops no work: the next time may go well.
        """
        with self._mutex:
            self.job = msgspec.structs.replace(self.job, **changes)
            self._is_told = False
            self._pass_on(at_once=at_once)

    def check(self) -> None:
        """
        Return if there is no reason to stop; not before somebody lets a paused job go on.

        Raises:
            Stopped: The job was cancelled, or is not ours any more.
        """
        while True:
            if not (self._is_ours() and self._may_go_on()):
                raise Stopped("not ours any more")
            if time.monotonic() - self._asked_at >= _TOLD_EVERY:
                self._ask()
            if self.is_cancelled:
                raise Stopped("cancelled")
            self._pass_on()  # what was told too soon after something else
            if self.job.state != "paused":
                return
            time.sleep(_TOLD_EVERY / 4)

    def _ask(self) -> None:
        """Ask what is wished. Only what was said changes anything: that a wish is lost lets no paused job run."""
        self._asked_at = time.monotonic()
        try:
            (wish,) = self._jobs.wishes([self.job.id])
        except BackendError:
            return
        if wish == "cancel":
            self.is_cancelled = True
        state: JobState = {"pause": "paused", "resume": "running"}.get(wish or "", self.job.state)  # type: ignore[assignment]
        if state != self.job.state:
            self.tell(at_once=True, state=state)

    def _pass_on(self, *, at_once: bool = False) -> None:
        with self._mutex:
            now = time.monotonic()
            if not self._is_told and (at_once or now - self._told_at >= _TOLD_EVERY) and self._is_ours():
                self._told_at, self._is_told = now, True
                self._keep()

    def _keep(self) -> None:
        try:
            self._jobs.keep(self.job)
        except BackendError as exc:
            if not self._is_failing:
                logger.warning("job.not_told", extra={"job": self.job.id, "error": str(exc)})
            self._is_failing = True
        else:
            self._is_failing = False
