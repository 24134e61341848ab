"""Counts of this process: totals, windows, series."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avcache.clock import ManualClock
from avcache.core.counters import BUCKET_SECONDS, LOAD_BOUNDS, OTHER, Counters, Counts
from avcache.core.counts import between as difference
from tests.threads import together


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_000_000.0)


@pytest.fixture
def counters(clock: ManualClock) -> Counters:
    return Counters(clock)


@pytest.fixture
def _busy_switching() -> Iterator[None]:
    """Threads take turns as often as the interpreter lets them."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def hit(counters: Counters, clock: ManualClock, namespace: str = "price") -> None:
    """Count as the cache does on its way."""
    if clock() >= counters.rolls_at:
        counters.roll(clock())
    counters.of(namespace).hits += 1


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


def test_the_figures_of_a_namespace_stay_the_same_object(counters: Counters, clock: ManualClock) -> None:
    counts = counters.of("price")
    counts.hits += 1
    clock.advance(100_000)
    counters.stats(60)

    assert counters.of("price") is counts
    assert counts.hits == 1


def test_past_64_namespaces_there_is_one_object_for_the_rest(counters: Counters) -> None:
    kept = [counters.of(f"n{number}") for number in range(64)]

    assert counters.of("n64") is counters.of("n65") is counters.of(OTHER)
    assert counters.of("n63") is kept[63]
    assert len({id(counts) for counts in kept}) == 64


def test_a_namespace_that_was_only_asked_for_is_in_no_statistic(counters: Counters) -> None:
    counters.of("price")

    assert counters.stats().by_namespace == {}
    assert counters.stats(60).by_namespace == {}
    assert counters.series(60, 10)[1] == {}


def test_both_ways_of_counting_add_up(counters: Counters, clock: ManualClock) -> None:
    hit(counters, clock)
    counters.count("price", "hits", 2)
    clock.advance(60)
    hit(counters, clock)

    assert counters.stats().total.hits == 4
    assert counters.stats(30).total.hits == 1


@pytest.mark.usefixtures("_busy_switching")
def test_eight_threads_that_add_without_a_lock_lose_nothing(clock: ManualClock) -> None:
    counters = Counters(clock)

    def count(index: int) -> None:
        counts = counters.of("price")
        for number in range(50_000):
            counts.hits += 1
            counts.bytes_read += 3
            if number % 10 == 0:
                counts.loaded(0.25)
            if number % 1000 == 0:
                counters.count("price", "hits")
                counters.stats(60)

    together(8, count)

    total = counters.stats().total
    assert (total.hits, total.bytes_read, total.loads) == (8 * 50_050, 8 * 150_000, 8 * 5_000)
    assert sum(total.load_times) == 8 * 5_000


@pytest.mark.usefixtures("_busy_switching")
def test_threads_that_roll_at_once_close_a_bucket_once(counters: Counters, clock: ManualClock) -> None:
    hit(counters, clock)
    clock.advance(BUCKET_SECONDS)

    together(8, lambda _: counters.roll(clock()))
    hit(counters, clock)

    steps = counters.series(20, 10)[1]["price"]
    assert [counts.hits for counts in steps] == [1, 1]
    assert counters.rolls_at == clock() + BUCKET_SECONDS


def test_after_an_idle_hour_the_hour_before_is_where_it_was(counters: Counters, clock: ManualClock) -> None:
    for _ in range(6):
        hit(counters, clock)
        clock.advance(BUCKET_SECONDS)
    clock.advance(3600)
    hit(counters, clock)

    assert counters.stats(60).total.hits == 1
    assert counters.stats(3600).total.hits == 1
    assert counters.stats(3600 + 120).total.hits == 7


def test_a_clock_that_is_set_forward_takes_nothing_from_the_totals(counters: Counters, clock: ManualClock) -> None:
    hit(counters, clock)
    clock.advance(30 * 24 * 3600)
    hit(counters, clock)

    assert counters.stats().total.hits == 2
    assert counters.stats(24 * 3600).total.hits == 1


def test_what_happened_before_the_clock_was_set_back_stays_as_long_ago(counters: Counters, clock: ManualClock) -> None:
    hit(counters, clock)
    clock.advance(600)
    counters.roll(clock())
    counters.of("price").hits += 10

    clock.advance(-3600)

    assert counters.stats(300).total.hits == 10
    assert counters.stats(900).total.hits == 11
    assert counters.rolls_at > clock()
    clock.advance(600)
    hit(counters, clock)
    assert counters.stats(300).total.hits == 1
    assert counters.stats(900).total.hits == 11
    assert counters.stats().since <= clock()


def test_a_reading_of_the_clock_that_is_a_little_late_moves_nothing(counters: Counters, clock: ManualClock) -> None:
    clock.advance(BUCKET_SECONDS)
    hit(counters, clock)
    rolls_at = counters.rolls_at

    counters.roll(clock() - 15)

    assert counters.rolls_at == rolls_at
    assert [counts.hits for counts in counters.series(20, 10)[1]["price"]] == [0, 1]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-7200, 7200)), max_size=60))
def test_whatever_the_clock_does_no_count_is_lost_or_negative(moves: list[tuple[int, int]]) -> None:
    clock = ManualClock(10_000_000.0)
    counters = Counters(clock)
    for hits, seconds in moves:
        counters.of("price").hits += hits
        clock.advance(seconds)
        counters.roll(clock())

    wanted = sum(hits for hits, _ in moves)
    _, series = counters.series(24 * 3600, 600)
    assert counters.stats().total.hits == wanted
    assert 0 <= counters.stats(900).total.hits <= counters.stats(3600).total.hits <= wanted
    assert all(counts.hits >= 0 for counts in series.get("price", []))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 400)), min_size=1, max_size=80), st.integers(1, 360))
def test_a_window_holds_what_was_counted_in_its_buckets(events: list[tuple[int, int]], buckets: int) -> None:
    clock, seen = ManualClock(1_000_000.0), list[tuple[int, int]]()
    counters = Counters(clock)
    for hits, seconds in events:
        clock.advance(seconds)
        counters.roll(clock())
        counters.of("price").hits += hits
        seen.append((int(clock() // BUCKET_SECONDS), hits))

    first = int(clock() // BUCKET_SECONDS) - buckets + 1
    wanted = sum(hits for bucket, hits in seen if bucket >= first)
    assert counters.stats(buckets * BUCKET_SECONDS).total.hits == wanted
    steps = counters.series(buckets * BUCKET_SECONDS, BUCKET_SECONDS)[1].get("price", [])
    assert sum(counts.hits for counts in steps) == wanted


def test_the_minutes_of_an_hour_are_told_one_by_one(counters: Counters, clock: ManualClock) -> None:
    first = int(clock() // 60)
    hit(counters, clock)
    clock.advance(120)
    hit(counters, clock)
    hit(counters, clock, "momentum")

    assert counters.minutes(first) == {
        first: {"price": Counts(hits=1)},
        first + 2: {"price": Counts(hits=1), "momentum": Counts(hits=1)},
    }
    assert list(counters.minutes(first + 1)) == [first + 2]
    assert counters.minutes(first + 3) == {}


def test_three_busy_days_stay_small(clock: ManualClock) -> None:
    counters = Counters(clock)
    for _ in range(3 * 24 * 360 + 10):
        counters.of("price").hits += 1
        clock.advance(BUCKET_SECONDS)
        counters.roll(clock())

    fine, minutes, quarters = counters._places["price"]._courses
    assert len(fine._rows) < 370
    assert len(minutes._rows) < 25 * 60 + 10
    assert len(quarters._rows) < 49 * 4 + 5
    assert counters.stats(3600).total.hits == 359


def between(counters: Counters, start: float, end: float) -> int | None:
    """Hits."""
    found = counters.between(start, end)
    return None if found is None else found.total.hits


def test_a_window_of_yesterday_counts_what_happened_within_it(counters: Counters, clock: ManualClock) -> None:
    began = clock()
    counters.count("price", "hits", 1)
    clock.advance(3600)
    counters.count("price", "hits", 10)
    counters.count("momentum", "misses", 5)
    clock.advance(60)
    counters.count("price", "hits", 100)
    clock.advance(23 * 3600)
    counters.count("price", "hits", 1000)

    assert between(counters, began + 3600, began + 3660) == 10
    assert between(counters, began, began + 3660) == 11
    assert between(counters, began, began + 4000) == 111
    assert between(counters, began + 5000, began + 9000) == 0
    assert between(counters, began + 3600, clock() + 10) == 1110
    found = counters.between(began + 3600, began + 3660)
    assert found is not None
    assert found.by_namespace["momentum"].misses == 5


def test_within_the_hour_a_window_of_the_past_is_exact_to_ten_seconds(counters: Counters, clock: ManualClock) -> None:
    for _ in range(6):
        counters.count("price", "hits")
        clock.advance(10)

    assert between(counters, 1_000_000, 1_000_030) == 3
    assert between(counters, 1_000_009, 1_000_039) == 3


def test_a_window_that_ended_before_counting_began_is_unknown(counters: Counters, clock: ManualClock) -> None:
    clock.advance(7200)

    assert counters.between(990_000, 1_000_000) is None
    found = counters.between(990_000, 1_000_010)
    assert found is not None
    assert found.since == 1_000_000


def test_what_is_too_long_ago_is_unknown_and_a_window_begins_where_knowing_does(clock: ManualClock) -> None:
    counters = Counters(clock)
    for _ in range(60):
        hit(counters, clock)
        clock.advance(3600)

    assert counters.between(clock() - 55 * 3600, clock() - 50 * 3600) is None
    found = counters.between(clock() - 55 * 3600, clock() - 40 * 3600)
    assert found is not None
    assert 0 <= found.since - (clock() - 49 * 3600) + 900 <= 900
    assert found.total.hits == 9


@pytest.mark.parametrize(("hours_ago", "step"), [(0, 10), (20, 60), (40, 900)])
def test_a_window_says_where_its_first_step_begins(
    counters: Counters, clock: ManualClock, hours_ago: int, step: int
) -> None:
    clock.advance(48 * 3600)
    start = clock() - hours_ago * 3600 - 25

    found = counters.between(start, clock())

    assert found is not None
    assert found.since == start // step * step


def test_a_window_that_ends_before_it_starts_holds_nothing(counters: Counters, clock: ManualClock) -> None:
    hit(counters, clock)
    clock.advance(600)

    assert between(counters, clock(), clock() - 590) == 0


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9000)), min_size=1, max_size=60),
    st.integers(0, 24 * 60),
    st.integers(0, 24 * 60),
)
def test_a_past_window_of_whole_steps_holds_what_was_counted_in_it(
    events: list[tuple[int, int]], minutes_ago: int, minutes: int
) -> None:
    clock, seen = ManualClock(1_000_000.0), list[tuple[float, int]]()
    counters = Counters(clock)
    for hits, seconds in events:
        clock.advance(seconds)
        counters.roll(clock())
        counters.of("price").hits += hits
        seen.append((clock(), hits))
    clock.advance(3600)
    end = (clock() - minutes_ago * 60) // 60 * 60
    start = (end - minutes * 60) // 60 * 60
    if clock() - start > 25 * 3600:
        start -= start % 900

    wanted = sum(hits for at, hits in seen if start <= at < end)
    assert between(counters, start, end) == (wanted if end > 1_000_000.0 else None)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-7200, 7200)), max_size=60), st.integers(0, 2 * 24 * 3600))
def test_whatever_the_clock_does_no_past_window_is_negative(moves: list[tuple[int, int]], ago: int) -> None:
    clock = ManualClock(10_000_000.0)
    counters = Counters(clock)
    for hits, seconds in moves:
        counters.of("price").hits += hits
        clock.advance(seconds)
        counters.roll(clock())

    edges = [clock() - 2 * 24 * 3600, clock() - ago, clock() + 10]
    parts = [between(counters, start, end) or 0 for start, end in pairwise(edges)]

    assert all(part >= 0 for part in parts)
    assert (between(counters, edges[0], edges[2]) or 0) <= sum(hits for hits, _ in moves)


def test_yesterday_moves_along_when_the_clock_is_set_back(counters: Counters, clock: ManualClock) -> None:
    hit(counters, clock)
    clock.advance(40 * 3600)
    hit(counters, clock)

    clock.advance(-7 * 60)

    assert between(counters, clock() - 41 * 3600, clock() - 39 * 3600) == 1
    assert between(counters, clock() - 39 * 3600, clock() + 10) == 1


def test_a_load_is_counted_with_its_duration() -> None:
    counts = Counts()

    for seconds in (0.001, 0.005, 0.3, 2.0, 1000.0):
        counts.loaded(seconds)

    assert counts.loads == 5
    assert counts.load_seconds == pytest.approx(1002.306)
    assert [bound for bound, number in zip(LOAD_BOUNDS, counts.load_times, strict=True) for _ in range(number)] == [
        0.005,
        0.005,
        0.5,
        2.5,
        float("inf"),
    ]


def test_a_quantile_lies_between_the_bounds_of_its_loads() -> None:
    counts = Counts()
    assert counts.load_quantile(0.95) is None

    for _ in range(10):
        counts.loaded(0.7)

    assert counts.load_quantile(0.0) == 0.5
    assert counts.load_quantile(0.5) == pytest.approx(0.75)
    assert counts.load_quantile(1.0) == 1.0


def test_of_loads_beyond_the_longest_bound_only_that_is_known() -> None:
    counts = Counts()
    counts.loaded(500.0)

    assert counts.load_quantile(0.5) == 60.0


@given(st.lists(st.floats(0.001, 59.0), min_size=1, max_size=100), st.floats(0.0, 1.0))
def test_a_quantile_is_in_the_same_interval_as_the_true_one(seconds: list[float], share: float) -> None:
    counts = Counts()
    for one in seconds:
        counts.loaded(one)

    true = sorted(seconds)[max(0, -(-int(share * len(seconds) * 1e9) // 10**9) - 1)]
    high = next(bound for bound in LOAD_BOUNDS if bound >= true)
    low = max([0.0, *(bound for bound in LOAD_BOUNDS if bound < high)])
    found = counts.load_quantile(share)
    assert found is not None
    assert low <= found <= high


counts_of_any_kind = st.builds(
    Counts,
    hits=st.integers(0, 2**40),
    misses=st.integers(0, 10),
    absent=st.integers(0, 10),
    load_seconds=st.floats(0, 1e6),
    load_times=st.lists(st.integers(0, 5), min_size=len(LOAD_BOUNDS), max_size=len(LOAD_BOUNDS)),
)


@given(counts_of_any_kind, counts_of_any_kind)
def test_what_is_added_can_be_taken_off_again(earlier: Counts, later: Counts) -> None:
    total = Counts()
    total.add(earlier)
    total.add(later)

    found = difference(earlier.pack(), total.pack())

    assert found.load_seconds == pytest.approx(later.load_seconds, abs=1e-3)
    found.load_seconds = later.load_seconds
    assert found == later
    assert Counts.unpack(later.pack()) == later


def test_answers_that_nothing_is_there_are_answers() -> None:
    counts = Counts(hits=1, negative_hits=2, misses=1, loads=1, load_seconds=2.0)

    assert (counts.requests, counts.hit_rate, counts.saved_seconds) == (4, 0.75, 6.0)


def test_the_reasons_of_misses_come_most_frequent_first() -> None:
    assert Counts(misses=6, expired=1, absent=5).misses_by_reason == {"absent": 5, "expired": 1}
    assert Counts().misses_by_reason == {}
