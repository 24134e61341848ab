"""Cron expressions: read as cron reads them, in a time zone, whatever clocks do."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avcache.errors import InvalidInput
from avcache.ops.cron import Timing, timing

NEW_YORK = "America/New_York"


def moment(text: str) -> float:
    """Epoch seconds of `2026-03-08 01:30 -0500`."""
    return dt.datetime.strptime(text, "%Y-%m-%d %H:%M %z").timestamp()


def times(expression: str, zone: str, after: str, number: int) -> list[str]:
    """The next *number* times, as the clock on the wall shows them there."""
    found, shown = moment(after), []
    for _ in range(number):
        found = timing(expression, zone).next_after(found)
        shown.append(f"{dt.datetime.fromtimestamp(found, ZoneInfo(zone)):%Y-%m-%d %H:%M %z}")
    return shown


def weekdays(expression: str) -> str:
    """On which days of the week from Monday on it is due, in one month."""
    found, seen = moment("2026-06-01 00:00 +0000") - 1, set()
    while (found := timing(expression, "UTC").next_after(found)) < moment("2026-06-29 00:00 +0000"):
        seen.add(dt.datetime.fromtimestamp(found, dt.UTC).weekday())
    return "".join("MTWTFSS"[day] if day in seen else "-" for day in range(7))


@pytest.mark.parametrize(
    ("field", "days"),
    [
        ("1-5", "MTWTF--"),
        ("mon-fri", "MTWTF--"),
        ("MON,Wed", "M-W----"),
        ("0", "------S"),
        ("7", "------S"),
        ("sun", "------S"),
        ("6", "-----S-"),
        ("6-7", "-----SS"),
        ("sat-sun", "-----SS"),
        ("0,6", "-----SS"),
        ("0-6", "MTWTFSS"),
        ("0-7", "MTWTFSS"),
        ("*", "MTWTFSS"),
        ("*/2", "-T-T-SS"),
        ("1/2", "M-W-F--"),
        ("1-5/2", "M-W-F--"),
    ],
)
def test_weekdays_are_those_of_cron(field: str, days: str) -> None:
    assert weekdays(f"0 8 * * {field}") == days


def test_eight_on_working_days_is_what_it_says() -> None:
    assert times("0 8 * * 1-5", NEW_YORK, "2026-06-04 12:00 -0400", 3) == [
        "2026-06-05 08:00 -0400",  # Friday
        "2026-06-08 08:00 -0400",  # Monday
        "2026-06-09 08:00 -0400",
    ]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("*/15 * * * *", ["00:15", "00:30", "00:45", "01:00"]),
        ("5/20 9 * * *", ["09:05", "09:25", "09:45", "09:05"]),
        ("0,30 9-10 * * *", ["09:00", "09:30", "10:00", "10:30"]),
        ("0 0-23/6 * * *", ["06:00", "12:00", "18:00", "00:00"]),
        ("  7   3 * * *  ", ["03:07", "03:07"]),
    ],
)
def test_steps_ranges_and_lists_are_read(expression: str, expected: list[str]) -> None:
    found = times(expression, "UTC", "2026-06-01 00:00 +0000", len(expected))

    assert [text[11:16] for text in found] == expected


def test_months_go_by_name_or_number() -> None:
    assert times("0 0 1 jan,Jul *", "UTC", "2026-02-01 00:00 +0000", 2) == [
        "2026-07-01 00:00 +0000",
        "2027-01-01 00:00 +0000",
    ]
    assert times("0 0 1 mar-apr *", "UTC", "2026-01-01 00:00 +0000", 2) == [
        "2026-03-01 00:00 +0000",
        "2026-04-01 00:00 +0000",
    ]


def test_of_a_day_of_the_month_and_a_weekday_either_will_do() -> None:
    found = times("0 0 13 * fri", "UTC", "2026-06-01 00:00 +0000", 4)

    assert [text[:10] for text in found] == ["2026-06-05", "2026-06-12", "2026-06-13", "2026-06-19"]


def test_a_leap_day_is_waited_for() -> None:
    assert times("0 12 29 2 *", "UTC", "2026-01-01 00:00 +0000", 2) == [
        "2028-02-29 12:00 +0000",
        "2032-02-29 12:00 +0000",
    ]


def test_an_hour_that_does_not_come_is_made_up_for_after_the_gap() -> None:
    assert times("30 2 * * *", NEW_YORK, "2026-03-07 00:00 -0500", 3) == [
        "2026-03-07 02:30 -0500",
        "2026-03-08 03:30 -0400",
        "2026-03-09 02:30 -0400",
    ]


def test_who_asks_within_the_gap_is_told_the_same() -> None:
    assert times("30 2 * * *", NEW_YORK, "2026-03-08 03:10 -0400", 1) == ["2026-03-08 03:30 -0400"]


def test_an_hour_that_comes_twice_is_due_once() -> None:
    assert times("30 1 * * *", NEW_YORK, "2026-10-31 12:00 -0400", 2) == [
        "2026-11-01 01:30 -0400",
        "2026-11-02 01:30 -0500",
    ]
    assert times("30 2 * * *", "Europe/Berlin", "2026-10-24 12:00 +0200", 2) == [
        "2026-10-25 02:30 +0200",
        "2026-10-26 02:30 +0100",
    ]


def test_every_hour_is_every_hour_when_clocks_change() -> None:
    assert times("30 * * * *", NEW_YORK, "2026-11-01 00:00 -0400", 4) == [
        "2026-11-01 00:30 -0400",
        "2026-11-01 01:30 -0400",
        "2026-11-01 01:30 -0500",
        "2026-11-01 02:30 -0500",
    ]
    assert times("30 * * * *", NEW_YORK, "2026-03-08 01:00 -0500", 3) == [
        "2026-03-08 01:30 -0500",
        "2026-03-08 03:30 -0400",
        "2026-03-08 04:30 -0400",
    ]


@pytest.mark.parametrize(
    ("expression", "night"),
    [
        ("0 0 * * *", "2026-03-09 00:00 -0400"),
        ("30 0 * * *", "2026-03-09 00:30 -0400"),
        ("30 0 1 * *", "2026-04-01 00:30 -0400"),
    ],
)
def test_no_run_is_lost_after_clocks_went_forward(expression: str, night: str) -> None:
    assert night in times(expression, NEW_YORK, "2026-03-01 12:00 -0500", 10)


ZONES = ["UTC", NEW_YORK, "Europe/Berlin", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Kathmandu"]


def by_looking_at_every_minute(hour: str, minute: str, zone: str, begin: float, end: float) -> Iterator[float]:
    """When a clock on the wall shows it, for hours that are not named (`*`), or for the first time on that day."""
    for at in range(int(begin) + 60, int(end) + 1, 60):
        shown = dt.datetime.fromtimestamp(at, ZoneInfo(zone))
        if minute in {"*", str(shown.minute)} and (hour == "*" or (hour == str(shown.hour) and not shown.fold)):
            yield float(at)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("expression", ["15 *", "0 0", "45 23", "30 0", "* *", "* 4"])
def test_a_year_is_as_if_somebody_had_looked_at_the_clock_every_minute(zone: str, expression: str) -> None:
    minute, hour = expression.split()
    subject = Timing(f"{minute} {hour} * * *", zone)
    begin = moment("2026-01-01 00:00 +0000")
    spans = [(begin + day * 86_400, begin + (day + 2) * 86_400) for day in _days_of_change(zone)]

    for first, last in spans:
        expected = list(by_looking_at_every_minute(hour, minute, zone, first, last))
        found, seen = first, []
        while (found := subject.next_after(found)) <= last:
            seen.append(found)
        made_up_for = set(seen) - set(expected)  # midnight does not come in Cairo
        assert set(expected) <= set(seen)
        assert not made_up_for or (zone, hour) == ("Africa/Cairo", "0")
        assert seen == sorted(set(seen))


def _days_of_change(zone: str) -> list[int]:
    """The days of 2026 before clocks change, and some other one."""
    begin = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    offsets = [(begin + dt.timedelta(days=day)).astimezone(ZoneInfo(zone)).utcoffset() for day in range(366)]
    return [150, *(day - 1 for day in range(1, 365) if offsets[day] != offsets[day + 1])]


@settings(max_examples=40)
@given(
    st.sampled_from(["*/7 * * * *", "30 1,2 * * *", "0 0 * * 1-5", "5 2 1 * *", "0 12 29 2 *", "45 1-3 * * *"]),
    st.sampled_from(ZONES),
    st.floats(1.7e9, 1.9e9),
    st.floats(0, 400 * 86_400.0),
)
def test_the_last_time_until_now_is_the_one_after_which_none_is_left(
    expression: str, zone: str, after: float, span: float
) -> None:
    subject, now = timing(expression, zone), after + span

    found = subject.last_until(now, after)

    if found is None:
        assert subject.next_after(after) > now
    else:
        assert after < found <= now < subject.next_after(found)
        assert subject.next_after(found - 1e-3) == found


@given(
    st.sampled_from(["30 2 * * *", "*/10 * * * *", "15,30 1-3 * * *", "0 0 * * *"]),
    st.sampled_from(ZONES),
    st.floats(1.7e9, 1.9e9),
    st.floats(0, 7_200),
)
def test_a_later_look_never_finds_an_earlier_time(expression: str, zone: str, begin: float, later: float) -> None:
    subject = timing(expression, zone)

    assert begin < subject.next_after(begin) <= subject.next_after(begin + later)


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "* * * *",
        "* * * * * *",
        "@daily",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * 32 * *",
        "* * * 13 *",
        "* * * 0 *",
        "* * * * 8",
        "-1 * * * *",
        "*/0 * * * *",
        "*/90 * * * *",
        "5-1 * * * *",
        "* * * * fri-mon",
        "* * * * funday",
        "* * * jan-foo *",
        "* * * * 1#2",
        "* * L * *",
        "* * ? * *",
        "1,,2 * * * *",
        "1- * * * *",
        "/5 * * * *",
        "*5 * * * *",
        "1-3-5 * * * *",
        "٣ * * * *",
        "1.5 * * * *",
        "0 0 30 2 *",
        "0 0 31 4,6 *",
        "x" * 1_000,
        None,
        5,
    ],
)
def test_what_is_no_expression_is_refused_with_what_is_allowed(expression: str) -> None:
    with pytest.raises(InvalidInput, match="five fields") as caught:
        timing(expression, "UTC")

    assert (caught.value.field, caught.value.value) == ("cron", expression)


@pytest.mark.parametrize("zone", ["", "Mars/Base", "America", "../etc/passwd", "/etc/passwd", "a\0b", "EST5", None, 5])
def test_what_is_no_time_zone_is_refused_with_what_is_allowed(zone: str) -> None:
    with pytest.raises(InvalidInput, match="IANA") as caught:
        timing("0 8 * * *", zone)

    assert caught.value.field == "zone"


def test_the_part_that_is_wrong_is_named() -> None:
    with pytest.raises(InvalidInput, match="hour '24' is none"):
        timing("0 8,24 * * *", "UTC")
    with pytest.raises(InvalidInput, match="no such day"):
        timing("0 0 31 2 *", "UTC")
