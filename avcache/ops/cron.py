"""
When a cron expression is due: five fields in a time zone, as cron itself reads them.

The calendar is APScheduler's, asked in UTC about the clock on the wall. Asked in a zone, it loses runs (that of
`0 0 * * *` in New York in the night after clocks went forward) and has those of the hour that comes twice run twice; it
also counts weekdays from Monday.
"""

from __future__ import annotations

import datetime as dt
import functools
import math
import re
import zoneinfo
from dataclasses import dataclass
from typing import Final

from apscheduler.triggers.cron import CronTrigger

from avcache.errors import InvalidInput

__all__ = ["Timing", "timing"]

_ALLOWED: Final = (
    "five fields as in `0 8 * * 1-5`: minute 0-59, hour 0-23, day of the month 1-31, month 1-12 or jan-dec, "
    "weekday 0-7 (0 and 7 are Sunday) or sun-sat; in each `*`, numbers, ranges `1-5`, steps `*/15`, lists `1,15`"
)
_ZONES: Final = "an IANA time zone, such as America/New_York, Europe/Berlin or UTC"
_LONGEST: Final = 200
_AROUND: Final = 3 * 3600.0
"""Seconds: farther from a change of clocks no time of day is in doubt."""

_PART: Final = re.compile(r"(?:\*|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>\d{1,2}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Field:
    """*names* stand for *lowest* and what follows."""

    name: str
    lowest: int
    highest: int
    names: str = ""

    def number(self, word: str) -> int | None:
        """What *word* stands for, None if for nothing."""
        names = self.names.split()
        if word in names:
            return self.lowest + names.index(word)
        number = int(word) if word.isdecimal() else -1
        return number if self.lowest <= number <= self.highest else None


_WEEKDAY: Final = _Field("weekday", 0, 7, "sun mon tue wed thu fri sat")
_FIELDS: Final = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, "jan feb mar apr may jun jul aug sep oct nov dec"),
    _WEEKDAY,
)
_SUNDAY: Final = 7


class Timing:
    """
    The times of one *expression* in one *zone*; made by `timing`.

    When clocks go forward, a run at an hour that does not exist comes as long after midnight as ever (02:30 at 03:30).
    When they go back, it comes once, the first time. Where the hour is `*` or `*/n` there is no such hour: runs follow
    the clock on the wall, through an hour that comes twice as well. If both day of the month and weekday are named,
    either will do.
    """

    def __init__(self, expression: str, zone: str) -> None:
        self._zone = _zone(zone)
        texts = _texts(expression)
        self._names_hours = not texts[1].startswith("*")
        self._triggers = [CronTrigger.from_crontab(one, dt.UTC) for one in _crontabs(expression, texts)]
        if self.next_after(0.0) == math.inf:
            raise InvalidInput("cron", expression, f"there is no such day, it would never run; {_ALLOWED}")

    def next_after(self, moment: float) -> float:
        """The first time that is due after *moment*, both in epoch seconds; infinite if there is none before 9999."""
        wall, best = _shown(moment, min(self._offsets(moment))), math.inf
        while (found := self._next_wall(wall)) is not None:
            wall = found
            if best < math.inf and self._earliest(wall) >= best:
                break
            best = min([best, *(time for time in self._times(wall) if time > moment)])
        return best

    def last_until(self, moment: float, after: float) -> float | None:
        """The last time that is due after *after* and not after *moment*; None if there is none."""
        found = None
        low, high = after, moment
        # By halves: there may be any number of them. Nothing is due after *high*.
        while (due := self.next_after(low)) <= moment:
            found = due
            middle = (due + high) / 2
            due = self.next_after(middle)
            if due <= moment:
                found = due
            else:
                high = middle
            low = found
        return found

    def _next_wall(self, wall: dt.datetime) -> dt.datetime | None:
        """What the clock on the wall shows when it is due next, after *wall*."""
        later = wall.replace(tzinfo=dt.UTC) + dt.timedelta(microseconds=1)
        try:
            found = [trigger.get_next_fire_time(None, later) for trigger in self._triggers]
        except (OverflowError, ValueError):  # beyond the year 9999
            return None
        return min((time.replace(tzinfo=None) for time in found if time is not None), default=None)

    def _times(self, wall: dt.datetime) -> list[float]:
        """When the clock on the wall shows *wall*."""
        first = wall.replace(tzinfo=self._zone, fold=0).timestamp()
        second = wall.replace(tzinfo=self._zone, fold=1).timestamp()
        if first == second:
            return [first]
        if first < second:  # it comes twice
            return [first] if self._names_hours else [first, second]
        return [first] if self._names_hours else []  # it does not come

    def _earliest(self, wall: dt.datetime) -> float:
        """Before when the clock on the wall shows neither *wall* nor anything later, once it is set."""
        near = wall.replace(tzinfo=self._zone).timestamp()
        return (wall - max(self._offsets(near))).replace(tzinfo=dt.UTC).timestamp()

    def _offsets(self, moment: float) -> list[dt.timedelta]:
        """How far the clock on the wall is ahead of UTC at *moment*, and shortly before and after."""
        around = (moment - _AROUND, moment, moment + _AROUND)
        return [dt.datetime.fromtimestamp(time, self._zone).utcoffset() or dt.timedelta() for time in around]


@functools.lru_cache(maxsize=256)
def timing(expression: str, zone: str) -> Timing:
    """
    When *expression* is due in *zone*.

    Raises:
        InvalidInput: One of them is none (its field is `cron` or `zone`), or no day is ever meant.
    """
    return Timing(expression, zone)


def _shown(moment: float, offset: dt.timedelta) -> dt.datetime:
    return (dt.datetime.fromtimestamp(moment, dt.UTC) + offset).replace(tzinfo=None)


def _zone(name: str) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError, TypeError):  # OSError: `America` is a folder
        raise InvalidInput("zone", name, _ZONES) from None


def _texts(expression: str) -> list[str]:
    texts = expression.lower().split() if isinstance(expression, str) and len(expression) <= _LONGEST else []
    if len(texts) != len(_FIELDS):
        raise InvalidInput("cron", expression, _ALLOWED)
    return texts


def _crontabs(expression: str, texts: list[str]) -> list[str]:
    """One for APScheduler, in plain numbers; two where either of two days will do."""
    minute, hour, day, month, weekday = (
        _numbers(expression, field, text) for field, text in zip(_FIELDS, texts, strict=True)
    )
    if texts[2].startswith("*") or texts[4].startswith("*"):
        return [f"{minute} {hour} {day} {month} {weekday}"]
    return [f"{minute} {hour} {day} {month} *", f"{minute} {hour} * {month} {weekday}"]


def _numbers(expression: str, field: _Field, text: str) -> str:
    if text == "*":
        return text
    numbers: set[int] = set()
    for part in text.split(","):
        found = _range(field, part)
        if found is None:
            raise InvalidInput("cron", expression, f"{field.name} {part!r} is none; {_ALLOWED}")
        numbers.update(found)
    if field is _WEEKDAY:  # Monday is 0 there
        numbers = {(number - 1) % 7 for number in numbers}
    return ",".join(map(str, sorted(numbers)))


def _range(field: _Field, part: str) -> range | None:
    """The numbers that *part* names, None if it cannot be read."""
    match = _PART.fullmatch(part)
    if match is None:
        return None
    step = int(match["step"] or 1)
    top = 6 if field is _WEEKDAY else field.highest
    first = last = field.lowest
    if match["first"] is None:
        last = top
    else:
        named = [field.number(word) for word in (match["first"], match["last"] or match["first"])]
        if None in named:
            return None
        first, last = (number for number in named if number is not None)
        if match["last"] is None and match["step"] is not None:
            last = max(first, top)
        elif field is _WEEKDAY and last == 0 < first:  # sat-sun
            last = _SUNDAY
    return range(first, last + 1, step) if first <= last and 1 <= step <= top else None
