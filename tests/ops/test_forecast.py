"""The forecast: nothing lost between the minutes, and cliffs only where keys expire together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avcache.ops.forecast import MINUTES, forecast
from tests.ops.census import Kept, snapshot


def due_in(*seconds: float, ttl: float = 3600, took: float | None = 0.5, namespace: str = "price") -> list[Kept]:
    return [Kept(f"{namespace}:{ttl}-{took}-{at}-{left}", left, ttl, took) for at, left in enumerate(seconds)]


def test_each_key_falls_due_in_its_minute_with_what_it_cost() -> None:
    entries = [*due_in(1, 59.9, 60.001, 3600.5, -1), *due_in(3599.5, took=2), Kept("price:ODD", is_foreign=True)]

    found = forecast(snapshot(entries))

    assert found.keys == (2, 1, *[0] * 57, 1)
    assert found.load_seconds == (1.0, 0.5, *[0.0] * 57, 2.0)
    assert found.cliffs == ()


def test_keys_that_were_set_count_and_are_told_apart() -> None:
    found = forecast(snapshot([*due_in(30, took=None), *due_in(30)]))

    assert (found.keys[0], found.load_seconds[0], found.unknown) == (2, 0.5, 1)


def test_keys_that_were_kept_together_are_a_cliff() -> None:
    warmed = due_in(*(1800 + second / 10 for second in range(100)))
    scattered = due_in(*(36.0 * at for at in range(1, 100)), namespace="momentum")

    (cliff,) = forecast(snapshot([*scattered, *warmed])).cliffs

    assert (cliff.namespace, cliff.minute, cliff.keys) == ("price", 30, 100)
    assert cliff.load_seconds == pytest.approx(50)


@pytest.mark.parametrize(
    ("together", "scattered", "expected"),
    [(9, 0, 0), (10, 0, 1), (20, 60, 1), (20, 61, 0)],
)
def test_a_cliff_takes_ten_keys_and_a_quarter_of_the_namespace(together: int, scattered: int, expected: int) -> None:
    entries = due_in(*[610.0] * together, *(661.0 + 45 * at for at in range(scattered)))

    assert len(forecast(snapshot(entries)).cliffs) == expected


def test_a_short_ttl_makes_no_cliff_of_an_even_load() -> None:
    even = due_in(*(3.0 * at for at in range(1, 100)), ttl=300)  # a fifth of them in each minute

    assert forecast(snapshot(even)).cliffs == ()


def test_the_highest_cost_comes_first() -> None:
    cheap = due_in(*[610.0] * 50, took=0.1)
    dear = due_in(*[910.0] * 10, namespace="momentum", took=2)

    assert [cliff.namespace for cliff in forecast(snapshot([*cheap, *dear])).cliffs] == ["momentum", "price"]


def test_one_namespace_is_told_alone() -> None:
    found = snapshot([*due_in(30, 30), *due_in(30, namespace="momentum")])

    assert forecast(found).keys[0] == 3
    assert forecast(found, "momentum").keys[0] == 1
    assert sum(forecast(found, "nothing").keys) == 0


def test_an_older_snapshot_tells_of_the_hour_that_begins_now() -> None:
    found = snapshot([*due_in(30, 90, 3650), *due_in(*[1510.0] * 20, namespace="momentum")])

    later = forecast(found, age=61)

    assert (later.keys[0], later.keys[59], sum(later.keys)) == (1, 1, 22)
    assert [(cliff.minute, cliff.keys) for cliff in later.cliffs] == [(24, 20)]


@given(st.lists(st.floats(-1, 10_000, allow_nan=False), max_size=200))
def test_nothing_that_falls_due_is_lost(seconds: list[float]) -> None:
    entries = due_in(*(round(left, 3) for left in seconds))

    found = forecast(snapshot(entries))

    assert len(found.keys) == len(found.load_seconds) == MINUTES
    # On the edge of a minute the last bit of a wall clock decides.
    inside = [round(left, 3) for left in seconds]
    assert (
        sum(1e-3 < left < 3599.999 for left in inside) <= sum(found.keys) <= sum(0 <= left <= 3600 for left in inside)
    )


def test_nothing_is_no_trouble() -> None:
    assert sum(forecast(snapshot([])).keys) == 0
