"""How the store is, in one sentence."""

from __future__ import annotations

import pytest

from avcache.backends.base import State
from avcache.formats import format_clock
from avcache.ops.doctor import Severity
from avcache.ui.server.health import describe_fallback, health
from tests.ui.server.cases import NOW, finding, view

AWAY = State("degraded", since=NOW - 90, error="ConnectionError: redis get: Connection refused.", pending=12)


def test_a_server_that_is_well_is_green_and_answers_in_so_long() -> None:
    made = health(view(), ())

    assert (made.badge.text, made.badge.colour) == ("Healthy", "green")
    assert made.sentence == "Valkey 8.0.1 answers within 0.2 ms. Nothing needs attention."


@pytest.mark.parametrize(
    ("severities", "colour", "words"),
    [
        (["advice"], "green", "1 piece of advice, below."),
        (["warning", "advice", "advice"], "orange", "1 warning and 2 pieces of advice, below."),
        (["problem", "problem", "warning", "advice"], "red", "2 problems, 1 warning and 1 piece of advice, below."),
    ],
)
def test_what_is_found_is_counted_and_colours_the_badge(severities: list[Severity], colour: str, words: str) -> None:
    made = health(view(), [finding(severity) for severity in severities])

    assert made.badge.colour == colour
    assert made.sentence.endswith(f" {words}")


def test_it_is_never_green_while_memory_serves_for_a_server() -> None:
    away, back = view(state=AWAY, error="connection refused"), view(state=State("recovering", since=NOW - 5))

    made = [health(one, ()) for one in (away, back)]

    assert [one.badge.colour for one in made] == ["orange", "orange"]
    since = format_clock(NOW - 90, NOW)
    assert f"away since {since} (connection refused); memory serves instead" in made[0].sentence
    assert "is back, and is told what it has missed" in made[1].sentence


def test_a_server_that_refuses_writes_or_has_just_gone_is_orange() -> None:
    refusing = State("valkey", since=NOW, error="OutOfMemoryError: redis put: command not allowed")

    made = [
        health(view(state=refusing, error="it is out of memory"), ()),
        health(view(error="no answer in time", latency=None), ()),
    ]

    assert [one.badge.text for one in made] == ["Refuses writes", "No answer"]
    assert {one.badge.colour for one in made} == {"orange"}
    assert "refuses what is written (it is out of memory)" in made[0].sentence
    assert "no answer just now (no answer in time)" in made[1].sentence


def test_memory_says_that_it_goes_with_the_process() -> None:
    made = health(view(kind="memory", state=State("memory", since=NOW), version=None), ())

    assert (made.badge.colour, made.sentence) == (
        "green",
        "Memory is the store: entries live in this process, and go with it. Nothing needs attention.",
    )


def test_the_fallback_says_since_when_why_and_what_waits() -> None:
    since = format_clock(NOW - 90, NOW)

    told = [
        describe_fallback(one)
        for one in (
            view(),
            view(state=AWAY, error="connection refused"),
            view(kind="memory", state=State("memory", since=NOW)),
        )
    ]

    assert told[0] == f"Valkey has served since {since}, for 1 min 30 s; 0 invalidations waiting for it."
    assert told[1] == (
        f"Memory has served in its place since {since}, for 1 min 30 s: connection refused; "
        "12 invalidations waiting for it."
    )
    assert "nothing to fall back from" in told[2]
