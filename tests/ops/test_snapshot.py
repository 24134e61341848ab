"""Figures of the whole: nothing lost or counted twice, and bands that hold the truth."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avcache.backends.barriers import Barriers
from avcache.backends.base import Slice
from avcache.core.census import CensusTaker
from avcache.core.entry import Head, encode
from avcache.ops.snapshot import STEPS, Snapshot, decode
from avcache.ops.snapshot import encode as as_record
from tests.ops.census import NOW, Kept, census, snapshot


def test_each_namespace_is_told_apart() -> None:
    found = snapshot(
        [
            Kept("price:A", left=10, took=1.0),
            Kept("price:B", left=200, took=None),
            Kept("price:C", left=-5, took=2.0),
            Kept("price:D", is_absent=True),
            Kept("price:E", is_foreign=True),
            Kept("user:1", left=50),
        ]
    ).namespaces

    price = found["price"]
    assert list(found) == ["price", "user"]
    assert (price.keys, price.fresh, price.stale, price.foreign, price.endless) == (5, 3, 1, 1, 1)
    assert price.ttl == 300
    assert price.soonest == pytest.approx(10, abs=1e-6)
    assert (price.samples, price.foreign_samples) == (("price:A", "price:B", "price:C", "price:D"), ("price:E",))


def test_what_falls_due_stands_in_buckets_that_suit_the_ttl() -> None:
    price = snapshot([Kept("price:A", left=0.5), Kept("price:B", left=299), Kept("price:C", left=299, took=None)])
    due = price.namespaces["price"].due

    assert price.namespaces["price"].width * STEPS >= 299
    assert price.namespaces["price"].width == 5
    assert (due.keys[0], due.keys[59], sum(due.keys)) == (1, 2, 3)
    assert (due.load_seconds[59], due.unknown[59]) == (0.5, 1)


def test_what_a_store_shows_twice_counts_once() -> None:
    entry = encode(Head("price:A", NOW, NOW + 60, 1.0), b"x")
    taker = CensusTaker(Barriers())

    for done in (0.5, 1.0):
        taker.add(Slice([b"price:A"], [60.0], [len(entry)], [entry], done))

    assert len(taker.result().rows) == 1
    assert taker.result().biggest == {"price": [("price:A", len(entry))]}


def test_an_entry_under_a_foreign_name_is_foreign() -> None:
    entry = encode(Head("price:A", NOW, NOW + 60, 1.0), b"x")
    taker = CensusTaker(Barriers())

    taker.add(Slice([b"price:B", b"price:AA", b"price:A"], [60.0] * 3, [len(entry)] * 3, [entry] * 3, 1.0))

    assert taker.result().rows["is_foreign"].tolist() == [True, True, False]


def test_the_biggest_are_remembered_however_late_they_come() -> None:
    entries = [Kept(f"price:{at:04}", payload=b"x" * (at % 97)) for at in range(1000)]

    found = census([*entries, Kept("price:HUGE", payload=b"x" * 5000)]).biggest["price"]

    assert len(found) == 10
    assert found[0][0] == "price:HUGE"
    assert [size for _, size in found] == sorted((size for _, size in found), reverse=True)


def test_another_program_cannot_make_namespaces_without_end() -> None:
    found = snapshot([Kept(f"{at:06}:x", is_foreign=True) for at in range(1000)])

    assert len(found.namespaces) <= 257
    assert found.keys == 1000


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("truth", [50, 1000, 20_000])
def test_a_band_holds_the_truth_as_often_as_it_says(share: float, truth: int) -> None:
    chance, held, rounds = random.Random(7), 0, 400
    for _ in range(rounds):
        seen = (
            sum(chance.random() < share for _ in range(truth))
            if truth < 5000
            else round(chance.gauss(truth * share, (truth * share * (1 - share)) ** 0.5))
        )
        low, high = Snapshot({}, NOW, share).band(round(seen / share))
        held += low <= truth <= high

    assert held / rounds >= 0.9


def test_of_all_there_is_no_doubt() -> None:
    assert Snapshot({}, NOW).band(123) == (123, 123)
    assert Snapshot({}, NOW).error(123) == 0.0


def test_figures_of_a_part_are_reckoned_for_the_whole() -> None:
    found = snapshot([Kept(f"price:{at}", left=30, took=0.5) for at in range(100)], share=0.1)
    price = found.namespaces["price"]

    assert (found.keys, price.keys, sum(price.due.keys), found.is_exact) == (1000, 1000, 1000, False)
    assert sum(price.due.load_seconds) == pytest.approx(500)


@given(st.lists(st.builds(Kept, st.sampled_from(["a:1", "a:2", "b:1", "c"]), st.floats(-10, 9000)), max_size=20))
def test_it_comes_back_from_the_other_processes_as_it_was(entries: list[Kept]) -> None:
    found = snapshot(entries)

    assert decode(as_record(found)) == found


def test_what_is_no_snapshot_is_none() -> None:
    assert decode(b"\xc1") is None
    assert decode(b"\x80") is None
