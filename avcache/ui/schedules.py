"""Warm-ups by the clock, as people read them. Pure."""

from __future__ import annotations

import datetime as dt
import functools
import re
import zoneinfo
from collections.abc import Sequence
from typing import Final

import pandas as pd

from avcache.formats import counted, format_clock, format_count
from avcache.ops.cron import timing
from avcache.ops.schedule import LastRun, Policy, Schedule, ScheduleView
from avcache.ui.words import joined, named

__all__ = [
    "DEFAULT_CRON",
    "DEFAULT_ZONE",
    "POLICIES",
    "describe_schedule",
    "exported",
    "in_words",
    "next_runs",
    "until",
    "zones",
]

DEFAULT_CRON: Final = "0 8 * * 1-5"
DEFAULT_ZONE: Final = "America/New_York"
POLICIES: Final[dict[str, Policy]] = {"Catch up": "catch_up", "Skip": "skip"}
"""What becomes of runs at whose time nobody was there."""

_DAYS: Final = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_CLOCK: Final = re.compile(r"(\d{1,2}) (\d{1,2}(?:,\d{1,2})*) \* \* (\S+)", re.ASCII)
_EVERY_MINUTES: Final = re.compile(r"\*/(\d{1,2}) \* \* \* \*", re.ASCII)
_HOURLY: Final = re.compile(r"(\d{1,2}) \* \* \* \*", re.ASCII)
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def in_words(cron: str) -> str:
    """`every weekday at 08:00` of `0 8 * * 1-5`; the expression itself where there are no plain words for it."""
    if (found := _CLOCK.fullmatch(cron)) and (days := _days(found[3])):
        times = [f"{int(hour):02}:{int(found[1]):02}" for hour in found[2].split(",")]
        return f"{days} at {joined(times)}"
    if found := _EVERY_MINUTES.fullmatch(cron):
        return f"every {counted(int(found[1]), 'minute')}"
    if found := _HOURLY.fullmatch(cron):
        return f"every hour at {int(found[1]):02} past"
    return cron


def until(moment: float, now: float) -> str:
    """`in 17 h`, `in 12 min`; one unit is enough for what is far away."""
    left = max(0.0, moment - now)
    for least, seconds, unit in ((2 * _DAY, _DAY, "d"), (_HOUR, _HOUR, "h"), (_MINUTE, _MINUTE, "min")):
        if left >= least:
            return f"in {format_count(left // seconds)} {unit}"
    return "in less than a minute"


def next_runs(cron: str, zone: str, now: float, number: int = 3) -> list[str]:
    """
    The next *number* runs, as the clock shows them in *zone* and here. *now* is a wall-clock reading.

    Raises:
        InvalidInput: One of them is none.
    """
    when, moment, runs = timing(cron, zone), now, list[str]()
    for _ in range(number):
        moment = when.next_after(moment)
        there = dt.datetime.fromtimestamp(moment, zoneinfo.ZoneInfo(zone))
        here = dt.datetime.fromtimestamp(moment).astimezone()
        also = "" if there.utcoffset() == here.utcoffset() else f", {here:%a %H:%M} here"
        runs.append(f"{_at(there)} {there:%Z}{also}")
    return runs


def describe_schedule(view: ScheduleView, now: float) -> tuple[str, str]:
    """What it does, and how it stands: two lines. *now* is a wall-clock reading."""
    schedule = view.schedule
    what = f"{in_words(schedule.cron)} {schedule.zone} · {_of_what(schedule)} · {', '.join(schedule.kinds)}"
    if schedule.is_paused:
        following = "paused"
    elif view.next_at is None:
        following = "never: its time zone is unknown here"
    else:
        here = dt.datetime.fromtimestamp(view.next_at).astimezone()
        following = f"next {until(view.next_at, now)} ({_at(here)} here)"
    missed = "" if schedule.policy == "catch_up" else " · missed runs are skipped"
    return what, f"{following} · last: {_last(view.last_run, now)}{missed}"


def exported(views: Sequence[ScheduleView]) -> pd.DataFrame:
    """One row per schedule as it goes into a file, in plain values."""
    return pd.DataFrame(
        [
            {
                "name": view.schedule.name,
                "cron": view.schedule.cron,
                "zone": view.schedule.zone,
                "universe": view.schedule.universe or "",
                "tickers": " ".join(view.schedule.tickers),
                "kinds": " ".join(view.schedule.kinds),
                "policy": view.schedule.policy,
                "is_paused": view.schedule.is_paused,
                "created_by": view.schedule.created_by,
                "next_at": view.next_at,
                "last_at": view.last_run and view.last_run.fire_at,
                "last_outcome": view.last_run and view.last_run.outcome,
                "last_result": view.last_run and view.last_run.result,
            }
            for view in views
        ]
    )


@functools.cache
def zones() -> tuple[str, ...]:
    """All time zones that are known here, sorted: looked for once, which takes 6 to 30 ms."""
    return tuple(sorted(name for name in zoneinfo.available_timezones() if "/" in name or name == "UTC"))


def _of_what(schedule: Schedule) -> str:
    if schedule.universe is not None:
        return f"universe {schedule.universe}"
    few = 6
    return named(schedule.tickers) if len(schedule.tickers) <= few else counted(len(schedule.tickers), "ticker")


def _last(run: LastRun | None, now: float) -> str:
    if run is None:
        return "none yet"
    at = format_clock(run.fire_at, now)
    if run.outcome == "skipped":
        return f"{at}, skipped as nobody was there"
    return f"{at}, {run.result}" if run.outcome == "ended" else f"{at}, begun"


def _at(moment: dt.datetime) -> str:
    return f"{moment:%a} {moment.day} {moment:%b %H:%M}"


def _days(field: str) -> str | None:
    if field == "*":
        return "every day"
    if field in {"1-5", "mon-fri"}:
        return "every weekday"
    numbers = field.split(",")
    if all(len(number) == 1 and number in "01234567" for number in numbers):
        return f"every {joined([_DAYS[int(number)] for number in numbers])}"
    return None
