"""One load at a time for each key: who joins which load."""

from __future__ import annotations

import contextvars

import pytest

from avcache.core.singleflight import SingleFlight


@pytest.fixture
def flights() -> SingleFlight[int]:
    return SingleFlight()


def always(_version: int) -> bool:
    return True


def never(_version: int) -> bool:
    return False


def test_the_first_leads_and_the_others_join_him(flights: SingleFlight[int]) -> None:
    flight, leads = flights.join("k", "", always)

    assert leads
    assert flights.join("k", "", always) == (flight, False)
    assert flights.is_flying("k", "")


def test_other_keys_and_other_sources_are_other_loads(flights: SingleFlight[int]) -> None:
    flights.join("k", "yahoo", always)

    assert flights.join("k", "sample", always)[1]
    assert flights.join("other", "yahoo", always)[1]


def test_after_the_landing_the_next_one_leads(flights: SingleFlight[int]) -> None:
    flight, _ = flights.join("k", "", always)

    flights.land("k", "", flight)

    assert not flights.is_flying("k", "")
    assert flights.join("k", "", always)[1]


def test_nobody_joins_a_load_that_began_before_an_invalidation(flights: SingleFlight[int]) -> None:
    old, _ = flights.join("k", "", always)
    assert flights.join("k", "", never) == (old, False), "it has not begun yet, so it will see what there is now"
    old.version = 7

    new, leads = flights.join("k", "", never)
    flights.land("k", "", old)

    assert leads
    assert flights.join("k", "", always) == (new, False), "the landing of the old one does not end the new one"


def test_after_forget_the_next_one_leads(flights: SingleFlight[int]) -> None:
    flights.join("k", "a", always)
    flights.join("k", "b", always)
    kept, _ = flights.join("other", "", always)

    flights.forget(frozenset(["k", "nothing"]))

    assert flights.join("k", "a", always)[1]
    assert flights.join("k", "b", always)[1]
    assert flights.join("other", "", always) == (kept, False)


def test_a_load_knows_its_own_keys_and_only_inside_itself(flights: SingleFlight[int]) -> None:
    other: SingleFlight[int] = SingleFlight()

    with flights.inside([("k", ""), ("l", "s")]):
        with flights.inside([("m", "")]):
            inner = [flights.is_own("k", ""), flights.is_own("l", "s"), flights.is_own("m", "")]
        outer = [flights.is_own("k", ""), flights.is_own("m", ""), flights.is_own("k", "s"), other.is_own("k", "")]
        elsewhere = contextvars.Context().run(flights.is_own, "k", "")

    assert inner == [True, True, True]
    assert outer == [True, False, False, False]
    assert not elsewhere
    assert not flights.is_own("k", "")
