"""One load at a time for each key, and nobody is left hanging."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from avcache.core.fence import Fence
from avcache.core.singleflight import SingleFlight
from tests.core.helpers import together


@pytest.fixture
def flights() -> SingleFlight[int]:
    return SingleFlight()


class Slow:
    """A load that waits to be released, and counts how often it ran."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.calls = 0
        self.began = threading.Event()
        self.release = threading.Event()
        self._error = error

    def __call__(self) -> int:
        self.calls += 1
        self.began.set()
        assert self.release.wait(10)
        if self._error is not None:
            raise self._error
        return self.calls


def test_64_threads_make_one_load(flights: SingleFlight[int]) -> None:
    slow = Slow()
    threading.Timer(0.1, slow.release.set).start()

    results = together(64, lambda _: flights.run("k", slow))

    assert slow.calls == 1
    assert {value for value, _ in results} == {1}
    assert sum(led for _, led in results) == 1
    assert not flights.is_flying("k")


def test_other_keys_do_not_wait(flights: SingleFlight[int]) -> None:
    slow = Slow()
    with ThreadPoolExecutor() as pool:
        first = pool.submit(flights.run, "k", slow)
        assert slow.began.wait(5)

        assert flights.run("other", lambda: 7) == (7, True)
        assert (flights.is_flying("k"), flights.is_flying("other")) == (True, False)
        slow.release.set()
        assert first.result(5) == (1, True)


def test_the_next_call_after_a_load_loads_anew(flights: SingleFlight[int]) -> None:
    assert flights.run("k", lambda: 1) == (1, True)
    assert flights.run("k", lambda: 2) == (2, True)


def test_the_leaders_exception_reaches_those_who_wait_and_the_next_call_loads_anew(flights: SingleFlight[int]) -> None:
    slow = Slow(KeyError("gone"))
    with ThreadPoolExecutor() as pool:
        callers = [pool.submit(flights.run, "k", slow)]
        assert slow.began.wait(5)
        callers += [pool.submit(flights.run, "k", lambda: 99) for _ in range(3)]
        time.sleep(0.05)
        slow.release.set()
        errors = [caller.exception(5) for caller in callers]

    assert [type(error) for error in errors] == [KeyError] * 4
    assert flights.run("k", lambda: 2) == (2, True)


def test_a_leader_that_was_interrupted_leaves_the_load_to_the_next_in_line(flights: SingleFlight[int]) -> None:
    slow = Slow(SystemExit())
    with ThreadPoolExecutor() as pool:
        leader = pool.submit(flights.run, "k", slow)
        assert slow.began.wait(5)
        waiters = [pool.submit(flights.run, "k", lambda: 2) for _ in range(3)]
        time.sleep(0.05)
        slow.release.set()

        assert isinstance(leader.exception(5), SystemExit)
        assert {waiter.result(5)[0] for waiter in waiters} == {2}


def test_a_load_that_asks_for_its_own_key_does_not_wait_for_itself(flights: SingleFlight[int]) -> None:
    def load() -> int:
        return flights.run("k", lambda: 5)[0] + 1

    with ThreadPoolExecutor() as pool:
        assert pool.submit(flights.run, "k", load).result(5) == (6, True)


def test_a_load_may_ask_for_other_keys(flights: SingleFlight[int]) -> None:
    assert flights.run("a", lambda: flights.run("b", lambda: 1)[0] + 1) == (2, True)
    assert flights.run("b", lambda: 3) == (3, True)


def test_after_forget_nobody_new_waits_for_the_old_load_and_old_waiters_still_get_it(
    flights: SingleFlight[int],
) -> None:
    old, new = Slow(), Slow()
    with ThreadPoolExecutor() as pool:
        leader = pool.submit(flights.run, "k", old)
        assert old.began.wait(5)
        waiter = pool.submit(flights.run, "k", lambda: 50)
        time.sleep(0.05)

        flights.forget("k")
        newcomer = pool.submit(flights.run, "k", new)
        assert new.began.wait(5)
        old.release.set()
        assert (leader.result(5), waiter.result(5)) == ((1, True), (1, False))
        still_flying = flights.is_flying("k")
        new.release.set()

        assert (still_flying, newcomer.result(5)) == (True, (1, True))
    flights.forget("nothing")


async def test_coroutines_make_one_load(flights: SingleFlight[int]) -> None:
    calls = 0

    async def load() -> int:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.02)
        return calls

    results = await asyncio.gather(*(flights.arun("k", load) for _ in range(64)))

    assert calls == 1
    assert sum(led for _, led in results) == 1


async def test_a_coroutine_waits_for_the_load_of_a_thread(flights: SingleFlight[int]) -> None:
    async def never() -> int:
        raise AssertionError

    slow = Slow()
    with ThreadPoolExecutor() as pool:
        leader = pool.submit(flights.run, "k", slow)
        assert slow.began.wait(5)
        waiter = asyncio.create_task(flights.arun("k", never))
        await asyncio.sleep(0.02)
        slow.release.set()

        assert await waiter == (1, False)
        assert leader.result(5) == (1, True)


async def test_a_leader_that_was_cancelled_leaves_the_load_to_the_next(flights: SingleFlight[int]) -> None:
    async def hang() -> int:
        await asyncio.sleep(30)
        return 1

    async def load() -> int:
        return 2

    leader = asyncio.create_task(flights.arun("k", hang))
    await asyncio.sleep(0.01)
    waiters = [asyncio.create_task(flights.arun("k", load)) for _ in range(3)]
    await asyncio.sleep(0.01)
    leader.cancel()

    assert {value for value, _ in await asyncio.gather(*waiters)} == {2}
    assert leader.cancelled() or leader.cancelling()


async def test_a_waiter_that_is_cancelled_takes_nobody_with_it(flights: SingleFlight[int]) -> None:
    release = asyncio.Event()

    async def load() -> int:
        await release.wait()
        return 1

    tasks = [asyncio.create_task(flights.arun("k", load)) for _ in range(3)]
    await asyncio.sleep(0.01)
    tasks[1].cancel()
    await asyncio.sleep(0.01)
    release.set()

    assert await tasks[0] == (1, True)
    assert await tasks[2] == (1, False)
    with pytest.raises(asyncio.CancelledError):
        await tasks[1]


async def test_a_waiter_that_is_cancelled_together_with_the_leader_stops(flights: SingleFlight[int]) -> None:
    async def hang() -> int:
        await asyncio.sleep(30)
        return 1

    tasks = [asyncio.create_task(flights.arun("k", hang)) for _ in range(2)]
    await asyncio.sleep(0.01)
    for task in tasks:
        task.cancel()

    results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)

    assert [type(result) for result in results] == [asyncio.CancelledError] * 2


async def test_a_coroutine_that_asks_for_its_own_key_does_not_wait_for_itself(flights: SingleFlight[int]) -> None:
    async def inner() -> int:
        return 5

    async def load() -> int:
        return (await flights.arun("k", inner))[0] + 1

    assert await asyncio.wait_for(flights.arun("k", load), 5) == (6, True)


def everything(_key: str, _tags: Sequence[str]) -> bool:
    return True


def test_the_fence_overtakes_the_loads_that_are_covered_and_no_others() -> None:
    fence = Fence()
    with fence.load("a", "s", ["t"]) as first, fence.load("b") as second:
        with fence.overtaking(lambda key, _tags: key == "a") as covered:
            assert covered == [first]

        assert (first.is_overtaken, second.is_overtaken) == (True, False)
        with fence.overtaking(lambda _key, tags: "t" in tags) as covered:
            assert covered == [first]


def test_a_load_that_begins_within_an_invalidation_is_overtaken_and_one_after_it_is_not() -> None:
    fence = Fence()

    with fence.overtaking(everything) as overtaken, fence.load("a") as within:
        pass
    with fence.overtaking(everything) as overtaken:
        still_open = fence.load("b")
        late = still_open.__enter__()
    with fence.load("a") as later, fence.storing(later) as may_store:
        assert may_store

    assert within.is_overtaken
    assert overtaken == [late]
    still_open.__exit__(None, None, None)


def test_what_was_overtaken_may_not_store() -> None:
    fence = Fence()

    with fence.load("a") as load:
        with fence.overtaking(everything):
            pass
        with fence.storing(load) as may_store:
            assert not may_store


def test_an_invalidation_waits_for_a_store_under_way() -> None:
    fence, order = Fence(), list[str]()

    def invalidate() -> None:
        with fence.overtaking(everything):
            order.append("invalidated")

    with fence.load("a") as load, fence.storing(load) as may_store:
        thread = threading.Thread(target=invalidate)
        thread.start()
        thread.join(0.05)
        order.append("stored")
    thread.join(5)

    assert may_store
    assert order == ["stored", "invalidated"]


def test_the_fence_lets_go_of_a_load_that_failed_or_is_over() -> None:
    fence = Fence()
    with pytest.raises(KeyError), fence.load("a"):
        raise KeyError
    with fence.load("a") as over:
        pass

    with fence.overtaking(everything) as overtaken:
        assert overtaken == []
    assert not over.is_overtaken
