"""One look at what all processes did, for one window: read once, shown to whoever looks at the moment."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from avcache.core.counters import Counts, Figures
from avcache.errors import BackendError
from avcache.ops import Ops
from avcache.ops.activity import Activity, ActivityWindow
from avcache.ops.audit import Audit, Event
from avcache.ops.snapshot import Snapshot
from avcache.telemetry.totals import Worker

__all__ = ["WINDOWS", "Course", "Look", "events_since", "look"]

WINDOWS: Final[Mapping[str, float]] = {"1 min": 60, "15 min": 900, "1 h": 3600, "24 h": 86_400}

_STEPS: Final[Mapping[float, float]] = {60: 60, 900: 60, 3600: 120, 86_400: 1800}
"""How wide a step of the course is, in seconds: whole minutes, as other processes tell no less."""

_SHORTEST_COURSE: Final = 900.0
_DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Course:
    """
    What was counted step by step.

    Attributes:
        begins: When each step began, wall clock; the last one goes on.
        width: Seconds of a step.
        steps: Counts of each step, by namespace.
    """

    begins: tuple[float, ...]
    width: float
    steps: Mapping[str, Sequence[Counts]]


@dataclass(frozen=True, slots=True)
class Look:
    """
    Attributes:
        now: When it was taken, wall clock.
        window: Seconds.
        recent: What happened in the window, with the same window of yesterday.
        total: The counts of the window, all namespaces together.
        by_window: What happened in each of `WINDOWS`.
        today: Since midnight, local time.
        course: Of the window, but of 15 minutes at least: a minute has no course.
        workers: What each process did in the window.
        events: What happened meanwhile; None if that cannot be read.
        is_all_processes: As `Activity` says it, as *others_as_of*.
    """

    now: float
    window: float
    recent: ActivityWindow
    total: Counts
    by_window: Mapping[str, ActivityWindow]
    today: ActivityWindow
    course: Course
    workers: Sequence[Worker]
    events: Sequence[Event] | None
    snapshot: Snapshot
    is_all_processes: bool
    others_as_of: float | None


def look(ops: Ops, figures: Figures, window: float, now: float, events: Sequence[Event] | None) -> Look:
    """
    Look at the last *window* seconds, one of `WINDOWS`.

    Args:
        figures: Whose counts make the course: those of `Activity`.
        now: Wall clock.
        events: Those of the last day, as far as they can be read.
    """
    course = _course(figures, window)
    activity = ops.activity
    return Look(
        now=now,
        window=window,
        recent=activity.window(window),
        total=figures.stats(window).total,
        by_window=_by_window(activity),
        today=activity.window(_seconds_today(now), with_earlier=False),
        course=course,
        workers=activity.workers(window),
        events=None if events is None else [event for event in events if event.at >= course.begins[0]],
        snapshot=ops.keyspace.snapshot(),
        is_all_processes=activity.is_all_processes,
        others_as_of=activity.others_as_of,
    )


def events_since(audit: Audit, since: float) -> list[Event] | None:
    """What happened from *since* (wall clock) on; None while the store does not tell."""
    try:
        return audit.events(since)
    except BackendError:
        return None


def _course(figures: Figures, window: float) -> Course:
    width = _STEPS[window]
    begins, steps = figures.series(max(window, _SHORTEST_COURSE), width)
    return Course(tuple(begins), width, dict(sorted(steps.items())))


def _by_window(activity: Activity) -> dict[str, ActivityWindow]:
    return {label: activity.window(seconds, with_earlier=False) for label, seconds in WINDOWS.items()}


def _seconds_today(now: float) -> float:
    local = dt.datetime.fromtimestamp(now).astimezone()
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    return min(_DAY, max(60.0, (local - midnight).total_seconds()))
