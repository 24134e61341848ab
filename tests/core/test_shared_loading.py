"""Loads, invalidations and waits of several processes on one server."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from avcache.core.cache import Cache
from avcache.core.store import CacheLimits
from avcache.errors import Absent
from avcache.runtime import Runtime, from_environment
from tests.core.helpers import Bench, Held, exit_code_within, leases
from tests.threads import together


def test_in_an_outage_a_miss_is_the_servers(redis_url: str) -> None:
    del redis_url
    with_nothing = from_environment({"REDIS_ENABLED": "true", "REDIS_URL": "redis://127.0.0.1:1/0"})

    assert with_nothing.cache.get_entry("price:A").miss == "backend_error"
    with_nothing.close()


def test_what_tells_how_long_may_fail_and_blocks_nobody(two: list[Cache]) -> None:
    with pytest.raises(ZeroDivisionError):
        two[0].get_or_load("price:A", lambda: 1, ttl=lambda _value: 1 / 0)
    begun = time.monotonic()

    found = two[1].get_or_load("price:A", lambda: 2)

    assert found == 2
    assert time.monotonic() - begun < 0.5  # no lease was left behind


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

    assert await asyncio.to_thread(leases, two[0]) == []


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
    assert leases(two[0]) == []


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


def test_a_forked_process_waits_with_threads_of_its_own(two: list[Cache]) -> None:
    async def load() -> int:
        return 1

    assert asyncio.run(two[0].aget_or_load("price:A", load)) == 1
    child = os.fork()
    if not child:
        os._exit(0 if asyncio.run(two[0].aget_or_load("price:B", load)) == 1 else 1)

    assert exit_code_within(child, 10) == 0


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


def test_two_loads_of_one_key_in_one_process_both_keep_theirleases(two: list[Cache]) -> None:
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
