"""Loads of many keys at once: each loaded once, by one of all who ask."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from avcache.core.cache import Cache
from avcache.errors import Absent
from tests.core.helpers import Bench, Held, leases
from tests.threads import together


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


def test_loads_of_many_that_overlap_in_two_processes_do_not_wait_for_each_other_for_ever(two: list[Cache]) -> None:
    keys = ["price:A", "price:B", "price:C"]

    def load(missing: list[str]) -> dict[str, str]:
        time.sleep(0.05)
        return {name: name for name in missing}

    found = together(2, lambda at: two[at].get_many_or_load(keys if at else keys[::-1], load))

    assert all(answer == {name: name for name in keys} for answer in found)


def test_many_small_values_that_are_read_again_and_again_stay_right(made: Bench) -> None:
    keys = [f"short:{number}" for number in range(1500)]
    made.cache.set_many({key: {"key": key, "nested": [key]} for key in keys})

    for _ in range(3):
        for key in keys:
            assert made.cache.get(key) == {"key": key, "nested": [key]}


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
    assert leases(two[0]) == []


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
