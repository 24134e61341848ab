"""Clear: what exactly will go, what will it cost, how far is it? Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pandas as pd

from avcache.formats import format_age, format_bytes, format_clock, format_count, format_seconds
from avcache.ops.clearing import ClearPlan, cleared_keys
from avcache.ops.jobs import Job
from avcache.ui.words import counted

__all__ = ["TYPE_TO_CONFIRM", "describe_job", "describe_plan", "exported", "history"]

TYPE_TO_CONFIRM: Final = 1000
"""From so many keys on, the pattern must be typed again."""


def describe_plan(plan: ClearPlan) -> str:
    """How much would go."""
    refill = f" · loading them again takes about {format_seconds(plan.refill_seconds)}" if plan.refill_seconds else ""
    return f"{counted(plan.keys, 'key')} ({_how_sure(plan)}) · {format_bytes(plan.size)}{refill}"


def describe_job(job: Job, now: float) -> str:
    """How far a clear is, or how it ended. *now* is a wall-clock reading."""
    pattern, planned = job.what["pattern"], counted(job.total, "key") if job.total else "what matches"
    away = " Redis is away: it is cleared there, too, before it is read again." if job.notes["pending"] else ""
    if job.state == "waiting" and job.wakes_at is not None:
        left = format_age(max(0.0, job.wakes_at - now))
        return f"{pattern} is cleared: {planned} will not be read any more, and dropped in {left}.{away}"
    if job.state in {"queued", "running"}:
        return f"{pattern} is cleared; {format_count(job.done)} of {planned} dropped.{away}"
    if job.state == "paused":
        return f"{pattern} is cleared; dropping the keys is paused at {format_count(job.done)} of {planned}."
    took = f" in {format_seconds(job.seconds)}" if job.state == "done" and job.seconds is not None else ""
    return f"{pattern}: {job.result}{took}.{away}"


def history(jobs: Sequence[Job]) -> pd.DataFrame:
    """One row per clear: When, Who, Pattern, Planned, Cleared, Reason, Result."""
    return pd.DataFrame(
        {
            "When": [format_clock(job.created_at) for job in jobs],
            "Who": [job.actor for job in jobs],
            "Pattern": [str(job.what["pattern"]) for job in jobs],
            "Planned": [job.total for job in jobs],
            "Cleared": [cleared_keys(job) for job in jobs],
            "Reason": [job.reason or "–" for job in jobs],
            "Result": [job.result or job.state for job in jobs],
        }
    )


def exported(jobs: Sequence[Job]) -> pd.DataFrame:
    """The same as it goes into a file, in plain numbers."""
    return pd.DataFrame(
        {
            "created_at": [job.created_at for job in jobs],
            "actor": [job.actor for job in jobs],
            "pattern": [str(job.what["pattern"]) for job in jobs],
            "planned": [job.total for job in jobs],
            "cleared": [cleared_keys(job) for job in jobs],
            "reason": [job.reason for job in jobs],
            "state": [job.state for job in jobs],
            "result": [job.result for job in jobs],
            "seconds": [job.seconds for job in jobs],
        }
    )


def _how_sure(plan: ClearPlan) -> str:
    if plan.is_exact:
        return "exact"
    if plan.low == plan.high:
        return "at least: not all keys could be looked at"
    return f"reckoned from a sample: {format_count(plan.low)} to {format_count(plan.high)}"
