"""The forecast: nothing lost between the minutes, and cliffs only where keys expire together."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avcache.core.peek import Peek
from avcache.ops.forecast import MINUTES, forecast

FOREIGN = Peek("x", "default", 10, math.inf, is_foreign=True)


def due_in(seconds: float, *, ttl: float = 3600, took: float | None = 0.5, namespace: str = "price") -> Peek:
    return Peek(
        f"{namespace}:A", namespace, 100, seconds, written_at=0, ttl=ttl, ttl_left=max(0.0, seconds), load_seconds=took
    )


def test_each_key_falls_due_in_its_minute_with_what_it_cost() -> None:
    found = forecast([due_in(1), due_in(59.9), due_in(60), due_in(3599.9, took=2), due_in(3600), due_in(0), FOREIGN])

    assert found.keys == (2, 1, *[0] * 57, 1)
    assert found.load_seconds == (1.0, 0.5, *[0.0] * 57, 2.0)
    assert found.cliffs == ()


def test_keys_that_were_set_count_and_are_told_apart() -> None:
    found = forecast([due_in(30, took=None), due_in(30)])

    assert (found.keys[0], found.load_seconds[0], found.unknown) == (2, 0.5, 1)


def test_keys_that_were_kept_together_are_a_cliff() -> None:
    warmed = [due_in(1800 + second / 10) for second in range(100)]
    scattered = [due_in(36.0 * at, namespace="momentum") for at in range(1, 100)]

    (cliff,) = forecast([*scattered, *warmed]).cliffs

    assert (cliff.namespace, cliff.minute, cliff.keys) == ("price", 30, 100)
    assert cliff.load_seconds == pytest.approx(50)


@pytest.mark.parametrize(
    ("together", "scattered", "expected"),
    [(9, 0, 0), (10, 0, 1), (20, 60, 1), (20, 61, 0)],
)
def test_a_cliff_takes_ten_keys_and_a_quarter_of_the_namespace(together: int, scattered: int, expected: int) -> None:
    entries = [due_in(600) for _ in range(together)] + [due_in(660 + 45 * at) for at in range(scattered)]

    assert len(forecast(entries).cliffs) == expected


def test_a_short_ttl_makes_no_cliff_of_an_even_load() -> None:
    even = [due_in(3.0 * at, ttl=300) for at in range(1, 100)]  # a fifth of them in each minute

    assert forecast(even).cliffs == ()


def test_the_highest_cost_comes_first() -> None:
    cheap = [due_in(600, namespace="price", took=0.1) for _ in range(50)]
    dear = [due_in(900, namespace="momentum", took=2) for _ in range(10)]

    assert [cliff.namespace for cliff in forecast([*cheap, *dear]).cliffs] == ["momentum", "price"]


@given(st.lists(st.floats(0, 10_000, allow_nan=False), max_size=200))
def test_nothing_that_falls_due_is_lost(seconds: list[float]) -> None:
    found = forecast([due_in(left) for left in seconds])

    assert len(found.keys) == len(found.load_seconds) == MINUTES
    assert sum(found.keys) == sum(0 < left < 3600 for left in seconds)


def test_nothing_is_no_trouble() -> None:
    assert sum(forecast([]).keys) == 0
