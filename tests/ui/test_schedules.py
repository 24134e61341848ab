"""Warm-ups by the clock, in words."""

from __future__ import annotations

import datetime as dt

import pytest

from avcache.errors import InvalidInput
from avcache.ops.cron import timing
from avcache.ops.schedule import LastRun, Schedule, ScheduleView
from avcache.ui.schedules import (
    DEFAULT_CRON,
    DEFAULT_ZONE,
    describe_schedule,
    exported,
    in_words,
    next_runs,
    until,
    zones,
)

NOW = dt.datetime(2026, 11, 27, 12, 0, tzinfo=dt.UTC).timestamp()


def view(**changes: object) -> ScheduleView:
    fields: dict[str, object] = {
        "id": "1",
        "name": "Open",
        "cron": DEFAULT_CRON,
        "zone": DEFAULT_ZONE,
        "universe": "Sample 25",
        "tickers": (),
        "kinds": ("price", "momentum"),
        "policy": "catch_up",
        "is_paused": False,
        "created_at": NOW,
        "created_by": "console",
        "since": NOW,
    }
    next_at, last = changes.pop("next_at", NOW + 3600), changes.pop("last_run", None)
    return ScheduleView(Schedule(**{**fields, **changes}), next_at, last)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("0 8 * * 1-5", "every weekday at 08:00"),
        ("5 8,16 * * *", "every day at 08:05 and 16:05"),
        ("0 9 * * 1,5", "every Monday and Friday at 09:00"),
        ("*/15 * * * *", "every 15 minutes"),
        ("30 * * * *", "every hour at 30 past"),
        ("0 0 1 1 *", "0 0 1 1 *"),
        ("0 8 * * mon", "0 8 * * mon"),
    ],
)
def test_a_cron_line_is_told_in_words_where_there_are_any(cron: str, words: str) -> None:
    timing(cron, "UTC")

    assert in_words(cron) == words


@pytest.mark.parametrize(
    ("left", "text"), [(20, "in less than a minute"), (720, "in 12 min"), (17.4 * 3600, "in 17 h"), (3e5, "in 3 d")]
)
def test_what_is_far_away_has_one_unit(left: float, text: str) -> None:
    assert until(NOW + left, NOW) == text


def test_the_next_runs_are_told_in_their_zone() -> None:
    runs = next_runs(DEFAULT_CRON, DEFAULT_ZONE, NOW)

    assert [run[:20] for run in runs] == ["Fri 27 Nov 08:00 EST", "Mon 30 Nov 08:00 EST", "Tue 1 Dec 08:00 EST,"]
    with pytest.raises(InvalidInput):
        next_runs("0 8 * *", DEFAULT_ZONE, NOW)


def test_a_schedule_says_what_it_does_and_how_it_stands() -> None:
    ended = LastRun(NOW - 3600, "ended", NOW, "25 of 25 cached")

    what, how = describe_schedule(view(last_run=ended), NOW)

    assert what == "every weekday at 08:00 America/New_York · universe Sample 25 · price, momentum"
    assert how.startswith("next in 1 h (")
    assert how.endswith("25 of 25 cached")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"is_paused": True, "next_at": None}, "paused · last: none yet"),
        ({"next_at": None}, "never: its time zone is unknown here"),
        ({"policy": "skip"}, "missed runs are skipped"),
        ({"last_run": LastRun(NOW, "skipped", NOW)}, "skipped as nobody was there"),
        ({"last_run": LastRun(NOW, "started", NOW)}, "begun"),
    ],
)
def test_what_is_not_as_usual_is_said(changes: dict[str, object], said: str) -> None:
    assert said in describe_schedule(view(**changes), NOW)[1]


def test_tickers_are_named_or_counted() -> None:
    few = describe_schedule(view(universe=None, tickers=("AAPL", "MRK")), NOW)[0]
    many = describe_schedule(view(universe=None, tickers=tuple("ABCDEFGH")), NOW)[0]

    assert "AAPL, MRK" in few
    assert "8 tickers" in many


def test_the_file_has_plain_values() -> None:
    (row,) = exported([view(last_run=LastRun(NOW, "ended", NOW, "ok"))]).to_dict("records")

    assert (row["name"], row["cron"], row["universe"], row["last_result"]) == ("Open", DEFAULT_CRON, "Sample 25", "ok")
    assert exported([]).empty


def test_zones_can_be_used() -> None:
    known = zones()

    assert {"UTC", DEFAULT_ZONE, "Europe/Berlin"} <= set(known)
    assert all(timing(DEFAULT_CRON, zone) for zone in known[:5])
