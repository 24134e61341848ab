"""Each fault of the proxy is what its name says, ends when it is healed, and leaves nothing behind."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.proxy import (
    BlackHole,
    CorruptReply,
    CutReply,
    DuplicateReply,
    Fault,
    FaultProxy,
    Latency,
    LoseReply,
    Refuse,
    Reset,
)
from tests.servers import RealServer, free_port
from tests.threads import until

TIMEOUT = 0.25


def client_at(url: str, *, single: bool = False) -> redis.Redis:
    return redis.Redis.from_url(
        url,
        socket_timeout=TIMEOUT,
        socket_connect_timeout=TIMEOUT,
        retry=Retry(NoBackoff(), 0),
        single_connection_client=single,
    )


def seconds_of(call: Callable[[], object]) -> float:
    started_at = time.monotonic()
    call()
    return time.monotonic() - started_at


@pytest.fixture
def proxy(real_server: RealServer) -> Iterator[FaultProxy]:
    with FaultProxy(real_server.port) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: FaultProxy) -> Iterator[redis.Redis]:
    """A client with one open connection through the proxy, and a key `k` to ask for."""
    with client_at(proxy.url) as client:
        client.set("k", "v")
        yield client


@pytest.fixture
def direct(real_server: RealServer) -> Iterator[redis.Redis]:
    with client_at(real_server.url) as client:
        yield client


def test_without_a_fault_everything_passes(proxy: FaultProxy, client: redis.Redis) -> None:
    big = os.urandom(4_000_000)
    client.set("big", big)
    with client.pipeline(transaction=False) as pipe:
        for number in range(3_000):
            pipe.hset("hash", str(number), number)
        pipe.hgetall("hash")
        *_, held = pipe.execute()

    assert client.get("big") == big
    assert held == {str(number).encode(): str(number).encode() for number in range(3_000)}
    assert (proxy.connections, proxy.open) == (1, 1)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Refuse(), redis.ConnectionError),
        (Reset(), redis.ConnectionError),
        (BlackHole(), redis.TimeoutError),
        (Latency(0.2), redis.TimeoutError),
        (CutReply(0), redis.ConnectionError),
        (CutReply(2), redis.ConnectionError),
        (CutReply(2, rst=True), redis.ConnectionError),
        (LoseReply(), redis.TimeoutError),
    ],
    ids=repr,
)
@pytest.mark.parametrize("is_open", [True, False], ids=["open", "new"])
def test_a_client_sees_the_fault_until_it_is_healed(
    proxy: FaultProxy, client: redis.Redis, fault: Fault, error: type[redis.RedisError], is_open: bool
) -> None:
    if not is_open:
        client.connection_pool.disconnect()
    proxy.fault = fault
    for _ in range(2):
        with pytest.raises(error):
            client.get("k")

    proxy.fault = None

    assert client.get("k") == b"v"


@pytest.mark.parametrize(
    ("fault", "error"),
    [(Refuse(), ConnectionRefusedError), (Reset(), ConnectionResetError)],
    ids=repr,
)
def test_the_kernel_says_what_the_fault_is_called(
    proxy: FaultProxy, fault: Fault, error: type[ConnectionError]
) -> None:
    proxy.fault = fault

    with pytest.raises(error), socket.create_connection(("127.0.0.1", proxy.port), TIMEOUT) as link:
        link.recv(1)


@pytest.mark.parametrize("rst", [False, True])
def test_a_cut_ends_with_fin_or_rst(proxy: FaultProxy, rst: bool) -> None:
    with socket.create_connection(("127.0.0.1", proxy.port), 2) as link:
        proxy.fault = CutReply(3, rst=rst)
        link.sendall(b"PING\r\n")

        assert link.recv(3, socket.MSG_WAITALL) == b"+PO"
        if rst:
            with pytest.raises(ConnectionResetError):
                link.recv(1)
        else:
            assert link.recv(1) == b""


@pytest.mark.parametrize("fault", [Refuse(), Reset()], ids=repr)
def test_a_thread_that_waits_for_a_reply_is_woken(proxy: FaultProxy, fault: Fault) -> None:
    with (
        redis.Redis.from_url(proxy.url, socket_timeout=30, retry=Retry(NoBackoff(), 0)) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        client.ping()
        waiting = pool.submit(client.blpop, ["nothing"], 30)
        time.sleep(0.02)

        proxy.fault = fault

        assert isinstance(waiting.exception(timeout=2), redis.ConnectionError)


def test_refused_again_and_again_it_keeps_its_port(proxy: FaultProxy, client: redis.Redis) -> None:
    port = proxy.port
    for _ in range(20):
        proxy.fault = Refuse()
        with pytest.raises(redis.ConnectionError, match="refused"):
            client.get("k")
        proxy.fault = None

        assert client.get("k") == b"v"
    assert proxy.port == port


def test_what_a_black_hole_swallowed_never_arrives(proxy: FaultProxy, client: redis.Redis, direct: redis.Redis) -> None:
    proxy.fault = BlackHole()
    with socket.create_connection(("127.0.0.1", proxy.port), 2) as late:
        late.sendall(b"SET k stale\r\n")
        with pytest.raises(redis.TimeoutError):
            client.set("k", "stale")
        proxy.fault = None

        with pytest.raises(ConnectionResetError):
            late.recv(1)
    assert direct.get("k") == b"v"


def test_an_open_connection_that_lost_nothing_outlives_a_black_hole(proxy: FaultProxy, client: redis.Redis) -> None:
    proxy.fault = BlackHole()
    proxy.fault = None

    assert client.get("k") == b"v"
    assert proxy.connections == 1


def test_what_was_on_its_way_falls_into_the_hole(proxy: FaultProxy, client: redis.Redis, direct: redis.Redis) -> None:
    with socket.create_connection(("127.0.0.1", proxy.port), 2) as link:
        proxy.fault = Latency(60)
        link.sendall(b"SET k late\r\n")
        proxy.fault = BlackHole()
        proxy.fault = None

        with pytest.raises(ConnectionResetError):
            link.recv(1)
    assert direct.get("k") == b"v"


def test_latency_counts_each_way(proxy: FaultProxy, client: redis.Redis) -> None:
    proxy.fault = Latency(0.05)

    assert seconds_of(lambda: client.get("k")) >= 0.1


def test_what_is_late_comes_at_once_when_healed(proxy: FaultProxy) -> None:
    with socket.create_connection(("127.0.0.1", proxy.port), 2) as link:
        proxy.fault = Latency(60)
        link.sendall(b"PING\r\n")
        time.sleep(0.02)
        proxy.fault = None

        assert link.recv(7, socket.MSG_WAITALL) == b"+PONG\r\n"


@pytest.mark.parametrize("rst", [False, True])
def test_a_reply_cut_anywhere_is_never_taken_for_whole(proxy: FaultProxy, client: redis.Redis, rst: bool) -> None:
    for after_bytes in range(len("$1\r\nv\r\n")):
        client.ping()
        proxy.fault = CutReply(after_bytes, rst=rst, times=1)

        with pytest.raises(redis.ConnectionError):
            client.get("k")


def test_only_so_many_replies_are_hit(proxy: FaultProxy, client: redis.Redis) -> None:
    proxy.fault = CutReply(0, times=1)
    with pytest.raises(redis.ConnectionError):
        client.get("k")

    assert client.get("k") == b"v"


def test_a_write_whose_reply_was_lost_did_happen(proxy: FaultProxy, client: redis.Redis, direct: redis.Redis) -> None:
    proxy.fault = LoseReply(times=1)
    with pytest.raises(redis.TimeoutError):
        client.set("k", "new")

    assert direct.get("k") == b"new"
    assert client.get("k") == b"new"


def test_after_a_lost_reply_none_follows_on_that_connection(proxy: FaultProxy) -> None:
    with socket.create_connection(("127.0.0.1", proxy.port), 0.05) as link:
        proxy.fault = LoseReply(times=1)
        link.sendall(b"PING one\r\n")
        link.sendall(b"PING two\r\n")

        with pytest.raises(TimeoutError):
            link.recv(1)


def test_after_a_duplicate_the_next_answer_is_the_previous_one(
    proxy: FaultProxy, client: redis.Redis, direct: redis.Redis
) -> None:
    direct.mset({"a": "of a", "b": "of b"})
    with client_at(proxy.url, single=True) as single:
        proxy.fault = DuplicateReply(times=1)

        assert [single.get("a"), single.get("b")] == [b"of a", b"of a"]
    until(lambda: proxy.open == 1)  # the answer to `b` may still be on its way, and would be the next one
    with client.pipeline(transaction=False) as pipe:
        proxy.fault = DuplicateReply(times=1)

        pipe.get("a")
        pipe.get("b")

        assert pipe.execute() == [b"of a", b"of a"]


def test_one_bit_of_a_reply_is_flipped(proxy: FaultProxy) -> None:
    sent = b"$40\r\n" + b"x" * 40 + b"\r\n"
    with socket.create_connection(("127.0.0.1", proxy.port), 2) as link:
        proxy.fault = CorruptReply(every=2, seed=7)
        answers = []
        for _ in range(4):
            link.sendall(b"PING " + b"x" * 40 + b"\r\n")
            answers.append(link.recv(len(sent), socket.MSG_WAITALL))

    flipped = [sum((a ^ b).bit_count() for a, b in zip(sent, answer, strict=True)) for answer in answers]
    assert flipped == [0, 1, 0, 1]


def test_new_connections_follow_a_failover(proxy: FaultProxy, client: redis.Redis) -> None:
    with RealServer() as other:
        proxy.upstream_port = other.port
        assert client.get("k") == b"v"  # an open connection stays where it is

        proxy.fault = Reset()
        proxy.fault = None

        assert client.get("k") is None


def test_a_dead_server_is_a_reset(proxy: FaultProxy, client: redis.Redis) -> None:
    client.connection_pool.disconnect()
    proxy.upstream_port = free_port()

    with pytest.raises(redis.ConnectionError):
        client.get("k")


def test_the_end_of_the_server_reaches_the_client(
    real_server: RealServer, proxy: FaultProxy, client: redis.Redis
) -> None:
    real_server.kill()
    until(lambda: proxy.open == 0)
    with pytest.raises(redis.ConnectionError):
        client.get("k")

    real_server.start()

    assert client.get("k") is None


def test_closed_connections_are_not_counted_as_open(proxy: FaultProxy, client: redis.Redis) -> None:
    with client_at(proxy.url) as second:
        second.ping()
        assert (proxy.connections, proxy.open) == (2, 2)
    client.connection_pool.disconnect()

    until(lambda: proxy.open == 0)

    assert proxy.connections == 2


def test_faults_come_and_go_under_many_threads(proxy: FaultProxy) -> None:
    is_over = threading.Event()
    wrong: list[object] = []

    def read(number: int) -> object:
        with client_at(proxy.url) as mine:
            while not is_over.is_set():
                with suppress(redis.ConnectionError, redis.TimeoutError):
                    if (answer := mine.echo(f"{number}")) != str(number).encode():
                        wrong.append(answer)
            return mine.echo(f"{number}")

    with ThreadPoolExecutor(6) as pool:
        readers = [pool.submit(read, number) for number in range(6)]
        for fault in (Reset(), Latency(0.001), Refuse(), CutReply(2), LoseReply(times=2), BlackHole()) * 3:
            proxy.fault = fault
            time.sleep(0.01)
            proxy.fault = None
            time.sleep(0.01)
        is_over.set()

    assert [reader.result() for reader in readers] == [str(number).encode() for number in range(6)]
    assert not wrong


@pytest.mark.parametrize("fault", [None, Refuse(), BlackHole(), Latency(60), LoseReply()], ids=repr)
def test_nothing_is_left_after_it(real_server: RealServer, fault: Fault | None) -> None:
    threads, files = set(threading.enumerate()), set(Path("/dev/fd").iterdir())
    with client_at(real_server.url) as direct:
        with FaultProxy(real_server.port) as proxy, client_at(proxy.url) as client:
            client.ping()
            proxy.fault = fault
            if fault:
                with pytest.raises(redis.RedisError):
                    client.ping()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", proxy.port), TIMEOUT)
        until(lambda: direct.info("clients")["connected_clients"] == 1)

    assert set(threading.enumerate()) <= threads
    assert set(Path("/dev/fd").iterdir()) <= files
    assert proxy.open == 0


def test_after_its_end_no_fault_can_be_set(real_server: RealServer) -> None:
    with FaultProxy(real_server.port) as proxy:
        pass

    with pytest.raises(RuntimeError, match="does not run"):
        proxy.fault = Refuse()
