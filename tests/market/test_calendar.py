"""When exchanges trade: holidays, half days, lunch, and what the library does not know."""

from __future__ import annotations

import logging
import subprocess
import sys
import timeit
from datetime import datetime
from unittest.mock import Mock
from zoneinfo import ZoneInfo

import exchange_calendars  # type: ignore[import-untyped]
import pytest

from avcache.errors import ConfigError
from avcache.market.calendar import Calendar, ExchangeCalendar, exchange_calendar
from tests.servers import ROOT
from tests.threads import together

NEW_YORK = "America/New_York"


def at(text: str, zone: str = NEW_YORK) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.fixture(scope="module")
def nyse() -> Calendar:
    return ExchangeCalendar("XNYS")


@pytest.fixture(scope="module")
def tokyo() -> Calendar:
    return ExchangeCalendar("XTKS")


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-11-25 09:29:59", False),
        ("2026-11-25 09:30", True),
        ("2026-11-25 15:59:59", True),
        ("2026-11-25 16:00", False),
        ("2026-11-26 11:00", False),  # Thanksgiving
        ("2026-11-27 12:59", True),  # a half day
        ("2026-11-27 13:00", False),
        ("2026-11-28 11:00", False),  # Saturday
        ("2026-11-29 11:00", False),
        ("2026-12-24 12:59", True),
        ("2026-12-24 13:00", False),
        ("2026-12-25 11:00", False),
    ],
)
def test_new_york_is_open(nyse: Calendar, moment: str, is_open: bool) -> None:
    assert nyse.is_open(at(moment)) is is_open


@pytest.mark.parametrize(
    ("moment", "opens", "closed", "session"),
    [
        ("2026-11-25 09:29", "2026-11-25 09:30", "2026-11-24 16:00", "2026-11-24"),
        ("2026-11-25 09:30", "2026-11-27 09:30", "2026-11-24 16:00", "2026-11-24"),
        ("2026-11-25 16:00", "2026-11-27 09:30", "2026-11-25 16:00", "2026-11-25"),
        ("2026-11-26 12:00", "2026-11-27 09:30", "2026-11-25 16:00", "2026-11-25"),
        ("2026-11-27 12:59", "2026-11-30 09:30", "2026-11-25 16:00", "2026-11-25"),
        ("2026-11-27 13:00", "2026-11-30 09:30", "2026-11-27 13:00", "2026-11-27"),
        ("2026-12-25 12:00", "2026-12-28 09:30", "2026-12-24 13:00", "2026-12-24"),
        ("2026-10-31 12:00", "2026-11-02 09:30", "2026-10-30 16:00", "2026-10-30"),  # clocks go back
        ("2027-03-13 12:00", "2027-03-15 09:30", "2027-03-12 16:00", "2027-03-12"),  # clocks go forward
    ],
)
def test_new_york_between_sessions(nyse: Calendar, moment: str, opens: str, closed: str, session: str) -> None:
    now = at(moment)

    assert nyse.next_open(now) == at(opens)
    assert nyse.last_close(now) == at(closed)
    assert nyse.last_session(now) == session


def test_the_change_of_clocks_moves_the_open_in_utc(nyse: Calendar) -> None:
    before, after = nyse.next_open(at("2026-10-29 20:00")), nyse.next_open(at("2026-10-31 12:00"))

    assert (before % 86_400, after % 86_400) == (13.5 * 3600, 14.5 * 3600)


@pytest.mark.parametrize(
    ("moment", "is_open", "session"),
    [
        ("2026-11-27 08:59", False, "2026-11-26"),
        ("2026-11-27 11:29", True, "2026-11-26"),
        ("2026-11-27 12:00", True, "2026-11-26"),  # lunch: the session has not ended
        ("2026-11-27 15:29", True, "2026-11-26"),
        ("2026-11-27 15:30", False, "2026-11-27"),
    ],
)
def test_a_lunch_break_is_part_of_its_session(tokyo: Calendar, moment: str, is_open: bool, session: str) -> None:
    now = at(moment, "Asia/Tokyo")

    assert tokyo.is_open(now) is is_open
    assert tokyo.last_session(now) == session
    assert tokyo.next_open(now) == at("2026-11-27 09:00" if "08:59" in moment else "2026-11-30 09:00", "Asia/Tokyo")


def test_a_market_that_never_closes() -> None:
    always = ExchangeCalendar("24/7")
    midnight = at("2026-11-28 00:00", "UTC")

    assert always.is_open(midnight)
    assert always.last_close(midnight) == midnight
    assert always.last_session(midnight) == "2026-11-27"
    assert always.next_open(midnight) == midnight + 86_400


def test_sessions_that_begin_the_evening_before() -> None:
    futures = ExchangeCalendar("CMES")
    sunday_evening = at("2026-11-15 18:00", "America/Chicago")

    assert futures.is_open(sunday_evening)
    assert futures.last_session(sunday_evening) == "2026-11-13"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the library's own, which the calendar keeps quiet
def test_it_agrees_with_the_library_about_every_hour_of_a_year(nyse: Calendar) -> None:
    theirs = exchange_calendars.get_calendar("XNYS", start="2026-01-02", end="2026-12-31")
    start = at("2026-01-05 00:30")

    hours = [start + 3600 * hour for hour in range(24 * 355)]

    opens, closes = ([stamp.timestamp() for stamp in times] for times in (theirs.opens, theirs.closes))
    expected = [any(begin <= hour < end for begin, end in zip(opens, closes, strict=True)) for hour in hours]
    assert [nyse.is_open(hour) for hour in hours] == expected


def test_it_knows_its_zone(nyse: Calendar, tokyo: Calendar) -> None:
    assert (nyse.name, nyse.zone, tokyo.zone) == ("XNYS", NEW_YORK, "Asia/Tokyo")


def test_the_zone_may_be_asked_first() -> None:
    assert ExchangeCalendar("XLON").zone == "Europe/London"


@pytest.mark.parametrize("year", ["1999", "2019", "2031"])
def test_it_is_made_anew_for_another_time(year: str) -> None:
    calendar = ExchangeCalendar("XNYS")
    calendar.is_open(at("2026-11-25 12:00"))

    christmas = at(f"{year}-12-25 12:00")

    assert not calendar.is_open(christmas)
    assert calendar.last_session(christmas).startswith(f"{year}-12-2")
    assert calendar.is_open(at("2026-11-25 12:00"))


def test_it_is_read_once_a_year(monkeypatch: pytest.MonkeyPatch) -> None:
    get_calendar = Mock(side_effect=exchange_calendars.get_calendar)
    monkeypatch.setattr(exchange_calendars, "get_calendar", get_calendar)
    calendar = ExchangeCalendar("XNYS")
    start = at("2026-11-25 12:00")

    for day in range(730):
        calendar.is_open(start + day * 86_400)

    assert get_calendar.call_count == 3


def test_threads_share_one_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    get_calendar = Mock(side_effect=exchange_calendars.get_calendar)
    monkeypatch.setattr(exchange_calendars, "get_calendar", get_calendar)
    calendar = ExchangeCalendar("XNYS")

    answers = together(8, lambda _: calendar.is_open(at("2026-11-25 12:00")))

    assert answers == [True] * 8
    assert get_calendar.call_count == 1


def test_an_answer_takes_microseconds(nyse: Calendar) -> None:
    now = at("2026-11-25 12:00")

    def ask() -> None:
        nyse.is_open(now)
        nyse.next_open(now)
        nyse.last_close(now)
        nyse.last_session(now)

    ask()
    assert min(timeit.repeat(ask, number=1000, repeat=5)) / 4000 < 50e-6


def test_beyond_the_known_holidays_weekdays_count(caplog: pytest.LogCaptureFixture) -> None:
    shanghai = ExchangeCalendar("XSHG")  # its holidays are known to the end of 2026
    tuesday = at("2027-06-08 10:00", "Asia/Shanghai")

    with caplog.at_level(logging.WARNING):
        assert shanghai.is_open(tuesday)
        assert not shanghai.is_open(at("2027-06-06 10:00", "Asia/Shanghai"))  # Sunday

    assert shanghai.last_session(tuesday) == "2027-06-07"
    assert shanghai.next_open(tuesday) == at("2027-06-09 09:30", "Asia/Shanghai")
    assert shanghai.last_close(tuesday) == at("2027-06-07 15:00", "Asia/Shanghai")
    (record,) = caplog.records
    assert (record.getMessage(), record.__dict__["after"]) == ("calendar.holidays_unknown", "2026-12-31")


def test_long_after_the_known_holidays_weekdays_count() -> None:
    shanghai = ExchangeCalendar("XSHG")

    assert shanghai.last_session(at("2035-03-05 10:00", "Asia/Shanghai")) == "2035-03-02"


def test_the_known_and_the_assumed_sessions_meet() -> None:
    shanghai = ExchangeCalendar("XSHG")

    assert shanghai.last_session(at("2026-12-31 15:00", "Asia/Shanghai")) == "2026-12-31"
    assert shanghai.next_open(at("2026-12-31 15:00", "Asia/Shanghai")) == at("2027-01-01 09:30", "Asia/Shanghai")


def test_before_all_knowledge_there_is_no_last_session() -> None:
    with pytest.raises(ValueError, match="XSHG: no session is known before"):
        ExchangeCalendar("XSHG").last_session(0.0)


@pytest.mark.parametrize("name", ["XNYS", "xnys", "NYSE", "nyse"])
def test_a_name_may_be_an_alias_in_any_case(name: str) -> None:
    assert exchange_calendar(name).name == "XNYS"


def test_an_unknown_name_is_refused_with_the_closest() -> None:
    with pytest.raises(ConfigError, match=r"CACHE_CALENDAR='XNYSE': .*XNYS, XNAS.*; did you mean XNYS or NYSE\?"):
        exchange_calendar("XNYSE")


@pytest.mark.parametrize("name", ["", "?", "../XNYS", "N" * 100_000])
def test_a_name_like_no_other_is_refused_briefly(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        exchange_calendar(name)

    assert len(str(caught.value)) < 300


def test_a_calendar_the_library_cannot_make_stops_the_start() -> None:
    # exchange_calendars 4.13.2 with pandas 3.1: once this fails, the library was mended, and this test may go.
    with pytest.raises(ConfigError, match=r"CACHE_CALENDAR='ASEX': exchange_calendars cannot make this calendar"):
        exchange_calendar("ASEX")


def test_the_library_is_imported_only_when_it_is_asked_for() -> None:
    probe = "import sys, avcache.market.calendar as c; c.ExchangeCalendar('XNYS'); print(*sys.modules)"

    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True)

    assert not {"exchange_calendars", "pandas", "numpy"} & set(done.stdout.split())
