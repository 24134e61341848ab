"""Does the jobs: of all processes on one store, the one that holds the lease."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import msgspec

from avcache.backends.board import Board
from avcache.clock import Clock
from avcache.errors import BackendError, CacheError
from avcache.forks import renew_in_children
from avcache.ops.jobs.desk import Jobs
from avcache.ops.jobs.job import Job, JobState, Wish

__all__ = ["Chore", "Run", "Stopped", "Work", "Worker"]

logger = logging.getLogger(__name__)

_LEASE: Final = "leader"
_LEASE_SECONDS: Final = 4.0
_SURE_SECONDS: Final = 3.0
"""So long after it was taken the lease is ours for sure; it is renewed long before."""

_TICK: Final = 0.25
_TOLD_EVERY: Final = 0.2
_HEARTBEAT: Final = 1.0
_STOP_PATIENCE: Final = 10.0


class Stopped(Exception):
    """This process is to go on with it no longer: another one will, or somebody cancelled it."""


class Work(Protocol):
    """How jobs of one kind are done."""

    @property
    def kind(self) -> str: ...

    def run(self, run: Run) -> str:
        """
        Do what is left of the job, and say in a sentence how it ended.

        Calls `run.check` at least four times a second. Raises `Stopped` if that does, and whatever goes wrong.
        """
        ...

    def cancelled(self, job: Job) -> str:
        """Somebody cancelled it: take back what can be, and say so in a sentence."""
        ...


class Chore(Protocol):
    """Something that the leader sees to from time to time; in a thread of its own."""

    @property
    def name(self) -> str: ...

    def tick(self, go_on: Callable[[], bool]) -> None:
        """Look whether there is something to do, and do it as long as *go_on* says so. Called every second."""
        ...


class Run:
    """One job under way, as its `Work` sees it."""

    def __init__(self, job: Job, jobs: Jobs, is_ours: Callable[[], bool], wall: Clock) -> None:
        self.job = job
        self._jobs = jobs
        self._is_ours = is_ours
        self._wall = wall
        self._told_at = 0.0
        self._asked_at = 0.0
        self._said: Wish | None = None
        self._mutex = threading.RLock()
        self.is_cancelled = False

    def tell(self, *, at_once: bool = False, **changes: Any) -> None:
        """Change the job; the others see it within a fifth of a second, or *at_once*."""
        with self._mutex:
            self.job = msgspec.structs.replace(self.job, seen_at=self._wall(), **changes)
            now = time.monotonic()
            if (at_once or now - self._told_at >= _TOLD_EVERY) and self._is_ours():
                self._told_at = now
                self._jobs.keep(self.job)

    def check(self) -> None:
        """
        Return if there is no reason to stop; not before somebody lets a paused job go on.

        Raises:
            Stopped: The job was cancelled, or is not ours any more.
        """
        while True:
            if not self._is_ours():
                raise Stopped("not ours any more")
            if self.is_cancelled:
                raise Stopped("cancelled")
            with self._mutex:
                now, said = time.monotonic(), self._jobs.said_here(self.job.id)
                is_known = now - self._asked_at < _TOLD_EVERY and said == self._said
                if is_known and self.job.state == "running":
                    return
                self._asked_at, self._said = now, said
                wish = self._jobs.wish(self.job.id)
                self.is_cancelled = wish == "cancel"
                state: JobState = "paused" if wish == "pause" else "running"
                is_silent = self._wall() - self.job.seen_at >= _HEARTBEAT
                if state != self.job.state or is_silent:
                    self.tell(at_once=True, state=state)
            if state == "paused" and not self.is_cancelled:
                time.sleep(_TOLD_EVERY)


class Worker:
    """
    Takes the lease whenever nobody has it; while it has it, does the jobs and sees to the chores.

    `start` begins the thread, `stop` ends it: what is under way is left for the next one who takes the lease.

    Args:
        watch: Called with every look, whoever leads.
        wall: Dates; the monotonic clock measures.
    """

    def __init__(
        self,
        board: Board,
        jobs: Jobs,
        works: Sequence[Work],
        chores: Sequence[Chore] = (),
        *,
        watch: Callable[[], None] = lambda: None,
        wall: Clock = time.time,
    ) -> None:
        self._board = board
        self._jobs = jobs
        self._works: Mapping[str, Work] = {work.kind: work for work in works}
        self._chores = tuple(chores)
        self._watch = watch
        self._wall = wall
        self._token = ""
        self._ours_until = 0.0
        self._is_failing = False
        self.begin_anew()
        renew_in_children(self)
        jobs.given_in = self._wake

    def begin_anew(self) -> None:
        """In a forked process: it is another worker, with no thread yet."""
        self._mutex = threading.Lock()
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._under_way: dict[str, threading.Thread] = {}
        self._ours_until = 0.0

    @property
    def is_leader(self) -> bool:
        """Whether this process does the jobs now."""
        return time.monotonic() < self._ours_until and not self._stopping.is_set()

    def start(self) -> None:
        """Begin; a second call changes nothing."""
        with self._mutex:
            if self._thread is not None and self._thread.is_alive():
                return
            # Says who leads to whoever looks at the lease.
            self._token = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
            self._stopping.clear()
            self._thread = threading.Thread(target=self._run, name="avcache-worker", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End, after the steps under way; a second call changes nothing."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._stopping.set()
        self._woken.set()
        give_up_at = time.monotonic() + _STOP_PATIENCE
        for one in (thread, *self._under_way.values()):
            one.join(max(0.0, give_up_at - time.monotonic()))
        try:
            self._board.give_back(_LEASE, self._token)
        except BackendError as exc:
            logger.info("worker.lease_kept", extra={"error": str(exc)})

    def _wake(self) -> None:
        """A job was given in: by a process that may have no worker yet."""
        self.start()
        self._woken.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._watch()
                if self._take_lease():
                    self._look()
            except BackendError as exc:  # the next look may find it well again
                if not self._is_failing:
                    logger.warning("worker.no_board", extra={"error": str(exc)})
                self._is_failing = True
            except Exception:  # whoever does the jobs must survive
                logger.exception("worker.failed")
            else:
                self._is_failing = False
            self._woken.wait(_TICK)
            self._woken.clear()

    def _take_lease(self) -> bool:
        asked_at = time.monotonic()
        if self._board.take(_LEASE, self._token, _LEASE_SECONDS):
            if not self.is_leader:
                logger.info("worker.leads")
                self._jobs.forget_lost()
            self._ours_until = asked_at + _SURE_SECONDS
        else:
            self._ours_until = 0.0
        return self.is_leader

    def _look(self) -> None:
        self._under_way = {name: thread for name, thread in self._under_way.items() if thread.is_alive()}
        for job in self._jobs.open():
            work = self._works.get(job.kind)
            if work is not None and self._is_due(job):
                self._begin(f"job-{job.id}", lambda job=job, work=work: self._do(job, work))  # type: ignore[misc]
        for chore in self._chores:
            self._begin(f"chore-{chore.name}", lambda chore=chore: self._tick(chore))  # type: ignore[misc]

    def _is_due(self, job: Job) -> bool:
        if job.state != "waiting" or job.wakes_at is None or self._wall() >= job.wakes_at:
            return True
        return self._jobs.wish(job.id) in {"cancel", "resume"}

    def _begin(self, name: str, do: Callable[[], None]) -> None:
        if name in self._under_way:
            return
        thread = threading.Thread(target=do, name=f"avcache-{name}", daemon=True)
        thread.start()
        self._under_way[name] = thread

    def _do(self, job: Job, work: Work) -> None:
        run = Run(job, self._jobs, lambda: self.is_leader, self._wall)
        try:
            try:
                run.tell(at_once=True, state="running", began_at=job.began_at or self._wall(), wakes_at=None)
                run.check()
                state: JobState = "done"
                result = work.run(run)
            except Stopped:
                if not run.is_cancelled:
                    return
                state, result = "cancelled", work.cancelled(run.job)
        except CacheError as exc:
            state, result = "failed", str(exc)
        except Exception:
            logger.exception("job.failed", extra={"job": job.id, "kind": job.kind})
            state, result = "failed", "an error of this program; see its log"
        if not self.is_leader:  # then another one does it, or will
            return
        ended = msgspec.structs.replace(run.job, state=state, result=result, ended_at=self._wall())
        try:
            self._jobs.close(ended)
        except BackendError:
            logger.warning("job.not_closed", extra={"job": job.id})
        logger.info("job.ended", extra={"job": job.id, "kind": job.kind, "state": state, "result": result})

    def _tick(self, chore: Chore) -> None:
        try:
            chore.tick(lambda: self.is_leader)
        except (BackendError, Stopped) as exc:
            logger.info("chore.put_off", extra={"chore": chore.name, "reason": str(exc)})
        except Exception:
            logger.exception("chore.failed", extra={"chore": chore.name})
        self._stopping.wait(1.0)
