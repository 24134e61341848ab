"""What the cache promises to those who call it."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from avcache.backends.base import MISS
from avcache.backends.memory import MemoryBackend
from avcache.clock import ManualClock
from avcache.core.cache import Cache
from avcache.core.entry import Head, encode
from avcache.core.keys import Key
from avcache.core.serializers import dumps
from avcache.core.store import CacheLimits
from avcache.errors import BackendError, InvalidInput, LockTimeout, SerializationError
from tests.core.helpers import Bench, failing, never

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
    made.backend.put({"price:F": (b"foreign", 10)})
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
    made.backend.put({"price:A": (data, 60)})

    assert made.cache.get("price:A") is None
    assert made.cache.peek_value("price:A") is MISS
    assert made.counts() == {"misses": 1, "foreign": 1}
    assert made.backend.get("price:A") is not None
    assert made.cache.get_or_load("price:A", lambda: "mine") == "mine"
    assert made.cache.get("price:A") == "mine"


def test_the_entry_of_another_key_does_not_exist_under_this_one(made: Bench) -> None:
    made.backend.put({"price:A": (encode(Head("price:B", 0.0, 9e9), dumps(1)), 60)})

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
    made.backend.put({"bad name:x": (b"foreign", 60)})
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

    monkeypatch.setattr(made.backend, "put", refuse)
    monkeypatch.setattr(made.backend, "store", refuse)
    monkeypatch.setattr(made.backend, "invalidate", refuse)

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
    from avcache.backends.memory import _OVERHEAD_BYTES

    backend = MemoryBackend(max_entries=3, max_bytes=5000)
    entry = encode(Head("k", 0.0, 9e9), b"v")
    for number in range(4):
        backend.put({f"n:{number}": (entry, 60)})
    backend.get("n:1")
    backend.put({"n:4": (entry, 60)})
    backend.put({"n:1": (entry + b"x" * 6000, 60)})

    assert [backend.get(f"n:{number}") is not None for number in range(5)] == [False, False, False, True, True]
    assert backend.info().evictions == 3
    assert backend.info().memory_bytes == 2 * (3 + len(entry) + _OVERHEAD_BYTES)


def test_a_small_memory_counts_what_is_alive_and_a_large_one_what_it_holds() -> None:
    clock = ManualClock(0.0)
    backend = MemoryBackend(clock=clock)
    entry = encode(Head("k", 0.0, 9e9), b"v")
    backend.put({f"n:{number}": (entry, 60 if number else 10) for number in range(10_000)})
    clock.advance(20)

    small = backend.info()
    backend.put({f"n:{number}": (entry, 60 if number else 10) for number in range(10_001)})
    clock.advance(20)
    large = backend.info()

    assert (small.keys, small.exact) == (9_999, True)
    assert (large.keys, large.exact) == (10_001, False)


def test_limits_say_what_is_allowed() -> None:
    limits = CacheLimits(max_ttl=60)

    assert limits.seconds("ttl", 60) == 60.0
    assert limits.seconds("wait", 0, or_zero=True) == 0.0
    with pytest.raises(InvalidInput, match="ttl=61: seconds, more than 0 and at most 60"):
        limits.seconds("ttl", 61)


def test_time_saved_is_added_up_by_namespace(made: Bench) -> None:
    count = made.cache.counters.count
    for namespace, hits, seconds in (("price", 1000, 0.005), ("report", 0, 3.0)):
        count(namespace, "hits", hits)
        count(namespace, "loads")
        count(namespace, "load_seconds", seconds)

    assert made.cache.stats().saved_seconds == pytest.approx(5.0)
