"""Clear by pattern or by tag: say first what that costs, be in force at once, sweep slowly, undo if wanted."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

from avcache.backends.barriers import Barrier
from avcache.backends.base import Cleared
from avcache.clock import Clock
from avcache.core.cache import Cache
from avcache.core.entry import check_tags
from avcache.errors import CacheError, InvalidInput
from avcache.ops.audit import Audit
from avcache.ops.clear_plan import ClearPlan, Planner
from avcache.ops.jobs import Job, Jobs, Run
from avcache.ops.keyspace import Keyspace

__all__ = ["UNDO_SECONDS", "ClearPlan", "ClearWork", "Clearing", "PlanOutdated", "cleared_keys", "cleared_target"]

logger = logging.getLogger(__name__)

UNDO_SECONDS: Final = 600.0
_KIND: Final = "clear"
_RECOUNT_BUDGET: Final = 0.3
_MOST_GROWTH: Final = 2
_MOST_REASON: Final = 500
_ANY_KEY: Final = "default:any"


class PlanOutdated(CacheError):
    """What matches has become much more since the plan was made: nothing was cleared."""

    def __init__(self, plan: ClearPlan, now: ClearPlan) -> None:
        super().__init__(f"{now.target} matches {now.keys:,} keys by now; the plan said {plan.keys:,}")
        self.now = now


class Clearing:
    """Plans and carries out clears. *clock* measures, *wall* dates."""

    def __init__(
        self,
        cache: Cache,
        keyspace: Keyspace,
        jobs: Jobs,
        audit: Audit,
        *,
        clock: Clock = time.monotonic,
        wall: Clock = time.time,
    ) -> None:
        self._cache = cache
        self._keyspace = keyspace
        self._jobs = jobs
        self._audit = audit
        self._planner = Planner(cache, clock)
        self._wall = wall

    def plan(self, pattern: str) -> ClearPlan:
        """Look, without touching anything. Raises `InvalidInput` for what is no pattern."""
        return self._planner.of_pattern(pattern)

    def plan_tag(self, tag: str) -> ClearPlan:
        """`plan` for every entry that carries *tag*. Raises `InvalidInput` for what is no tag."""
        return self._planner.of_tag(tag)

    def start(
        self,
        pattern: str,
        *,
        actor: str,
        reason: str = "",
        plan: ClearPlan | None = None,
        undo_seconds: float = 0.0,
    ) -> Job:
        """
        Clear: in force for all processes when this returns; what is not read any more is swept by a job.

        Args:
            plan: What whoever confirmed this had seen; if far more matches by now, nothing is cleared.
            undo_seconds: So long the sweep waits, and `undo` brings back what is not loaded anew meanwhile. While Redis
                is away there is no undo.

        Raises:
            InvalidInput: *pattern* is none, or *reason* is too long.
            PlanOutdated: More than twice as many keys match as *plan* says.
        """
        text = self._cache.namespaces.pattern(pattern).text
        _check_reason(reason)
        if plan is not None:
            self._check_growth(plan)
        cleared = self._cache.clear(text, sweep=False)
        return self._begun({"pattern": text}, cleared, actor, reason, plan=plan, undo_seconds=undo_seconds)

    def start_tag(
        self,
        tag: str,
        *,
        actor: str,
        reason: str = "",
        plan: ClearPlan | None = None,
        undo_seconds: float = 0.0,
    ) -> Job:
        """`start` for every entry that carries *tag*: of a ticker, all that rests on its prices."""
        (label,) = check_tags([tag])
        _check_reason(reason)
        if plan is not None:
            self._check_growth(plan)
        cleared = self._cache.flush_tag(label, sweep=False)
        return self._begun({"tag": label}, cleared, actor, reason, plan=plan, undo_seconds=undo_seconds)

    def clear(self, pattern: str, *, actor: str = "library", reason: str = "", timeout: float | None = None) -> Cleared:
        """
        `start`, then wait until all is swept, *timeout* seconds at most; returns how many keys went by then, *pending*
        if that are not all.

        A single key goes at once, without a job.
        """
        meant = self._cache.namespaces.pattern(pattern)
        _check_reason(reason)
        if meant.is_literal:
            cleared = self._cache.clear(meant.text)
            self._audit.record(
                actor, _KIND, meant.text, reason=reason, done=int(cleared), result=_accepted(cleared.pending)
            )
            self._keyspace.forget()
            return cleared
        job = self.start(meant.text, actor=actor, reason=reason)
        ended = self._jobs.wait(job.id, timeout) or job
        is_pending = bool(ended.notes["pending"]) or not ended.is_ended
        return Cleared(cleared_keys(ended), pending=is_pending, barriers=_read(ended))

    def undo(self, job_id: str, *, actor: str) -> Job:
        """
        Take a clear back that still waits for its sweep, or what is left of one that is being swept.

        Returns the job as it has ended.

        Raises:
            InvalidInput: It has ended before.
            CacheError: The same was cleared again since: that one is to be taken back first. Nothing has changed then.
        """
        job = self._jobs.get(job_id)
        if job is not None and not job.is_ended and not self._is_newest(job):
            raise CacheError(f"{cleared_target(job)} was cleared again since; undo that first")
        self._jobs.tell(job_id, "cancel")
        ended = self._jobs.wait(job_id, timeout=10)
        if ended is None or not ended.is_ended:
            raise CacheError("nobody did it within 10 s; it is done as soon as somebody can")
        target = cleared_target(ended)
        self._audit.record(actor, "undo", target, done=cleared_keys(ended), result=ended.result, job=job_id)
        self._keyspace.forget_sweep()
        return ended

    def _begun(
        self,
        what: dict[str, str],
        cleared: Cleared,
        actor: str,
        reason: str,
        *,
        plan: ClearPlan | None,
        undo_seconds: float,
    ) -> Job:
        """Give in the sweep of what is cleared, and write down who did it."""
        now, planned = self._wall(), None if plan is None else plan.keys
        logger.info("ops.clear", extra={**what, "actor": actor, "planned": planned})
        self._keyspace.forget_sweep()
        can_wait = undo_seconds > 0 and not cleared.pending
        try:
            job = self._jobs.submit(
                _KIND,
                what,
                actor=actor,
                reason=reason,
                total=planned or 0,
                notes={"barriers": _told(cleared.barriers), "pending": cleared.pending, "swept": 0},
                wakes_at=now + undo_seconds if can_wait else None,
            )
        except CacheError as exc:  # it is in force all the same: whoever asked must not be told that it is not
            logger.warning("ops.clear_without_job", extra={**what, "error": str(exc)})
            job = self._swept_here(what, cleared, actor, reason)
        target, result = cleared_target(job), _accepted(cleared.pending)
        self._audit.record(
            actor, _KIND, target, reason=reason, planned=planned, result=result, job=job.id, at=job.created_at
        )
        return job

    def _check_growth(self, plan: ClearPlan) -> None:
        """What was confirmed is what is cleared: count once more, as far as a moment allows."""
        if plan.tag is None:
            found = self._planner.of_pattern(plan.pattern, _RECOUNT_BUDGET)
        else:
            found = self._planner.of_tag(plan.tag, _RECOUNT_BUDGET)
        doubt = found.high - found.low  # of a few keys in a sample it is many times what they stand for
        if found.low > _MOST_GROWTH * plan.high + doubt:
            raise PlanOutdated(plan, found)

    def _is_newest(self, job: Job) -> bool:
        """Whether nobody has invalidated the same again since."""
        self._cache.peek(_ANY_KEY)  # learns what is new
        rows = self._cache.backend.barriers.rows()
        return all(rows.get(barrier.scope) == barrier.version for barrier in _read(job))

    def _swept_here(self, what: dict[str, str], cleared: Cleared, actor: str, reason: str) -> Job:
        """Without a board to give it in on: sweep at once, in this process."""
        begun = self._wall()
        swept = int(self._cache.sweep(cleared))
        return Job(
            id="",
            kind=_KIND,
            what=what,
            actor=actor,
            reason=reason,
            created_at=begun,
            began_at=begun,
            ended_at=self._wall(),
            state="done",
            total=swept,
            done=swept,
            notes={"barriers": _told(cleared.barriers), "pending": cleared.pending, "swept": swept},
            result=f"{swept:,} keys cleared",
        )


class ClearWork:
    """Sweeps what a clear made invalid. Several take turns, so that they cost the server what one does."""

    kind = _KIND

    def __init__(self, cache: Cache, keyspace: Keyspace, audit: Audit) -> None:
        self._cache = cache
        self._keyspace = keyspace
        self._audit = audit
        self._turn = threading.Lock()

    def run(self, run: Run) -> str:
        """See `Work`."""
        with self._keyspace.at_rest():
            swept = self._sweep(run)
        self._keyspace.forget_sweep()
        if self._cache.state().is_degraded:
            return f"{swept:,} keys dropped; Redis is away: the rest is invalid, and expires by itself"
        run.tell(total=swept, done=swept)
        self._audit.record(run.job.actor, "swept", cleared_target(run.job), done=swept, job=run.job.id)
        return f"{swept:,} keys cleared"

    def cancelled(self, job: Job) -> str:
        """See `Work`."""
        is_whole = self._cache.undo(Cleared(0, barriers=_read(job)))
        self._keyspace.forget_sweep()
        swept = cleared_keys(job)
        gone = f"; {swept:,} keys were dropped before" if swept else ""
        if is_whole:
            return f"taken back{gone}"
        return f"not taken back: the same was cleared again since, or Redis is away{gone}"

    def _sweep(self, run: Run) -> int:
        # Counted by the store: a process that died had told us less than it did, if it had told anything.
        steps = self._cache.swept(Cleared(0, barriers=_read(run.job)), tally=run.job.id)
        counted, swept = 0, int(run.job.notes["swept"])
        while (number := self._next(steps)) is not None:
            counted += number
            swept = max(swept, counted)
            total = max(run.job.total, swept)
            run.tell(done=swept, total=total, notes={**run.job.notes, "swept": swept})
            run.check()
        return swept

    def _next(self, steps: Iterator[int]) -> int | None:
        with self._turn:
            return next(steps, None)


def cleared_target(job: Job) -> str:
    """What a clear was of: its pattern, or `tag AAPL`."""
    tag = job.what.get("tag")
    return str(job.what["pattern"]) if tag is None else f"tag {tag}"


def cleared_keys(job: Job) -> int:
    """How many keys a clear has dropped by now."""
    return int(job.notes["swept"])


def _told(barriers: Sequence[Barrier]) -> list[Any]:
    return [[found.scope, found.version, found.previous] for found in barriers]


def _read(job: Job) -> tuple[Barrier, ...]:
    return tuple(Barrier(*row) for row in job.notes["barriers"])


def _check_reason(reason: str) -> None:
    if len(reason) > _MOST_REASON:
        raise InvalidInput("reason", reason, f"at most {_MOST_REASON} characters")


def _accepted(is_pending: bool) -> str:  # noqa: FBT001 - a fact, not an option
    return "in force; in Redis before it is read again" if is_pending else "in force"
