"""What the cache promises to those who call it."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from avcache.backends.base import MISS
from avcache.core.cache import Cache
from avcache.core.entry import Head, encode
from avcache.core.keys import Key
from avcache.core.serializers import dumps
from avcache.core.store import CacheLimits
from avcache.errors import BackendError, InvalidInput, LockTimeout, SerializationError
from tests.core.helpers import Bench, together


@pytest.fixture
def made() -> Bench:
    return Bench()


@pytest.fixture
def cache(made: Bench) -> Cache:
    return made.cache


def never() -> Any:
    raise AssertionError("nothing should be loaded")


def failing() -> Any:
    raise KeyError("the source is away")


def until(is_so: Callable[[], object], patience: float = 5.0) -> None:
    """Wait for what a thread in the background brings about."""
    give_up_at = time.monotonic() + patience
    while not is_so():
        assert time.monotonic() < give_up_at, "it did not happen"
        time.sleep(0.002)


class Gate:
    """A load that waits to be let through."""

    def __init__(self, value: object = "loaded") -> None:
        self.calls = 0
        self.began = threading.Event()
        self.release = threading.Event()
        self._value = value

    def __call__(self) -> Any:
        self.calls += 1
        self.began.set()
        assert self.release.wait(10)
        return self._value

    async def later(self) -> Any:
        return await asyncio.to_thread(self)


# Reading and writing


def test_a_value_comes_back_until_its_ttl_is_over(made: Bench) -> None:
    made.cache.set("user:1", {"name": "Ann"}, ttl=300)

    made.clock.advance(299)
    assert made.cache.get("user:1") == {"name": "Ann"}
    made.clock.advance(2)
    assert made.cache.get("user:1") is None


def test_a_cached_none_is_a_value_and_a_miss_is_the_default(cache: Cache) -> None:
    cache.set("user:1", None)

    assert cache.get("user:1", default=5) is None
    assert cache.exists("user:1")
    assert cache.peek_value("user:1") is None
    assert cache.get_many(["user:1", "user:2"]) == {"user:1": None}
    assert cache.get_or_load("user:1", never) is None
    assert cache.get("user:2", default=5) == 5
    assert cache.get("user:2") is None
    assert cache.peek_value("user:2") is MISS


def test_get_many_answers_under_the_names_given(cache: Cache) -> None:
    cache.set_many({"price:aapl": 1, "plain": 2})

    assert cache.get_many(["price:AAPL", "price:aapl", "plain", "default:plain", "price:x"]) == {
        "price:AAPL": 1,
        "price:aapl": 1,
        "plain": 2,
        "default:plain": 2,
    }
    assert cache.get_many([]) == {}


def test_what_is_handed_out_is_apart_from_what_is_stored(cache: Cache) -> None:
    value = [1]
    cache.set("user:1", value)
    value.append(2)

    handed_out = cache.get("user:1")
    assert handed_out is not None
    handed_out.append(3)

    assert cache.get("user:1") == [1]


def test_a_loaded_value_is_apart_from_what_is_stored(cache: Cache) -> None:
    cache.get_or_load("user:1", lambda: [1]).append(2)

    assert cache.get("user:1") == [1]


def test_without_a_ttl_the_namespace_decides(cache: Cache) -> None:
    cache.set_many({"price:A": 1, "plain": 1, "unknown:x": 1})

    assert [cache.ttl(key) for key in ("price:A", "plain", "unknown:x", "missing")] == [10.0, 100.0, 100.0, None]


@pytest.mark.parametrize(
    "ttl",
    [0, 0.0, -1, math.nan, math.inf, -math.inf, True, False, "300", 7 * 24 * 3600 + 1, 10**400, b"1", [1]],
    ids=ascii,
)
@pytest.mark.parametrize("call", ["set", "set_many", "get_or_load", "lease"])
def test_a_ttl_that_is_none_is_refused(cache: Cache, ttl: Any, call: str) -> None:
    calls: Mapping[str, Callable[[], object]] = {
        "set": lambda: cache.set("k", 1, ttl=ttl),
        "set_many": lambda: cache.set_many({"k": 1}, ttl),
        "get_or_load": lambda: cache.get_or_load("k", never, ttl=ttl),
        "lease": lambda: cache.lock("k", lease=ttl),
    }

    with pytest.raises(InvalidInput, match=r"(ttl|lease)=.*more than 0 and at most 604800"):
        calls[call]()

    assert not cache.exists("k")


@pytest.mark.parametrize("ttl", [Decimal(5), dt.timedelta(seconds=5), 5j], ids=ascii)
def test_a_ttl_of_another_type_is_refused(cache: Cache, ttl: Any) -> None:
    with pytest.raises(InvalidInput, match="ttl="):
        cache.set("k", 1, ttl=ttl)


@pytest.mark.parametrize("ttl", [0.0004, 1, 7 * 24 * 3600])
def test_a_ttl_within_the_bounds_is_taken(cache: Cache, ttl: float) -> None:
    cache.set("k", 1, ttl=ttl)

    assert cache.ttl("k") == pytest.approx(ttl, abs=1e-5)


@pytest.mark.parametrize("stale_ttl", [-1, math.nan, True, False, "0", 1e18])
def test_a_stale_ttl_that_is_none_is_refused(cache: Cache, stale_ttl: Any) -> None:
    with pytest.raises(InvalidInput, match=r"stale_ttl=.*0 or more"):
        cache.get_or_load("k", never, stale_ttl=stale_ttl)


def test_what_the_namespace_says_is_cut_to_the_longest_ttl_not_refused() -> None:
    made = Bench(max_ttl=5.0)

    made.cache.get_or_load("price:A", lambda: 1)
    made.cache.set("plain", 1)

    peek = made.cache.peek("price:A")
    assert peek is not None
    assert (peek.ttl_left, peek.expires_in, made.cache.ttl("plain")) == (5.0, 10.0, 5.0)


@pytest.mark.parametrize(
    "key", ["", "a\nb", "\ud800", "x" * 10_000, None, 5, b"k", ["k"], {"k": 1}], ids=lambda k: ascii(k)[:9]
)
def test_every_way_in_refuses_what_is_no_key(cache: Cache, key: Any) -> None:
    ways: list[Callable[[], object]] = [
        lambda: cache.get(key),
        lambda: cache.get_many([key]),
        lambda: cache.set(key, 1),
        lambda: cache.exists(key),
        lambda: cache.ttl(key),
        lambda: cache.delete(key),
        lambda: cache.peek(key),
        lambda: cache.peek_value(key),
        lambda: cache.get_or_load(key, never),
        lambda: cache.lock(key),
        lambda: cache.keys(key),
        lambda: cache.clear(key),
    ]

    for way in ways:
        with pytest.raises(InvalidInput):
            way()


def test_a_value_that_would_not_come_back_is_refused_by_set_and_nothing_of_the_call_is_kept(cache: Cache) -> None:
    with pytest.raises(SerializationError):
        cache.set_many({"user:1": 1, "user:2": object()})

    assert cache.keys() == []


def test_a_value_too_large_is_counted_and_no_older_one_answers_for_it() -> None:
    made = Bench(max_value_bytes=1000)
    made.cache.set("price:A", "old")

    made.cache.set("price:A", "x" * 2000)

    assert made.cache.get("price:A") is None
    assert made.counts() == {"misses": 1, "refused": 1}


def test_exists_ttl_and_get_see_fresh_entries_only_and_keys_and_clear_see_stale_ones_too(made: Bench) -> None:
    made.cache.get_or_load("price:A", lambda: 1)
    made.clock.advance(15)

    assert not made.cache.exists("price:A")
    assert made.cache.ttl("price:A") is None
    assert made.cache.get("price:A") is None
    assert made.cache.get_many(["price:A"]) == {}
    assert made.cache.keys("price:*") == ["price:A"]
    assert made.cache.clear("price:*") == 1
    assert made.cache.keys() == []


def test_an_entry_is_fresh_up_to_its_ttl_and_not_at_it(made: Bench) -> None:
    made.cache.get_or_load("price:A", lambda: 1)
    made.clock.advance(9.999)
    assert made.cache.get("price:A") == 1

    made.clock.advance(0.001)

    assert made.cache.get("price:A") is None
    assert made.cache.ttl("price:A") is None


def test_keys_are_sorted_and_patterns_take_the_form_of_keys(cache: Cache) -> None:
    cache.set_many({"price:b": 1, "price:a": 1, "plain": 1})

    assert cache.keys() == ["default:plain", "price:A", "price:B"]
    assert cache.keys("price:a") == ["price:A"]
    assert cache.keys("price:?") == ["price:A", "price:B"]
    assert cache.keys("plain") == ["default:plain"]
    assert cache.clear("price:a*") == 1
    assert cache.clear("nothing:*") == 0


def test_delete_answers_whether_it_was_there(cache: Cache) -> None:
    cache.set("price:A", 1)

    assert cache.delete("price:a") == 1
    assert cache.delete("price:a") == 0
    assert cache.delete("price:a").pending is False


# Loading


def test_a_miss_loads_and_a_hit_does_not(made: Bench) -> None:
    assert made.cache.get_or_load("price:A", lambda: 1) == 1
    assert made.cache.get_or_load("price:a", never) == 1
    assert made.counts() == {"hits": 1, "misses": 1, "loads": 1}


def test_64_threads_that_miss_make_one_load_and_each_gets_a_value_of_its_own(made: Bench) -> None:
    calls: list[int] = []

    def load() -> list[int]:
        calls.append(1)
        time.sleep(0.05)
        return [0]

    results = together(64, lambda _: made.cache.get_or_load("price:A", load))
    results[0].append(99)

    assert len(calls) == 1
    assert [len(result) for result in results[1:]] == [1] * 63
    assert len({id(result) for result in results}) == 64
    counts = made.counts()
    assert counts["loads"] == 1
    assert counts["misses"] == 1 + counts["coalesced"]
    assert counts["misses"] + counts.get("hits", 0) == 64


@pytest.mark.parametrize("run", range(20))
def test_a_load_that_takes_no_time_is_made_once_all_the_same(made: Bench, run: int) -> None:
    calls: list[int] = []

    together(16, lambda _: made.cache.get_or_load("price:A", lambda: calls.append(1)))

    assert len(calls) == 1


def test_a_caller_who_looked_before_somebody_stored_does_not_load_again(
    made: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = made.backend.get
    late: list[Any] = [MISS]
    monkeypatch.setattr(made.backend, "get", lambda key: late.pop() if late else real(key))
    made.cache.set("price:A", 7)

    assert made.cache.get_or_load("price:A", never) == 7
    assert made.counts() == {"misses": 1, "coalesced": 1}


def test_a_failed_load_is_counted_raised_and_not_kept(made: Bench) -> None:
    with pytest.raises(KeyError, match="away"):
        made.cache.get_or_load("price:A", failing)

    assert made.counts() == {"misses": 1, "load_failures": 1}
    assert made.cache.get_or_load("price:A", lambda: 2) == 2


def test_a_stale_value_is_served_at_once_while_one_caller_reloads(made: Bench) -> None:
    made.cache.get_or_load("price:A", lambda: "old")
    made.clock.advance(15)
    gate = Gate("new")

    served = together(16, lambda _: made.cache.get_or_load("price:A", gate))
    assert gate.began.wait(5)
    gate.release.set()
    until(lambda: made.cache.peek_value("price:A") == "new")

    assert set(served) == {"old"}
    assert made.cache.get_or_load("price:A", never) == "new"
    until(lambda: not any(thread.name == "avcache-reload" for thread in threading.enumerate()))
    assert gate.calls == 1
    assert made.counts()["stale_hits"] == 16


def test_a_reload_in_the_background_that_fails_leaves_the_stale_value(
    made: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    made.cache.get_or_load("price:A", lambda: "old")
    made.clock.advance(15)

    with caplog.at_level(logging.WARNING):
        assert made.cache.get_or_load("price:A", failing) == "old"
        until(lambda: "cache.reload_failed" in caplog.text)

    assert made.counts()["load_failures"] == 1
    assert made.cache.peek_value("price:A") == "old"


def test_a_stale_value_is_served_even_where_there_is_no_thread_to_be_had(
    made: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.cache.get_or_load("price:A", lambda: "old")
    made.clock.advance(15)

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)

        assert made.cache.get_or_load("price:A", never) == "old"


def test_past_its_stale_ttl_a_value_is_gone(made: Bench) -> None:
    made.cache.get_or_load("price:A", lambda: "old")
    made.clock.advance(31)

    assert made.cache.get_or_load("price:A", lambda: "new") == "new"
    assert made.cache.stats().total.stale_hits == 0


def test_a_caller_with_a_shorter_stale_ttl_is_not_served_what_is_older(made: Bench) -> None:
    made.cache.get_or_load("price:A", lambda: "old")
    made.clock.advance(25)

    assert made.cache.get_or_load("price:A", lambda: "new", stale_ttl=5) == "new"


def test_on_error_a_stale_value_is_served_only_if_the_load_fails(made: Bench) -> None:
    made.cache.get_or_load("price:A", lambda: "old")
    made.clock.advance(15)

    assert made.cache.get_or_load("price:A", failing, stale="on_error") == "old"
    assert made.cache.get_or_load("price:A", lambda: "new", stale="on_error") == "new"
    assert made.counts() == {"misses": 2, "stale_hits": 1, "loads": 2, "load_failures": 1}


def test_who_refuses_stale_values_gets_the_error(made: Bench) -> None:
    made.cache.get_or_load("price:A", lambda: "old")
    made.clock.advance(15)

    with pytest.raises(KeyError):
        made.cache.get_or_load("price:A", failing, stale="refuse")
    assert made.cache.get_or_load("price:A", lambda: "new", stale="refuse") == "new"


def test_an_unknown_policy_is_refused(cache: Cache) -> None:
    with pytest.raises(InvalidInput, match="serve, on_error, refuse"):
        cache.get_or_load("price:A", never, stale="yes")  # type: ignore[arg-type]


@pytest.mark.parametrize(("share", "ttl"), [(0.0, 10.0), (0.5, 9.5), (1.0, 9.0)])
def test_jitter_only_shortens_and_only_what_is_loaded(share: float, ttl: float) -> None:
    made = Bench(jitter=0.1, randomness=lambda: share)

    made.cache.get_or_load("price:loaded", lambda: 1)
    made.cache.set("price:set", 1)

    assert made.cache.ttl("price:loaded") == pytest.approx(ttl)
    assert made.cache.ttl("price:set") == 10.0


def test_a_loaded_value_too_large_is_returned_and_counted_and_no_older_one_answers() -> None:
    made = Bench(max_value_bytes=1000)
    made.cache.get_or_load("price:A", lambda: "old")
    made.clock.advance(15)

    assert made.cache.get_or_load("price:A", lambda: "x" * 2000, stale="on_error") == "x" * 2000
    assert made.cache.keys() == []
    assert made.counts()["refused"] == 1


def test_a_loaded_value_that_would_not_come_back_is_returned_and_counted(
    made: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    value = object()

    assert made.cache.get_or_load("price:A", lambda: value) is value
    assert made.cache.keys() == []
    assert made.counts() == {"misses": 1, "loads": 1, "refused": 1}
    assert "cache.not_stored" in caplog.text


def test_an_entry_of_another_source_is_a_miss(made: Bench) -> None:
    made.cache.get_or_load("price:A", lambda: "sample", source="sample")

    assert made.cache.get_or_load("price:A", lambda: "yahoo", source="yahoo") == "yahoo"
    assert made.cache.get_or_load("price:A", never, source="yahoo") == "yahoo"
    assert made.counts() == {"hits": 1, "misses": 2, "loads": 2}


def test_a_stale_entry_of_another_source_is_not_served(made: Bench) -> None:
    made.cache.get_or_load("price:A", lambda: "sample", source="sample")
    made.clock.advance(15)

    with pytest.raises(KeyError):
        made.cache.get_or_load("price:A", failing, source="yahoo")


def test_nobody_gets_what_another_source_is_loading(made: Bench) -> None:
    gate = Gate("sample")
    with ThreadPoolExecutor() as pool:
        sample = pool.submit(lambda: made.cache.get_or_load("price:A", gate, source="sample"))
        assert gate.began.wait(5)

        live = made.cache.get_or_load("price:A", lambda: "yahoo", source="yahoo")
        gate.release.set()

        assert (live, sample.result(5)) == ("yahoo", "sample")


def test_a_load_that_asks_for_its_own_key_ends(cache: Cache) -> None:
    def load() -> int:
        return cache.get_or_load("price:A", lambda: 1) + 1

    with ThreadPoolExecutor() as pool:
        assert pool.submit(lambda: cache.get_or_load("price:A", load)).result(5) == 2


def test_tags_and_source_that_do_not_fit_are_refused_before_anything_is_loaded(cache: Cache) -> None:
    with pytest.raises(InvalidInput, match="tags"):
        cache.get_or_load("price:A", never, tags=[f"{number:064}" for number in range(400)])
    with pytest.raises(InvalidInput, match="source"):
        cache.get_or_load("price:A", never, source="\ud800")


# Invalidation and loads under way

INVALIDATIONS: dict[str, Callable[[Cache], object]] = {
    "clear": lambda cache: cache.clear("price:*"),
    "clear everything": lambda cache: cache.clear("*"),
    "delete": lambda cache: cache.delete("price:a"),
    "flush_tag": lambda cache: cache.flush_tag("t"),
}


@pytest.mark.parametrize("how", INVALIDATIONS)
def test_a_load_that_began_before_an_invalidation_stores_nothing(made: Bench, how: str) -> None:
    gate = Gate("old")
    with ThreadPoolExecutor() as pool:
        loading = pool.submit(lambda: made.cache.get_or_load("price:A", gate, tags=["t"]))
        assert gate.began.wait(5)
        INVALIDATIONS[how](made.cache)
        gate.release.set()

        assert loading.result(5) == "old"

    assert made.cache.keys() == []


@pytest.mark.parametrize("how", INVALIDATIONS)
def test_who_comes_after_an_invalidation_does_not_wait_for_the_older_load(made: Bench, how: str) -> None:
    gate = Gate("old")
    with ThreadPoolExecutor() as pool:
        loading = pool.submit(lambda: made.cache.get_or_load("price:A", gate, tags=["t"]))
        assert gate.began.wait(5)
        INVALIDATIONS[how](made.cache)

        newcomer = pool.submit(lambda: made.cache.get_or_load("price:A", lambda: "new", tags=["t"])).result(5)
        gate.release.set()
        loading.result(5)

    assert newcomer == "new"
    assert made.cache.get("price:A") == "new"


def test_a_load_that_began_before_a_set_does_not_overwrite_it(made: Bench) -> None:
    gate = Gate("loaded")
    with ThreadPoolExecutor() as pool:
        loading = pool.submit(lambda: made.cache.get_or_load("price:A", gate))
        assert gate.began.wait(5)
        made.cache.set("price:a", "set")
        gate.release.set()
        loading.result(5)

    assert made.cache.get("price:A") == "set"


def test_an_invalidation_of_other_keys_lets_a_load_be_stored(made: Bench) -> None:
    gate = Gate("loaded")
    with ThreadPoolExecutor() as pool:
        loading = pool.submit(lambda: made.cache.get_or_load("price:A", gate, tags=["t"]))
        assert gate.began.wait(5)
        made.cache.clear("short:*")
        made.cache.delete("price:B")
        made.cache.flush_tag("other")
        made.cache.set("price:B", 1)
        gate.release.set()
        loading.result(5)

    assert made.cache.get("price:A") == "loaded"


def test_many_sets_of_other_keys_do_not_keep_a_slow_load_from_being_stored(made: Bench) -> None:
    gate = Gate("loaded")
    with ThreadPoolExecutor() as pool:
        loading = pool.submit(lambda: made.cache.get_or_load("price:A", gate))
        assert gate.began.wait(5)
        for number in range(3000):
            made.cache.set(f"short:{number}", number)
        gate.release.set()
        loading.result(5)

    assert made.cache.get("price:A") == "loaded"


# Tags


def test_flush_tag_drops_what_carries_the_tag_stale_or_fresh(made: Bench) -> None:
    made.cache.get_or_load("price:A", lambda: 1, tags=["x", "y"])
    made.clock.advance(15)
    made.cache.set("price:B", 1, tags=["y"])
    made.cache.set("price:C", 1, tags=["yy"])
    made.cache.set("y", 1)

    assert made.cache.flush_tag("y") == 2
    assert made.cache.keys() == ["default:y", "price:C"]


def test_a_tagged_view_keeps_its_keys_apart(cache: Cache) -> None:
    view, other = cache.tag(["stock", "AAPL"]), cache.tag(["stock"])
    view.set("price", 1)
    other.set("price", 2)
    cache.set("price", 3)

    assert (view.get("price"), other.get("price"), cache.get("price")) == (1, 2, 3)
    assert cache.tag(["AAPL", "stock", "stock"]).get("price") == 1
    assert cache.tag(["AAPL"]).get("price", default=0) == 0
    assert (view.exists("price"), view.delete("price"), view.exists("price")) == (True, 1, False)


def test_flush_tag_reaches_every_view_with_the_tag_and_flush_only_its_own(cache: Cache) -> None:
    for tags in (["a"], ["a", "b"], ["b"], ["ab"]):
        cache.tag(tags).set("k", 1)

    assert cache.tag(["a"]).flush() == 1
    assert cache.flush_tag("b") == 2
    assert len(cache.keys()) == 1
    assert cache.tag(["ab"]).exists("k")


@pytest.mark.parametrize("tag", ["*", "a*", "?", "A/x", "a,1.b", "1.a/", "é", "e\u0301", "x" * 64])
def test_a_tag_of_odd_characters_stands_for_itself(cache: Cache, tag: str) -> None:
    cache.tag(["abc"]).set("k", "other")
    cache.tag([tag]).set("k", "mine")

    assert cache.tag([tag]).get("k") == "mine"
    assert cache.tag([tag]).flush() == 1
    assert cache.tag(["abc"]).get("k") == "other"


def test_a_view_of_many_long_tags_works_like_any_other(cache: Cache) -> None:
    tags = [f"{number:060}" for number in range(50)]
    cache.tag(tags).set("k", 1)

    assert cache.tag(tags).get("k") == 1
    assert cache.tag(tags[:-1]).get("k") is None
    assert cache.tag(tags).flush() == 1


@pytest.mark.parametrize("key", ["", None, 5, b"k"])
def test_a_view_refuses_what_is_no_key(cache: Cache, key: Any) -> None:
    with pytest.raises(InvalidInput, match="key="):
        cache.tag(["a"]).set(key, 1)


# Counting and looking


def test_reads_are_counted_and_looks_are_not(made: Bench) -> None:
    made.cache.set("price:A", 1)
    made.cache.peek("price:A")
    made.cache.peek_many(["price:A", "price:B"])
    made.cache.peek_value("price:A")
    made.cache.exists("price:A")
    made.cache.ttl("price:A")
    made.cache.keys()
    made.backend.set("price:F", b"foreign", ttl=10)
    made.cache.peek_value("price:F")
    assert made.counts() == {}
    assert made.cache.analytics.get_popular_keys() == []

    made.cache.get("price:A")
    made.cache.get_many(["price:A", "price:B"])

    assert made.counts() == {"hits": 2, "misses": 1}


def test_observers_are_told_of_every_read_that_is_counted() -> None:
    told: list[tuple[str, bool]] = []

    def observe(key: Key, hit: bool) -> None:
        told.append((key.text, hit))

    made = Bench(observers=[observe])
    made.cache.get_or_load("price:a", lambda: 1)
    made.cache.get("price:a")
    made.cache.peek("price:a")
    made.clock.advance(15)
    made.cache.get_or_load("price:a", failing)

    assert told == [("price:A", False), ("price:A", True), ("price:A", True)]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"foreign",
        encode(Head("price:A", 0.0, 1.0), b"")[:20],
        encode(Head("price:B", 0.0, 9e9), dumps("of B")),
        encode(Head("price:A", 0.0, 9e9), b"\xc1"),
        encode(Head("price:A", 0.0, 9e9), dumps("cut short")[:-1]),
        encode(Head("price:A", float("inf"), float("inf")), dumps(1)),
    ],
    ids=range(7),
)
def test_bytes_that_are_no_entry_of_the_key_are_a_miss_that_is_counted_and_not_deleted(
    made: Bench, data: bytes
) -> None:
    made.backend.set("price:A", data, ttl=60)

    assert made.cache.get("price:A") is None
    assert made.cache.peek_value("price:A") is MISS
    assert made.counts() == {"misses": 1, "foreign": 1}
    assert made.backend.get("price:A") == data
    assert made.cache.get_or_load("price:A", lambda: "mine") == "mine"
    assert made.cache.get("price:A") == "mine"


def test_the_entry_of_another_key_does_not_exist_under_this_one(made: Bench) -> None:
    made.backend.set("price:A", encode(Head("price:B", 0.0, 9e9), dumps(1)), ttl=60)

    assert not made.cache.exists("price:A")
    assert made.cache.ttl("price:A") is None


def test_a_look_tells_what_is_known_of_an_entry(made: Bench) -> None:
    made.cache.get_or_load("price:A", lambda: 1, tags=["t"], source="yahoo")
    made.clock.advance(4)

    peek = made.cache.peek("price:a")

    assert peek is not None
    assert (peek.key, peek.namespace, peek.tags, peek.source) == ("price:A", "price", ("t",), "yahoo")
    assert (peek.age, peek.ttl, peek.ttl_left, peek.expires_in) == (4.0, 10.0, 6.0, 26.0)
    assert peek.load_seconds is not None
    assert made.cache.peek("price:B") is None


def test_analytics_answer_their_three_questions(made: Bench) -> None:
    assert made.cache.analytics.get_hit_rate() is None
    made.cache.set_many({"price:A": "x" * 1000, "short:1": 1})
    made.backend.set("bad name:x", b"foreign", ttl=60)
    for key in ("price:A", "price:A", "short:1", "short:2"):
        made.cache.get(key)

    analytics = made.cache.analytics
    assert analytics.get_hit_rate() == 0.75
    assert analytics.get_hit_rate(namespace="short") == 0.5
    assert analytics.get_hit_rate(namespace="none") is None
    assert analytics.get_popular_keys(1) == [("price:A", 2)]
    assert list(analytics.get_cache_size_by_prefix()) == ["price", "short"]
    assert analytics.get_cache_size_by_prefix()["price"] > 1000


def test_a_store_that_refuses_is_counted_and_the_caller_has_its_value(
    made: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_kwargs: object) -> None:
        raise BackendError("out of memory")

    monkeypatch.setattr(made.backend, "set_many", refuse)
    monkeypatch.setattr(made.backend, "delete", refuse)

    made.cache.set("price:A", 1)
    assert made.cache.get_or_load("price:A", lambda: 2) == 2
    assert made.cache.get_or_load("price:A", object) is not None
    assert made.counts()["refused"] == 3


def test_a_named_lock_excludes_and_need_not_be_waited_for(cache: Cache) -> None:
    with cache.lock("calculate_momentum:AAPL"), ThreadPoolExecutor() as pool:

        def take() -> None:
            with cache.lock("calculate_momentum:AAPL", wait=0):
                raise AssertionError("both hold it")

        with pytest.raises(LockTimeout):
            pool.submit(take).result(5)


def test_the_memory_is_bounded_and_one_giant_does_not_push_out_the_rest() -> None:
    from avcache.backends.memory import MemoryBackend

    backend = MemoryBackend(max_entries=3, max_bytes=5000)
    for number in range(4):
        backend.set(f"n:{number}", b"v", ttl=60)
    backend.get("n:1")
    backend.set("n:4", b"v", ttl=60)
    backend.set("n:1", b"x" * 6000, ttl=60)

    assert [backend.get(f"n:{number}") is not MISS for number in range(5)] == [False, False, False, True, True]
    assert backend.info().evictions == 3
    assert backend.info().memory_bytes == 2 * (3 + 1 + 300)


def test_limits_say_what_is_allowed() -> None:
    limits = CacheLimits(max_ttl=60)

    assert limits.seconds("ttl", 60) == 60.0
    assert limits.seconds("wait", 0, or_zero=True) == 0.0
    with pytest.raises(InvalidInput, match="ttl=61: seconds, more than 0 and at most 60"):
        limits.seconds("ttl", 61)


# Coroutines


async def test_coroutines_make_one_load_and_each_gets_a_value_of_its_own(made: Bench) -> None:
    calls = 0

    async def load() -> list[int]:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.02)
        return [0]

    results = await asyncio.gather(*(made.cache.aget_or_load("price:A", load) for _ in range(32)))

    assert calls == 1
    assert len({id(result) for result in results}) == 32
    assert await made.cache.aget_or_load("price:A", load) == [0]


async def test_a_coroutine_is_served_the_stale_value_while_it_is_reloaded(made: Bench) -> None:
    made.cache.get_or_load("price:A", lambda: "old")
    made.clock.advance(15)

    async def load() -> str:
        return "new"

    assert await made.cache.aget_or_load("price:A", load) == "old"
    for _ in range(500):
        if made.cache.peek_value("price:A") == "new":
            break
        await asyncio.sleep(0.005)
    assert made.cache.get("price:A") == "new"


async def test_a_coroutine_whose_load_fails_is_served_the_stale_value_or_the_error(made: Bench) -> None:
    made.cache.get_or_load("price:A", lambda: "old")
    made.clock.advance(15)

    async def load() -> str:
        raise KeyError

    assert await made.cache.aget_or_load("price:A", load, stale="on_error") == "old"
    with pytest.raises(KeyError):
        await made.cache.aget_or_load("price:A", load, stale="refuse")
    assert made.counts()["load_failures"] == 2


async def test_a_clear_fences_the_load_of_a_coroutine(made: Bench) -> None:
    gate = Gate("old")
    loading = asyncio.create_task(made.cache.aget_or_load("price:A", gate.later))
    await asyncio.to_thread(gate.began.wait, 5)

    made.cache.clear("price:*")
    gate.release.set()

    assert await loading == "old"
    assert made.cache.keys() == []


def test_a_load_that_begins_while_a_set_is_written_does_not_replace_it(
    made: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def load_old() -> str:
        begun.set()
        assert go_on.wait(5)
        return "old"

    loading = threading.Thread(target=lambda: made.cache.get_or_load("price:A", load_old))
    write = made.cache.backend.set_many

    def slow_write(items: Mapping[str, tuple[bytes, float]]) -> None:
        if not begun.is_set():
            loading.start()
            assert begun.wait(5)
        write(items)

    monkeypatch.setattr(made.cache.backend, "set_many", slow_write)
    made.cache.set("price:A", "new")
    go_on.set()
    loading.join(5)

    assert made.cache.get("price:A") == "new"


def test_a_set_waits_for_a_load_that_is_being_stored_and_wins(made: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    storing, go_on = threading.Event(), threading.Event()
    write = made.cache.backend.set_many

    def slow_write(items: Mapping[str, tuple[bytes, float]]) -> None:
        if not storing.is_set():
            storing.set()
            assert go_on.wait(5)
        write(items)

    monkeypatch.setattr(made.cache.backend, "set_many", slow_write)
    loading = threading.Thread(target=lambda: made.cache.get_or_load("price:A", lambda: "old"))
    loading.start()
    assert storing.wait(5)
    setting = threading.Thread(target=lambda: made.cache.set("price:A", "new"))
    setting.start()
    go_on.set()
    loading.join(5)
    setting.join(5)

    assert made.cache.get("price:A") == "new"


def test_a_load_that_cannot_be_kept_does_not_drop_what_was_set_meanwhile(made: Bench) -> None:
    def load() -> object:
        made.cache.set("price:A", "new")
        return object()

    made.cache.get_or_load("price:A", load)

    assert made.cache.get("price:A") == "new"


def test_time_saved_is_added_up_by_namespace(made: Bench) -> None:
    count = made.cache.counters.count
    for namespace, hits, seconds in (("price", 1000, 0.005), ("report", 0, 3.0)):
        count(namespace, "hits", hits)
        count(namespace, "loads")
        count(namespace, "load_seconds", seconds)

    assert made.cache.stats().saved_seconds == pytest.approx(5.0)
