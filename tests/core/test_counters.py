"""Counts of this process: totals, windows, series; and which keys are read most."""

from __future__ import annotations

import pytest

from avcache.clock import ManualClock
from avcache.core.counters import BUCKET_SECONDS, OTHER, Counters, Counts
from avcache.core.keys import Key
from avcache.core.popularity import Popularity
from tests.core.helpers import together


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_000_000.0)


@pytest.fixture
def counters(clock: ManualClock) -> Counters:
    return Counters(clock)


def test_totals_count_since_the_start(counters: Counters, clock: ManualClock) -> None:
    counters.count("price", "hits")
    clock.advance(100_000)
    counters.count("price", "hits", 2)
    counters.count("momentum", "misses")

    stats = counters.stats()

    assert (stats.by_namespace["price"].hits, stats.by_namespace["momentum"].misses) == (3, 1)
    assert (stats.total.hits, stats.total.misses, stats.total.requests) == (3, 1, 4)
    assert stats.since == 1_000_000.0


def test_a_window_counts_what_happened_within_it(counters: Counters, clock: ManualClock) -> None:
    counters.count("price", "hits")
    clock.advance(60)
    counters.count("price", "hits", 5)
    clock.advance(30)

    assert counters.stats(50).total.hits == 5
    assert counters.stats(200).total.hits == 6
    assert counters.stats(10).total.hits == 0


@pytest.mark.parametrize("window", [1, 5, 10])
def test_what_happened_just_now_is_in_the_shortest_window(
    counters: Counters, clock: ManualClock, window: float
) -> None:
    clock.advance(9)
    counters.count("price", "hits")

    assert counters.stats(window).total.hits == 1


def test_a_window_does_not_begin_before_the_counters_did(counters: Counters, clock: ManualClock) -> None:
    clock.advance(5)

    assert counters.stats(3600).since == 1_000_000.0
    assert counters.stats(2).since == 1_000_003.0


def test_stats_are_a_copy(counters: Counters) -> None:
    counters.count("price", "hits")
    stats = counters.stats()

    counters.count("price", "hits")

    assert stats.total.hits == 1


def test_a_series_tells_each_step_and_leaves_no_gaps(counters: Counters, clock: ManualClock) -> None:
    counters.count("price", "hits")
    clock.advance(60)
    counters.count("price", "misses", 3)

    begins, series = counters.series(window=120, step=30)

    assert begins == [999_990.0 - 60 + 30 * step for step in range(1, 5)]
    assert [counts.hits for counts in series["price"]] == [0, 1, 0, 0]
    assert [counts.misses for counts in series["price"]] == [0, 0, 0, 3]


def test_a_series_of_nothing_has_its_steps_and_no_namespace(counters: Counters) -> None:
    begins, series = counters.series(window=60, step=10)

    assert (len(begins), series) == (6, {})
    assert begins[-1] <= 1_000_000.0 < begins[-1] + BUCKET_SECONDS


def test_the_hit_rate_is_unknown_before_the_first_read_and_counts_stale_hits() -> None:
    assert Counts().hit_rate is None
    assert Counts(hits=2, stale_hits=1, misses=1).hit_rate == 0.75
    assert Counts(misses=3).hit_rate == 0.0


def test_what_hits_spared_is_reckoned_at_the_mean_of_the_loads() -> None:
    assert Counts(hits=3, stale_hits=1, loads=2, load_seconds=3.0).saved_seconds == 6.0
    assert Counts(hits=3).saved_seconds == 0.0
    assert Counts().mean_load_seconds is None


def test_past_64_namespaces_the_rest_is_counted_together(counters: Counters) -> None:
    for number in range(200):
        counters.count(f"n{number}", "hits")
    counters.count("n3", "hits")

    by_namespace = counters.stats().by_namespace

    assert len(by_namespace) == 65
    assert (by_namespace["n3"].hits, by_namespace[OTHER].hits) == (2, 136)
    assert counters.stats().total.hits == 201


def test_a_day_is_kept_and_no_more(counters: Counters, clock: ManualClock) -> None:
    for _ in range(24 * 360 + 500):
        counters.count("price", "hits")
        clock.advance(BUCKET_SECONDS)

    assert counters.stats(10 * 24 * 3600).total.hits == 24 * 360
    assert counters.stats().total.hits == 24 * 360 + 500


def test_no_count_is_lost_between_threads(counters: Counters) -> None:
    def count(index: int) -> None:
        for _ in range(500):
            counters.count(f"n{index % 2}", "hits")

    together(16, count)

    assert counters.stats().total.hits == 16 * 500


def test_an_unknown_event_is_a_mistake(counters: Counters) -> None:
    with pytest.raises(AttributeError):
        counters.count("price", "hit")


def test_the_most_read_keys_come_first() -> None:
    popularity = Popularity()
    for name, reads in (("a", 3), ("b", 5), ("c", 1)):
        for number in range(reads):
            popularity(Key(name, "n"), number % 2 == 0)

    assert popularity.most_read(2) == [("b", 5), ("a", 3)]
    assert popularity.most_read(0) == []


def test_many_keys_read_once_neither_fill_the_memory_nor_push_out_the_popular_ones() -> None:
    popularity = Popularity(most_keys=100)
    for _ in range(5):
        popularity(Key("popular", "n"), True)

    for number in range(1000):
        popularity(Key(f"once:{number}", "n"), False)

    kept = popularity.most_read(10_000)
    assert len(kept) <= 100
    assert kept[0] == ("popular", 5)
