"""Hit rates and cost by window: of this process, or of all on a real server, and of yesterday."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from avcache.backends.connect import connect
from avcache.backends.redis_totals import RedisTotals
from avcache.backends.wire import Wire
from avcache.clock import ManualClock
from avcache.core.counts import Counts
from avcache.errors import InvalidInput
from avcache.ops.activity import Activity, Tally
from avcache.telemetry.flusher import Flusher
from avcache.telemetry.totals import Totals
from tests.core.helpers import Bench
from tests.telemetry.nodes import InMemory, Node

DAY = 86_400.0


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def activity(bench: Bench) -> Activity:
    return Activity(bench.cache, None, bench.clock)


@pytest.fixture
def store(redis_url: str, prefix: str) -> Iterator[RedisTotals]:
    with connect(redis_url, timeout=2.0, max_connections=4) as client:
        made = RedisTotals(Wire(client.connection_pool), prefix)
        yield made
        made.close()


class OneOfMany:
    """A cache whose process tells *store* what it counts."""

    def __init__(self, store: Any) -> None:
        self.bench = Bench()
        self.clock = self.bench.clock
        counters = self.bench.cache.counters
        self.flusher = Flusher(counters, store, clock=self.clock)
        self.totals = Totals(counters, store, lambda: self.flusher.process, clock=self.clock)
        self.activity = Activity(self.bench.cache, self.totals, self.clock)


def read(bench: Bench, key: str, times: int = 1) -> None:
    """Read *key*, which is loaded where it is not fresh."""
    for _ in range(times):
        bench.cache.get_or_load(key, lambda: 1.0)


def test_a_window_tells_of_each_namespace_and_of_all(bench: Bench, activity: Activity) -> None:
    read(bench, "price:A", 10)
    read(bench, "short:B", 2)
    bench.cache.get("short:C")

    found = activity.window(900)

    assert list(found.by_namespace) == ["price", "short"]
    price, short = found.by_namespace.values()
    assert (price.requests, price.hit_rate, price.loads) == (10, 0.9, 1)
    assert (short.requests, short.hit_rate, short.misses_by_reason) == (3, 1 / 3, {"absent": 2})
    assert (found.total.requests, found.total.misses, found.total.loads) == (13, 3, 2)
    assert (found.since, found.until) == (bench.clock(), bench.clock())


def test_a_window_forgets_what_lies_before_it(bench: Bench, activity: Activity) -> None:
    read(bench, "price:A", 5)
    bench.clock.advance(600)
    read(bench, "price:A", 3)

    assert activity.window(60).total.requests == 3
    assert activity.window(900).total.requests == 8
    assert activity.window(None).total.requests == 8
    assert activity.window(60).since == bench.clock() - 60


def test_a_tally_says_what_loads_cost_and_hits_spared() -> None:
    counts = Counts(hits=6, stale_hits=2, misses=2, expired=2, load_failures=1)
    for seconds in (0.2, 0.2, 0.2, 4.0):
        counts.loaded(seconds)

    tally = Tally.of(counts)

    assert (tally.requests, tally.hit_rate, tally.stale_hits) == (10, 0.8, 2)
    assert (tally.loads, tally.load_failures) == (4, 1)
    assert tally.load_seconds == pytest.approx(4.6)
    assert tally.saved_seconds == pytest.approx(8 * 4.6 / 4)
    assert tally.load_p50 == pytest.approx(0.2)
    assert tally.load_p95 == pytest.approx(4.5)
    assert tally.load_p99 == pytest.approx(4.9)


def test_what_all_spared_is_the_sum_of_what_each_namespace_did(bench: Bench, activity: Activity) -> None:
    cheap, dear = bench.cache.counters.of("price"), bench.cache.counters.of("short")
    cheap.hits, dear.misses = 100, 1
    cheap.loaded(0.01)
    dear.loaded(10.0)

    assert activity.window(60).total.saved_seconds == pytest.approx(1.0)


def test_without_any_read_rates_are_unknown(activity: Activity) -> None:
    found = activity.window(60)

    assert (found.total.requests, found.total.hit_rate, found.total.load_p95) == (0, None, None)
    assert (found.by_namespace, found.earlier) == ({}, None)


@pytest.mark.parametrize("seconds", [60.0, 900.0, 3600.0])
def test_a_window_comes_with_that_of_yesterday(bench: Bench, activity: Activity, seconds: float) -> None:
    bench.clock.advance(60 - bench.clock() % 60)
    read(bench, "price:B", 7)
    bench.clock.advance(60)
    read(bench, "price:A", 4)
    bench.clock.advance(seconds)
    ended = bench.clock()
    read(bench, "price:C", 20)
    bench.clock.advance(DAY)
    read(bench, "price:A", 10)

    found = activity.window(seconds)

    assert found.earlier is not None
    assert (found.until, found.earlier.since, found.earlier.until) == (ended + DAY, ended - seconds, ended)
    assert (found.total.hit_rate, found.earlier.total.hit_rate) == (0.9, 0.75)
    assert found.earlier.total.requests == 4
    assert found.earlier.earlier is None


def test_a_day_comes_with_the_day_before(bench: Bench, activity: Activity) -> None:
    for _ in range(48):
        read(bench, "price:A", 2)
        bench.clock.advance(3600)

    found = activity.window(DAY)

    assert found.earlier is not None
    assert (found.total.requests, found.earlier.total.requests) == (48, 48)


def test_yesterday_is_unknown_to_who_began_today_and_left_out_where_it_is_not_wanted(
    bench: Bench, activity: Activity
) -> None:
    bench.clock.advance(DAY - 60)
    assert activity.window(900).earlier is None

    bench.clock.advance(120)

    assert activity.window(900).earlier is not None
    assert activity.window(900, with_earlier=False).earlier is None
    assert activity.window(None).earlier is None


def test_alone_the_figures_are_those_of_this_process(bench: Bench, activity: Activity) -> None:
    read(bench, "price:A", 3)

    (worker,) = activity.workers(60)

    assert (activity.is_all_processes, activity.others_as_of) == (False, None)
    assert (worker.is_this, worker.is_alive, worker.last_seen) == (True, True, bench.clock())
    assert (worker.process.pid, worker.stats.total.requests) == (os.getpid(), 3)


def test_on_one_server_the_figures_are_those_of_all_processes(store: RedisTotals) -> None:
    mine = OneOfMany(store)
    clock: ManualClock = mine.clock
    other = Node(store, clock)
    clock.advance(60 - clock() % 60)
    read(mine.bench, "price:A", 4)
    other.count(40)
    clock.advance(60)
    for flusher in (mine.flusher, other.flusher):
        flusher.flush()
    clock.advance(DAY)
    read(mine.bench, "price:A", 2)
    other.count(5)
    other.flusher.flush()

    found = mine.activity.window(60)

    assert (found.total.requests, found.by_namespace["price"].requests) == (7, 7)
    assert found.earlier is not None
    assert (found.earlier.total.requests, found.earlier.total.hit_rate) == (44, 43 / 44)
    assert (mine.activity.is_all_processes, mine.activity.others_as_of) == (True, clock())
    assert sorted(worker.stats.total.requests for worker in mine.activity.workers(60)) == [2, 5]
    assert sorted(worker.stats.total.requests for worker in mine.activity.workers(None)) == [5, 6]


def test_yesterday_of_the_others_is_not_read_where_it_is_not_wanted() -> None:
    store = InMemory()
    mine = OneOfMany(store)
    other = Node(store, mine.clock)
    for _ in range(30):
        other.count()
        mine.clock.advance(60)
        other.flusher.flush()
    mine.clock.advance(DAY - 900)

    mine.activity.window(900, with_earlier=False)
    assert not any(one._minutes for one in mine.totals._others.values())
    found = mine.activity.window(900)

    assert found.earlier is not None
    assert found.earlier.total.requests == 15


def test_the_most_read_tickers_of_this_process_come_by_window(bench: Bench, activity: Activity) -> None:
    read(bench, "price:A", 5)
    bench.clock.advance(3600)
    read(bench, "price:B", 3)

    assert [one.ticker for one in activity.top_tickers(5).rows] == ["A", "B"]
    assert [(one.ticker, one.reads) for one in activity.top_tickers(5, 60).rows] == [("B", 3)]
    assert len(activity.top_tickers(1).rows) == 1


def test_every_window_that_is_offered_can_be_asked_for(bench: Bench, activity: Activity) -> None:
    read(bench, "price:A")

    requests = {name: activity.window(seconds).total.requests for name, seconds in Activity.WINDOWS.items()}

    assert requests == {"1 min": 1, "15 min": 1, "1 h": 1, "24 h": 1, "since start": 1}


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), DAY + 1, True, "60"])
def test_a_window_that_is_none_is_refused_by_name(activity: Activity, seconds: Any) -> None:
    for ask in (activity.window, activity.workers, lambda wrong: activity.top_tickers(5, wrong)):
        with pytest.raises(InvalidInput, match=r"^seconds=.*86400"):
            ask(seconds)
