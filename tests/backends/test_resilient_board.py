"""A board that goes on within this process while its server is away, and what becomes of that."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from avcache.backends.board import MemoryBoard
from avcache.backends.connect import connect
from avcache.backends.redis_board import RedisBoard
from avcache.backends.resilient_board import ResilientBoard
from avcache.backends.wire import Wire
from avcache.errors import BackendError, BackendUnavailable
from tests.proxy import FaultProxy, Refuse


class Flaky(MemoryBoard):
    """A shared board that raises what it is told to by whatever it is asked (or by what is added alone)."""

    def __init__(self) -> None:
        super().__init__()
        self.raises: Exception | None = None
        self.refuses_rows: BackendError | None = None
        self.asked = 0

    def read(self, names: Sequence[str]) -> list[bytes | None]:
        self._answer(self.raises)
        return super().read(names)

    def append(self, log: str, data: bytes, most: int) -> None:
        self._answer(self.raises or self.refuses_rows)
        super().append(log, data, most)

    def _answer(self, error: Exception | None) -> None:
        self.asked += 1
        if error is not None:
            raise error


class Bench:
    def __init__(self) -> None:
        self.shared, self.local = Flaky(), MemoryBoard()
        self.known_away = False
        self.noticed: list[BackendUnavailable] = []
        self.board = ResilientBoard(self.shared, self.local, lambda: self.known_away, notice=self.noticed.append)

    def goes_away(self) -> None:
        self.shared.raises = BackendUnavailable("no answer")

    def comes_back(self) -> None:
        self.shared.raises, self.known_away = None, False


@pytest.fixture
def bench() -> Bench:
    return Bench()


def known(bench: Bench) -> None:
    bench.known_away = True


def found_out(bench: Bench) -> None:
    bench.goes_away()


outage = pytest.mark.parametrize("begin", [known, found_out])


@outage
def test_the_local_board_serves_while_the_server_is_away(bench: Bench, begin: Callable[[Bench], None]) -> None:
    bench.shared.write("a", b"shared")
    assert bench.board.is_shared
    begin(bench)

    found = bench.board.read(["a"])

    assert found == [None]
    assert not bench.board.is_shared
    assert bench.board.take("job", "me", 60)


def test_a_server_known_to_be_away_is_not_asked(bench: Bench) -> None:
    bench.known_away = True

    bench.board.read(["a"])

    assert bench.shared.asked == 0


def test_that_it_does_not_answer_is_told_to_who_wants_to_know(bench: Bench) -> None:
    bench.goes_away()

    bench.board.read(["a"])

    assert bench.noticed == [bench.shared.raises]


@outage
def test_what_was_written_meanwhile_is_forgotten_when_the_server_is_back(
    bench: Bench, begin: Callable[[Bench], None]
) -> None:
    bench.shared.write("a", b"shared")
    begin(bench)
    bench.board.read(["x"])
    bench.local.write("a", b"local")
    bench.local.take("job", "me", 60)

    bench.comes_back()

    assert bench.board.read(["a"]) == [b"shared"]
    assert bench.board.is_shared
    assert bench.local.read(["a"]) == [None]
    assert bench.local.take("job", "you", 60)


@outage
def test_rows_of_an_outage_reach_the_shared_log_with_the_next_call(
    bench: Bench, begin: Callable[[Bench], None]
) -> None:
    bench.board.append("audit", b"before", most=100)
    begin(bench)
    for number in range(3):
        bench.board.append("audit", b"%d" % number, most=100)
    assert bench.board.tail("audit", 9) == [b"2", b"1", b"0"]

    bench.comes_back()
    bench.board.read(["anything"])

    assert bench.shared.tail("audit", 9) == [b"2", b"1", b"0", b"before"]
    assert bench.board.tail("audit", 9) == bench.shared.tail("audit", 9)


def test_of_a_long_outage_the_last_thousand_rows_are_carried_over(bench: Bench) -> None:
    bench.known_away = True
    for number in range(1_200):
        bench.board.append("audit", b"%d" % number, most=10_000)

    bench.comes_back()
    bench.board.read(["anything"])

    rows = bench.shared.tail("audit", 10_000)
    assert (len(rows), rows[0], rows[-1]) == (1_000, b"1199", b"200")


def test_rows_that_are_refused_wait_and_the_call_goes_on(bench: Bench) -> None:
    bench.known_away = True
    bench.board.append("audit", b"row", most=100)
    bench.comes_back()
    bench.shared.write("a", b"1")
    bench.shared.refuses_rows = BackendError("out of memory")

    assert bench.board.read(["a"]) == [b"1"]
    bench.shared.refuses_rows = None
    bench.board.read(["a"])

    assert bench.shared.tail("audit", 9) == [b"row"]


def test_a_server_that_goes_away_again_meanwhile_loses_no_row(bench: Bench) -> None:
    bench.known_away = True
    for number in range(3):
        bench.board.append("audit", b"%d" % number, most=100)
    bench.known_away = False
    bench.goes_away()
    bench.board.read(["a"])

    bench.comes_back()
    bench.board.read(["a"])

    assert bench.shared.tail("audit", 9) == [b"2", b"1", b"0"]


def test_a_refusal_is_the_callers_and_no_outage(bench: Bench) -> None:
    bench.shared.raises = BackendError("out of memory")

    with pytest.raises(BackendError, match="memory"):
        bench.board.append("audit", b"row", most=100)

    assert bench.board.is_shared
    assert bench.noticed == []


def test_a_call_that_asks_for_nothing_is_no_sign_of_life(bench: Bench) -> None:
    bench.goes_away()
    bench.board.read(["a"])
    bench.local.write("a", b"local")

    bench.board.erase([])
    bench.board.read([])
    bench.board.tail("audit", 0)

    assert bench.board.read(["a"]) == [b"local"]


def test_closing_tells_what_is_remembered(bench: Bench) -> None:
    bench.known_away = True
    bench.board.append("audit", b"row", most=100)
    bench.comes_back()

    bench.board.close()

    assert bench.shared.tail("audit", 9) == [b"row"]


def test_closing_while_the_server_is_away_says_what_is_lost(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.goes_away()
    bench.board.append("audit", b"row", most=100)

    bench.board.close()

    assert caplog.records[-1].message == "board.rows_lost"


def test_an_outage_is_logged_once(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.goes_away()
    for _ in range(5):
        bench.board.read(["a"])
    bench.comes_back()
    for _ in range(5):
        bench.board.read(["a"])

    assert [record.message for record in caplog.records] == ["board.degraded", "board.recovered"]


def test_a_forked_process_does_not_tell_what_its_parent_remembers(bench: Bench) -> None:
    bench.known_away = True
    bench.board.append("audit", b"row", most=100)

    bench.board.begin_anew()  # what a child does first
    bench.comes_back()
    bench.board.read(["a"])

    assert bench.shared.tail("audit", 9) == []


def test_an_outage_of_a_real_server_costs_nothing_but_what_was_written_meanwhile(redis_url: str, prefix: str) -> None:
    with FaultProxy(int(redis_url.rpartition(":")[2].partition("/")[0])) as proxy:
        wire = Wire(connect(proxy.url, timeout=0.2, max_connections=5).connection_pool)
        board = ResilientBoard(RedisBoard(wire, prefix), MemoryBoard(), lambda: False)
        board.write("a", b"shared")
        proxy.fault = Refuse()
        board.write("a", b"local")
        board.append("audit", b"row", most=100)
        assert (board.read(["a"]), board.is_shared) == ([b"local"], False)

        proxy.fault = None

        assert (board.read(["a"]), board.is_shared) == ([b"shared"], True)
        assert board.tail("audit", 9) == [b"row"]
        wire.close()
