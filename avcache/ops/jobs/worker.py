"""Does the jobs: of all processes on one store, the one that holds the lease."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

import msgspec

from avcache.backends.board import Board
from avcache.clock import Clock
from avcache.errors import BackendError, CacheError
from avcache.forks import renew_in_children
from avcache.ops.jobs.desk import Jobs
from avcache.ops.jobs.job import Job, JobState
from avcache.ops.jobs.lease import Lease
from avcache.ops.jobs.run import Run, Stopped

__all__ = ["Chore", "Work", "Worker"]

logger = logging.getLogger(__name__)

_TICK: Final = 0.25
_CHORE_PAUSE: Final = 1.0
_STOP_PATIENCE: Final = 10.0


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


class Worker:
    """
    Takes the lease whenever nobody has it; while it has it, does the jobs and sees to the chores.

    `start` begins its threads, `stop` ends them: what is under way is left for the next one who takes the lease.

    Args:
        watch: Called with every look, whoever leads.
        on_ended: Told of every job that ended here.
        is_away: Whether *board* stands in, within this process, for one that is away.
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
        on_ended: Callable[[Job], None] = lambda _job: None,
        is_away: Callable[[], bool] = lambda: False,
        wall: Clock = time.time,
    ) -> None:
        self._board = board
        self._jobs = jobs
        self._works: Mapping[str, Work] = {work.kind: work for work in works}
        self._chores = tuple(chores)
        self._watch = watch
        self._on_ended = on_ended
        self._is_away = is_away
        self._wall = wall
        self._put_off: set[str] = set()
        self.begin_anew()
        renew_in_children(self)
        jobs.given_in = self._wake

    def begin_anew(self) -> None:
        """In a forked process: it is another worker, with no thread yet."""
        self._mutex = threading.Lock()
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._under_way: dict[str, threading.Thread] = {}
        self._unclosed: dict[str, Job] = {}
        # Says who leads to whoever looks at the lease.
        token = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._lease = Lease(self._board, "leader", token)

    @property
    def is_leader(self) -> bool:
        """Whether this process does the jobs now."""
        return self._lease.is_held and not self._stopping.is_set()

    def start(self) -> None:
        """Begin; a second call changes nothing."""
        with self._mutex:
            if any(thread.is_alive() for thread in self._threads):
                return
            self._stopping.clear()
            self._threads = [
                threading.Thread(target=self._keep_lease, name="avcache-lease", daemon=True),
                threading.Thread(target=self._run, name="avcache-worker", daemon=True),
                *(
                    threading.Thread(target=self._see_to, args=(chore,), name=f"avcache-{chore.name}", daemon=True)
                    for chore in self._chores
                ),
            ]
            for thread in self._threads:
                thread.start()

    def stop(self) -> None:
        """End, after the steps under way; a second call changes nothing."""
        with self._mutex:
            threads, self._threads = self._threads, []
        if not threads:
            return
        self._stopping.set()
        self._woken.set()
        give_up_at = time.monotonic() + _STOP_PATIENCE
        for one in (*threads, *self._under_way.values()):
            if one.is_alive():
                one.join(max(0.0, give_up_at - time.monotonic()))
        self._lease.give_back()

    def _wake(self) -> None:
        """A job was given in: by a process that may have no worker yet."""
        self.start()
        self._woken.set()

    def _keep_lease(self) -> None:
        """In a thread of its own: however long a look takes, the lease is not lost over it."""
        while not self._stopping.is_set():
            self._lease.take()
            self._stopping.wait(self._lease.renewed_every)

    def _run(self) -> None:
        term = 0
        while not self._stopping.is_set():
            try:
                self._watch()
                if self.is_leader:
                    if term != self._lease.term:
                        logger.info("worker.leads")
                        self._jobs.forget_lost()
                        term = self._lease.term
                    self._look()
            except BackendError as exc:
                self._put_off_once("jobs", exc)
            except Exception:  # whoever does the jobs must survive
                logger.exception("worker.failed")
            else:
                self._put_off.discard("jobs")
            self._woken.wait(_TICK)
            self._woken.clear()

    def _look(self) -> None:
        for ended in [] if self._is_away() else list(self._unclosed.values()):
            self._close(ended)
        self._under_way = {name: thread for name, thread in self._under_way.items() if thread.is_alive()}
        jobs = [job for job in self._jobs.open() if job.id not in self._under_way and job.id not in self._unclosed]
        for job in self._due(jobs):
            work = self._works.get(job.kind)
            if work is not None:
                thread = threading.Thread(target=self._do, args=(job, work), name=f"avcache-job-{job.id}", daemon=True)
                thread.start()
                self._under_way[job.id] = thread

    def _due(self, jobs: Sequence[Job]) -> list[Job]:
        """Those that are to be gone on with now: not those that wait for a moment, unless somebody hastens them."""
        now = self._wall()
        waiting = [job.id for job in jobs if job.state == "waiting" and job.wakes_at is not None and now < job.wakes_at]
        wishes = dict(zip(waiting, self._jobs.wishes(waiting), strict=True)) if waiting else {}
        return [job for job in jobs if job.id not in wishes or wishes[job.id] in {"cancel", "resume"}]

    def _do(self, job: Job, work: Work) -> None:
        term = self._lease.term
        run = Run(
            job,
            self._jobs,
            is_ours=lambda: self._lease.is_held and self._lease.term == term,
            may_go_on=lambda: not self._stopping.is_set(),
            wall=self._wall,
        )
        self._jobs.heard[job.id] = run.hear
        try:
            ending = self._outcome(run, work)
        finally:
            self._jobs.heard.pop(job.id, None)
        if ending is None:
            run.tell(at_once=True)  # how far it is, for the next one
            return
        state, result = ending
        if not self._lease.is_held or self._lease.term != term:  # then another one does it, or will
            return
        self._close(msgspec.structs.replace(run.job, state=state, result=result, ended_at=self._wall()))

    def _outcome(self, run: Run, work: Work) -> tuple[JobState, str] | None:
        """How it ended; None if it has not, but is to be gone on with by another process."""
        job = run.job
        try:
            try:
                state: JobState = "paused" if job.state == "paused" else "running"
                run.tell(at_once=True, state=state, began_at=job.began_at or self._wall(), wakes_at=None)
                run.check()
                return "done", work.run(run)
            except Stopped:
                return ("cancelled", work.cancelled(run.job)) if run.is_cancelled else None
        except CacheError as exc:
            return "failed", str(exc)
        except Exception:
            logger.exception("job.failed", extra={"job": job.id, "kind": job.kind})
            return "failed", "an error of this program; see its log"

    def _close(self, job: Job) -> None:
        """Tell that a job has ended; again with a later look if nobody takes it, or only a board that stands in."""
        is_new = job.id not in self._unclosed
        try:
            self._jobs.close(job)
            is_told = not self._is_away()
        except CacheError as exc:
            self._put_off_once("close", exc)
            is_told = False
        if is_told:
            self._put_off.discard("close")
            self._unclosed.pop(job.id, None)
        else:
            self._unclosed[job.id] = job
        if is_new:
            logger.info("job.ended", extra={"job": job.id, "kind": job.kind, "state": job.state, "result": job.result})
            self._on_ended(job)

    def _see_to(self, chore: Chore) -> None:
        while not self._stopping.wait(_CHORE_PAUSE):
            if not self.is_leader:
                continue
            try:
                chore.tick(lambda: self.is_leader)
            except Exception as exc:  # noqa: BLE001 - the next tick may go well
                self._put_off_once(chore.name, exc)
            else:
                self._put_off.discard(chore.name)

    def _put_off_once(self, what: str, exc: Exception) -> None:
        """Told once, not with every look."""
        if what not in self._put_off:
            is_foreign = not isinstance(exc, CacheError)
            logger.warning("worker.put_off", exc_info=is_foreign, extra={"what": what, "reason": str(exc)})
        self._put_off.add(what)
