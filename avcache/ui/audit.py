"""Audit: who did what, when, why, how much, and what came of it? Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import pandas as pd

from avcache.backends.base import State
from avcache.formats import format_clock, format_count, format_seconds
from avcache.ops.audit import MOST_ENTRIES, AuditEntry
from avcache.ops.faults import fault_of
from avcache.ops.jobs import Job
from avcache.ui.moments import local_time

__all__ = [
    "PAGE_ROWS",
    "SINCE",
    "audit_table",
    "chosen",
    "describe_extent",
    "describe_job",
    "exported",
    "how_much",
    "names_of",
    "page_of",
    "reason_of",
]

PAGE_ROWS: Final = 100

SINCE: Final[Mapping[str, float]] = {"1 h": 3600, "24 h": 86_400, "7 d": 7 * 86_400, "All": math.inf}
"""Seconds to look back."""

_PAGES: Final = {"clear": "clear", "warm-up": "warmup"}


def chosen(
    entries: Iterable[AuditEntry],
    now: float,
    *,
    since: str = "All",
    actor: str | None = None,
    action: str | None = None,
    text: str = "",
) -> list[AuditEntry]:
    """
    Return the entries that meet every condition, in their order.

    Args:
        now: Wall clock.
        since: One of `SINCE`.
        text: In any of their texts, in whatever case.
    """
    earliest, wanted = now - SINCE[since], text.strip().casefold()
    return [
        entry
        for entry in entries
        if entry.at >= earliest
        and actor in {None, entry.actor}
        and action in {None, entry.action}
        and (not wanted or wanted in _texts(entry))
    ]


def names_of(entries: Sequence[AuditEntry]) -> tuple[list[str], list[str]]:
    """Who acted, and what was done, each by the alphabet."""
    return sorted({entry.actor for entry in entries}), sorted({entry.action for entry in entries})


def reason_of(entry: AuditEntry) -> str:
    """Why, in words; of an outage the error itself is in the log, with its address."""
    return fault_of(entry.reason).words if entry.action == "outage" else entry.reason


def how_much(entry: AuditEntry) -> str:
    """`3 of 5`, `3`, `of 5`; a dash where nobody counted."""
    done = "" if entry.done is None else format_count(entry.done)
    planned = "" if entry.planned is None else f"of {format_count(entry.planned)}"
    return f"{done} {planned}".strip() or "–"


def audit_table(entries: Sequence[AuditEntry]) -> pd.DataFrame:
    """One row each: When (local time), Who, Action, On, How much, Reason, Result."""
    return pd.DataFrame(
        {
            "When": local_time([entry.at for entry in entries]),
            "Who": [entry.actor for entry in entries],
            "Action": [entry.action for entry in entries],
            "On": [entry.object for entry in entries],
            "How much": list(map(how_much, entries)),
            "Reason": [reason_of(entry) or "–" for entry in entries],
            "Result": [entry.result or "–" for entry in entries],
        }
    )


def exported(entries: Sequence[AuditEntry]) -> pd.DataFrame:
    """The same as it goes into a file; moments are UTC."""
    return pd.DataFrame(
        {
            "at": pd.to_datetime([entry.at for entry in entries], unit="s", utc=True),
            "actor": [entry.actor for entry in entries],
            "action": [entry.action for entry in entries],
            "object": [entry.object for entry in entries],
            "planned": pd.array([entry.planned for entry in entries], dtype="Int64"),
            "done": pd.array([entry.done for entry in entries], dtype="Int64"),
            "reason": list(map(reason_of, entries)),
            "result": [entry.result for entry in entries],
            "job": [entry.job for entry in entries],
        }
    )


def describe_extent(entries: Sequence[AuditEntry], state: State, now: float, *, is_shared: bool) -> str:
    """Of whom and of when *entries*, which are all there are, tell."""
    if state.is_degraded:
        since = format_clock(state.since, now)
        return (
            f"As of {format_clock(now)} Redis has been away since {since}: shown is what this process has noted "
            "meanwhile. It is added to the rest, which is seen again, when Redis is back."
        )
    whose = "all processes on this store" if is_shared else "this process alone"
    first = f", back to {format_clock(entries[-1].at, now)}" if entries else ""
    older = "; older ones have gone" if len(entries) >= MOST_ENTRIES else ""
    return f"Of {whose}, as of {format_clock(now)}{first}: {format_count(len(entries))} in all{older}."


def describe_job(job: Job | None) -> str:
    """What became of the job behind an entry; None: nobody knows it any more."""
    if job is None:
        return "Its job is not kept any more."
    took = f" in {format_seconds(job.seconds)}" if job.seconds is not None else ""
    extent = f", {format_count(job.done)} of {format_count(job.total)}" if job.total else ""
    return f"Its job: {job.state}{took}{extent}. {job.result}".strip()


def page_of(job: Job | None) -> str | None:
    """The page on which such jobs are seen: `pages/<page>.py`."""
    return None if job is None else _PAGES.get(job.kind)


def _texts(entry: AuditEntry) -> str:
    found = (entry.object, reason_of(entry), entry.result, entry.actor, entry.action, entry.job or "")
    return "\n".join(found).casefold()
