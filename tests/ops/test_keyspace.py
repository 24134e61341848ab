"""Looking at keys: exact or honest about it, shared, and never counted."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import redis

from avcache import runtime
from avcache.backends.memory import MemoryBackend
from avcache.clock import ManualClock
from avcache.config import Settings
from avcache.core.cache import Cache
from avcache.core.keys import Namespace, Namespaces
from avcache.errors import InvalidInput
from avcache.ops import keyspace as module
from avcache.ops.clearing import Clearing
from avcache.ops.keyspace import Keyspace
from avcache.runtime import Runtime


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def cache(clock: ManualClock) -> Cache:
    namespaces = Namespaces(Namespace("default", 60.0), [Namespace("price", 60.0, 600.0, str.upper)])
    return Cache(MemoryBackend(clock=clock), namespaces, wall=clock, randomness=lambda: 0.0)


@pytest.fixture
def keyspace(cache: Cache, clock: ManualClock) -> Keyspace:
    return Keyspace(cache, clock, clock)


@pytest.fixture
def on_server(redis_url: str, prefix: str) -> Iterator[Runtime]:
    settings = {"AVCACHE_PROVIDER": "sample", "REDIS_ENABLED": "true", "REDIS_URL": redis_url, "REDIS_PREFIX": prefix}
    wired = runtime.build(Settings.from_env(settings))
    yield wired
    wired.close()


def test_a_snapshot_of_nothing_is_exact_and_empty(keyspace: Keyspace, clock: ManualClock) -> None:
    snapshot = keyspace.snapshot()

    assert (snapshot.entries, snapshot.is_exact, snapshot.taken_at) == ((), True, clock())
    assert snapshot.namespaces == {}


def test_a_snapshot_says_what_each_namespace_takes(cache: Cache, keyspace: Keyspace, clock: ManualClock) -> None:
    cache.get_or_load("price:OLD", lambda: 1, ttl=10)
    clock.advance(20)
    cache.set_many({f"price:A{number}": "x" * 100 for number in range(6)} | {"user:1": "y"})

    sizes = keyspace.snapshot().namespaces

    assert list(sizes) == ["price", "user"]
    assert (sizes["price"].keys, sizes["price"].stale) == (7, 1)
    assert sizes["price"].samples == tuple(f"price:A{number}" for number in range(5))
    assert sizes["price"].size == sum(peek.size for peek in cache.peek_many(cache.keys("price:*")) if peek) > 600
    assert (sizes["user"].keys, sizes["user"].stale) == (1, 0)


def test_all_who_look_meanwhile_share_one_snapshot(cache: Cache, keyspace: Keyspace, clock: ManualClock) -> None:
    first = keyspace.snapshot(max_age=1.5)
    cache.set("user:1", 1)
    clock.advance(1.5)
    second = keyspace.snapshot(max_age=1.5)
    clock.advance(0.1)
    third = keyspace.snapshot(max_age=1.5)

    assert second is first
    assert len(third.entries) == 1


def test_who_wants_no_age_gets_none(cache: Cache, keyspace: Keyspace, clock: ManualClock) -> None:
    keyspace.snapshot()
    cache.set("user:1", 1)
    clock.advance(0.001)

    assert len(keyspace.snapshot(max_age=0).entries) == 1


def test_many_who_look_at_once_cost_one_look(cache: Cache, keyspace: Keyspace, monkeypatch: pytest.MonkeyPatch) -> None:
    looks, scan = list[int](), cache.backend.scan

    def counted(*args: object) -> object:
        looks.append(1)
        return scan(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(cache.backend, "scan", counted)
    threads = [threading.Thread(target=keyspace.snapshot) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(looks) == 1


def test_looking_counts_nothing(cache: Cache, keyspace: Keyspace) -> None:
    cache.set("price:AAPL", 1)

    keyspace.snapshot()
    keyspace.find("price:*")
    Clearing(cache).plan("*")

    assert cache.stats().total.requests == 0
    assert cache.accesses.most_read(1) == []
    assert cache.analytics.get_popular_keys() == []


def test_found_keys_come_soonest_to_expire_first(cache: Cache, keyspace: Keyspace) -> None:
    for name, ttl in (("c", 30.0), ("b", 10.0), ("a", 30.0)):
        cache.set(f"user:{name}", 1, ttl=ttl)

    page = keyspace.find("user:*")

    assert [peek.key for peek in page.rows] == ["user:b", "user:a", "user:c"]
    assert page.is_exact


def test_find_takes_tickers_in_any_case(cache: Cache, keyspace: Keyspace) -> None:
    cache.set_many({"price:AAPL": 1, "price:MSFT": 1, "user:aapl": 1})

    assert [peek.key for peek in keyspace.find("price:aa*").rows] == ["price:AAPL"]
    assert [peek.key for peek in keyspace.find("price:aapl").rows] == ["price:AAPL"]


@pytest.mark.parametrize("pattern", ["", "*" * 300, "a*" * 9, "a\n*"])
def test_what_is_no_pattern_is_refused(keyspace: Keyspace, pattern: str) -> None:
    with pytest.raises(InvalidInput):
        keyspace.find(pattern)


def test_past_the_most_keys_a_look_says_that_it_is_not_whole(
    cache: Cache, keyspace: Keyspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_KEYS", 1000)
    cache.set_many({f"user:{number}": 1 for number in range(1501)})

    page = keyspace.find("*")

    assert not page.is_exact
    assert 1000 <= len(page.rows) < 1501
    assert not keyspace.snapshot().is_exact


def test_exactly_the_most_keys_are_whole(cache: Cache, keyspace: Keyspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_KEYS", 1000)
    cache.set_many({f"user:{number}": 1 for number in range(1000)})

    page = keyspace.find("*")

    assert (len(page.rows), page.is_exact) == (1000, True)


def test_past_its_time_a_look_says_that_it_is_not_whole(cache: Cache) -> None:
    cache.set_many({f"user:{number}": 1 for number in range(1501)})
    readings = iter([0.0, 1.0, 1.0, 1.0])

    page = Keyspace(cache, lambda: next(readings)).find("*")

    assert (len(page.rows), page.is_exact) == (500, False)


def test_the_looks_agree_on_a_real_server(on_server: Runtime) -> None:
    on_server.cache.set_many({f"user:{number}": number for number in range(1200)})

    snapshot, page = on_server.ops.keyspace.snapshot(), on_server.ops.keyspace.find("user:*")

    assert snapshot.is_exact
    assert {peek.key for peek in snapshot.entries} == {peek.key for peek in page.rows} == set(on_server.cache.keys())


def test_names_that_are_no_keys_of_ours_are_shown_as_foreign(on_server: Runtime, redis_url: str, prefix: str) -> None:
    names = {"a b:c": "a b", "price:aapl": "price", "nocolon": "default", "line\nbreak:1": "line\nbreak"}
    with redis.Redis.from_url(redis_url) as client:
        for name in names:
            client.set(f"{prefix}{name}", b"of another program", ex=60)

    found = on_server.ops.keyspace.snapshot().entries

    assert {peek.key: peek.namespace for peek in found} == names
    assert all(peek.is_foreign and peek.size == 18 and 50 < peek.expires_in <= 60 for peek in found)


# -- clearing --------------------------------------------------------------------------------------


def test_a_plan_says_what_would_go_and_what_it_costs(cache: Cache) -> None:
    cache.get_or_load("price:AAPL", lambda: 1)
    cache.set_many({f"price:B{number:02}": 1 for number in range(30)} | {"user:1": 1})

    plan = Clearing(cache).plan("price:*")

    assert (plan.pattern, plan.keys, plan.is_exact) == ("price:*", 31, True)
    assert plan.size == sum(peek.size for peek in cache.peek_many(cache.keys("price:*")) if peek)
    assert plan.refill_seconds is not None
    assert 0 <= plan.refill_seconds < 1
    assert plan.samples == ("price:AAPL", *(f"price:B{number:02}" for number in range(19)))
    assert len(cache.keys()) == 32


def test_a_plan_of_values_that_were_set_knows_no_cost(cache: Cache) -> None:
    cache.set("user:1", 1)

    assert Clearing(cache).plan("user:*").refill_seconds is None


def test_a_plan_of_nothing_is_exact(cache: Cache) -> None:
    plan = Clearing(cache).plan("user:*")

    assert (plan.keys, plan.is_exact, plan.size, plan.refill_seconds, plan.samples) == (0, True, 0, None, ())


def test_a_plan_past_its_time_says_at_least(cache: Cache) -> None:
    cache.set_many({f"user:{number}": 1 for number in range(1501)})
    readings = iter([0.0, 3.0])

    plan = Clearing(cache, lambda: next(readings)).plan("*")

    assert (plan.keys, plan.is_exact) == (1000, False)


def test_a_clear_drops_what_the_plan_named_and_counts_it(cache: Cache) -> None:
    cache.set_many({"price:AAPL": 1, "price:MSFT": 1, "user:1": 1})
    clearing = Clearing(cache)

    cleared = clearing.clear("price:*")

    assert (int(cleared), cleared.pending) == (2, False)
    assert cache.keys() == ["user:1"]
    assert clearing.plan("price:*").keys == 0


def test_neither_plan_nor_clear_means_what_is_no_entry_of_ours(on_server: Runtime, redis_url: str, prefix: str) -> None:
    on_server.cache.set("user:1", 1)
    with redis.Redis.from_url(redis_url) as client:
        client.set(f"{prefix}a b:c", b"of another program", ex=60)
        client.set(f"{prefix}price:AAPL", b"of another program", ex=60)

        plan = on_server.ops.clearing.plan("*")
        cleared = on_server.ops.clearing.clear("*")

        assert plan.samples == ("user:1",)
        assert plan.keys == cleared == 1
        assert client.exists(f"{prefix}a b:c", f"{prefix}price:AAPL") == 2


@pytest.mark.parametrize("pattern", ["", "*" * 300, "a*" * 9, ":x"])
def test_a_clear_of_no_pattern_is_refused(cache: Cache, pattern: str) -> None:
    cache.set("user:1", 1)

    with pytest.raises(InvalidInput):
        Clearing(cache).clear(pattern)

    assert cache.exists("user:1")
