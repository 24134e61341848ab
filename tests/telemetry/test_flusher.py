"""The totals of all processes, on a real server: written whole, read together, and no trouble to anybody."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from avcache.backends.connect import connect
from avcache.backends.redis_totals import RedisTotals
from avcache.backends.wire import Wire
from avcache.clock import ManualClock
from avcache.core.counters import LOAD_BOUNDS, Counters, Counts
from avcache.errors import BackendError
from avcache.telemetry.flusher import Flusher
from avcache.telemetry.others import Process, decode, encode
from avcache.telemetry.totals import Totals
from tests.servers import RealServer
from tests.telemetry.nodes import NOW, Breakable, InMemory, Node
from tests.threads import until


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with connect(redis_url, timeout=2.0, max_connections=8) as made:
        yield made


@pytest.fixture
def store(client: redis.Redis, prefix: str) -> Iterator[RedisTotals]:
    made = RedisTotals(Wire(client.connection_pool), prefix)
    yield made
    made.close()


@pytest.fixture
def nodes(store: RedisTotals, clock: ManualClock) -> list[Node]:
    return [Node(store, clock) for _ in range(4)]


def test_each_process_sees_the_reads_of_all(nodes: list[Node]) -> None:
    for hits, node in enumerate(nodes, 1):
        node.count(hits)
        node.counters.of("price").misses += 1
        node.counters.of("price").loaded(0.3)
        assert node.flusher.flush()

    for node in nodes:
        total = node.totals.stats(60).total
        assert (total.hits, total.misses, total.loads) == (10, 4, 4)
        assert total.load_seconds == pytest.approx(1.2)
        assert total.load_quantile(0.5) == pytest.approx(0.375)


def test_what_was_written_twice_counts_once(nodes: list[Node]) -> None:
    writer, reader, *_ = nodes
    writer.count(5)
    writer.store.loses_answers = True
    assert not writer.flusher.flush()
    assert not writer.flusher.flush()
    writer.store.loses_answers = False
    assert writer.flusher.flush()
    assert writer.flusher.flush()

    assert reader.totals.stats(60).total.hits == 5


def test_of_this_process_nothing_waits_for_a_flush(nodes: list[Node]) -> None:
    nodes[0].count(3)

    assert nodes[0].totals.stats(60).total.hits == 3
    nodes[0].flusher.flush()
    assert nodes[0].look().stats(60).total.hits == 3


def test_a_window_counts_the_minutes_within_it(nodes: list[Node], clock: ManualClock) -> None:
    writer, reader, *_ = nodes
    for hits in (1, 10, 100):
        writer.count(hits)
        clock.advance(60)
        writer.flusher.flush()

    assert reader.look().stats(60).total.hits == 100
    assert reader.look().stats(120).total.hits == 110
    assert reader.look().stats(900).total.hits == 111
    assert reader.look().stats().total.hits == 111
    assert reader.look().stats(120).since == clock() - 120
    assert reader.look().stats().since == NOW


def test_a_series_adds_the_processes_up_minute_by_minute(nodes: list[Node], clock: ManualClock) -> None:
    for minute in range(3):
        for at, node in enumerate(nodes):
            node.count(10**minute, "price" if at else "momentum")
        clock.advance(60)
    for node in nodes:
        node.flusher.flush()

    begins, series = nodes[0].totals.series(240, 10)

    assert begins == [NOW, NOW + 60, NOW + 120, NOW + 180]
    assert [counts.hits for counts in series["price"]] == [3, 30, 300, 0]
    assert [counts.hits for counts in series["momentum"]] == [1, 10, 100, 0]


def test_wider_steps_hold_several_minutes(nodes: list[Node], clock: ManualClock) -> None:
    for _ in range(10):
        nodes[1].count()
        nodes[0].count()
        clock.advance(60)
    nodes[1].flusher.flush()

    begins, series = nodes[0].totals.series(900, 300)

    assert [step - begins[0] for step in begins] == [0, 300, 600]
    assert sum(counts.hits for counts in series["price"]) == 20


def test_minutes_that_ended_while_the_store_was_away_are_written_when_it_is_back(
    nodes: list[Node], clock: ManualClock
) -> None:
    writer, reader, *_ = nodes
    writer.count()
    writer.flusher.flush()
    writer.store.is_down = True
    for _ in range(20):
        clock.advance(60)
        writer.count()
        assert not writer.flusher.flush()

    writer.store.is_down = False
    assert writer.flusher.flush()

    _, series = reader.totals.series(21 * 60, 60)
    assert [counts.hits for counts in series["price"]] == [1] * 21


def test_of_an_outage_of_hours_the_last_hour_is_written(nodes: list[Node], clock: ManualClock) -> None:
    writer, reader, *_ = nodes
    writer.flusher.flush()
    writer.store.is_down = True
    for _ in range(180):
        writer.count()
        writer.flusher.flush()
        clock.advance(60)

    writer.store.is_down = False
    writer.flusher.flush()

    assert reader.totals.stats(4 * 3600).total.hits == 59


def test_an_outage_is_logged_when_it_begins_and_when_it_ends(
    nodes: list[Node], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    nodes[0].store.is_down = True
    for _ in range(3):
        nodes[0].flusher.flush()
    nodes[0].store.is_down = False
    for _ in range(3):
        nodes[0].flusher.flush()

    assert [record.getMessage() for record in caplog.records] == ["totals.unwritten", "totals.written"]


def test_a_store_that_is_known_to_be_away_is_not_asked(store: RedisTotals, clock: ManualClock) -> None:
    watched, counters = Breakable(store), Counters(clock)
    flusher = Flusher(counters, watched, clock=clock, is_away=lambda: True)
    totals = Totals(counters, watched, lambda: flusher.process, clock=clock, is_away=lambda: True)
    counters.of("price").hits += 2

    assert not flusher.flush()
    assert totals.stats(60).total.hits == 2
    assert totals.others_as_of is None
    assert watched.asked == 0


def test_while_the_store_is_away_the_others_stay_as_they_were_last_seen(nodes: list[Node], clock: ManualClock) -> None:
    mine, other, *_ = nodes
    other.count(5)
    other.flusher.flush()
    assert mine.totals.stats(900).total.hits == 5
    clock.advance(10)
    mine.store.is_down = True
    mine.totals._next_reading = 0.0

    mine.count(2)

    assert mine.totals.stats(900).total.hits == 7
    assert mine.totals.others_as_of == NOW
    assert len(mine.totals.series(900, 60)[0]) == 15
    asked = mine.store.asked
    mine.totals.stats(3600)
    assert mine.store.asked == asked, "it is not asked again at once"


def test_a_restart_is_another_process_and_takes_nothing_away(store: RedisTotals, clock: ManualClock) -> None:
    before = Node(store, clock)
    before.count(3)
    before.flusher.flush()

    after = Node(store, clock)
    after.count(4)
    after.flusher.flush()

    assert after.totals.stats(900).total.hits == 7
    assert before.flusher.process != after.flusher.process


def test_each_worker_shows_with_what_it_did(nodes: list[Node], clock: ManualClock) -> None:
    for hits, node in enumerate(nodes[:3], 1):
        node.count(hits)
        node.flusher.flush()
    clock.advance(20)
    nodes[1].flusher.flush()

    workers = nodes[0].totals.by_process(900)

    by_nonce = {worker.process.nonce: worker for worker in workers}
    found = [by_nonce[node.flusher.process.nonce] for node in nodes[:3]]
    assert [worker.stats.total.hits for worker in found] == [1, 2, 3]
    assert [worker.is_alive for worker in found] == [True, True, False]
    assert [worker.is_this for worker in found] == [True, False, False]
    assert [worker.last_seen for worker in found] == [NOW + 20, NOW + 20, NOW]
    clock.advance(3600)
    assert len(nodes[0].look().by_process(900)) == 1


def test_a_clock_that_was_set_back_counts_nothing_twice(nodes: list[Node], clock: ManualClock) -> None:
    writer, reader, *_ = nodes
    clock.advance(7200)
    writer.count(5)
    writer.flusher.flush()

    clock.advance(-3600)
    writer.count(2)
    writer.flusher.flush()

    assert reader.totals.stats(900).total.hits in (2, 7)
    assert writer.totals.stats(900).total.hits == 7


def test_complete_minutes_are_read_once(nodes: list[Node], clock: ManualClock) -> None:
    writer, reader, *_ = nodes
    for _ in range(30):
        writer.count()
        clock.advance(60)
    writer.flusher.flush()
    reader.totals.stats(3600)
    first = reader.store.wanted

    reader.totals._next_reading = 0.0
    assert reader.totals.stats(3600).total.hits == 30

    assert first == 31
    assert reader.store.wanted == 32


def test_within_a_second_the_store_is_asked_once(nodes: list[Node]) -> None:
    nodes[1].count()
    nodes[1].flusher.flush()
    nodes[0].totals.stats(86_400)
    asked = nodes[0].store.asked

    for window in (60, 900, 3600, 86_400):
        nodes[0].totals.stats(window)

    assert nodes[0].store.asked == asked


def test_everything_lies_below_the_prefix_and_expires(
    nodes: list[Node], client: redis.Redis, prefix: str, clock: ManualClock
) -> None:
    before = set(client.scan_iter(count=1000))
    for node in nodes:
        node.count()
        node.flusher.flush()

    new = set(client.scan_iter(count=1000)) - before
    assert len(new) == 5
    for name in new:
        assert name.startswith(f"{prefix}!t:".encode())
        assert 49 * 3600 < client.ttl(name) <= 50 * 3600


def test_what_others_wrote_there_is_left_out(nodes: list[Node], client: redis.Redis, prefix: str) -> None:
    nodes[0].count()
    nodes[0].flusher.flush()
    name = f"{prefix}!t:{nodes[0].flusher.process}:{int(NOW // 60)}"
    client.hset(name, mapping={"momentum": b"\xc1", b"\xff": b"hello", "odd": encode(Counts())[:0]})
    client.zadd(f"{prefix}!t:processes", {"no process": 1.0, "a:b:c:d": 2.0, "h:1:2:3": float("inf")})

    assert nodes[1].totals.stats(60).by_namespace == {"price": Counts(hits=1)}


def test_a_key_of_another_type_in_the_way_is_a_refusal(client: redis.Redis, store: RedisTotals, prefix: str) -> None:
    client.set(f"{prefix}!t:processes", "a text")

    with pytest.raises(BackendError):
        store.processes()
    with pytest.raises(BackendError):
        store.write("p", {}, NOW)


def test_the_thread_flushes_each_interval_and_once_more_at_the_end(store: RedisTotals) -> None:
    counters = Counters()
    flusher = Flusher(counters, store, interval=0.02)
    reader = Totals(Counters(), store, lambda: Process.here(0))
    flusher.start()
    flusher.start()
    counters.of("price").hits += 1
    until(lambda: Totals(Counters(), store, lambda: Process.here(0)).stats(60).total.hits == 1)

    counters.of("price").hits += 1
    flusher.stop()
    flusher.stop()

    assert reader.stats(60).total.hits == 2
    assert not [thread for thread in threading.enumerate() if thread.name == "avcache-totals"]


def test_a_mistake_of_ours_does_not_end_the_thread(
    store: RedisTotals, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    counters = Counters()
    flusher = Flusher(counters, store, interval=0.01)
    with monkeypatch.context() as patch:
        patch.setattr(counters, "minutes", lambda _: 1 / 0)
        flusher.start()
        until(lambda: "totals.failed" in caplog.text)
    counters.of("price").hits += 1

    until(lambda: Totals(Counters(), store, lambda: Process.here(0)).stats(60).total.hits == 1)
    flusher.stop()


def test_a_server_that_dies_and_comes_back_gets_what_it_missed(real_server: RealServer) -> None:
    with connect(real_server.url, timeout=0.25, max_connections=4) as client:
        store = RedisTotals(Wire(client.connection_pool), "t:")
        clock = ManualClock(NOW)
        node = Node(store, clock)
        node.count()
        assert node.flusher.flush()
        real_server.kill()
        node.count()
        assert not node.flusher.flush()
        clock.advance(120)
        node.count()
        real_server.start()

        assert node.flusher.flush()

        # The server came back with nothing: what was not yet known to be complete is there again.
        assert Node(store, clock).totals.stats(900).total.hits == 3
        store.close()


def test_fifteen_minutes_of_four_processes_are_read_in_a_few_milliseconds(
    nodes: list[Node], clock: ManualClock
) -> None:
    for _ in range(15):
        for node in nodes:
            for namespace in ("price", "history", "momentum", "fundamentals", "portfolio", "default"):
                node.count(1, namespace)
                node.counters.of(namespace).loaded(0.2)
        clock.advance(60)
    for node in nodes:
        node.flusher.flush()
    nodes[0].totals.stats(960)

    took = []
    for _ in range(20):
        nodes[0].look()
        began = time.perf_counter()
        assert nodes[0].totals.stats(960).total.hits == 4 * 15 * 6
        took.append(time.perf_counter() - began)

    assert min(took) < 0.05, "3 ms where it was measured"


@given(
    st.builds(
        Counts,
        hits=st.integers(0, 2**50),
        refused=st.integers(0, 3),
        load_seconds=st.floats(0, 1e9),
        load_times=st.lists(st.integers(0, 9), min_size=len(LOAD_BOUNDS), max_size=len(LOAD_BOUNDS)),
    )
)
def test_figures_come_back_as_they_were_written(counts: Counts) -> None:
    assert decode(encode(counts)) == counts


@given(st.binary(max_size=64))
def test_any_bytes_are_figures_or_none(raw: bytes) -> None:
    found = decode(raw)

    assert found is None or Counts.unpack(found.pack()) == found


def test_figures_of_another_version_are_taken_as_far_as_they_are_known() -> None:
    import msgspec

    raw = msgspec.msgpack.encode({"hits": 3, "to_come": 7, "load_times": [1, 2]})

    assert decode(raw) == Counts(hits=3)


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 5), st.integers(0, 200), st.sampled_from(["ok", "down", "lost"])),
        max_size=40,
    )
)
def test_whatever_fails_in_between_the_sum_is_right_at_the_end(steps: list[tuple[int, int, int, str]]) -> None:
    clock, store = ManualClock(NOW), InMemory()
    nodes = [Node(store, clock) for _ in range(3)]
    for at, hits, seconds, fate in steps[:15]:  # within the hour that waits
        node = nodes[at]
        node.store.is_down, node.store.loses_answers = fate == "down", fate == "lost"
        node.count(hits)
        node.flusher.flush()
        clock.advance(seconds)
    for node in nodes:
        node.store.is_down = node.store.loses_answers = False
        node.flusher.flush()

    wanted = sum(hits for _, hits, _, _ in steps[:15])
    assert [node.totals.stats(3600 * 2).total.hits for node in nodes] == [wanted] * 3
    _, series = nodes[0].totals.series(3600 * 2, 60)
    assert sum(counts.hits for counts in series.get("price", [])) == wanted


@pytest.mark.parametrize("text", ["", "a", "a:1:2", "a:x:2:f", "a:1:y:f"])
def test_a_text_that_no_process_wrote_is_none(text: str) -> None:
    assert Process.parse(text) is None


def test_a_process_is_read_back_from_its_name() -> None:
    process = Process.here(28_333_334)

    assert Process.parse(str(process)) == process
    assert Process.parse("fe80::1:42:5:abc") == Process("fe80::1", 42, 5, "abc")
