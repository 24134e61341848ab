"""What another ttl would have made of the accesses: the same as a slow replay says, one read after the other."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avcache.core.accesses import HIT, LOAD, MISSED, STALE, Accesses, Columns
from avcache.errors import InvalidInput
from avcache.ops import whatif
from avcache.ops.whatif import LONGEST_TTL, MOST_TTLS, WhatIfRow, what_if
from tests.core.helpers import Bench

NOW = 1_700_000_000.0
NAMESPACES = ("price", "momentum", "portfolio")


@dataclass(frozen=True)
class Row:
    """One access; the namespace of a key is told by its number."""

    key: int
    kind: int
    at: float
    seconds: float = 0.5

    @property
    def namespace(self) -> str:
        return NAMESPACES[self.key % len(NAMESPACES)]


def columns_of(rows: Sequence[Row]) -> Columns:
    return Columns(
        keys=np.array([row.key for row in rows], np.int64),
        namespaces=np.array([row.key % len(NAMESPACES) for row in rows], np.uint8),
        kinds=np.array([row.kind for row in rows], np.uint8),
        at=np.array([row.at for row in rows], np.float64),
        seconds=np.array([row.seconds if row.kind == LOAD else np.nan for row in rows], np.float32),
        names={},
        namespace_names=NAMESPACES,
    )


def mean(numbers: Sequence[float]) -> float | None:
    return sum(numbers) / len(numbers) if numbers else None


def replayed(rows: Sequence[Row], ttl: float) -> WhatIfRow:
    """The rules in plain Python."""
    loaded_at: dict[int, float] = {}
    ages: list[float] = []
    costs: list[float | None] = []
    loads = [row for row in rows if row.kind == LOAD]
    for row in sorted((row for row in rows if row.kind != LOAD), key=lambda row: row.at):
        if row.key in loaded_at and row.at < loaded_at[row.key] + ttl:
            ages.append(row.at - loaded_at[row.key])
            continue
        loaded_at[row.key] = row.at
        own = mean([load.seconds for load in loads if load.key == row.key])
        costs.append(mean([load.seconds for load in loads if load.namespace == row.namespace]) if own is None else own)
    known = [cost for cost in costs if cost is not None]
    reads = len(ages) + len(costs)
    return WhatIfRow(
        ttl=ttl,
        hit_rate=len(ages) / reads if reads else None,
        mean_age=mean(ages),
        loads=len(costs),
        load_seconds=sum(known) if known or not costs else None,
        unknown_loads=len(costs) - len(known),
    )


def is_same(found: WhatIfRow, expected: WhatIfRow) -> bool:
    """Whether they are equal, but for the order in which durations were added up."""
    rounded = replace(found, mean_age=expected.mean_age, load_seconds=expected.load_seconds)
    return (
        rounded == expected
        and is_near(found.mean_age, expected.mean_age)
        and is_near(found.load_seconds, expected.load_seconds)
    )


def is_near(found: float | None, expected: float | None) -> bool:
    if found is None or expected is None:
        return found is expected
    return math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-9)


moments = st.one_of(
    st.integers(0, 12).map(lambda step: NOW + 10.0 * step),  # ties, and reads at the very end of a ttl
    st.floats(NOW, NOW + 300.0),
    st.floats(0.0, 1e8),
)
durations = st.floats(0, 100, width=32)
some_rows = st.lists(
    st.builds(Row, st.integers(0, 9), st.sampled_from([HIT, MISSED, STALE, LOAD]), moments, durations), max_size=150
)
some_ttls = st.lists(st.sampled_from([1e-9, 0.5, 10.0, 20.0, 30.0, 100.0, 1e6]), min_size=1, max_size=4)


@pytest.fixture(params=[0, 3, 64])
def _few(request: pytest.FixtureRequest) -> Iterator[None]:
    """Loads found in steps of all keys alone, in both ways, and one by one alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(whatif, "_FEW", request.param)
        yield


@pytest.mark.usefixtures("_few")
@given(some_rows, some_ttls)
def test_a_replay_says_what_the_rules_say_read_by_read(rows: list[Row], ttls: list[float]) -> None:
    found = what_if(columns_of(rows), ttls)

    assert all(is_same(row, replayed(rows, ttl)) for row, ttl in zip(found.rows, ttls, strict=True))


@given(some_rows, st.sampled_from([*NAMESPACES, "unheard-of"]))
def test_of_one_namespace_no_other_counts(rows: list[Row], namespace: str) -> None:
    own = [row for row in rows if row.namespace == namespace]

    found = what_if(columns_of(rows), [30.0], namespace)

    reads = [row for row in own if row.kind != LOAD]
    assert is_same(found.rows[0], replayed(own, 30.0))
    assert (found.reads, found.keys, found.namespace) == (len(reads), len({row.key for row in reads}), namespace)


@given(some_rows)
def test_it_says_whose_reads_were_replayed(rows: list[Row]) -> None:
    found = what_if(columns_of(rows), [30.0])

    reads = [row for row in rows if row.kind != LOAD]
    assert (found.reads, found.keys) == (len(reads), len({row.key for row in reads}))
    assert found.since == min((row.at for row in reads), default=None)
    assert found.until == max((row.at for row in reads), default=None)


@pytest.mark.usefixtures("_few")
def test_reads_closer_than_a_sum_can_tell_apart_are_told_apart() -> None:
    tick = 2.0**-22  # the least that moves the clock
    expiry = NOW + 30.0
    near_the_end = [expiry - step * tick for step in range(40, -1, -1)]
    rows = [Row(key, HIT, at) for key in range(300) for at in (NOW, *near_the_end)]
    rows += [Row(0, HIT, NOW + 1e7)]  # so long a time leaves the sums few digits

    found = what_if(columns_of(rows), [30.0])

    assert is_same(found.rows[0], replayed(rows, 30.0))
    assert found.rows[0].loads == 2 * 300 + 1


@pytest.mark.usefixtures("_few")
def test_more_keys_than_fit_in_16_bits_are_told_apart() -> None:
    number = 70_000
    rows = [Row(key, HIT, NOW + turn) for turn in (0.0, 10.0, 40.0) for key in range(number)]

    (row,) = what_if(columns_of(rows), [30.0]).rows

    assert (row.loads, row.hit_rate, row.mean_age) == (2 * number, 1 / 3, 10.0)


def test_a_hit_ends_where_the_ttl_does() -> None:
    rows = [Row(0, MISSED, NOW), Row(0, HIT, NOW + 29.5), Row(0, HIT, NOW + 30.0), Row(0, HIT, NOW + 59.0)]

    row = what_if(columns_of(rows), [30.0]).rows[0]

    assert (row.loads, row.hit_rate, row.mean_age) == (2, 0.5, 29.25)


def test_a_load_costs_what_its_key_took_else_its_namespace_else_nobody_knows() -> None:
    rows = [
        Row(0, LOAD, NOW, 1.0),
        Row(0, LOAD, NOW, 3.0),
        Row(3, LOAD, NOW, 8.0),
        *(Row(key, HIT, NOW) for key in (0, 3, 6, 1)),
    ]

    row = what_if(columns_of(rows), [30.0]).rows[0]

    assert row.load_seconds == 2.0 + 8.0 + 4.0
    assert (row.loads, row.unknown_loads) == (4, 1)


def test_where_no_load_was_seen_the_cost_is_unknown() -> None:
    row = what_if(columns_of([Row(0, HIT, NOW)]), [30.0]).rows[0]

    assert (row.loads, row.load_seconds, row.unknown_loads) == (1, None, 1)


def test_without_reads_there_is_a_row_that_says_so() -> None:
    found = what_if(Accesses().columns(), [30.0, 60.0])

    assert found.rows == (WhatIfRow(30.0, None, None, 0, 0.0, 0), WhatIfRow(60.0, None, None, 0, 0.0, 0))
    assert (found.reads, found.keys, found.since, found.until) == (0, 0, None, None)


def test_the_accesses_of_a_cache_can_be_replayed() -> None:
    bench = Bench()
    for _ in range(6):
        bench.cache.get_or_load("price:A", lambda: 1.0)
        bench.clock.advance(4.0)

    found = what_if(bench.cache.accesses.columns(), [4.0, 10.0, 100], "price")

    assert [row.loads for row in found.rows] == [6, 2, 1]
    assert [row.unknown_loads for row in found.rows] == [0, 0, 0]
    assert found.rows[2].mean_age == 12.0
    assert found.until == bench.clock() - 4.0


@pytest.mark.parametrize("ttl", [0, -1, -0.5, float("nan"), float("inf"), True, "60", None, 60j, 10**400])
def test_a_ttl_that_is_none_is_refused_by_name(ttl: Any) -> None:
    with pytest.raises(InvalidInput, match=r"^ttls=.*seconds") as caught:
        what_if(columns_of([]), [60.0, ttl])

    assert caught.value.field == "ttls"
    assert caught.value.value is ttl
    assert str(LONGEST_TTL) in caught.value.allowed


@pytest.mark.parametrize("number", [0, MOST_TTLS + 1])
def test_no_ttl_and_too_many_are_refused(number: int) -> None:
    with pytest.raises(InvalidInput, match="1 to 16"):
        what_if(columns_of([]), [60.0] * number)


def test_rows_come_in_the_order_of_the_ttls_and_each_as_often_as_asked() -> None:
    found = what_if(columns_of([Row(0, HIT, NOW)]), [60, 30.0, np.float64(60)])

    assert [row.ttl for row in found.rows] == [60.0, 30.0, 60.0]
