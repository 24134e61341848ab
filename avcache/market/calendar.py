"""When an exchange trades, by the library exchange_calendars."""

from __future__ import annotations

import difflib
import logging
import threading
import time
import warnings
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as dt_time
from typing import TYPE_CHECKING, Final, Protocol

from avcache.errors import ConfigError
from avcache.market.tickers import shortened

if TYPE_CHECKING:
    from exchange_calendars import ExchangeCalendar as LibraryCalendar  # type: ignore[import-untyped]

__all__ = ["Calendar", "ExchangeCalendar", "exchange_calendar"]

logger = logging.getLogger(__name__)

_DAY: Final = 86_400.0
_BACK: Final = 400 * _DAY
_AHEAD: Final = 366 * _DAY
_MARGIN: Final = 30 * _DAY
"""No exchange stays closed that long (China's holidays, and New York in 2001, took about 10 days)."""
_WELL_KNOWN: Final = ("XNYS", "XNAS", "XLON", "XETR", "XTKS")


class Calendar(Protocol):
    """The sessions of an exchange. All times are epoch seconds; all methods may be called from several threads."""

    @property
    def name(self) -> str:
        """Its code, such as XNYS."""

    @property
    def zone(self) -> str:
        """Its time zone, such as America/New_York."""

    def is_open(self, at: float) -> bool:
        """
        Whether a session runs: it has opened, and not ended (the moment of the close is past the end).

        A lunch break is part of its session: no price is final before the close.
        """

    def next_open(self, at: float) -> float:
        """Return when the first session after *at* opens; one that opens at that moment is not after it."""

    def last_close(self, at: float) -> float:
        """Return when the newest session that has ended by *at* did so."""

    def last_session(self, at: float) -> str:
        """Return the ISO date of the newest session that has ended by *at*."""


class ExchangeCalendar:
    """
    The sessions of the exchange *name*, which exchange_calendars must know; read on first use.

    Holidays and half days are in. Past the last year the library knows the holidays of (some exchanges announce them
    from year to year), every usual weekday counts as a session, and the log says so.

    Raises:
        ConfigError: On first use: the library cannot make this calendar.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._lock = threading.Lock()
        self._sessions: _Sessions | None = None

    @property
    def zone(self) -> str:
        """Its time zone, such as America/New_York."""
        return (self._sessions or self._around(time.time())).zone

    def is_open(self, at: float) -> bool:
        """Whether a session runs, its lunch break included."""
        sessions = self._around(at)
        begun = bisect_right(sessions.opens, at)
        return begun > 0 and at < sessions.closes[begun - 1]

    def next_open(self, at: float) -> float:
        """Return when the first session after *at* opens."""
        sessions = self._around(at)
        return sessions.opens[bisect_right(sessions.opens, at)]

    def last_close(self, at: float) -> float:
        """Return when the newest session that has ended by *at* did so."""
        sessions, newest = self._ended(at)
        return sessions.closes[newest]

    def last_session(self, at: float) -> str:
        """Return the ISO date of the newest session that has ended by *at*."""
        sessions, newest = self._ended(at)
        return sessions.dates[newest]

    def _ended(self, at: float) -> tuple[_Sessions, int]:
        sessions = self._around(at)
        ended = bisect_right(sessions.closes, at)
        if not ended:
            raise ValueError(f"{self.name}: no session is known before {sessions.dates[0]}")
        return sessions, ended - 1

    def _around(self, at: float) -> _Sessions:
        sessions = self._sessions
        if sessions is None or not sessions.first <= at <= sessions.last:
            with self._lock:
                sessions = self._sessions
                if sessions is None or not sessions.first <= at <= sessions.last:
                    sessions = self._sessions = _read(self.name, at)
        return sessions


def exchange_calendar(name: str) -> ExchangeCalendar:
    """
    Return the calendar of the exchange *name* (or an alias such as NYSE, in any case), ready for use.

    Raises:
        ConfigError: The library does not know *name*, or cannot make its calendar; names the setting CACHE_CALENDAR.
    """
    import exchange_calendars  # noqa: PLC0415 - 0.8 s: only if it is asked for

    known = {str(one).upper(): str(one) for one in exchange_calendars.get_calendar_names()}
    if name.upper() not in known:
        closest = difflib.get_close_matches(shortened(name).upper(), known, n=2, cutoff=0.5)
        hint = f"; did you mean {' or '.join(known[one] for one in closest)}?" if closest else ""
        allowed = f"allowed are the codes of exchange_calendars, such as {', '.join(_WELL_KNOWN)}"
        raise ConfigError(f"CACHE_CALENDAR={shortened(name)!r}: {allowed}{hint}")
    calendar = ExchangeCalendar(str(exchange_calendars.resolve_alias(known[name.upper()])))
    # Now: what cannot be made is to stop the start, not the first page.
    calendar.is_open(time.time())
    return calendar


@dataclass(frozen=True, slots=True)
class _Sessions:
    """Sessions in ascending order; between *first* and *last* every question has its answer among them."""

    zone: str
    first: float
    last: float
    opens: list[float]
    closes: list[float]
    dates: list[str]


def _read(name: str, at: float) -> _Sessions:
    """The sessions from about 400 days before *at* to a year after it."""
    start, end = _date(at - _BACK), _date(at + _AHEAD)
    calendar, known_until = _made(name, start, end)
    sessions = [
        (str(label.date()), opens.timestamp(), closes.timestamp())
        for label, opens, closes in zip(calendar.sessions, calendar.opens, calendar.closes, strict=True)
    ]
    if known_until < end:
        logger.warning("calendar.holidays_unknown", extra={"calendar": name, "after": known_until.isoformat()})
        sessions += _assumed(calendar, known_until + timedelta(days=1), end)
    dates, opens, closes = (list(column) for column in zip(*sessions, strict=True))
    return _Sessions(str(calendar.tz), at - _BACK + _MARGIN, at + _AHEAD - _MARGIN, opens, closes, dates)


def _date(at: float) -> date:
    return datetime.fromtimestamp(at, UTC).date()


def _made(name: str, start: date, end: date) -> tuple[LibraryCalendar, date]:
    """
    The library's calendar from *start* to *end*, and the last day it covers.

    It refuses days it knows nothing of; without an end (and without a start, if that is as unknown) it takes what it
    has.
    """
    import exchange_calendars  # noqa: PLC0415 - 0.8 s: only if it is asked for

    failures = (ValueError, NotImplementedError, exchange_calendars.errors.CalendarError)
    with _quiet():
        for bounds in ({"start": start, "end": end}, {"start": start}, {}):
            try:
                calendar = exchange_calendars.get_calendar(name, **{key: str(day) for key, day in bounds.items()})
            except failures as exc:
                failure = exc
            else:
                return calendar, end if "end" in bounds else calendar.default_end().date()
    raise ConfigError(
        f"CACHE_CALENDAR={name!r}: exchange_calendars cannot make this calendar ({shortened(str(failure))}); "
        f"others are allowed, such as {', '.join(_WELL_KNOWN)}"
    ) from failure


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the deprecations of pandas that exchange_calendars 4.13.2 runs into: none of them is ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def _assumed(calendar: LibraryCalendar, first: date, last: date) -> list[tuple[str, float, float]]:
    """Date, open and close of each usual weekday from *first* to *last*, at the usual hours."""
    usual_open, usual_close = calendar.open_times[-1][1], calendar.close_times[-1][1]

    def moment(day: date, offset: int, hour: dt_time) -> float:
        return datetime.combine(day + timedelta(days=offset), hour, tzinfo=calendar.tz).timestamp()

    days = (first + timedelta(days=ahead) for ahead in range((last - first).days + 1))
    return [
        (
            day.isoformat(),
            moment(day, calendar.open_offset, usual_open),
            moment(day, calendar.close_offset, usual_close),
        )
        for day in days
        if calendar.weekmask[day.weekday()] == "1"
    ]
