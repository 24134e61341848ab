"""The servers the tests rely on do what their names say."""

from __future__ import annotations

import os
import socket

import pytest
import redis

from tests.servers import RealServer, find_server_binary

_written: list[str] = []


def client_of(server: RealServer) -> redis.Redis:
    return redis.Redis.from_url(server.url, socket_timeout=0.3, socket_connect_timeout=0.3)


def test_a_binary_is_found_on_this_machine() -> None:
    binary = find_server_binary()

    assert binary is not None
    assert os.access(binary, os.X_OK)


def test_a_killed_server_refuses_and_comes_back_empty_on_its_port(real_server: RealServer) -> None:
    port, first_pid = real_server.port, real_server.pid
    with client_of(real_server) as client:
        client.set("k", "v")
        real_server.kill()
        with pytest.raises(redis.ConnectionError):
            client.ping()

        real_server.restart()

        assert client.get("k") is None
        assert (real_server.port, real_server.pid != first_pid) == (port, True)


def test_a_paused_server_hangs_and_goes_on_with_what_it_had(real_server: RealServer) -> None:
    with client_of(real_server) as client:
        client.set("k", "v")
        real_server.pause()
        with pytest.raises(redis.TimeoutError):
            client.get("k")

        real_server.resume()

        assert client.get("k") == b"v"


def test_a_paused_server_can_be_stopped() -> None:
    with RealServer() as server:
        server.pause()
        server.stop()

        with pytest.raises(RuntimeError, match="does not run"):
            _ = server.pid


def test_options_reach_the_server() -> None:
    with RealServer("--maxmemory", "10mb") as server, client_of(server) as client:
        assert client.config_get("maxmemory") == {"maxmemory": str(10 * 1024 * 1024)}


def test_a_server_that_cannot_start_says_why() -> None:
    with pytest.raises(ChildProcessError, match="no-such-option"), RealServer("--no-such-option", "1"):
        pass


def test_a_port_taken_by_another_server_is_not_mistaken_for_ours(real_server: RealServer) -> None:
    intruder = RealServer()
    intruder.port = real_server.port

    with pytest.raises(ChildProcessError, match="already in use"), intruder:
        pass

    with client_of(real_server) as client:
        assert client.ping()


def test_the_shared_server_answers_and_keeps_our_prefix(redis_url: str, prefix: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.set(f"{prefix}k", "v")

        assert client.get(f"{prefix}k") == b"v"
    _written.append(f"{prefix}k")


def test_keys_of_a_test_are_gone_after_it(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert not any(client.exists(key) for key in _written)  # by the test above


@pytest.mark.parametrize("name", ["REDIS_URL", "CACHE_PRICE_TTL", "AVCACHE_LOG_DIR"])
def test_no_setting_of_the_developer_is_seen(name: str) -> None:
    assert name not in os.environ


def test_the_provider_is_the_sample() -> None:
    assert os.environ["AVCACHE_PROVIDER"] == "sample"


@pytest.mark.parametrize("address", [("192.0.2.1", 80), ("example.org", 443), ("2001:db8::1", 80)])
def test_no_test_leaves_this_machine(address: tuple[str, int]) -> None:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET

    with socket.socket(family) as outgoing, pytest.raises(RuntimeError, match="tried to connect"):
        outgoing.connect(address)


def test_loopback_can_be_reached() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname(), timeout=2) as link,
    ):
        assert link.getpeername() == server.getsockname()
