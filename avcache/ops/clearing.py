"""Clear by pattern or by tag: say first what that costs, be in force at once, sweep slowly, undo if wanted."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
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
        self._planner = Planner(cache, keyspace, clock)
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
            undo_seconds: So long the sweep waits, and `undo` brings back what is not loaded anew meanwhile.

        Raises:
            InvalidInput: *pattern* is none, or *reason* is too long.
            PlanOutdated: More than twice as many keys match as *plan* says.
        """
        text = self._cache.namespaces.pattern(pattern).text
        what = {"pattern": text}
        return self._start(
            lambda: self._cache.clear(text, sweep=False),
            what,
            actor=actor,
            reason=reason,
            plan=plan,
            undo_seconds=undo_seconds,
        )

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
        what = {"tag": label}
        return self._start(
            lambda: self._cache.flush_tag(label, sweep=False),
            what,
            actor=actor,
            reason=reason,
            plan=plan,
            undo_seconds=undo_seconds,
        )

    def clear(self, pattern: str, *, actor: str = "library", reason: str = "") -> Cleared:
        """`start`, then wait until all is swept; returns how many keys went."""
        job = self.start(pattern, actor=actor, reason=reason)
        ended = self._jobs.wait(job.id) or job
        return Cleared(cleared_keys(ended), pending=bool(ended.notes["pending"]), barriers=_read(ended))

    def undo(self, job_id: str, *, actor: str) -> Job:
        """
        Take a clear back that still waits for its sweep, or what is left of one that is being swept.

        Returns the job as it has ended. Raises `InvalidInput` for one that has ended before.
        """
        self._jobs.tell(job_id, "cancel")
        ended = self._jobs.wait(job_id, timeout=10)
        if ended is None or not ended.is_ended:
            raise CacheError("nobody did it within 10 s; it is done as soon as somebody can")
        self._audit.record(
            actor, "undo", cleared_target(ended), done=cleared_keys(ended), result=ended.result, job=job_id
        )
        self._keyspace.forget()
        return ended

    def _start(
        self,
        invalidate: Callable[[], Cleared],
        what: dict[str, str],
        *,
        actor: str,
        reason: str,
        plan: ClearPlan | None,
        undo_seconds: float,
    ) -> Job:
        if len(reason) > _MOST_REASON:
            raise InvalidInput("reason", reason, f"at most {_MOST_REASON} characters")
        if plan is not None:
            self._check_growth(plan)
        cleared, now = invalidate(), self._wall()
        dropped, planned = int(cleared), None if plan is None else plan.keys  # a single key goes at once
        logger.info("ops.clear", extra={**what, "actor": actor, "planned": planned})
        job = self._jobs.submit(
            _KIND,
            what,
            actor=actor,
            reason=reason,
            total=dropped if planned is None else planned,
            notes={"barriers": _told(cleared.barriers), "pending": cleared.pending, "dropped": dropped, "swept": 0},
            wakes_at=now + undo_seconds if undo_seconds > 0 and not dropped else None,
        )
        object_ = cleared_target(job)
        self._audit.record(actor, _KIND, object_, reason=reason, planned=planned, result=_accepted(cleared), job=job.id)
        self._keyspace.forget()
        return job

    def _check_growth(self, plan: ClearPlan) -> None:
        """What was confirmed is what is cleared: count once more, as far as a moment allows."""
        budget = _RECOUNT_BUDGET
        if plan.tag is None:
            found = self._planner.of_pattern(plan.pattern, budget)
        else:
            found = self._planner.of_tag(plan.tag, budget)
        if found.low > _MOST_GROWTH * plan.high:
            raise PlanOutdated(plan, found)


class ClearWork:
    """Sweeps what a clear made invalid."""

    kind = _KIND

    def __init__(self, cache: Cache, keyspace: Keyspace, audit: Audit) -> None:
        self._cache = cache
        self._keyspace = keyspace
        self._audit = audit

    def run(self, run: Run) -> str:
        """See `Work`."""
        cleared = Cleared(0, barriers=_read(run.job))
        swept = int(run.job.notes["swept"])
        for number in self._cache.swept(cleared):
            swept += number
            run.tell(
                done=swept + int(run.job.notes["dropped"]),
                total=max(run.job.total, swept),
                notes={**run.job.notes, "swept": swept},
            )
            run.check()
        self._keyspace.forget_sweep()
        keys = cleared_keys(run.job)
        if self._cache.state().is_degraded:
            return f"{keys:,} keys dropped; Redis is away: the rest is invalid, and expires by itself"
        run.tell(total=keys, done=keys)
        self._audit.record(run.job.actor, "swept", cleared_target(run.job), done=keys, job=run.job.id)
        return f"{keys:,} keys cleared"

    def cancelled(self, job: Job) -> str:
        """See `Work`."""
        is_whole = self._cache.undo(Cleared(0, barriers=_read(job)))
        self._keyspace.forget()
        swept = cleared_keys(job)
        gone = f"; {swept:,} keys were dropped before" if swept else ""
        if is_whole:
            return f"taken back{gone}"
        return f"not taken back: the same was cleared again since, or Redis is away{gone}"


def cleared_target(job: Job) -> str:
    """What a clear was of: its pattern, or `tag AAPL`."""
    tag = job.what.get("tag")
    return str(job.what["pattern"]) if tag is None else f"tag {tag}"


def cleared_keys(job: Job) -> int:
    """How many keys a clear has dropped by now."""
    return int(job.notes["swept"]) + int(job.notes["dropped"])


def _told(barriers: Sequence[Barrier]) -> list[Any]:
    return [[found.scope, found.version, found.previous] for found in barriers]


def _read(job: Job) -> tuple[Barrier, ...]:
    return tuple(Barrier(*row) for row in job.notes["barriers"])


def _accepted(cleared: Cleared) -> str:
    return "in force; in Redis before it is read again" if cleared.pending else "in force"
