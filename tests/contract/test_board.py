"""One contract, every board: what `avcache.backends.board.Board` promises."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pytest
import redis

from avcache.backends.board import Board, MemoryBoard
from avcache.backends.connect import connect
from avcache.backends.pattern import Pattern
from avcache.backends.redis import RedisBackend
from avcache.backends.redis_board import RedisBoard
from avcache.backends.resilient_board import ResilientBoard
from avcache.backends.wire import Wire
from avcache.clock import ManualClock
from avcache.core.cache import Cache
from avcache.core.keys import DEFAULT_NAMESPACE, Namespace, Namespaces
from avcache.errors import BackendError, BackendUnavailable
from tests.proxy import BlackHole, CorruptReply, Fault, FaultProxy, LoseReply, Refuse, Reset
from tests.servers import RealServer, free_port
from tests.threads import together

ODD_NAMES = [
    *(f"odd{mark}name" for mark in "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ \n\0"),
    *("*", "lease:x", "log:x", "record:x", "{tag}", "../x", "é", "日本", "😀", "", "n" * 5_000),
]
ANY_BYTES = [b"\0", b"\r\n$-1\r\n", bytes(range(256)), b"\xff\xfe", b"0", b"x" * 100_000]
MANY = 8


@dataclass(frozen=True)
class Subject:
    """A board, and what lets time pass for it: a clock's advance, or sleep."""

    board: Board
    sleep: Callable[[float], None]


def wire_to(url: str, *, timeout: float = 2) -> Wire:
    return Wire(connect(url, timeout=timeout, max_connections=20).connection_pool)


@pytest.fixture(params=["memory", "redis", "resilient", "degraded"])
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    clock = ManualClock()
    local = MemoryBoard(clock)
    if request.param == "memory":
        yield Subject(local, clock.advance)
        return
    prefix: str = request.getfixturevalue("prefix")
    if request.param == "degraded":
        nowhere = RedisBoard(wire_to(f"redis://127.0.0.1:{free_port()}"), prefix)
        yield Subject(ResilientBoard(nowhere, local, lambda: False), clock.advance)
        return
    wire = wire_to(request.getfixturevalue("redis_url"))
    shared = RedisBoard(wire, prefix)
    yield Subject(
        shared if request.param == "redis" else ResilientBoard(shared, local, lambda: False),
        time.sleep,
    )
    wire.close()


@pytest.fixture
def board(subject: Subject) -> Board:
    return subject.board


def test_what_was_written_is_read_in_the_order_asked(board: Board) -> None:
    board.write("a", b"1")
    board.write("b", b"2")

    assert board.read(["b", "nothing", "a", "b"]) == [b"2", None, b"1", b"2"]
    assert board.read([]) == []


def test_a_write_takes_the_place_of_what_was_there(board: Board) -> None:
    board.write("a", b"1")

    board.write("a", b"2")

    assert board.read(["a"]) == [b"2"]


@pytest.mark.parametrize("data", ANY_BYTES, ids=lambda data: repr(data[:8]))
def test_any_bytes_come_back_as_they_were(board: Board, data: bytes) -> None:
    board.write("a", data)
    board.append("a", data, most=5)

    assert board.read(["a"]) == [data]
    assert board.tail("a", 5) == [data]
    assert board.swap("a", data, data + b"!")
    assert board.read(["a"]) == [data + b"!"]


@pytest.mark.parametrize("name", ODD_NAMES, ids=lambda name: ascii(name[:12]))
def test_any_name_is_one_of_its_own(board: Board, name: str) -> None:
    board.write(name, b"this")
    board.append(name, b"row", most=3)

    assert board.read([name, name + "x", "x"]) == [b"this", None, None]
    assert board.tail(name, 9) == [b"row"]
    assert board.take(name, "me", 60)
    assert board.swap(name, b"this", b"that")
    assert board.read([name]) == [b"that"]
    board.erase([name])
    assert board.read([name]) == [None]


def test_a_record_a_lease_and_a_log_of_one_name_are_three_things(board: Board) -> None:
    board.write("x", b"record")
    board.append("x", b"row", most=3)
    assert board.take("x", "me", 60)

    board.erase(["x"])

    assert board.tail("x", 3) == [b"row"]
    assert not board.take("x", "you", 60)


def test_a_record_is_gone_after_its_ttl(subject: Subject) -> None:
    subject.board.write("short", b"1", ttl=0.05)
    subject.board.write("long", b"2", ttl=60)

    subject.sleep(0.06)

    assert subject.board.read(["short", "long"]) == [None, b"2"]
    assert subject.board.swap("short", None, b"3")


def test_a_swap_gives_a_record_its_new_ttl(subject: Subject) -> None:
    subject.board.write("a", b"1", ttl=60)

    assert subject.board.swap("a", b"1", b"2", ttl=0.05)
    subject.sleep(0.06)

    assert subject.board.read(["a"]) == [None]


def test_a_swap_is_made_only_if_what_is_there_is_what_was_expected(board: Board) -> None:
    assert not board.swap("a", b"1", b"2")
    assert board.swap("a", None, b"1")
    assert not board.swap("a", None, b"2")
    assert not board.swap("a", b"other", b"2")
    assert board.read(["a"]) == [b"1"]

    assert board.swap("a", b"1", b"2")

    assert board.read(["a"]) == [b"2"]


def test_nothing_is_expected_as_none_or_as_no_bytes(board: Board) -> None:
    assert board.swap("a", b"", b"1")

    assert not board.swap("a", b"", b"2")


def test_no_record_is_empty(board: Board) -> None:
    with pytest.raises(ValueError, match="never empty"):
        board.write("a", b"")
    with pytest.raises(ValueError, match="never empty"):
        board.swap("a", None, b"")

    assert board.read(["a"]) == [None]


@pytest.mark.parametrize("before", [None, b"0"])
def test_of_many_who_swap_the_same_at_once_exactly_one_does(board: Board, before: bytes | None) -> None:
    for turn in range(20):
        name = f"record {turn}"
        if before:
            board.write(name, before)

        won = together(MANY, lambda number, name=name: board.swap(name, before, b"by %d" % number))  # type: ignore[misc]

        assert won.count(True) == 1
        assert board.read([name]) == [b"by %d" % won.index(True)]


def test_many_who_count_by_swaps_lose_no_count(board: Board) -> None:
    def add_ten(_number: int) -> bool:
        for _ in range(10):
            while True:
                (was,) = board.read(["count"])
                if board.swap("count", was, b"%d" % (int(was or b"0") + 1)):
                    break
        return True

    together(MANY, add_ten)

    assert board.read(["count"]) == [b"%d" % (MANY * 10)]


def test_erased_records_are_gone_and_others_stay(board: Board) -> None:
    for name in "abc":
        board.write(name, b"1")

    board.erase(["a", "nothing", "c"])
    board.erase([])

    assert board.read(["a", "b", "c"]) == [None, b"1", None]


def test_a_lease_has_one_holder_who_may_renew_it(board: Board) -> None:
    assert board.take("leader", "me", 60)

    assert not board.take("leader", "you", 60)
    assert board.take("leader", "me", 60)
    assert board.take("other", "you", 60)


def test_a_lease_ends_by_itself(subject: Subject) -> None:
    assert subject.board.take("leader", "me", 0.05)

    subject.sleep(0.06)

    assert subject.board.take("leader", "you", 60)
    assert not subject.board.take("leader", "me", 60)


def test_a_renewed_lease_lasts_from_its_renewal(subject: Subject) -> None:
    assert subject.board.take("leader", "me", 0.2)
    assert subject.board.take("leader", "me", 60)

    subject.sleep(0.25)

    assert not subject.board.take("leader", "you", 60)


def test_only_its_holder_gives_a_lease_back(board: Board) -> None:
    assert board.take("leader", "me", 60)

    board.give_back("leader", "you")
    assert not board.take("leader", "you", 60)
    board.give_back("leader", "me")
    board.give_back("leader", "me")

    assert board.take("leader", "you", 60)


def test_of_many_who_take_a_lease_at_once_exactly_one_holds_it(board: Board) -> None:
    for turn in range(20):
        took = together(MANY, lambda number, turn=turn: board.take(f"lease {turn}", f"token {number}", 60))  # type: ignore[misc]

        assert took.count(True) == 1
        assert board.take(f"lease {turn}", f"token {took.index(True)}", 60)


def test_two_never_hold_a_lease_at_the_same_time(board: Board) -> None:
    inside: list[int] = []
    met: list[list[int]] = []

    def work(number: int) -> bool:
        done = 0
        while done < 5:
            if board.take("leader", f"token {number}", 60):
                inside.append(number)
                met.append(list(inside))
                inside.remove(number)
                board.give_back("leader", f"token {number}")
                done += 1
        return True

    together(MANY, work)

    assert len(met) == MANY * 5
    assert all(len(found) == 1 for found in met)


def test_a_log_is_told_newest_first_and_keeps_the_last(board: Board) -> None:
    for number in range(7):
        board.append("log", b"%d" % number, most=5)

    assert board.tail("log", 3) == [b"6", b"5", b"4"]
    assert board.tail("log", 100) == [b"6", b"5", b"4", b"3", b"2"]


@pytest.mark.parametrize("number", [0, -1])
def test_no_rows_are_told_if_none_are_asked_for(board: Board, number: int) -> None:
    board.append("log", b"1", most=5)

    assert board.tail("log", number) == []
    assert board.tail("nothing", 5) == []


def test_a_log_may_hold_the_same_row_twice_and_an_empty_one(board: Board) -> None:
    for row in (b"1", b"", b"1"):
        board.append("log", row, most=5)

    assert board.tail("log", 5) == [b"1", b"", b"1"]


def test_many_who_add_at_once_lose_no_row(board: Board) -> None:
    def add(number: int) -> bool:
        board.append("log", b"%d" % number, most=100)
        return True

    together(MANY, add)

    assert sorted(board.tail("log", 100)) == [b"%d" % number for number in range(MANY)]


@pytest.fixture
def raw(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def wire(redis_url: str) -> Iterator[Wire]:
    made = wire_to(redis_url)
    yield made
    made.close()


def use_all_of(board: Board) -> None:
    board.write("record", b"1")
    board.swap("swapped", None, b"1")
    board.take("lease", "me", 60)
    board.append("log", b"1", most=5)


def test_all_of_a_board_is_below_one_name_and_nothing_of_it_stays_for_ever(
    wire: Wire, raw: redis.Redis, prefix: str
) -> None:
    use_all_of(RedisBoard(wire, prefix))

    names = sorted(raw.scan_iter(match=f"{prefix}*"))
    kinds = ("lease:lease", "log:log", "record:record", "record:swapped")
    assert names == [f"{prefix}!o:{kind}".encode() for kind in kinds]
    assert all(0 < raw.pttl(name) <= 365 * 24 * 3600 * 1000 for name in names)


def test_two_boards_with_two_prefixes_know_nothing_of_each_other(wire: Wire, prefix: str) -> None:
    mine, other = RedisBoard(wire, f"{prefix}a:"), RedisBoard(wire, f"{prefix}b:")

    use_all_of(mine)

    assert other.read(["record", "swapped"]) == [None, None]
    assert other.take("lease", "you", 60)
    assert other.tail("log", 5) == []


@pytest.mark.parametrize("pattern", ["*", "!*", "?o:*"])
def test_no_pattern_of_the_cache_reaches_a_record(wire: Wire, redis_url: str, prefix: str, pattern: str) -> None:
    board = RedisBoard(wire, prefix)
    use_all_of(board)
    store = RedisBackend(connect(redis_url, timeout=2, max_connections=5), prefix)
    cache = Cache(store, Namespaces(Namespace(DEFAULT_NAMESPACE, 60), []))
    cache.set("plain", 1)

    found = cache.keys(pattern)
    cleared = cache.clear(pattern)

    assert found == (["default:plain"] if pattern == "*" else [])
    assert cleared == len(found)
    assert board.read(["record", "swapped"]) == [b"1", b"1"]
    assert board.tail("log", 5) == [b"1"]
    assert not board.take("lease", "you", 60)
    assert store.scan(Pattern("!o:record:record")).keys == ()
    cache.close()


CALLS: dict[str, Callable[[Board], object]] = {
    "read": lambda board: board.read(["a"]),
    "write": lambda board: board.write("a", b"1"),
    "swap": lambda board: board.swap("a", None, b"1"),
    "erase": lambda board: board.erase(["a"]),
    "take": lambda board: board.take("a", "me", 60),
    "give_back": lambda board: board.give_back("a", "me"),
    "append": lambda board: board.append("a", b"1", 5),
    "tail": lambda board: board.tail("a", 5),
}
each_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


@each_call
@pytest.mark.parametrize("fault", [Refuse(), Reset(), BlackHole(), LoseReply()], ids=lambda fault: type(fault).__name__)
def test_a_server_that_does_not_answer_is_unavailable(
    redis_url: str, prefix: str, fault: Fault, call: Callable[[Board], object]
) -> None:
    with FaultProxy(port_of(redis_url)) as proxy:
        board = RedisBoard(wire_to(proxy.url, timeout=0.1), prefix)
        proxy.fault = fault

        with pytest.raises(BackendUnavailable):
            call(board)


@each_call
def test_the_board_answers_again_when_its_server_does(
    redis_url: str, prefix: str, call: Callable[[Board], object]
) -> None:
    with FaultProxy(port_of(redis_url)) as proxy:
        board = RedisBoard(wire_to(proxy.url, timeout=0.1), prefix)
        proxy.fault = Reset()
        with pytest.raises(BackendUnavailable):
            call(board)

        proxy.fault = None

        call(board)


@each_call
def test_a_damaged_answer_raises_no_error_but_ours(
    redis_url: str, prefix: str, call: Callable[[Board], object]
) -> None:
    with FaultProxy(port_of(redis_url)) as proxy:
        board = RedisBoard(wire_to(proxy.url, timeout=0.1), prefix)
        for seed in range(30):
            proxy.fault = CorruptReply(seed=seed)
            try:
                call(board)
            except BackendError:
                continue
        proxy.fault = None

        board.write("after", b"1")
        assert board.read(["after"]) == [b"1"]


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2].partition("/")[0])


@pytest.mark.parametrize("name", ["write", "swap", "append"])
def test_a_server_out_of_memory_takes_what_helps_to_free_some(real_server: RealServer, name: str) -> None:
    board = RedisBoard(wire_to(real_server.url), "t:")
    with redis.Redis(port=real_server.port) as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", 1)

    CALLS[name](board)  # would raise


@pytest.mark.parametrize("name", ["write", "swap", "append"])
def test_who_may_only_read_is_refused(real_server: RealServer, name: str) -> None:
    with redis.Redis(port=real_server.port) as client:
        client.acl_setuser("reader", enabled=True, nopass=True, keys=["*"], commands=["+@all", "-set", "-lpush"])
    board = RedisBoard(wire_to(real_server.url.replace("redis://", "redis://reader:x@")), "t:")

    with pytest.raises(BackendError) as caught:
        CALLS[name](board)

    assert not isinstance(caught.value, BackendUnavailable)


def test_a_server_out_of_memory_still_elects_a_leader_and_forgets(real_server: RealServer) -> None:
    board = RedisBoard(wire_to(real_server.url), "t:")
    board.write("a", b"1")
    with redis.Redis(port=real_server.port) as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", 1)

    assert board.take("leader", "me", 60)
    assert not board.take("leader", "you", 60)
    board.give_back("leader", "me")
    assert board.take("leader", "you", 60)
    board.erase(["a"])
    assert board.read(["a"]) == [None]


def test_a_server_that_is_loading_is_unavailable_to_whoever_adds_to_a_log() -> None:
    class Loading(Wire):
        def ask_all(self, commands: Sequence[object]) -> list[object]:
            return [redis.ResponseError("LOADING the dataset") for _ in commands]

    board = RedisBoard(Loading(connect("redis://127.0.0.1", timeout=1, max_connections=1).connection_pool), "t:")

    with pytest.raises(BackendUnavailable):
        board.append("log", b"1", most=5)


@pytest.mark.parametrize("answer", [b"12", [], [b"1", b"2"], 1, None])
def test_an_answer_to_another_question_is_none(answer: object) -> None:
    class Confused(Wire):
        def ask(self, *command: object) -> object:
            return None if command[0] == "LRANGE" else answer

    board = RedisBoard(Confused(connect("redis://127.0.0.1", timeout=1, max_connections=1).connection_pool), "t:")

    with pytest.raises(BackendUnavailable, match="unusable answer"):
        board.read(["a"])
    with pytest.raises(BackendUnavailable, match="unusable answer"):
        board.tail("log", 5)


def test_records_that_nobody_reads_again_do_not_stay_in_memory() -> None:
    clock = ManualClock()
    board = MemoryBoard(clock)

    for number in range(10_000):
        board.write(f"job:{number}", b"1", ttl=60)
        clock.advance(1)

    assert len(board._records) < 1_000
