"""The audit: every act is found again, none fails because it could not be written down, and charts see their marks."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import msgspec
import pytest

from avcache.backends.base import State
from avcache.backends.board import MemoryBoard
from avcache.backends.connect import connect
from avcache.backends.redis_board import RedisBoard
from avcache.backends.wire import Wire
from avcache.clock import ManualClock
from avcache.errors import BackendError, BackendUnavailable
from avcache.ops.audit import Audit, AuditEntry
from avcache.ops.outages import Outages
from tests.proxy import FaultProxy, Refuse
from tests.servers import free_port


class Refusing(MemoryBoard):
    """A board that refuses what it is told to."""

    error: BackendError | None = None

    def append(self, log: str, data: bytes, most: int) -> None:
        if self.error is not None:
            raise self.error
        super().append(log, data, most)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_000_000.0)


@pytest.fixture
def board() -> Refusing:
    return Refusing()


@pytest.fixture
def audit(board: Refusing, clock: ManualClock) -> Audit:
    return Audit(board, clock)


def test_an_act_is_found_again_as_it_was_told(audit: Audit, clock: ManualClock) -> None:
    audit.record("anna", "clear", "price:*", reason="old", planned=5, done=4, result="4 went", job="j1")

    assert audit.latest() == [AuditEntry(clock(), "anna", "clear", "price:*", 5, 4, "old", "4 went", "j1")]


def test_what_nobody_told_is_empty(audit: Audit, clock: ManualClock) -> None:
    audit.record("anna", "undo", "price:*")

    assert audit.latest() == [AuditEntry(clock(), "anna", "undo", "price:*", None, None, "", "", None)]


def test_the_latest_come_first_and_no_more_than_asked_for(audit: Audit, clock: ManualClock) -> None:
    for number in range(5):
        audit.record("anna", "clear", str(number))
        clock.advance(1)

    assert [entry.object for entry in audit.latest(3)] == ["4", "3", "2"]
    assert audit.latest(0) == audit.latest(-1) == []


def test_the_acts_of_one_person_or_of_one_kind_can_be_asked_for(audit: Audit) -> None:
    for number in range(300):
        audit.record("anna" if number == 0 else "ben", "undo" if number == 1 else "clear", str(number))

    assert [entry.object for entry in audit.latest(5, actor="anna")] == ["0"]
    assert [entry.object for entry in audit.latest(5, action="undo")] == ["1"]
    assert audit.latest(actor="anna", action="undo") == []
    assert len(audit.latest(5, actor="ben")) == 5


def test_the_log_keeps_ten_thousand_entries(audit: Audit, board: Refusing) -> None:
    for number in range(10_020):
        audit.record("anna", "clear", str(number))

    assert len(board.tail("audit", 20_000)) == 10_000
    assert audit.latest(20_000)[-1].object == "20"


def test_rows_that_cannot_be_understood_are_left_out(audit: Audit, board: Refusing) -> None:
    audit.record("anna", "clear", "first")
    for row in (b"", b"\xc1", b"text", msgspec.msgpack.encode({"at": "yesterday"}), msgspec.msgpack.encode([1, 2])):
        board.append("audit", row, most=100)
    later = {"at": 2e9, "actor": "a", "action": "b", "object": "c", "of a later release": 1}
    board.append("audit", msgspec.msgpack.encode(later), most=100)

    assert [entry.object for entry in audit.latest()] == ["c", "first"]


@pytest.mark.parametrize(
    ("field", "most"), [("actor", 80), ("action", 40), ("object", 512), ("reason", 500), ("result", 500), ("job", 80)]
)
def test_texts_are_cut_to_a_sane_length(audit: Audit, field: str, most: int) -> None:
    told = {"actor": "a", "action": "b", "object": "c", "reason": "", "result": "", "job": None, field: "x" * 10_000}

    audit.record(**told)  # type: ignore[arg-type]

    (entry,) = audit.latest()
    assert getattr(entry, field) == "x" * (most - 1) + "…"


def test_text_that_cannot_be_encoded_is_kept_as_far_as_it_can(audit: Audit) -> None:
    audit.record("anna", "clear", "half a character: \ud800", reason="日本 😀")

    (entry,) = audit.latest()
    assert (entry.object, entry.reason) == ("half a character: ?", "日本 😀")


@pytest.mark.parametrize("number", ["many", float("nan"), float("inf"), object(), 2**70])
def test_a_number_that_is_none_is_left_out(audit: Audit, number: object) -> None:
    audit.record("anna", "clear", "price:*", done=number)  # type: ignore[arg-type]

    (entry,) = audit.latest()
    assert entry.done is None


@pytest.mark.parametrize("error", [BackendError("out of memory"), BackendUnavailable("no answer")])
def test_an_act_does_not_fail_because_it_cannot_be_written_down(
    audit: Audit, board: Refusing, caplog: pytest.LogCaptureFixture, error: BackendError
) -> None:
    caplog.set_level(logging.INFO)
    board.error = error
    for _ in range(3):
        audit.record("anna", "clear", "price:*")
    board.error = None
    for _ in range(3):
        audit.record("anna", "clear", "momentum:*")

    assert len(audit.latest()) == 3
    messages = [record.message for record in caplog.records if record.message != "audit.act"]
    assert messages == ["audit.unwritten", "audit.written"]
    assert [record.__dict__["object"] for record in caplog.records if record.message == "audit.act"] == [
        *["price:*"] * 3,
        *["momentum:*"] * 3,
    ]


def test_all_processes_on_one_server_share_the_audit(redis_url: str, prefix: str, clock: ManualClock) -> None:
    wires = [Wire(connect(redis_url, timeout=2, max_connections=2).connection_pool) for _ in range(2)]
    one, other = (Audit(RedisBoard(wire, prefix), clock) for wire in wires)

    one.record("anna", "clear", "price:*", done=3)

    assert [entry.done for entry in other.latest()] == [3]
    for wire in wires:
        wire.close()


def test_who_asks_while_the_server_is_away_is_told(clock: ManualClock) -> None:
    nowhere = connect(f"redis://127.0.0.1:{free_port()}", timeout=0.2, max_connections=2)
    audit = Audit(RedisBoard(Wire(nowhere.connection_pool), "t:"), clock)
    audit.record("anna", "clear", "price:*")

    with pytest.raises(BackendUnavailable):
        audit.latest()


def test_charts_see_each_kind_of_act_in_the_order_it_happened(audit: Audit, clock: ManualClock) -> None:
    audit.record("anna", "clear", "too early")
    clock.advance(100)
    since = clock()
    for action in ("clear", "warm-up", "warmup", "undo", "schedule.add"):
        audit.record("anna", action, "price:*", done=1_234 if action == "clear" else None)
        clock.advance(1)

    events = audit.events(since)

    assert [event.kind for event in events] == ["clear", "warm-up", "warm-up", "undo", "other"]
    assert [event.at for event in events] == [since + second for second in range(5)]
    assert events[0].text == "clear price:* · 1,234 done · by anna"
    assert events[4].text == "schedule.add price:* · by anna"


def test_charts_see_more_events_than_a_first_look_holds(audit: Audit, clock: ManualClock) -> None:
    since = clock()
    for number in range(500):
        audit.record("anna", "clear", str(number))
        clock.advance(1)

    assert len(audit.events(since)) == 500
    assert len(audit.events(clock() - 10)) == 10


class Server:
    """What serves, as a test says."""

    def __init__(self) -> None:
        self.state = State("valkey", 0.0)

    def __call__(self) -> State:
        return self.state


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def outages(server: Server, audit: Audit, clock: ManualClock) -> Outages:
    return Outages(server, audit, clock)


def test_an_outage_is_recorded_when_it_begins_and_when_it_is_over(
    outages: Outages, server: Server, audit: Audit, clock: ManualClock
) -> None:
    outages.tick()
    began = clock()
    server.state = State("degraded", began, "ConnectionError: redis get: Error 111. Connection refused.")
    for _ in range(5):
        clock.advance(40)
        outages.tick()
    server.state = State("recovering", began, "TimeoutError: redis get: Timeout reading from socket")
    outages.tick()
    clock.advance(14)
    server.state = State("valkey", 0.0)
    outages.tick()
    outages.tick()

    back, away = audit.latest()
    assert (away.at, away.action, away.result) == (began, "outage", "Server away: connection refused")
    assert away.reason.startswith("ConnectionError")
    assert (back.at, back.action, back.result) == (clock(), "recovery", "Server back after 3 min 34 s")
    assert [(event.kind, event.text) for event in audit.events(0)] == [
        ("outage", "Server away: connection refused"),
        ("recovery", "Server back after 3 min 34 s"),
    ]
    assert outages.times(0) == [began]
    assert outages.times(began + 1) == []


@pytest.mark.parametrize("state", [State("memory", 0.0), State("redis", 0.0, "OutOfMemoryError: maxmemory")])
def test_memory_alone_and_a_server_that_refuses_writes_are_no_outages(
    outages: Outages, server: Server, audit: Audit, state: State
) -> None:
    server.state = state

    outages.tick()

    assert audit.latest() == []


def test_two_outages_between_two_looks_are_two(outages: Outages, server: Server, audit: Audit) -> None:
    server.state = State("degraded", 100.0, "TimeoutError")
    outages.tick()
    server.state = State("degraded", 200.0, "TimeoutError")
    outages.tick()

    assert [(entry.action, entry.at) for entry in reversed(audit.latest())] == [
        ("outage", 100.0),
        ("recovery", 200.0),
        ("outage", 200.0),
    ]
    assert outages.times(0) == [100.0, 200.0]


def test_an_outage_that_three_processes_saw_counts_once(server: Server, audit: Audit, clock: ManualClock) -> None:
    processes = [Outages(server, audit, clock) for _ in range(3)]
    for number, process in enumerate(processes):
        server.state = State("degraded", 100.0 + 2 * number, "TimeoutError")
        process.tick()
    clock.advance(60)
    server.state = State("redis", 0.0)
    for process in processes:
        process.tick()
        clock.advance(1)

    assert processes[0].times(0) == [100.0]
    assert [event.kind for event in audit.events(0)] == ["outage", "recovery"]


@pytest.fixture
def proxy(redis_url: str) -> Iterator[FaultProxy]:
    with FaultProxy(int(redis_url.rpartition(":")[2].partition("/")[0])) as made:
        yield made


def test_a_real_outage_is_recorded_with_its_reason(proxy: FaultProxy, prefix: str, audit: Audit) -> None:
    from avcache.backends.barriers import Barriers
    from avcache.backends.memory import MemoryBackend
    from avcache.backends.redis import RedisBackend
    from avcache.backends.resilient import ResilientBackend

    barriers = Barriers()
    primary = RedisBackend(connect(proxy.url, timeout=0.5, max_connections=4), prefix, barriers=barriers)
    backend = ResilientBackend(primary, MemoryBackend(barriers=barriers), probe_interval=60)
    outages = Outages(backend.state, audit)
    proxy.fault = Refuse()
    backend.get("price:A")
    outages.tick()
    proxy.fault = None
    assert backend.probe()
    outages.tick()

    assert sorted(entry.action for entry in audit.latest()) == ["outage", "recovery"]
    assert audit.latest(action="outage")[0].result == "Server away: connection refused"
    backend.close()
