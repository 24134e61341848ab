"""Who loads, who waits, what is kept of it, and what a reader is told."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from avcache.backends.base import MISS
from avcache.core.cache import Cache
from avcache.core.reading import Reading
from avcache.core.store import CacheLimits
from avcache.errors import Absent, BackendError, InvalidInput
from avcache.runtime import Runtime, from_environment
from tests.core.helpers import Bench
from tests.threads import together


@pytest.fixture
def made() -> Bench:
    return Bench()


@pytest.fixture
def cache(made: Bench) -> Cache:
    return made.cache


@pytest.fixture
def two(process: Callable[[], Runtime]) -> list[Cache]:
    """Two runtimes on one Redis, as two processes have them."""
    return [process().cache, process().cache]


class Held:
    """A load that waits to be let go, and counts how often it ran."""

    def __init__(self, *values: Any) -> None:
        self.values = list(values)
        self.calls = 0
        self.began = threading.Event()
        self.go_on = threading.Event()

    def __call__(self) -> Any:
        self.calls += 1
        value = self.values.pop(0)
        self.began.set()
        assert self.go_on.wait(10)
        return value


# What a reader is told


def test_an_entry_tells_its_value_its_age_and_where_it_is(made: Bench) -> None:
    made.cache.get_or_load("price:A", lambda: 7, source="yahoo")
    made.clock.advance(4)

    found = made.cache.get_entry("price:A")

    assert found == Reading(7, age=4.0, ttl_left=6.0, source="memory", origin="yahoo")
    assert found.is_hit


def test_a_stale_entry_is_told_as_such(made: Bench) -> None:
    made.cache.get_or_load("price:A", lambda: 7)
    made.clock.advance(15)

    found = made.cache.get_entry("price:A")

    assert (found.value, found.source, found.age, found.ttl_left) == (7, "stale", 15.0, 0.0)
    assert made.cache.stats().total.stale_hits == 1


def test_a_miss_says_why(made: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = made.cache
    cache.set_many({"short:expired": 1, "short:deleted": 1, "price:gone": 1, "short:kept": 1})
    cache.set("short:tagged", 1, tags=["t"])
    cache.delete("short:deleted")
    cache.flush_tag("t")
    made.backend.put({"short:foreign": (b"of another program", 60)})
    made.backend.drop(["price:GONE"])
    reasons = {key: cache.get_entry(f"short:{key}").miss for key in ("never", "deleted", "tagged", "foreign")}
    made.clock.advance(5)
    gone = cache.get_entry("price:gone").miss
    made.clock.advance(10)

    assert reasons == {"never": "absent", "deleted": "invalidated", "tagged": "invalidated", "foreign": "foreign"}
    assert gone == "evicted"
    assert cache.get_entry("short:expired").miss == "expired"
    total = cache.stats().total
    assert (total.absent, total.invalidated, total.foreign, total.evicted, total.expired) == (1, 2, 1, 1, 1)


def test_an_entry_of_another_source_is_a_miss_that_says_so(made: Bench) -> None:
    made.cache.get_or_load("price:A", lambda: 1, source="sample")

    assert made.cache.get_or_load("price:A", lambda: 2, source="yahoo") == 2
    assert made.cache.stats().total.other_source == 1


def test_in_an_outage_a_miss_is_the_servers(redis_url: str) -> None:
    del redis_url
    with_nothing = from_environment({"REDIS_ENABLED": "true", "REDIS_URL": "redis://127.0.0.1:1/0"})

    assert with_nothing.cache.get_entry("price:A").miss == "backend_error"
    with_nothing.close()


# Nothing there, and failures


def test_that_there_is_nothing_is_kept_with_its_reason_for_as_long_as_the_loader_says(made: Bench) -> None:
    calls = []

    def load() -> int:
        calls.append(1)
        raise Absent("unknown ticker", ttl=5)

    for _ in range(3):
        with pytest.raises(Absent, match="unknown ticker"):
            made.cache.get_or_load("price:A", load)
    found = made.cache.get_entry("price:A")
    assert (len(calls), made.cache.get("price:A", "default")) == (1, "default")
    assert (found.is_hit, found.miss, found.reason) == (False, "absent", "unknown ticker")
    assert made.cache.stats().total.negative_hits == 2

    made.cache.set("price:B", 1)
    counted = made.cache.stats()
    assert [made.cache.why_absent(key) for key in ("price:A", "price:B", "price:C")] == ["unknown ticker", None, None]
    assert made.cache.stats() == counted

    made.clock.advance(6)

    assert made.cache.why_absent("price:A") is None
    assert made.cache.get_or_load("price:A", lambda: 8) == 8


async def test_coroutines_are_told_that_there_is_nothing_as_well(made: Bench) -> None:
    async def load() -> int:
        raise Absent("unknown")

    for _ in range(2):
        with pytest.raises(Absent):
            await made.cache.aget_or_load("price:A", load)
    assert made.cache.stats().total.negative_hits == 1


def test_a_load_that_failed_is_not_tried_again_for_a_moment() -> None:
    made, calls = Bench(failure_throttle=1.0), list[int]()

    def fail() -> int:
        calls.append(1)
        raise KeyError("away")

    for _ in range(5):
        with pytest.raises(KeyError, match="away"):
            made.cache.get_or_load("price:A", fail)
    assert (len(calls), made.cache.stats().total.throttled) == (1, 4)

    made.clock.advance(1.1)

    assert made.cache.get_or_load("price:A", lambda: 7) == 7


def test_meanwhile_a_stale_value_is_served_without_a_load() -> None:
    made = Bench(failure_throttle=1.0)
    made.cache.get_or_load("price:A", lambda: "old")
    made.clock.advance(15)

    def fail() -> str:
        raise KeyError

    assert made.cache.get_or_load("price:A", fail, stale="on_error") == "old"
    assert made.cache.get_or_load("price:A", lambda: "new", stale="on_error") == "old"
    made.clock.advance(1.1)
    assert made.cache.get_or_load("price:A", lambda: "new", stale="on_error") == "new"


def test_a_set_ends_the_wait_after_a_failure() -> None:
    made = Bench(failure_throttle=60.0)
    with pytest.raises(ZeroDivisionError):
        made.cache.get_or_load("price:A", lambda: 1 // 0)

    made.cache.set("price:A", 1)
    made.cache.delete("price:A")

    assert made.cache.get_or_load("price:A", lambda: 7) == 7


# Refresh, write through, many at once


def test_refresh_loads_whatever_is_cached(cache: Cache) -> None:
    cache.set("price:A", "old")

    assert cache.refresh("price:A", lambda: "new", tags=["t"]) == "new"

    assert cache.get("price:A") == "new"
    cache.flush_tag("t")
    assert cache.get("price:A") is None


async def test_coroutines_refresh_too(cache: Cache) -> None:
    cache.set("price:A", "old")

    async def load() -> str:
        return "new"

    assert await cache.arefresh("price:A", load) == "new"
    assert cache.get("price:A") == "new"


def test_what_was_written_through_is_cached_and_what_could_not_be_written_is_not(cache: Cache) -> None:
    source: dict[str, int] = {}
    cache.write_through("price:A", 1, lambda value: source.update(a=value), ttl=5)
    assert (source, cache.get("price:A")) == ({"a": 1}, 1)

    def fail(_value: int) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        cache.write_through("price:A", 2, fail)
    assert cache.get("price:A") is None


def test_what_was_written_but_cannot_be_cached_leaves_no_older_value(cache: Cache) -> None:
    cache.set("price:A", 1)

    with pytest.raises(Exception, match="cannot be cached"):
        cache.write_through("price:A", object(), lambda _value: None)

    assert cache.get("price:A") is None


@pytest.mark.parametrize("seconds", [3.0, None])
def test_a_value_tells_how_long_it_is_fresh_or_leaves_it_to_its_namespace(cache: Cache, seconds: float | None) -> None:
    cache.get_or_load("price:A", lambda: {"fresh_for": seconds}, ttl=lambda value: value["fresh_for"])
    cache.get_many_or_load(["price:B"], lambda keys: {key: {"fresh_for": seconds} for key in keys}, ttl=_told)

    assert cache.ttl("price:A") == cache.ttl("price:B") == (seconds or 10)


def _told(value: dict[str, float]) -> float:
    return value["fresh_for"]


@pytest.mark.parametrize("told", [0, -1, float("nan"), True, "1", 1e9])
def test_a_value_that_tells_nonsense_is_an_error_and_blocks_nobody(cache: Cache, told: Any) -> None:
    with pytest.raises(InvalidInput, match=r"ttl=.*seconds, more than 0"):
        cache.get_or_load("price:A", lambda: 1, ttl=lambda _value: told)

    assert cache.get_or_load("price:A", lambda: 2) == 2


def test_what_tells_how_long_may_fail_and_blocks_nobody(two: list[Cache]) -> None:
    with pytest.raises(ZeroDivisionError):
        two[0].get_or_load("price:A", lambda: 1, ttl=lambda _value: 1 / 0)
    begun = time.monotonic()

    found = two[1].get_or_load("price:A", lambda: 2)

    assert found == 2
    assert time.monotonic() - begun < 0.5  # no lease was left behind


def test_each_of_several_keys_may_have_tags_of_its_own(cache: Cache) -> None:
    cache.get_many_or_load(
        ["price:A", "price:B"], lambda keys: dict.fromkeys(keys, 1), tags=lambda key: [key.partition(":")[2]]
    )

    cache.flush_tag("A")

    assert (cache.get("price:A"), cache.get("price:B")) == (None, 1)


def test_a_loader_of_many_is_called_once_with_those_that_miss(cache: Cache) -> None:
    cache.set("price:A", 1)
    asked: list[list[str]] = []

    def load(missing: list[str]) -> dict[str, int]:
        asked.append(missing)
        return {"price:B": 2, "price:unasked": 9}

    found = cache.get_many_or_load(["price:A", "price:B", "price:C"], load, tags=["t"])

    assert found == {"price:A": 1, "price:B": 2}
    assert asked == [["price:B", "price:C"]]
    assert cache.get_many(["price:B", "price:unasked"]) == {"price:B": 2}
    assert cache.get_many_or_load(["price:A", "price:B"], load) == {"price:A": 1, "price:B": 2}
    assert len(asked) == 1


def test_two_names_of_one_key_are_asked_for_once_and_answered_twice(cache: Cache) -> None:
    asked: list[list[str]] = []

    def load(missing: list[str]) -> dict[str, int]:
        asked.append(missing)
        return dict.fromkeys(missing, 7)

    assert cache.get_many_or_load(["price:a", "price:A"], load) == {"price:a": 7, "price:A": 7}
    assert [len(names) for names in asked] == [1]


def test_a_known_nothing_among_many_is_left_out(cache: Cache) -> None:
    def nothing() -> int:
        raise Absent("unknown")

    with pytest.raises(Absent):
        cache.get_or_load("price:A", nothing)

    assert cache.get_many_or_load(["price:A", "price:B"], lambda missing: dict.fromkeys(missing, 1)) == {"price:B": 1}


async def test_coroutines_load_many_as_well(cache: Cache) -> None:
    async def load(missing: list[str]) -> dict[str, int]:
        return dict.fromkeys(missing, 3)

    assert await cache.aget_many_or_load(["price:A", "price:B"], load) == {"price:A": 3, "price:B": 3}
    assert cache.get("price:A") == 3


def test_a_failed_load_of_many_leaves_nobody_waiting_and_no_lease(cache: Cache) -> None:
    with pytest.raises(ZeroDivisionError):
        cache.get_many_or_load(["price:A", "price:B"], lambda _missing: {"price:A": 1 // 0})

    assert cache.get_or_load("price:A", lambda: 1) == 1


def test_overlapping_loads_of_many_load_no_key_twice(cache: Cache) -> None:
    loaded: list[str] = []
    keys = [f"price:{number}" for number in range(8)]

    def load(missing: list[str]) -> Mapping[str, str]:
        time.sleep(0.02)
        loaded.extend(missing)
        return {name: name for name in missing}

    found = together(4, lambda at: cache.get_many_or_load(keys[at : at + 5], load))

    assert [list(answer) for answer in found] == [keys[at : at + 5] for at in range(4)]
    assert sorted(loaded) == sorted(set(loaded))


# Among processes


def test_one_of_all_processes_loads_and_the_others_are_woken(two: list[Cache]) -> None:
    held = Held("v")
    with ThreadPoolExecutor(8) as pool:
        callers = [pool.submit(two[number % 2].get_or_load, "price:A", held) for number in range(8)]
        assert held.began.wait(5)
        time.sleep(0.1)
        held.go_on.set()
        ended = time.monotonic()
        answers = [caller.result(5) for caller in callers]
        waited = time.monotonic() - ended

    assert answers == ["v"] * 8
    assert held.calls == 1
    assert waited < 0.5


def test_a_set_elsewhere_is_not_overwritten_by_a_load_that_began_before_it(two: list[Cache]) -> None:
    held = Held("old")
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(two[0].get_or_load, "price:A", held)
        assert held.began.wait(5)
        two[1].set("price:A", "new")
        held.go_on.set()

        assert loading.result(5) == "old"
    assert [cache.get("price:A") for cache in two] == ["new", "new"]


INVALIDATIONS: dict[str, Callable[[Cache], object]] = {
    "delete": lambda cache: cache.delete("price:A"),
    "clear": lambda cache: cache.clear("price:*"),
    "flush_tag": lambda cache: cache.flush_tag("t"),
}


@pytest.mark.parametrize("how", INVALIDATIONS)
def test_what_was_invalidated_elsewhere_during_a_load_is_not_kept_and_nobody_waits_for_it(
    two: list[Cache], how: str
) -> None:
    held = Held("old")
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(two[0].get_or_load, "price:A", held, tags=["t"])
        assert held.began.wait(5)
        INVALIDATIONS[how](two[1])
        later = None if how == "flush_tag" else two[1].get_or_load("price:A", lambda: "new", tags=["t"])
        held.go_on.set()

        assert loading.result(5) == "old"
    assert later in {None, "new"}
    assert [cache.get("price:A") for cache in two] == [later, later]


def test_who_waited_for_a_load_that_was_overtaken_loads_anew(two: list[Cache]) -> None:
    held = Held("old", "new")
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(two[0].get_or_load, "price:A", held)
        assert held.began.wait(5)
        second = pool.submit(two[0].get_or_load, "price:A", held)
        time.sleep(0.05)
        two[0].clear("price:*")
        held.go_on.set()

        assert (first.result(5), second.result(5)) == ("old", "new")
    assert two[1].get("price:A") == "new"


def test_loads_of_many_that_overlap_in_two_processes_do_not_wait_for_each_other_for_ever(two: list[Cache]) -> None:
    keys = ["price:A", "price:B", "price:C"]

    def load(missing: list[str]) -> dict[str, str]:
        time.sleep(0.05)
        return {name: name for name in missing}

    found = together(2, lambda at: two[at].get_many_or_load(keys if at else keys[::-1], load))

    assert all(answer == {name: name for name in keys} for answer in found)


async def test_a_coroutine_on_redis_does_not_hold_up_its_loop(two: list[Cache]) -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.005)

    async def load() -> int:
        await asyncio.sleep(0.1)
        return 7

    ticking = asyncio.create_task(tick())
    assert await asyncio.gather(*(two[0].aget_or_load("price:A", load) for _ in range(20))) == [7] * 20
    ticking.cancel()

    assert ticks > 10
    assert two[1].get("price:A") == 7


def test_an_undone_clear_brings_back_what_was_not_written_anew(two: list[Cache]) -> None:
    two[0].set_many({"price:A": "kept", "price:B": "old"})
    cleared = two[0].clear("price:*", sweep=False)
    assert two[1].get_many(["price:A", "price:B"]) == {}
    two[1].set("price:B", "new")

    assert two[1].undo(cleared)

    assert two[0].get_many(["price:A", "price:B"]) == {"price:A": "kept", "price:B": "new"}


def test_what_was_swept_does_not_come_back(two: list[Cache]) -> None:
    two[0].set("price:A", 1)
    cleared = two[0].clear("price:*", sweep=False)

    assert two[0].sweep(cleared) == 1
    assert two[0].undo(cleared)

    assert two[0].get("price:A") is None


# Values


def test_what_one_caller_does_to_a_value_reaches_no_other(cache: Cache) -> None:
    nested = {"a": [1, {"b": [2]}], "c": (1, [2]), "d": {"e": "text", "f": {"g": None}}, "h": {"flat": 1.5}}
    flat = {"a": 1, "b": "text", "c": None}
    for key, value in (("short:nested", nested), ("short:flat", flat), ("short:list", [1, [2, 3]])):
        cache.set(key, value)
        for _ in range(4):
            found: Any = cache.get(key)
            assert found == value
            if isinstance(found, list):
                found[1].append(9)
                found.clear()
            else:
                found["a"] = "spoiled"
                found.get("d", {}).get("f", {})["g"] = "spoiled"
                found.get("h", {}).clear()


def test_many_small_values_that_are_read_again_and_again_stay_right(made: Bench) -> None:
    keys = [f"short:{number}" for number in range(1500)]
    made.cache.set_many({key: {"key": key, "nested": [key]} for key in keys})

    for _ in range(3):
        for key in keys:
            assert made.cache.get(key) == {"key": key, "nested": [key]}


def test_a_store_that_fails_after_the_load_is_counted_and_the_caller_has_his_value(
    made: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object) -> bool:
        raise BackendError("full")

    monkeypatch.setattr(made.backend, "store", fail)

    assert made.cache.get_or_load("price:A", lambda: 7) == 7
    assert made.cache.stats().total.refused == 1
    assert made.cache.peek_value("price:A") is MISS


def test_the_hit_rate_is_that_of_all_processes(process: Callable[[], Runtime]) -> None:
    one, other = process(), process()
    one.cache.set("user:1", 1)
    for runtime, reads in ((one, 3), (other, 1)):
        for _ in range(reads):
            runtime.cache.get("user:1")
        runtime.cache.get("user:none")
    _flush(one)
    _flush(other)

    rates = [runtime.cache.analytics.get_hit_rate(900, "user") for runtime in (one, other)]

    assert rates == [4 / 6, 4 / 6]


def _flush(runtime: Runtime) -> None:
    assert runtime.flusher is not None
    assert runtime.flusher.flush()


# What is left behind: nothing


def _leases(cache: Cache) -> list[str]:
    """The leases in Redis, after one that nobody holds any more would have ended."""
    time.sleep(1.3)
    client: Any = cache.backend._primary._client  # type: ignore[attr-defined]
    return [name.decode() for name in client.scan_iter("*!load:*")]


def test_two_processes_that_ask_for_the_same_batch_leave_no_lease(two: list[Cache]) -> None:
    slow = Held(None)

    def load(keys: list[str]) -> dict[str, int]:
        slow()
        return dict.fromkeys(keys, 1)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(two[0].get_many_or_load, ["price:A"], load, ttl=5)
        assert slow.began.wait(5)
        second = pool.submit(two[1].get_many_or_load, ["price:A"], load, ttl=5)
        time.sleep(0.2)
        slow.go_on.set()

    assert first.result() == second.result() == {"price:A": 1}
    assert slow.calls == 1
    assert _leases(two[0]) == []


async def test_a_wait_that_is_cancelled_leaves_no_lease(two: list[Cache]) -> None:
    slow = Held(1)

    def fails() -> int:
        slow()
        raise ValueError("no")

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(two[0].get_or_load, "price:A", fails)
        assert await asyncio.to_thread(slow.began.wait, 5)

        async def load() -> int:
            return 2

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(two[1].aget_or_load("price:A", load), 0.3)
        slow.go_on.set()
        assert isinstance(await asyncio.to_thread(first.exception), ValueError)

    assert await asyncio.to_thread(_leases, two[0]) == []


async def test_waits_that_are_cancelled_hold_up_nobody_later(two: list[Cache]) -> None:
    slow = Held(1)

    def fails() -> int:
        slow()
        raise ValueError("no")

    async def load() -> int:
        return 2

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(two[0].get_or_load, "price:A", fails)
        assert await asyncio.to_thread(slow.began.wait, 5)
        waits = [asyncio.wait_for(two[1].aget_or_load("price:A", load), 0.2) for _ in range(8)]
        given_up = await asyncio.gather(*waits, return_exceptions=True)
        slow.go_on.set()
        assert isinstance(await asyncio.to_thread(first.exception), ValueError)

    assert all(isinstance(found, TimeoutError) for found in given_up)
    begun = time.monotonic()
    assert await asyncio.to_thread(two[1].get_or_load, "price:A", lambda: 3) == 3
    assert time.monotonic() - begun < 1.5


def test_a_refresh_is_kept_however_long_an_older_one_takes(two: list[Cache]) -> None:
    two[0].set("price:A", "old")
    slow = Held("older")

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(two[0].refresh, "price:A", slow)
        assert slow.began.wait(5)
        found = two[1].refresh("price:A", lambda: "new")
        between = two[1].get("price:A")
        slow.go_on.set()
        first.result()

    assert (found, between) == ("new", "new")
    assert two[0].get("price:A") == "new"


def test_what_is_told_to_be_absent_for_no_time_is_not_kept_and_blocks_nobody(two: list[Cache]) -> None:
    def absent() -> int:
        raise Absent("nothing there", ttl=0)

    with pytest.raises(Absent, match="nothing there"):
        two[0].get_or_load("price:A", absent)

    assert two[1].get_or_load("price:A", lambda: 2) == 2
    assert _leases(two[0]) == []


@pytest.mark.parametrize("where", ["memory", "redis"])
def test_a_load_longer_than_anybody_waits_is_kept_and_done_by_few(where: str, two: list[Cache]) -> None:
    cache = Bench(load_wait=0.2).cache if where == "memory" else two[0]
    cache._store.limits = CacheLimits(load_wait=0.2)
    loads: list[int] = []

    def load() -> int:
        loads.append(1)
        time.sleep(0.5)
        return 7

    found = together(20, lambda _at: cache.get_or_load("price:A", load))

    assert found == [7] * 20
    assert len(loads) <= 3
    assert cache.get("price:A") == 7


def test_a_batch_that_fails_is_tried_once_by_all_and_not_again_at_once() -> None:
    cache = Bench(failure_throttle=1.0).cache
    calls: list[int] = []

    def fails(_keys: list[str]) -> dict[str, int]:
        calls.append(1)
        time.sleep(0.1)
        raise ValueError("no")

    def ask(_at: int) -> object:
        try:
            return cache.get_many_or_load(["price:A", "price:B"], fails)
        except ValueError as exc:
            return str(exc)

    # Who waits for another's load is told that there is nothing; who asks again a moment later, why.
    assert set(map(str, together(10, ask))) <= {"no", "{}"}
    assert ask(0) == "no"
    assert len(calls) == 1
    assert cache.stats().by_namespace["price"].load_failures == 2


def test_the_failure_of_another_caller_spoils_no_other_key_of_a_batch(cache: Cache) -> None:
    slow = Held(1)

    def fails() -> int:
        slow()
        raise ValueError("his")

    with ThreadPoolExecutor(2) as pool:
        his = pool.submit(cache.get_or_load, "price:B", fails)
        assert slow.began.wait(5)
        ours = pool.submit(
            cache.get_many_or_load, ["price:A", "price:B", "price:C"], lambda keys: dict.fromkeys(keys, 1)
        )
        time.sleep(0.05)
        slow.go_on.set()

    assert ours.result() == {"price:A": 1, "price:C": 1}
    assert isinstance(his.exception(), ValueError)


def test_a_batch_inside_of_its_own_load_loads_at_once(cache: Cache) -> None:
    def inner(keys: list[str]) -> dict[str, int]:
        return dict.fromkeys(keys, 5)

    assert cache.get_many_or_load(["price:A"], lambda keys: cache.get_many_or_load(keys, inner)) == {"price:A": 5}
    assert cache.get_or_load("price:B", lambda: cache.get_many_or_load(["price:B"], inner)["price:B"]) == 5


async def test_what_a_load_leaves_running_is_not_inside_of_it_for_ever(cache: Cache) -> None:
    tasks: list[asyncio.Task[list[int]]] = []
    loads: list[int] = []

    async def watch() -> list[int]:
        await asyncio.sleep(0.05)
        return [await cache.aget_or_load("price:A", load) for _ in range(3)]

    async def load() -> int:
        loads.append(1)
        if len(loads) == 1:
            tasks.append(asyncio.create_task(watch()))
        return 1

    await cache.aget_or_load("price:A", load)
    cache.delete("price:A")

    assert await tasks[0] == [1, 1, 1]
    assert len(loads) == 2


def test_a_value_that_cannot_be_kept_is_not_shared(cache: Cache) -> None:
    def load() -> Any:
        time.sleep(0.05)
        return (number for number in range(3))

    assert [list(found) for found in together(3, lambda _at: cache.get_or_load("price:A", load))] == [[0, 1, 2]] * 3


async def test_failing_reloads_of_a_stale_value_are_one(made: Bench) -> None:
    cache, calls = made.cache, list[int]()
    cache._store.limits = CacheLimits(failure_throttle=1.0, jitter=0.0)
    cache.get_or_load("price:A", lambda: 1)
    made.clock.advance(11)

    async def fails() -> int:
        calls.append(1)
        await asyncio.sleep(0.05)
        raise ValueError("no")

    found = await asyncio.gather(*(cache.aget_or_load("price:A", fails) for _ in range(20)))
    await asyncio.sleep(0.1)

    assert found == [1] * 20
    assert len(calls) == 1


def test_a_loader_that_raises_stop_iteration_is_heard(cache: Cache) -> None:
    def load() -> int:
        return next(iter(()))

    for _ in range(2):
        with pytest.raises(StopIteration):
            cache.get_or_load("price:A", load)


def test_what_is_known_to_be_absent_does_not_exist(cache: Cache) -> None:
    def absent() -> int:
        raise Absent("nothing there", ttl=60)

    with pytest.raises(Absent):
        cache.get_or_load("price:A", absent)

    assert (cache.exists("price:A"), cache.ttl("price:A")) == (False, None)


def test_walking_the_keys_while_others_read_raises_nothing() -> None:
    cache = Bench().cache
    cache.set_many({f"price:{number}": number for number in range(5000)})
    stopped = threading.Event()

    def read() -> None:
        number = 0
        while not stopped.is_set():
            number = (number + 7919) % 5000
            cache.get(f"price:{number}")

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    try:
        for _ in range(20):
            assert len(cache.keys("price:*")) == 5000
            cache.info()
    finally:
        stopped.set()
        for reader in readers:
            reader.join()


def test_more_waits_than_connections_are_no_outage(redis_env: dict[str, str], build: Callable[..., Runtime]) -> None:
    runtimes = [build({**redis_env, "REDIS_MAX_CONNECTIONS": "6"}) for _ in range(2)]
    slow = Held(*range(10))

    with ThreadPoolExecutor(20) as pool:
        loads = [pool.submit(runtimes[0].cache.get_or_load, f"price:{at}", slow) for at in range(10)]
        while slow.calls < 10:
            time.sleep(0.01)
        waits = [pool.submit(runtimes[1].cache.get_or_load, f"price:{at}", lambda: -1) for at in range(10)]
        time.sleep(0.3)
        state = runtimes[1].cache.state()
        slow.go_on.set()
        assert [wait.result() for wait in waits] == [load.result() for load in loads]

    assert not state.is_degraded


def test_a_process_that_forks_while_others_load_and_read_leaves_nothing_locked() -> None:
    cache = Bench().cache
    cache.set_many({f"price:{number}": number for number in range(2000)})
    slow, stopped = Held(1), threading.Event()

    def walk() -> None:
        while not stopped.is_set():
            cache.keys("price:1*")

    threads = [
        threading.Thread(target=walk),
        threading.Thread(target=lambda: cache.get_or_load("price:slow", slow)),
    ]
    for thread in threads:
        thread.start()
    assert slow.began.wait(5)
    try:
        for _ in range(5):
            child = os.fork()
            if not child:
                os._exit(0 if cache.get_or_load("price:slow", lambda: 2) == 2 else 1)
            assert _exit_code_within(child, 5) == 0
    finally:
        stopped.set()
        slow.go_on.set()
        for thread in threads:
            thread.join()


def test_a_forked_process_waits_with_threads_of_its_own(two: list[Cache]) -> None:
    async def load() -> int:
        return 1

    assert asyncio.run(two[0].aget_or_load("price:A", load)) == 1
    child = os.fork()
    if not child:
        os._exit(0 if asyncio.run(two[0].aget_or_load("price:B", load)) == 1 else 1)

    assert _exit_code_within(child, 10) == 0


def test_a_refresh_that_fails_leaves_the_one_that_it_overtook_its_right(two: list[Cache]) -> None:
    two[0].set("price:A", "old")
    slow = Held("new")

    def fails() -> str:
        raise ValueError("no")

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(two[0].refresh, "price:A", slow)
        assert slow.began.wait(5)
        with pytest.raises(ValueError, match="no"):
            two[1].refresh("price:A", fails)
        slow.go_on.set()
        assert first.result() == "new"

    assert two[1].get("price:A") == "new"


def test_two_loads_of_one_key_in_one_process_both_keep_their_leases(two: list[Cache]) -> None:
    two[0].set("price:A", "old")
    first, second = Held("first"), Held("second")

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(two[0].refresh, "price:A", first)
        assert first.began.wait(5)
        other = pool.submit(two[0].refresh, "price:A", second)
        assert second.began.wait(5)
        time.sleep(1.5)  # longer than a lease that nobody renews
        second.go_on.set()
        assert other.result() == "second"
        first.go_on.set()
        one.result()

    assert two[1].get("price:A") == "second"


def test_who_waits_for_one_key_of_a_batch_waits_for_no_other(two: list[Cache]) -> None:
    theirs = Held(2)

    with ThreadPoolExecutor(3) as pool:
        away = pool.submit(two[0].get_or_load, "price:B", theirs)
        assert theirs.began.wait(5)
        batch = pool.submit(two[1].get_many_or_load, ["price:A", "price:B"], lambda keys: dict.fromkeys(keys, 1))
        begun = time.monotonic()
        while two[1].get("price:A") is None:
            time.sleep(0.01)
        found = two[1].get_or_load("price:A", lambda: -1)
        took = time.monotonic() - begun
        theirs.go_on.set()

    assert found == 1
    assert took < 2
    assert batch.result() == {"price:A": 1, "price:B": 2}
    assert away.result() == 2


def test_batches_that_have_waited_too_long_load_once_together() -> None:
    cache = Bench(load_wait=0.2).cache
    calls: list[int] = []
    hung = Held({})

    def load(keys: list[str]) -> dict[str, int]:
        calls.append(len(keys))
        return dict.fromkeys(keys, 1)

    keys = [f"price:{number}" for number in range(10)]
    with ThreadPoolExecutor(11) as pool:
        first = pool.submit(cache.get_many_or_load, keys, lambda _keys: hung())
        assert hung.began.wait(5)
        found = list(pool.map(lambda _at: cache.get_many_or_load(keys, load), range(10)))
        hung.go_on.set()
        first.result()

    assert found == [dict.fromkeys(keys, 1)] * 10
    assert sum(calls) <= 20


def _exit_code_within(child: int, seconds: float) -> int | None:
    give_up_at = time.monotonic() + seconds
    while time.monotonic() < give_up_at:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None
