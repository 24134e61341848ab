"""Clear what matches a pattern: say first what that is and costs, be in force at once, sweep slowly, undo if wanted."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from avcache.backends.barriers import Barrier
from avcache.backends.base import Cleared
from avcache.clock import Clock
from avcache.core.cache import Cache
from avcache.errors import CacheError, InvalidInput
from avcache.ops.audit import Audit
from avcache.ops.jobs import Job, Jobs, Run
from avcache.ops.keyspace import Keyspace, peek_found
from avcache.ops.snapshot import Snapshot

__all__ = ["UNDO_SECONDS", "ClearPlan", "ClearWork", "Clearing", "PlanOutdated"]

logger = logging.getLogger(__name__)

UNDO_SECONDS: Final = 600.0
_KIND: Final = "clear"
_SAMPLES: Final = 20
_BUDGET: Final = 2.0
_RECOUNT_BUDGET: Final = 0.3
_MOST_GROWTH: Final = 2
_MOST_REASON: Final = 500
_ANY_KEY: Final = "default:any"


class PlanOutdated(CacheError):
    """What matches has become much more since the plan was made: nothing was cleared."""

    def __init__(self, plan: ClearPlan, now: ClearPlan) -> None:
        super().__init__(f"{now.pattern} matches {now.keys:,} keys by now; the plan said {plan.keys:,}")
        self.now = now


@dataclass(frozen=True, slots=True)
class ClearPlan:
    """
    What a clear of *pattern* would drop.

    Attributes:
        keys: How many keys match; *is_exact* says whether all were seen, else it is reckoned, and lies between *low*
            and *high* in 95 of 100 cases (while Redis is away: *low* at least).
        size: Their bytes in the store.
        refill_seconds: What loading them took, together; None where no entry knows.
        samples: Up to 20 of the keys.
    """

    pattern: str
    keys: int
    is_exact: bool
    size: int
    refill_seconds: float | None
    samples: tuple[str, ...]
    low: int
    high: int


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
        self._clock = clock
        self._wall = wall

    def plan(self, pattern: str) -> ClearPlan:
        """Look, without touching anything. Raises `InvalidInput` for what is no pattern."""
        return self._counted(pattern) or self._reckoned(pattern)

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
        text = self._checked(pattern, reason)
        if plan is not None:
            self._check_growth(plan)
        cleared = self._cache.clear(text, sweep=False)
        now, planned = self._wall(), None if plan is None else plan.keys
        logger.info("ops.clear", extra={"pattern": text, "actor": actor, "planned": planned})
        self._forget(text)
        can_wait = undo_seconds > 0 and not cleared.pending
        try:
            job = self._jobs.submit(
                _KIND,
                {"pattern": text},
                actor=actor,
                reason=reason,
                total=planned or 0,
                notes={"barriers": _told(cleared.barriers), "pending": cleared.pending, "swept": 0},
                wakes_at=now + undo_seconds if can_wait else None,
            )
        except CacheError as exc:  # it is in force all the same: whoever asked must not be told that it is not
            logger.warning("ops.clear_without_job", extra={"pattern": text, "error": str(exc)})
            job = self._swept_here(text, cleared, actor, reason)
        self._audit.record(actor, _KIND, text, reason=reason, planned=planned, result=_accepted(cleared), job=job.id)
        return job

    def clear(self, pattern: str, *, actor: str = "library", reason: str = "", timeout: float | None = None) -> Cleared:
        """
        `start`, then wait until all is swept, *timeout* seconds at most; returns how many keys went by then, *pending*
        if that are not all.

        A single key goes at once, without a job.
        """
        text = self._checked(pattern, reason)
        if self._cache.namespaces.pattern(text).is_literal:
            cleared = self._cache.clear(text)
            self._audit.record(actor, _KIND, text, reason=reason, done=int(cleared), result=_accepted(cleared))
            self._keyspace.forget()
            return cleared
        job = self.start(text, actor=actor, reason=reason)
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
            raise CacheError(f"{job.what['pattern']} was cleared again since; undo that first")
        self._jobs.tell(job_id, "cancel")
        ended = self._jobs.wait(job_id, timeout=10)
        if ended is None or not ended.is_ended:
            raise CacheError("nobody did it within 10 s; it is done as soon as somebody can")
        pattern = str(ended.what["pattern"])
        self._audit.record(actor, "undo", pattern, done=cleared_keys(ended), result=ended.result, job=job_id)
        self._forget(pattern)
        return ended

    def _checked(self, pattern: str, reason: str) -> str:
        if len(reason) > _MOST_REASON:
            raise InvalidInput("reason", reason, f"at most {_MOST_REASON} characters")
        return self._cache.namespaces.pattern(pattern).text

    def _forget(self, pattern: str) -> None:
        """What the last sweep of the keyspace told of many keys is not so any more."""
        if self._cache.namespaces.pattern(pattern).is_literal:
            self._keyspace.forget()
        else:
            self._keyspace.forget_sweep()

    def _is_newest(self, job: Job) -> bool:
        """Whether nobody has invalidated the same again since."""
        self._cache.peek(_ANY_KEY)  # learns what is new
        rows = self._cache.backend.barriers.rows()
        return all(rows.get(barrier.scope) == barrier.version for barrier in _read(job))

    def _swept_here(self, pattern: str, cleared: Cleared, actor: str, reason: str) -> Job:
        """Without a board to give it in on: sweep at once, in this process."""
        begun = self._wall()
        swept = int(self._cache.sweep(cleared))
        return Job(
            id="",
            kind=_KIND,
            what={"pattern": pattern},
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

    def _check_growth(self, plan: ClearPlan) -> None:
        """What was confirmed is what is cleared: count once more, as far as a moment allows."""
        found = self._counted(plan.pattern, _RECOUNT_BUDGET) or self._reckoned(plan.pattern)
        doubt = found.high - found.low  # of a few keys in a sample it is many times what they stand for
        if found.low > _MOST_GROWTH * plan.high + doubt:
            raise PlanOutdated(plan, found)

    def _counted(self, pattern: str, budget: float = _BUDGET) -> ClearPlan | None:
        """Every key that matches, if there is time to see them all."""
        meant = self._cache.namespaces.pattern(pattern).text
        deadline, cursor, seen = self._clock() + budget, "", set[str]()
        size, refill = 0, list[float]()
        while True:
            page = self._cache.scan(meant, cursor, budget=budget)
            fresh = [key for key in page.keys if key not in seen]
            for peek in peek_found(self._cache, fresh):
                if peek.is_foreign:  # not ours to drop
                    continue
                seen.add(peek.key)
                size += peek.size
                refill += [] if peek.load_seconds is None else [peek.load_seconds]
            cursor = page.cursor
            if not cursor:
                break
            if self._clock() > deadline:
                return None
        is_exact = not self._cache.state().is_degraded  # while Redis is away, only memory was seen
        total = sum(refill) if refill else None
        keys = len(seen)
        return ClearPlan(meant, keys, is_exact, size, total, tuple(sorted(seen)[:_SAMPLES]), keys, keys)

    def _reckoned(self, pattern: str) -> ClearPlan:
        meant = self._cache.namespaces.pattern(pattern)
        found = self._keyspace.reckon(meant)
        ours = {name: one for name, one in found.namespaces.items() if one.keys > one.foreign}
        keys = sum(one.keys - one.foreign for one in ours.values())
        low, high = found.band(keys)
        samples = sorted(key for one in ours.values() for key in one.samples)
        return ClearPlan(
            meant.text,
            keys,
            found.is_exact,
            sum(one.size for one in ours.values()),
            _refill(found),
            tuple(samples[:_SAMPLES]),
            low,
            high,
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
        # Counted by the store: a process that died had told us less than it did, if it had told anything.
        steps = self._cache.swept(Cleared(0, barriers=_read(run.job)), tally=run.job.id)
        counted, swept = 0, int(run.job.notes["swept"])
        while (number := self._next(steps)) is not None:
            counted += number
            swept = max(swept, counted)
            total = max(run.job.total, swept)
            run.tell(done=swept, total=total, notes={**run.job.notes, "swept": swept})
            run.check()
        self._keyspace.forget_sweep()
        if self._cache.state().is_degraded:
            return f"{swept:,} keys dropped; Redis is away: the rest is invalid, and expires by itself"
        run.tell(total=swept, done=swept)
        self._audit.record(run.job.actor, "swept", str(run.job.what["pattern"]), done=swept, job=run.job.id)
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

    def _next(self, steps: Iterator[int]) -> int | None:
        with self._turn:
            return next(steps, None)


def cleared_keys(job: Job) -> int:
    """How many keys a clear has dropped by now."""
    return int(job.notes["swept"])


def _told(barriers: Sequence[Barrier]) -> list[Any]:
    return [[found.scope, found.version, found.previous] for found in barriers]


def _read(job: Job) -> tuple[Barrier, ...]:
    return tuple(Barrier(*row) for row in job.notes["barriers"])


def _accepted(cleared: Cleared) -> str:
    return "in force; in Redis before it is read again" if cleared.pending else "in force"


def _refill(found: Snapshot) -> float | None:
    known = [one for one in found.namespaces.values() if one.mean_load_seconds is not None]
    return sum(one.load_seconds for one in known) if known else None
