"""Clear: what exactly will go, what will it cost, how far is it? Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pandas as pd

from avcache.formats import counted, format_age, format_bytes, format_clock, format_count, format_seconds
from avcache.ops.clear_plan import ClearPlan
from avcache.ops.clearing import cleared_keys, cleared_target
from avcache.ops.jobs import Job

__all__ = ["TYPE_TO_CONFIRM", "WAYS", "describe_job", "describe_plan", "exported", "history", "must_type"]

TYPE_TO_CONFIRM: Final = 1000
"""From so many keys on, the pattern must be typed again."""

WAYS: Final = ("Namespace", "Pattern", "Ticker")
"""How one may say what is to go; of a ticker, all that rests on its prices."""


def must_type(plan: ClearPlan) -> bool:
    """Whether so much goes, or so much is unknown, that a click is not enough."""
    return plan.keys >= TYPE_TO_CONFIRM or not plan.is_exact


def describe_plan(plan: ClearPlan) -> str:
    """How much would go, and what loading it again costs."""
    return f"{counted(plan.keys, 'key')} ({_how_sure(plan)}) · {format_bytes(plan.size)}{_refill(plan)}"


def describe_job(job: Job, now: float) -> str:
    """How far a clear is, or how it ended. *now* is a wall-clock reading."""
    target, planned = _spelled(job), counted(job.total, "key") if job.total else "what matches"
    away = " Redis is away: it is cleared there, too, before it is read again." if job.notes["pending"] else ""
    if job.state == "waiting" and job.wakes_at is not None:
        left = format_age(max(0.0, job.wakes_at - now))
        return f"{target} is cleared: {planned} will not be read any more, and dropped in {left}.{away}"
    if job.state in {"queued", "running"}:
        return f"{target} is cleared; {format_count(job.done)} of {planned} dropped{_left(job, now)}.{away}"
    if job.state == "paused":
        return f"{target} is cleared; dropping the keys is paused at {format_count(job.done)} of {planned}."
    took = f" in {format_seconds(job.seconds)}" if job.state == "done" and job.seconds is not None else ""
    return f"{target}: {job.result}{took}.{away}"


def history(jobs: Sequence[Job], now: float) -> pd.DataFrame:
    """One row per clear: When, Who, What, Planned, Cleared, Reason, Result. *now* is a wall-clock reading."""
    return pd.DataFrame(
        {
            "When": [format_clock(job.created_at, now) for job in jobs],
            "Who": [job.actor for job in jobs],
            "What": [cleared_target(job) for job in jobs],
            "Planned": [job.total for job in jobs],
            "Cleared": [cleared_keys(job) for job in jobs],
            "Reason": [job.reason or "–" for job in jobs],
            "Result": [job.result or job.state for job in jobs],
        }
    )


def exported(jobs: Sequence[Job]) -> pd.DataFrame:
    """The same as it goes into a file, in plain numbers; of each either a pattern or a tag."""
    return pd.DataFrame(
        {
            "created_at": [job.created_at for job in jobs],
            "actor": [job.actor for job in jobs],
            "pattern": [str(job.what.get("pattern", "")) for job in jobs],
            "tag": [str(job.what.get("tag", "")) for job in jobs],
            "planned": [job.total for job in jobs],
            "cleared": [cleared_keys(job) for job in jobs],
            "reason": [job.reason for job in jobs],
            "state": [job.state for job in jobs],
            "result": [job.result for job in jobs],
            "seconds": [job.seconds for job in jobs],
        }
    )


def _spelled(job: Job) -> str:
    tag = job.what.get("tag")
    return cleared_target(job) if tag is None else f"All that rests on {tag}"


def _left(job: Job, now: float) -> str:
    """How long it still takes at the pace so far."""
    if job.began_at is None or not 0 < job.done < job.total or now <= job.began_at:
        return ""
    return f", {format_seconds((now - job.began_at) * (job.total - job.done) / job.done)} left"


def _refill(plan: ClearPlan) -> str:
    if not plan.refill_seconds or not plan.keys:
        return ""
    each = format_seconds(plan.refill_seconds / plan.keys)
    return f" · to refill: {format_count(plan.keys)} × {each} ≈ {format_seconds(plan.refill_seconds)}"


def _how_sure(plan: ClearPlan) -> str:
    if plan.is_exact:
        return "exact"
    if plan.low == plan.high:
        return "at least: not all keys could be looked at"
    return f"reckoned from a sample: {format_count(plan.low)} to {format_count(plan.high)}"
