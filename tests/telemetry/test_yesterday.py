"""What all processes counted in a window of yesterday: exact, read once, and only when it is asked for."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avcache.clock import ManualClock
from avcache.core.counters import Counters
from avcache.telemetry.others import Process
from avcache.telemetry.totals import Totals
from tests.telemetry.nodes import NOW, Breakable, InMemory, Node

DAY = 86_400.0
FIRST_QUARTER_ENDS = NOW + 60


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def store() -> InMemory:
    return InMemory()


@pytest.fixture
def nodes(store: InMemory, clock: ManualClock) -> list[Node]:
    return [Node(store, clock) for _ in range(3)]


def work(nodes: list[Node], clock: ManualClock, minutes: int, hits: int = 1) -> None:
    """Each node counts *hits* a minute, and tells of them."""
    for _ in range(minutes):
        for node in nodes:
            node.count(hits)
        clock.advance(60)
        for node in nodes:
            node.flusher.flush()


def hits_of(totals: Totals, start: float, end: float) -> int | None:
    found = totals.between(start, end)
    return None if found is None else found.total.hits


def test_a_window_of_yesterday_is_that_of_all_processes(nodes: list[Node], clock: ManualClock) -> None:
    work(nodes, clock, 90)
    clock.advance(DAY - 3600)

    reader = nodes[0]

    assert hits_of(reader.totals, clock() - DAY - 900, clock() - DAY) == 3 * 15
    assert hits_of(reader.totals, clock() - DAY - 60, clock() - DAY) == 3
    assert hits_of(reader.totals, clock() - 2 * DAY, clock() - DAY) == 3 * 30
    found = reader.totals.between(clock() - 2 * DAY, clock() - DAY)
    assert found is not None
    assert found.since == NOW


def test_processes_that_ended_yesterday_count_for_one_that_began_today(
    nodes: list[Node], store: InMemory, clock: ManualClock
) -> None:
    work(nodes, clock, 30)
    clock.advance(DAY + 60)
    newcomer = Node(store, clock)

    assert hits_of(newcomer.totals, NOW, NOW + 600) == 3 * 10
    assert [worker.is_this for worker in newcomer.totals.by_process(None)] == [True]


def test_of_a_time_before_all_processes_nothing_is_known(nodes: list[Node], clock: ManualClock) -> None:
    work(nodes, clock, 5)

    assert nodes[0].totals.between(clock() - DAY - 900, clock() - DAY) is None


def test_what_is_too_long_ago_is_not_known_any_more(nodes: list[Node], clock: ManualClock) -> None:
    work(nodes, clock, 5)
    clock.advance(50 * 3600)

    assert nodes[0].totals.between(NOW, NOW + 300) is None


def test_yesterday_is_read_only_when_it_is_asked_for_and_once(nodes: list[Node], clock: ManualClock) -> None:
    work(nodes, clock, 60)
    clock.advance(DAY - 3600)
    reader = nodes[0]
    reader.totals.stats(60)
    before = reader.store.wanted

    reader.totals.between(NOW, NOW + 900)
    first = reader.store.wanted - before
    for _ in range(5):
        reader.totals._next_reading = 0.0
        reader.totals.between(NOW, NOW + 900)
        reader.totals.stats(60)

    assert before == 0, "the others have been silent since"
    assert first == 2 * 15, "and no minute besides the window's"
    assert reader.store.wanted == before + first


def test_a_window_that_moves_on_costs_the_minute_that_is_new(nodes: list[Node], clock: ManualClock) -> None:
    work(nodes, clock, 60)
    clock.advance(DAY - 1800)
    reader = nodes[0]
    reader.totals.between(clock() - DAY - 900, clock() - DAY)
    before = reader.store.wanted

    clock.advance(60)

    assert hits_of(reader.totals, clock() - DAY - 900, clock() - DAY) == 3 * 15
    assert reader.store.wanted - before == 2


def test_minutes_of_long_ago_are_kept_in_quarters_and_not_read_again(nodes: list[Node], clock: ManualClock) -> None:
    work(nodes, clock, 8 * 60)
    clock.advance(DAY - 8 * 3600)
    reader = nodes[0]
    assert hits_of(reader.totals, clock() - 2 * DAY, clock() - 0.5 * DAY) == 3 * 8 * 60
    before = reader.store.wanted

    clock.advance(12 * 3600)
    reader.totals._next_reading = 0.0

    assert hits_of(reader.totals, clock() - 2 * DAY, clock() - DAY) == 3 * 8 * 60
    assert hits_of(reader.totals, NOW, FIRST_QUARTER_ENDS + 3 * 900) == 3 * (1 + 3 * 15)
    assert reader.store.wanted == before
    for other in reader.totals._others.values():
        assert (len(other._quarters), other._minutes, other._final) == (1 + 8 * 4, {}, set())


def test_a_quarter_of_which_a_part_was_read_is_read_to_its_end(nodes: list[Node], clock: ManualClock) -> None:
    work(nodes, clock, 60)
    clock.advance(DAY - 3600)
    reader = nodes[0]
    reader.totals.between(FIRST_QUARTER_ENDS + 300, FIRST_QUARTER_ENDS + 600)
    clock.advance(3 * 3600)
    reader.totals._next_reading = 0.0
    reader.totals.stats(60)

    assert hits_of(reader.totals, FIRST_QUARTER_ENDS, FIRST_QUARTER_ENDS + 900) == 3 * 15


def test_what_was_dropped_is_forgotten(nodes: list[Node], clock: ManualClock) -> None:
    work(nodes, clock, 40)
    clock.advance(DAY)
    reader = nodes[0]
    reader.totals.between(clock() - 2 * DAY, clock() - DAY)

    clock.advance(DAY + 2 * 3600)
    reader.totals._next_reading = 0.0
    reader.totals.stats(60)

    assert [(other._minutes, other._final, other._quarters) for other in reader.totals._others.values()] == [
        ({}, set(), {})
    ] * 2


def test_where_the_others_cannot_be_asked_nothing_is_said(nodes: list[Node], clock: ManualClock) -> None:
    work(nodes, clock, 60)
    clock.advance(DAY)
    reader = nodes[0]
    reader.totals.stats(60)
    reader.store.is_down = True

    assert reader.totals.between(NOW, NOW + 900) is None
    asked = reader.store.asked
    assert reader.totals.between(NOW, NOW + 900) is None
    assert reader.store.asked == asked, "it is not asked again at once"
    reader.store.is_down = False
    reader.totals._next_reading = 0.0
    assert hits_of(reader.totals, NOW, NOW + 900) == 3 * 15


def test_what_was_read_before_the_store_went_away_is_still_known(nodes: list[Node], clock: ManualClock) -> None:
    work(nodes, clock, 60)
    clock.advance(DAY)
    reader = nodes[0]
    reader.totals.between(NOW, NOW + 900)

    reader.store.is_down = True
    reader.totals._next_reading = 0.0

    assert hits_of(reader.totals, NOW, NOW + 900) == 3 * 15
    assert reader.totals.others_as_of == clock()


def test_a_store_that_is_known_to_be_away_is_not_asked(store: InMemory, clock: ManualClock) -> None:
    watched, counters = Breakable(store), Counters(clock)
    totals = Totals(counters, watched, lambda: Process.here(0), clock=clock, is_away=lambda: True)
    clock.advance(DAY)

    assert totals.between(NOW, NOW + 900) is None
    assert watched.asked == 0


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5), st.integers(1, 50)), min_size=1, max_size=50),
    st.integers(0, 30),
    st.integers(1, 24 * 60),
)
def test_every_window_of_the_last_two_days_is_the_sum_of_its_minutes(
    steps: list[tuple[int, int, int]], hours: int, minutes: int
) -> None:
    clock, store, seen = ManualClock(NOW), InMemory(), list[tuple[float, int]]()
    nodes = [Node(store, clock) for _ in range(3)]
    for at, hits, pause in steps:
        nodes[at].count(hits)
        seen.append((clock(), hits))
        clock.advance(60.0 * pause)
        for node in nodes:
            node.flusher.flush()
    clock.advance(1800)

    end = clock() - hours * 3600
    start = max(end - minutes * 60, clock() - 48 * 3600)
    for node in (*nodes, Node(store, clock)):
        for first, last in ((start, end), (start + 7 * 60, end)):
            found = node.totals.between(first, last)
            began, ended = (at if clock() - at <= 25 * 3600 + 300 else at - at % 900 for at in (first, last))
            wanted = sum(hits for at, hits in seen if began <= at < ended)
            assert (0 if found is None else found.total.hits) == wanted
