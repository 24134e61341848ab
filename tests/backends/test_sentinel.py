"""A primary dies, the Sentinels make a replica the primary: real processes."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis

from avcache.runtime import Runtime, from_environment
from tests.servers import RealServer, find_server_binary, free_port

_PATIENCE = 20.0


@pytest.fixture
def primary(server_binary: Path) -> Iterator[RealServer]:
    with RealServer() as server:
        yield server


@pytest.fixture
def behind_sentinel(primary: RealServer, tmp_path: Path) -> Iterator[Runtime]:
    """A runtime that is told the address of a Sentinel alone; the primary has one replica."""
    port = free_port()
    conf = tmp_path / "sentinel.conf"
    conf.write_text(
        f"port {port}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 {primary.port} 1\n"
        "sentinel down-after-milliseconds main 1000\nsentinel failover-timeout main 5000\n"
    )
    with ExitStack() as stack:
        stack.enter_context(RealServer("--replicaof", f"127.0.0.1 {primary.port}"))
        sentinel = subprocess.Popen(
            [str(find_server_binary()), str(conf), "--sentinel"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        stack.callback(sentinel.wait)
        stack.callback(sentinel.kill)
        client = stack.enter_context(redis.Redis(port=port))
        _wait_until(lambda: _knows_a_replica(client))
        url = f"redis+sentinel://127.0.0.1:{port}/main/0"
        runtime = from_environment({"AVCACHE_PROVIDER": "sample", "REDIS_ENABLED": "true", "REDIS_URL": url})
        stack.callback(runtime.close)
        yield runtime


def test_a_failover_costs_seconds_and_brings_nothing_old_back(primary: RealServer, behind_sentinel: Runtime) -> None:
    cache = behind_sentinel.cache
    cache.set_many({"price:AAPL": 1, "momentum:AAPL": 1})
    assert cache.get("price:AAPL") == 1
    time.sleep(0.5)  # the replica has it too

    primary.kill()
    cache.clear("price:*")
    cache.set("momentum:AAPL", 2)
    assert cache.state().is_degraded
    _wait_until(lambda: not cache.state().is_degraded)

    assert cache.get("price:AAPL") is None
    assert cache.get("momentum:AAPL") != 1
    cache.set("price:AAPL", 3)
    assert cache.get("price:AAPL") == 3


def _knows_a_replica(client: redis.Redis) -> bool:
    try:
        return bool(client.sentinel_slaves("main"))
    except redis.RedisError:
        return False


def _wait_until(is_so: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + _PATIENCE
    while not is_so():
        assert time.monotonic() < give_up_at, "it did not happen"
        time.sleep(0.05)
