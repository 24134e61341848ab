"""Looking at keys: exact or honest about it, shared, and never counted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from avcache.backends.base import Slice
from avcache.backends.board import MemoryBoard
from avcache.backends.memory import MemoryBackend
from avcache.clock import ManualClock
from avcache.core.cache import Cache
from avcache.core.keys import Namespace, Namespaces
from avcache.errors import InvalidInput
from avcache.ops import keyspace as module
from avcache.ops.keyspace import Keyspace
from avcache.runtime import Runtime
from tests.threads import together


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def cache(clock: ManualClock) -> Cache:
    namespaces = Namespaces(Namespace("default", 60.0), [Namespace("price", 60.0, 600.0, str.upper)])
    return Cache(MemoryBackend(clock=clock), namespaces, wall=clock, randomness=lambda: 0.0)


@pytest.fixture
def keyspace(cache: Cache, clock: ManualClock) -> Keyspace:
    return Keyspace(cache, MemoryBoard(clock), clock, clock)


@pytest.fixture
def on_server(process: Callable[[], Runtime]) -> Runtime:
    return process()


def test_a_snapshot_of_nothing_is_exact_and_empty(keyspace: Keyspace, clock: ManualClock) -> None:
    snapshot = keyspace.snapshot()

    assert (snapshot.keys, snapshot.is_exact, snapshot.taken_at) == (0, True, clock())
    assert snapshot.namespaces == {}


def test_a_snapshot_says_what_each_namespace_takes(cache: Cache, keyspace: Keyspace, clock: ManualClock) -> None:
    cache.get_or_load("price:OLD", lambda: 1, ttl=10)
    clock.advance(20)
    cache.set_many({f"price:A{number}": "x" * 100 for number in range(6)} | {"user:1": "y"})

    sizes = keyspace.snapshot().namespaces

    assert list(sizes) == ["price", "user"]
    assert (sizes["price"].keys, sizes["price"].stale) == (7, 1)
    assert len(sizes["price"].samples) == 5
    assert set(sizes["price"].samples) <= set(cache.keys("price:*"))
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
    assert third.keys == 1


class Looked:
    """A survey that waits for `go`."""

    def __init__(self, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.go = threading.Event(), threading.Event()
        self._survey = cache.backend.survey
        monkeypatch.setattr(cache.backend, "survey", self._wait)

    def _wait(self, *, fair: bool = False) -> Iterator[Slice]:
        self.begun.set()
        assert self.go.wait(10)
        yield from self._survey(fair=fair)


def test_who_asks_while_others_look_gets_what_was_seen_before(
    cache: Cache, keyspace: Keyspace, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, looked = keyspace.snapshot(), Looked(cache, monkeypatch)
    cache.set("user:1", 1)
    clock.advance(2.0)
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(keyspace.snapshot)
        assert looked.begun.wait(10)

        meanwhile = keyspace.snapshot()
        clock.advance(2.0)  # by now it is too old for that
        late = pool.submit(keyspace.snapshot)
        with pytest.raises(TimeoutError):
            late.result(0.1)
        looked.go.set()

        assert meanwhile is before
        assert slow.result(10).keys == late.result(10).keys == 1


def test_what_was_forgotten_is_shown_to_nobody_while_others_look(
    cache: Cache, keyspace: Keyspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyspace.snapshot()
    cache.set("user:1", 1)
    keyspace.forget_sweep()
    looked = Looked(cache, monkeypatch)
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(keyspace.snapshot)
        assert looked.begun.wait(10)
        other = pool.submit(keyspace.snapshot)
        with pytest.raises(TimeoutError):
            other.result(0.1)
        looked.go.set()

        assert slow.result(10).keys == other.result(10).keys == 1


def test_who_wants_no_age_gets_none(cache: Cache, keyspace: Keyspace, clock: ManualClock) -> None:
    keyspace.snapshot()
    cache.set("user:1", 1)
    clock.advance(0.001)

    assert keyspace.snapshot(max_age=0).keys == 1


def test_many_who_look_at_once_cost_one_look(cache: Cache, keyspace: Keyspace, monkeypatch: pytest.MonkeyPatch) -> None:
    looks, survey = list[int](), cache.backend.survey

    def counted(*, fair: bool) -> object:
        looks.append(1)
        return survey(fair=fair)

    monkeypatch.setattr(cache.backend, "survey", counted)
    together(8, lambda _: keyspace.snapshot())

    assert len(looks) == 1


def test_looking_counts_nothing(cache: Cache, keyspace: Keyspace) -> None:
    cache.set("price:AAPL", 1)

    keyspace.snapshot()
    keyspace.find("price:*")
    keyspace.sweep()

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
    assert 0 < page.done < 1


def test_exactly_the_most_keys_are_whole(cache: Cache, keyspace: Keyspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_KEYS", 1000)
    cache.set_many({f"user:{number}": 1 for number in range(1000)})

    page = keyspace.find("*")

    assert (len(page.rows), page.is_exact) == (1000, True)


def test_past_its_time_a_look_says_that_it_is_not_whole(cache: Cache) -> None:
    cache.set_many({f"user:{number}": 1 for number in range(1501)})
    readings = iter([0.0, 0.0, 1.0, 1.0, 1.0])

    page = Keyspace(cache, MemoryBoard(), lambda: next(readings)).find("*")

    assert (len(page.rows), page.is_exact) == (500, False)


def test_the_looks_agree_on_a_real_server(on_server: Runtime) -> None:
    on_server.cache.set_many({f"user:{number}": number for number in range(1200)})

    snapshot, page = on_server.ops.keyspace.snapshot(), on_server.ops.keyspace.find("user:*")

    assert snapshot.is_exact
    assert snapshot.keys == 1200
    assert {peek.key for peek in page.rows} == set(on_server.cache.keys())


def test_names_that_are_no_keys_of_ours_are_shown_as_foreign(on_server: Runtime, redis_url: str, prefix: str) -> None:
    names = {
        "a b:c": "a b",
        "price:aapl": "price",
        "nocolon": "default",
        ":bare": "default",
        "line\nbreak:1": "line\nbreak",
    }
    with redis.Redis.from_url(redis_url) as client:
        for name in names:
            client.set(f"{prefix}{name}", b"of another program", ex=60)

        client.rpush(f"{prefix}a:list", "not a text")
        client.set(f"{prefix}".encode() + b"\xff:1", b"whose name is no text", ex=60)

    page, sizes = on_server.ops.keyspace.find("*"), on_server.ops.keyspace.snapshot().namespaces

    assert {peek.key: peek.namespace for peek in page.rows} == names
    assert all(peek.is_foreign and peek.size == 18 and 50 < peek.expires_in <= 60 for peek in page.rows)
    assert {name: (size.keys, size.foreign) for name, size in sizes.items()} == {
        **dict.fromkeys(names.values(), (1, 1)),
        "default": (2, 2),
        "a": (1, 1),
        "\\xff": (1, 1),
    }
    assert sizes["a"].endless == 1
    assert sizes["price"].foreign_samples == ("price:aapl",)


# -- a large store ---------------------------------------------------------------------------------


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is large begins with two hundred keys."""
    monkeypatch.setattr(module, "_MOST_KEYS", 200)
    monkeypatch.setattr(module, "_SAMPLE_KEYS", 150)
    monkeypatch.setattr(module, "_SWEEP_PAUSE", 0.0)


@pytest.mark.usefixtures("large")
def test_of_a_large_store_a_sample_is_told_with_its_error(on_server: Runtime) -> None:
    on_server.cache.set_many({f"user:{number}": number for number in range(3000)})

    snapshot = on_server.ops.keyspace.snapshot()

    low, high = snapshot.band(snapshot.keys)
    assert 0 < snapshot.share < 0.5
    assert not snapshot.is_exact
    assert low < snapshot.keys < high
    assert low * 0.7 < 3000 < high * 1.4  # a band holds the truth in 95 of 100 cases: this one holds in all


@pytest.mark.usefixtures("large")
def test_a_sweep_counts_every_key_and_tells_the_other_processes(process: Callable[[], Runtime]) -> None:
    one, other = process(), process()
    cache = one.cache
    cache.set_many({f"user:{number}": number for number in range(3000)})
    cache.get_or_load("price:AAPL", lambda: 1)

    swept = one.ops.keyspace.sweep()
    seen = other.ops.keyspace.snapshot()

    assert swept == seen
    assert (seen.keys, seen.is_exact, seen.share) == (3001, True, 1.0)
    assert (seen.namespaces["user"].keys, seen.namespaces["price"].keys) == (3000, 1)
    assert seen.band(3000) == (3000, 3000)


@pytest.mark.usefixtures("large")
def test_whoever_leads_sweeps_a_large_store_and_leaves_a_small_one(on_server: Runtime) -> None:
    keyspace, cache = on_server.ops.keyspace, on_server.cache
    cache.set_many({f"user:{number}": number for number in range(3000)})

    keyspace.tend()
    large = keyspace.snapshot()
    cache.clear("user:1*")
    keyspace.forget_sweep()
    keyspace.tend()
    smaller = keyspace.snapshot()
    cache.clear("*")
    keyspace.forget_sweep()
    keyspace.tend()

    assert (large.keys, large.share) == (3000, 1.0)
    assert (smaller.keys, smaller.share) == (3000 - 1111, 1.0)
    assert (keyspace.snapshot().keys, keyspace.snapshot().is_exact) == (0, True)


@pytest.mark.usefixtures("large")
def test_a_sweep_that_may_not_go_on_keeps_nothing(on_server: Runtime) -> None:
    on_server.cache.set_many({f"user:{number}": number for number in range(3000)})
    told = list[float]()

    def go_on(done: float) -> bool:
        told.append(done)
        return len(told) < 3

    assert on_server.ops.keyspace.sweep(go_on) is None
    assert 0 < told[0] < told[1] < told[2] < 1
    assert not on_server.ops.keyspace.snapshot().is_exact


@pytest.mark.usefixtures("large")
def test_what_one_process_forgets_all_forget(process: Callable[[], Runtime]) -> None:
    one, other = process(), process()
    one.cache.set_many({f"user:{number}": number for number in range(3000)})
    before = other.ops.keyspace.snapshot()

    one.cache.clear("*")
    one.ops.keyspace.forget_sweep()
    after = other.ops.keyspace.snapshot()

    assert before.keys > 0
    assert after.keys == 0


@pytest.mark.usefixtures("large")
def test_a_sweep_that_was_overtaken_by_a_clear_tells_nobody(on_server: Runtime) -> None:
    cache, keyspace = on_server.cache, on_server.ops.keyspace
    cache.set_many({f"user:{number}": number for number in range(3000)})

    def clear_at_the_end(done: float) -> bool:
        if done == 1:
            cache.clear("*")
            keyspace.forget_sweep()
        return True

    keyspace.sweep(clear_at_the_end)

    assert keyspace.snapshot().keys == 0


def test_what_was_cleared_but_not_swept_is_not_there(on_server: Runtime) -> None:
    on_server.cache.set_many({f"user:{number}": number for number in range(300)}, tags=["team"])
    on_server.cache.set_many({f"price:A{number}": number for number in range(200)})
    on_server.cache.clear("price:A1*", sweep=False)
    on_server.cache.set("price:A1", 1)

    prices = on_server.ops.keyspace.snapshot(max_age=0).namespaces["price"].keys
    on_server.cache.flush_tag("team", sweep=False)

    assert prices == 200 - 111 + 1
    assert list(on_server.ops.keyspace.snapshot(max_age=0).namespaces) == ["price"]


def test_keys_of_other_applications_are_never_counted(
    redis_env: dict[str, str], redis_url: str, prefix: str, build: Callable[..., Runtime]
) -> None:
    globs = f"{prefix.rstrip(':')}.:"
    with redis.Redis.from_url(redis_url) as client:
        names = [f"{prefix}user:1", f"{prefix.rstrip(':')}xuser:1", f"{prefix.rstrip(':')}.user:1", globs[:-1]]
        client.mset(dict.fromkeys(names, b"of another program"))
        wired = build(redis_env | {"REDIS_PREFIX": globs})
        wired.cache.set("user:1", 1)

        swept, found = wired.ops.keyspace.sweep(), wired.ops.keyspace.find("*")
        cleared = wired.ops.clearing.clear("*")
        left = client.exists(*names)
        wired.close()
        client.delete(*names)

    assert swept is not None
    assert {name: size.samples for name, size in swept.namespaces.items()} == {"user": ("user:1",)}
    assert [peek.key for peek in found.rows] == ["user:1"]
    assert (int(cleared), left) == (1, 4)


@pytest.mark.usefixtures("large")
def test_nothing_is_swept_while_a_clear_drops_keys(on_server: Runtime) -> None:
    keyspace = on_server.ops.keyspace
    on_server.cache.set_many({f"user:{number}": number for number in range(3000)})

    with keyspace.at_rest():
        keyspace.tick(lambda: True)
        during = keyspace.snapshot()
    keyspace.tick(lambda: True)

    assert not during.is_exact
    assert (keyspace.snapshot().keys, keyspace.snapshot().is_exact) == (3000, True)


# -- pages and searches ----------------------------------------------------------------------------


def test_a_page_of_known_names_comes_in_their_order(cache: Cache, keyspace: Keyspace) -> None:
    cache.set_many({"price:KO": 1, "price:AAPL": 1})

    page = keyspace.page(["price:KO", "price:NONE", "price:AAPL"])

    assert [peek.key for peek in page] == ["price:KO", "price:AAPL"]


def test_a_search_goes_on_where_it_stopped_until_it_has_seen_all(on_server: Runtime) -> None:
    on_server.cache.set_many({f"user:{number}": number for number in range(3000)})
    keyspace, found, cursor, told = on_server.ops.keyspace, set[str](), "", list[float]()

    while True:
        page = keyspace.search("user:*", cursor, budget=0.0)
        found.update(peek.key for peek in page.rows)
        told.append(page.done)
        cursor = page.cursor
        if not cursor:
            break

    assert len(found) == 3000
    assert len(told) > 3
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_a_search_is_exact_only_if_it_saw_all_at_once(on_server: Runtime) -> None:
    on_server.cache.set_many({f"user:{number}": number for number in range(3000)})

    first = on_server.ops.keyspace.search("user:1?", budget=0.0)
    last = on_server.ops.keyspace.search("user:1?", first.cursor, budget=30)
    whole = on_server.ops.keyspace.search("user:1?", budget=30)

    assert (first.is_exact, last.is_exact, whole.is_exact) == (False, False, True)
    assert len(whole.rows) == 10
    assert len({peek.key for peek in (*first.rows, *last.rows)}) == 10
