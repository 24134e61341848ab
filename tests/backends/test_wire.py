"""Connections: closed ones are replaced, those that say what nobody asked are dropped, and a child begins anew."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import redis
from redis.exceptions import ResponseError

from avcache.backends import scripts
from avcache.backends.connect import connect
from avcache.backends.scripts import Script
from avcache.backends.wire import Wire
from tests.proxy import DuplicateReply, FaultProxy
from tests.servers import RealServer


@pytest.fixture
def wire(real_server: RealServer) -> Iterator[Wire]:
    made = Wire(connect(real_server.url, timeout=1, max_connections=3).connection_pool)
    yield made
    made.close()


def test_a_connection_that_the_server_has_closed_is_replaced_unnoticed(wire: Wire, real_server: RealServer) -> None:
    assert wire.ask("PING")
    with redis.Redis(port=real_server.port) as client:
        client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    assert wire.ask("SET", "k", "v")
    real_server.restart()

    assert wire.ask("GET", "k") is None


def test_a_restart_is_another_run_of_the_server_and_a_new_connection_alone_is_not(
    wire: Wire, real_server: RealServer
) -> None:
    wire.ask("PING")
    with redis.Redis(port=real_server.port) as client:
        client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    wire.ask("PING")
    before = wire.runs
    real_server.restart()
    wire.ask("PING")

    assert (before, wire.runs) == (1, 2)
    assert wire.server["run_id"]


def test_a_connection_with_a_stray_answer_is_dropped(real_server: RealServer) -> None:
    with FaultProxy(real_server.port) as proxy:
        wire = Wire(connect(proxy.url, timeout=1, max_connections=1).connection_pool)
        wire.ask("SET", "a", "1")
        wire.ask("SET", "b", "2")
        proxy.fault = DuplicateReply(times=1)
        wire.ask("GET", "a")
        proxy.fault = None
        time.sleep(0.05)

        assert [wire.ask("GET", key) for key in ("b", "a", "b")] == [b"2", b"1", b"2"]
        wire.close()


def test_a_refusal_leaves_the_connection_in_use(wire: Wire) -> None:
    wire.ask("SET", "k", "v")
    with pytest.raises(ResponseError):
        wire.ask("LPUSH", "k", "v")
    number = wire.ask("CLIENT", "ID")

    answers = wire.ask_all([("GET", "k"), ("LPUSH", "k", "v"), ("CLIENT", "ID")])

    assert (answers[0], answers[2]) == (b"v", number)
    assert isinstance(answers[1], ResponseError)


def test_more_threads_than_connections_take_turns(wire: Wire) -> None:
    answers: list[object] = []
    threads = [threading.Thread(target=lambda: answers.append(wire.ask("PING"))) for _ in range(30)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)

    assert len(answers) == 30
    assert len(wire.ask("CLIENT", "LIST").splitlines()) <= 4


def test_who_gets_no_connection_for_a_second_is_told(real_server: RealServer) -> None:
    wire = Wire(connect(real_server.url, timeout=5, max_connections=3).connection_pool)
    blocked = [threading.Thread(target=lambda: wire.ask("BLPOP", "none", 1.5), daemon=True) for _ in range(3)]
    for thread in blocked:
        thread.start()
    time.sleep(0.1)

    with pytest.raises(redis.ConnectionError, match="3 connections"):
        wire.ask("PING")
    for thread in blocked:
        thread.join(5)
    wire.close()


def test_a_script_that_the_server_has_forgotten_is_told_anew(wire: Wire) -> None:
    script = Script("return ARGV[1]")
    assert wire.run(script, [], "a") == b"a"
    wire.ask("SCRIPT", "FLUSH")

    assert wire.run(script, [], "b") == b"b"
    wire.ask("SCRIPT", "FLUSH")
    assert wire.run_all(script, [([], ["c"]), ([], ["d"])]) == [b"c", b"d"]


def test_a_server_that_knows_no_flags_is_given_the_plain_script(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    real = wire.ask

    def ask(*command: object) -> object:
        if command[0] in {"EVAL", "EVALSHA"}:
            text = str(command[1])
            asked.append(text)
            if text.startswith("#!"):
                raise ResponseError("Error compiling script: unexpected symbol near '#'")
        return real(*command)

    monkeypatch.setattr(wire, "ask", ask)

    assert wire.run(scripts.RENEW, ["lease"], 1000, "token") == 0
    asked.clear()
    assert wire.run(scripts.RENEW, ["lease"], 1000, "token") == 0
    assert not any(text.startswith("#!") for text in asked)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_process_shares_no_connection_with_its_parent(wire: Wire) -> None:
    mine = wire.ask("CLIENT", "ID")
    ours, theirs = socket.socketpair()

    child = os.fork()
    if child == 0:
        try:
            theirs.sendall(str(wire.ask("CLIENT", "ID")).encode())
        finally:
            os._exit(0)
    theirs.close()
    told = ours.recv(100)
    os.waitpid(child, 0)
    ours.close()

    assert told
    assert int(told) != mine
    assert wire.ask("CLIENT", "ID") == mine
