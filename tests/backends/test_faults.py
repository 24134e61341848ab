"""Faults on the way to a real server, and in it: each read is right or a miss, and nobody hears of it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest
import redis

from avcache.backends.barriers import Barriers
from avcache.backends.connect import connect
from avcache.backends.memory import MemoryBackend
from avcache.backends.redis import RedisBackend
from avcache.backends.resilient import ResilientBackend
from avcache.core.cache import Cache
from avcache.core.keys import DEFAULT_NAMESPACE, Namespace, Namespaces
from avcache.errors import LockTimeout
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
from tests.servers import ROOT, RealServer
from tests.threads import until

KEYS = [f"price:{number}" for number in range(8)]
VALUES = {key: {"key": key, "numbers": list(range(20))} for key in KEYS}


@pytest.fixture
def proxy(redis_url: str) -> Iterator[FaultProxy]:
    with FaultProxy(int(redis_url.rpartition(":")[2].partition("/")[0])) as made:
        yield made


@pytest.fixture
def cache(proxy: FaultProxy, prefix: str) -> Iterator[Cache]:
    made = cache_behind(proxy.url, prefix)
    yield made
    made.close()


@pytest.fixture
def witness(redis_url: str, prefix: str) -> Iterator[Cache]:
    """Another process on the same server, which no fault reaches."""
    made = cache_behind(redis_url, prefix)
    yield made
    made.close()


def cache_behind(url: str, prefix: str, *, probe_interval: float = 0.05, password: str | None = None) -> Cache:
    barriers = Barriers()
    client = connect(url, timeout=0.25, max_connections=5, password=password)
    backend = ResilientBackend(
        RedisBackend(client, prefix, barriers=barriers),
        MemoryBackend(barriers=barriers),
        probe_interval=probe_interval,
    )
    namespaces = Namespaces(Namespace(DEFAULT_NAMESPACE, 3600.0), [Namespace("price", 300.0, 600.0)])
    return Cache(backend, namespaces)


def recover(cache: Cache, proxy: FaultProxy) -> None:
    proxy.fault = None
    until(lambda: not cache.state().is_degraded)


@pytest.mark.parametrize("fault", [BlackHole(), Refuse(), Reset()], ids=lambda fault: type(fault).__name__)
def test_a_fault_costs_one_timeout_at_most_and_then_the_server_is_left_alone(
    cache: Cache, proxy: FaultProxy, fault: Fault
) -> None:
    cache.set_many(VALUES)
    proxy.fault = fault

    began = time.monotonic()
    cache.get(KEYS[0])
    first = time.monotonic() - began
    connections = proxy.connections
    began = time.monotonic()
    for _ in range(20):
        for key in KEYS:
            cache.get(key)
    following = time.monotonic() - began

    assert first < 1.0
    assert following < 1.0
    assert cache.state().is_degraded
    assert proxy.connections - connections <= 1 + following / 0.04  # the prober's
    recover(cache, proxy)
    assert cache.get_many(KEYS) == VALUES


@pytest.mark.parametrize("seconds", [0.05, 0.1])
def test_a_slow_way_is_no_fault(cache: Cache, proxy: FaultProxy, seconds: float) -> None:
    proxy.fault = Latency(seconds)

    cache.set("price:0", 1)

    assert cache.get("price:0") == 1
    assert not cache.state().is_degraded


@pytest.mark.parametrize("rst", [False, True])
def test_a_reply_that_is_cut_anywhere_is_a_miss_and_never_a_wrong_value(
    cache: Cache, proxy: FaultProxy, rst: bool
) -> None:
    cache.set("price:0", VALUES["price:0"])
    for after in range(0, 240, 5):
        proxy.fault = CutReply(after, rst=rst, times=1)
        assert cache.get("price:0") in (None, VALUES["price:0"])
        assert cache.get("price:0") in (None, VALUES["price:0"])
        recover(cache, proxy)

    assert cache.get("price:0") == VALUES["price:0"]


def test_replies_that_come_twice_never_answer_for_another_key(cache: Cache, proxy: FaultProxy) -> None:
    cache.set_many(VALUES)
    for number in range(60):
        proxy.fault = DuplicateReply(times=1) if number % 3 == 0 else None
        key = KEYS[number % len(KEYS)]

        assert cache.get(key) in (None, VALUES[key])
    recover(cache, proxy)
    assert cache.get_many(KEYS) == VALUES


def test_flipped_bits_in_replies_never_bring_the_value_of_another_key(cache: Cache, proxy: FaultProxy) -> None:
    """What is changed inside of a value is not told: nothing on the way has a checksum but TCP itself."""
    cache.set_many(VALUES)
    for seed in range(60):
        proxy.fault = CorruptReply(every=2, seed=seed)
        found = cache.get(KEYS[seed % len(KEYS)])
        if isinstance(found, dict) and found.get("key") in VALUES:
            assert found["key"] == KEYS[seed % len(KEYS)]
        cache.get_many(KEYS)
    proxy.fault = None
    assert cache.backend.probe()  # type: ignore[attr-defined] # what looks like no Redis is asked again in 30 s only
    cache.clear("*")
    cache.set_many(VALUES)
    assert cache.get_many(KEYS) == VALUES


ACTS: dict[str, tuple[Callable[[Cache], object], object]] = {
    "set": (lambda cache: cache.set("price:0", "new"), "new"),
    "set_many": (lambda cache: cache.set_many({"price:0": "new", "price:1": "new"}), "new"),
    "delete": (lambda cache: cache.delete("price:0"), None),
    "clear": (lambda cache: cache.clear("price:*"), None),
    "load": (lambda cache: cache.refresh("price:0", lambda: "new"), "new"),
}


@pytest.mark.parametrize("fault", [LoseReply(times=1), CutReply(3, times=1), Reset(), Refuse()], ids=repr)
@pytest.mark.parametrize("act", ACTS)
def test_what_may_or_may_not_have_arrived_leaves_nothing_older(
    cache: Cache, witness: Cache, proxy: FaultProxy, act: str, fault: Fault
) -> None:
    do, expected = ACTS[act]
    cache.set_many({"price:0": "old", "price:1": "old"})
    assert witness.get("price:0") == "old"

    proxy.fault = fault
    do(cache)
    during = cache.get("price:0")
    recover(cache, proxy)

    assert during in {expected, None}
    if act != "load":  # a load may be lost, and the older value is still good
        assert witness.get("price:0") in {expected, None}
        assert cache.get("price:0") in {expected, None}


FLAWS: list[Fault] = [Reset(), CutReply(30, times=1), LoseReply(times=1), Refuse()]


def test_a_flaky_way_brings_no_wrong_value(cache: Cache, witness: Cache, proxy: FaultProxy) -> None:
    acknowledged = 0
    for number in range(1, 150):
        if number % 10 == 0:
            proxy.fault = FLAWS[number // 10 % len(FLAWS)]
        elif number % 10 == 3:
            proxy.fault = None
        cache.set("price:0", number)
        acknowledged = number
        found = cache.get("price:0")
        assert found is None or found >= acknowledged
    recover(cache, proxy)

    assert cache.get("price:0") in {None, acknowledged}
    assert witness.get("price:0") in {None, acknowledged}


def test_a_server_out_of_memory_is_read_and_cleared_and_keeps_nothing_new(real_server: RealServer) -> None:
    cache, witness = (cache_behind(real_server.url, "avctest:") for _ in range(2))
    cache.set_many({"price:0": "old", "price:1": "kept", "user:1": "kept"})
    with redis.Redis(port=real_server.port) as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", 1)

        assert cache.get_or_load("price:8", lambda: "loaded") == "loaded"
        assert "maxmemory" in (cache.state().error or "")
        cache.set("price:0", "new")
        state = cache.state()
        assert (cache.get("price:0"), witness.get("price:0"), cache.get("price:1")) == (None, None, "kept")
        assert cache.get_or_load("price:9", lambda: "loaded") == "loaded"
        cleared = cache.clear("user:*")

        assert (state.is_degraded, "maxmemory" in (state.error or "")) == (False, True)
        assert (int(cleared), cleared.pending, witness.get("user:1")) == (1, False, None)
        assert cache.stats().total.refused == 3
        client.config_set("maxmemory", 0)
    cache.set("price:0", "newer")

    assert (witness.get("price:0"), cache.state().error) == ("newer", None)
    cache.close()
    witness.close()


def test_too_few_replicas_are_writes_refused(real_server: RealServer) -> None:
    cache = cache_behind(real_server.url, "avctest:")
    cache.set("price:0", "old")
    with redis.Redis(port=real_server.port) as client:
        client.config_set("min-replicas-to-write", 1)

        cache.set("price:0", "new")
        assert cache.get("price:0") is None
        assert (cache.state().is_degraded, cache.state().pending) == (False, 1)
        client.config_set("min-replicas-to-write", 0)
    until(lambda: not cache.state().pending)

    assert cache.get("price:0") is None
    cache.close()


def test_a_wrong_password_is_tried_once_and_not_again_soon(real_server: RealServer) -> None:
    with redis.Redis(port=real_server.port) as client:
        client.config_set("requirepass", "right")
    with FaultProxy(real_server.port) as proxy:
        cache = cache_behind(proxy.url, "avctest:", probe_interval=0.02, password="canary-of-a-password")
        for _ in range(20):
            cache.get("price:0")
            cache.set("price:0", 1)
        time.sleep(0.5)

        assert proxy.connections == 1
        assert "canary" not in repr(cache.state())
        assert "Authentication" in (cache.state().error or "")
        cache.close()


def test_a_restart_empty_under_way_brings_nothing_back(real_server: RealServer) -> None:
    cache, witness = (cache_behind(real_server.url, "avctest:") for _ in range(2))
    for number in range(5):
        cache.set("price:0", number)
        assert witness.get("price:0") == number
        witness.clear("price:*")
        real_server.restart()

        assert cache.get("price:0") is None
        assert witness.get("price:0") is None
    cache.close()
    witness.close()


_HOLDER = """
import sys, time
from avcache.runtime import from_environment
url, prefix = sys.argv[1:]
where = {"REDIS_ENABLED": "true", "REDIS_URL": url, "REDIS_PREFIX": prefix}
runtime = from_environment({"AVCACHE_PROVIDER": "sample", **where})
def load():
    print("loading", flush=True)
    time.sleep(60)
runtime.cache.get_or_load("price:0", load)
"""


def test_a_process_that_is_killed_in_its_load_costs_the_others_a_lease_and_a_load(
    witness: Cache, redis_url: str, prefix: str
) -> None:
    command = [sys.executable, "-c", _HOLDER, redis_url, prefix]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"loading\n"
        time.sleep(1.5)  # longer than a lease: it is renewed
        holder.kill()
        began = time.monotonic()

        loaded_at = witness.get_or_load("price:0", time.monotonic)

    assert 0.2 < loaded_at - began < 3


def test_a_lock_of_a_process_that_is_gone_is_free_after_its_lease(witness: Cache, redis_url: str, prefix: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.set(f"{prefix}!lock:default:job", "of nobody", px=300)

    with pytest.raises(LockTimeout), witness.lock("job", wait=0.05):
        pass
    with witness.lock("job", wait=2):
        pass
