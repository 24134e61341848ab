"""Who loads, who waits, what is kept of it, and what a reader is told."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from typing import Any

import pytest

from avcache.backends.base import MISS
from avcache.core.cache import Cache
from avcache.core.reading import Reading
from avcache.core.store import CacheLimits
from avcache.errors import Absent, BackendError, InvalidInput
from tests.core.helpers import Bench, Held, exit_code_within
from tests.threads import together


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


def test_each_of_several_keys_may_have_tags_of_its_own(cache: Cache) -> None:
    cache.get_many_or_load(
        ["price:A", "price:B"], lambda keys: dict.fromkeys(keys, 1), tags=lambda key: [key.partition(":")[2]]
    )

    cache.flush_tag("A")

    assert (cache.get("price:A"), cache.get("price:B")) == (None, 1)


def test_two_names_of_one_key_are_asked_for_once_and_answered_twice(cache: Cache) -> None:
    asked: list[list[str]] = []

    def load(missing: list[str]) -> dict[str, int]:
        asked.append(missing)
        return dict.fromkeys(missing, 7)

    assert cache.get_many_or_load(["price:a", "price:A"], load) == {"price:a": 7, "price:A": 7}
    assert [len(names) for names in asked] == [1]


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


def test_a_store_that_fails_after_the_load_is_counted_and_the_caller_has_his_value(
    made: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object) -> bool:
        raise BackendError("full")

    monkeypatch.setattr(made.backend, "store", fail)

    assert made.cache.get_or_load("price:A", lambda: 7) == 7
    assert made.cache.stats().total.refused == 1
    assert made.cache.peek_value("price:A") is MISS


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
            assert exit_code_within(child, 5) == 0
    finally:
        stopped.set()
        slow.go_on.set()
        for thread in threads:
            thread.join()
