"""`@cached` and its kin: which calls are one key, and what happens to their results."""

from __future__ import annotations

import asyncio
import copy
import functools
import gc
import importlib
import inspect
import math
import operator
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avcache import runtime
from avcache.core.cache import Cache
from avcache.decorators import cache_momentum, cache_portfolio, cache_price, cached, invalidate_cache
from avcache.errors import Absent, ConfigError, InvalidInput
from tests.core.helpers import Bench


@pytest.fixture
def made() -> Bench:
    return Bench()


@pytest.fixture
def cache(made: Bench) -> Cache:
    return made.cache


def counted(cache: Cache, **options: Any) -> tuple[Any, list[Any]]:
    """A cached function of (a, b=2), and the calls that reached it."""
    calls: list[Any] = []

    @cached(cache=cache, **options)
    def f(a: Any, b: Any = 2) -> str:
        calls.append((a, b))
        return f"{type(a).__name__} {a!r} {b!r}"

    return f, calls


def test_a_result_is_computed_once_and_anew_after_its_ttl(made: Bench) -> None:
    f, calls = counted(made.cache, ttl=50)

    assert f(1) == f(1) == "int 1 2"
    made.clock.advance(51)
    f(1)

    assert len(calls) == 2


def test_positional_keyword_and_default_arguments_are_one_call(cache: Cache) -> None:
    f, calls = counted(cache)

    assert f(1) == f(1, 2) == f(1, b=2) == f(a=1, b=2) == f(b=2, a=1)
    assert len(calls) == 1
    assert f.key(1) == f.key(1, b=2)


@pytest.mark.parametrize(
    "arguments",
    [
        [1, "1", True, 1.0, b"1", None, "None", "True", "1,b=2"],
        ["a", "A", "a*", "a?", 'a"', "a'", "", " ", "a\n", "\\n", "x" * 500, "x" * 501],
        ["\u00e9", "e\u0301"],
        [[1, 2], (1, 2), {1, 2}, frozenset({1}), {"1": 2}, {1: 2}, [[1, 2]], [(1, 2)], [1, [2]], "[1, 2]"],
        [{"a": 1}, [["a", 1]], [["\xa1a", 1]], {"a": {"b": 1}}, {"a": ["b", 1]}],
        [0.0, -0.0, 0, False, float("nan"), float("inf")],
        [-0.0, 0.0, 1.0, 1, True],
        [2**64, -(2**64), 10**300, 1e300, Decimal(1), Decimal("1.0")],
        [np.float64(1), np.int64(1), np.str_("1"), pd.NA, pd.Timestamp("2025-01-01"), pd.Series([1]), pd.Index([1])],
    ],
    ids=["scalars", "texts", "composition", "containers", "mappings", "zeros", "ones", "numbers", "numpy and pandas"],
)
@pytest.mark.parametrize("prefix", ["", "user:", "price:"])
def test_different_arguments_are_different_calls(cache: Cache, arguments: list[Any], prefix: str) -> None:
    f, calls = counted(cache, key_prefix=prefix)

    results = [f(argument) for argument in arguments]

    assert len(calls) == len(arguments)
    assert [f(argument) for argument in arguments] == results
    assert len(calls) == len(arguments)


def test_the_order_of_dicts_and_sets_does_not_matter(cache: Cache) -> None:
    f, calls = counted(cache)
    names = [f"n{number}" for number in range(50)]

    f({"x": {"a": 1, "b": {frozenset(names)}}, "y": 2})
    f({"y": 2, "x": {"b": {frozenset(reversed(names))}, "a": 1}})

    assert len(calls) == 1


def test_mutable_arguments_are_read_when_called(cache: Cache) -> None:
    f, calls = counted(cache)
    numbers = [1]
    f(numbers)
    numbers.append(2)

    f(numbers)

    assert len(calls) == 2


def test_frames_may_be_arguments(cache: Cache) -> None:
    f, _ = counted(cache)

    assert f.key(pd.DataFrame({"a": [1]})) == f.key(pd.DataFrame({"a": [1]})) != f.key(pd.DataFrame({"a": [2]}))


@pytest.mark.parametrize("value", [object(), lambda: 1, [object()], {1: object()}, {object()}, iter([1])], ids=range(6))
def test_an_argument_that_is_no_plain_value_is_refused_by_name(cache: Cache, value: object) -> None:
    f, calls = counted(cache)

    with pytest.raises(InvalidInput, match=r"^b=.*plain value.*ignore="):
        f(1, value)

    assert calls == []


def test_an_ignored_argument_does_not_matter(cache: Cache) -> None:
    for ignore in (["b"], ("b",), "b"):
        f, calls = counted(cache, ignore=ignore, name="f")
        cache.clear("*")

        assert f(1, object()) == f(1, object()) == f(1)
        assert len(calls) == 1


def test_an_argument_to_ignore_that_there_is_not_is_refused_at_once(cache: Cache) -> None:
    with pytest.raises(ConfigError, match="'session'"):
        counted(cache, ignore=["session"])


def test_methods_are_cached_for_all_instances_when_self_is_ignored(cache: Cache) -> None:
    class Desk:
        @cached(cache=cache, ignore=["self"])
        def price(self, ticker: str) -> object:
            return [ticker, id(self)]

        @cache_momentum(cache=cache)
        def momentum(self, ticker: str) -> str:
            return f"momentum of {ticker}"

    one, other = Desk(), Desk()

    assert one.price("A") == other.price("A")
    assert one.momentum("aapl") == "momentum of aapl"
    assert cache.get("momentum:aapl") == "momentum of aapl"


def test_functions_of_one_name_are_kept_apart_by_where_they_live(cache: Cache) -> None:
    def first() -> Callable[[int], str]:
        @cached(cache=cache)
        def f(number: int) -> str:
            return f"first {number}"

        return f

    def second() -> Callable[[int], str]:
        @cached(cache=cache)
        def f(number: int) -> str:
            return f"second {number}"

        return f

    assert (first()(1), second()(1)) == ("first 1", "second 1")


def test_functions_of_one_chosen_name_share_their_results(cache: Cache) -> None:
    @cached(cache=cache, name="shared")
    def one(number: int) -> str:
        return "one"

    @cached(cache=cache, name="shared")
    def two(number: int) -> str:
        return "two"

    assert (one(1), two(1)) == ("one", "one")
    assert one.key(1) == "shared:number=1"


def test_a_function_of_a_long_name_or_of_letters_beyond_ascii_is_cached_as_well(cache: Cache) -> None:
    @cached(cache=cache)
    def größe_in_einem_namen_der_allein_schon_länger_ist_als_ein_namensraum_sein_darf(x: int) -> int:  # noqa: PLC2401 - that is the point
        return x + 1

    f = größe_in_einem_namen_der_allein_schon_länger_ist_als_ein_namensraum_sein_darf

    assert (f(1), f.invalidate(1)) == (2, 1)
    assert f.key(1).startswith("default:")


def test_the_prefix_begins_the_key_with_or_without_its_colon(cache: Cache) -> None:
    for prefix in ("user:", "user"):
        f, _ = counted(cache, key_prefix=prefix, name="f")

        assert f.key("x") == "user:f:a='x',b=2"


@pytest.mark.parametrize("prefix", ["user*:", "a b", ":", "ü:", "!x:"])
def test_a_prefix_that_begins_no_key_is_refused_at_once(cache: Cache, prefix: str) -> None:
    with pytest.raises(ConfigError, match="key_prefix="):
        counted(cache, key_prefix=prefix)


def test_a_result_of_none_is_cached(cache: Cache) -> None:
    calls: list[int] = []

    @cached(cache=cache)
    def f() -> None:
        calls.append(1)

    f()
    f()

    assert calls == [1]


def test_an_exception_is_not_cached(cache: Cache) -> None:
    outcomes: Iterator[Any] = iter([KeyError("first"), 2])

    @cached(cache=cache)
    def f() -> int:
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return int(outcome)

    with pytest.raises(KeyError):
        f()
    assert f() == f() == 2


def test_a_recursive_function_computes_each_value_once(cache: Cache) -> None:
    calls: list[int] = []

    @cached(cache=cache)
    def fibonacci(n: int) -> int:
        calls.append(n)
        return n if n < 2 else int(fibonacci(n - 1)) + int(fibonacci(n - 2))

    assert fibonacci(15) == 610
    assert sorted(calls) == list(range(16))


def test_generators_are_refused_at_once(cache: Cache) -> None:
    with pytest.raises(ConfigError, match="yields"):

        @cached(cache=cache)
        def numbers() -> Iterator[int]:
            yield 1


def test_a_wrong_call_is_the_functions_own_error(cache: Cache) -> None:
    f, _ = counted(cache)

    with pytest.raises(TypeError, match="missing"):
        f()
    with pytest.raises(TypeError):
        f(1, 2, 3)


def test_what_was_wrapped_keeps_its_name_and_can_be_reached(cache: Cache) -> None:
    f, calls = counted(cache)

    assert f.__name__ == "f"
    f.__wrapped__(1)
    f.__wrapped__(1)

    assert len(calls) == 2


def test_invalidate_drops_the_result_of_these_arguments_only(cache: Cache) -> None:
    f, calls = counted(cache)
    f(1)
    f(2)

    assert (f.invalidate(1, b=2), f.invalidate(1)) == (1, 0)
    f(1)
    f(2)

    assert calls == [(1, 2), (2, 2), (1, 2)]


def test_a_stale_result_is_served_while_it_is_computed_anew(made: Bench) -> None:
    f, _ = counted(made.cache, ttl=10, stale_ttl=20)
    f(1)
    made.clock.advance(15)

    assert f(1) == "int 1 2"
    assert made.cache.stats().total.stale_hits == 1


async def test_coroutines_are_cached_like_functions(cache: Cache) -> None:
    calls: list[int] = []

    @cached(cache=cache)
    async def f(number: int, *, factor: int = 1) -> int:
        calls.append(number)
        await asyncio.sleep(0.01)
        return number * factor

    results = await asyncio.gather(*(f(3, factor=2) for _ in range(8)))

    assert (set(results), calls) == ({6}, [3])
    assert await f(3, factor=2) == 6
    assert f.invalidate(3, factor=2) == 1
    assert await f(3) == 3


# Keys of calls


def test_flags_and_numbers_given_by_name_are_different_calls(cache: Cache) -> None:
    f, calls = counted(cache)

    for value in (1, True, 1.0, "1"):
        assert f(a=value) == f(value, b=2)

    assert [type(a) for a, _ in calls] == [int, bool, float, str]


def test_a_hit_of_plain_arguments_does_not_bind_them_to_names(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    f, calls = counted(cache)
    for arguments in (("AAPL",), ("AAPL", 250), (None, True), (b"x", 0.5)):
        f(*arguments)

    monkeypatch.setattr(inspect.Signature, "bind", None)
    for arguments in (("AAPL",), ("AAPL", 250), (None, True), (b"x", 0.5)):
        f(*arguments)

    assert len(calls) == 4


def test_the_same_text_or_number_of_another_type_is_not_taken_for_the_remembered_one(cache: Cache) -> None:
    class Name(str):
        __slots__ = ()

    f, _ = counted(cache)
    f("AAPL")

    with pytest.raises(InvalidInput, match=r"^a="):
        f(Name("AAPL"))


def test_functions_of_any_number_of_arguments(cache: Cache) -> None:
    calls: list[Any] = []

    @cached(cache=cache)
    def f(*args: Any, **kwargs: Any) -> int:
        calls.append((args, kwargs))
        return len(calls)

    different = [
        f(),
        f(1),
        f(1, 2),
        f((1, 2)),
        f(a=1),
        f(a=1, b=2),
        f({"a": 1}),
        f("a", 1),
        f(*range(40)),
        f(*range(41)),
    ]

    assert different == list(range(1, 11))
    assert (f(b=2, a=1), f(1, 2), f(), f(*range(40))) == (6, 3, 1, 9)


def test_functions_of_arguments_by_name_only_and_by_position_only(cache: Cache) -> None:
    calls: list[Any] = []

    @cached(cache=cache)
    def f(a: int, /, *, b: int = 2, **more: int) -> int:
        calls.append((a, b, more))
        return len(calls)

    assert f(1) == f(1, b=2) == 1
    assert f(1, a=3) == 2  # another a, one of the rest
    assert f(1, b=3) == 3
    with pytest.raises(TypeError):
        f(1, 2)  # type: ignore[call-arg]


def test_a_default_that_was_changed_is_another_call(cache: Cache) -> None:
    seen: list[int] = [1]

    @cached(cache=cache)
    def f(a: int, numbers: list[int] = seen) -> int:
        return a + sum(numbers)

    assert f(1) == f(1, [1]) == 2
    seen.append(10)

    assert f(1) == f(1, [1, 10]) == 12


@pytest.mark.parametrize(
    "order",
    [[{"a": 1, "b": 2}, {"b": 2, "a": 1}], [[{"x": {1, 2}, "y": ()}], [{"y": (), "x": {2, 1}}]]],
    ids=["flat", "nested"],
)
def test_equal_dicts_are_one_call_also_by_name(cache: Cache, order: list[Any]) -> None:
    f, calls = counted(cache)

    assert f(order[0]) == f(a=order[1])
    assert len(calls) == 1


def test_the_message_names_argument_value_and_what_is_allowed(cache: Cache) -> None:
    f, _ = counted(cache)

    with pytest.raises(
        InvalidInput, match=r"^b=<object object at .*>: a plain value \(number, text.*ignore="
    ) as caught:
        f(1, b=object())

    assert caught.value.field == "b"
    assert isinstance(caught.value, ValueError)


def test_what_contains_itself_or_half_a_letter_is_refused_by_name(cache: Cache) -> None:
    f, calls = counted(cache)
    endless: list[Any] = []
    endless.append(endless)

    for value in (endless, {"x": endless}, "\ud800", ["\ud800"]):
        with pytest.raises(InvalidInput, match=r"^a="):
            f(value)

    assert calls == []


def test_what_cannot_even_be_shown_is_refused_by_its_type(cache: Cache) -> None:
    class Hidden:
        def __repr__(self) -> str:
            raise RuntimeError

    deep: list[Any] = []
    for _ in range(1500):
        deep = [deep]
    f, _ = counted(cache)

    for value in (Hidden(), deep):
        with pytest.raises(InvalidInput, match=r"^a=<class '.*: a plain value") as caught:
            f(value)
        assert caught.value.value is type(value)


def same(one: object, other: object) -> bool:
    """Whether no function could tell one from the other, by types too."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict) and isinstance(other, dict):
        pairs, others = [list(each.items()) for each in (one, other)]
        return len(pairs) == len(others) and all(any(same(pair, found) for found in others) for pair in pairs)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return repr(one) == repr(other)


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([0.0, -0.0, 1.0, math.nan])
    | st.text("1aA,='", max_size=3)
)
values = st.recursive(
    scalars | st.binary(max_size=2),
    lambda inner: st.lists(inner, max_size=2) | st.tuples(inner) | st.dictionaries(scalars, inner, max_size=2),
    max_leaves=4,
)
calls_of_two = st.lists(st.tuples(values, values), min_size=2, max_size=4)


@given(calls_of_two)
@settings(max_examples=500)
def test_calls_have_one_key_if_and_only_if_no_function_could_tell_them_apart(calls: list[tuple[Any, Any]]) -> None:
    @cached(cache=Bench().cache)
    def f(a: Any, b: Any) -> None: ...

    for one in calls:
        for other in calls:
            assert (f.key(*one) == f.key(a=other[0], b=other[1])) == same(one, other)
            assert f.key(*one) == f.key(*one)


def test_an_argument_among_any_number_is_refused_by_the_name_they_share(cache: Cache) -> None:
    @cached(cache=cache)
    def f(*args: Any, **options: Any) -> None:
        raise AssertionError

    with pytest.raises(InvalidInput, match=r"^args="):
        f(1, object())
    with pytest.raises(InvalidInput, match=r"^options="):
        f(1, x=object())


def test_a_refused_argument_and_an_ignored_one_are_not_kept_alive(cache: Cache) -> None:
    class Session:
        pass

    @cached(cache=cache, ignore=["session"])
    def f(ticker: str, session: Any = None) -> str:
        return ticker

    @cached(cache=cache)
    def g(ticker: Any) -> str:
        raise AssertionError

    sessions = [Session(), Session(), Session()]
    f("A", sessions[0])
    f("A", session=sessions[1])
    with pytest.raises(InvalidInput):
        g(sessions[2])
    dead = [weakref.ref(session) for session in sessions]
    del sessions
    gc.collect()

    assert [reference() for reference in dead] == [None, None, None]


def test_ignored_arguments_may_stand_anywhere(cache: Cache) -> None:
    calls: list[Any] = []

    @cached(cache=cache, ignore=["first", "only", "rest"])
    def f(first: Any, a: int, *rest: Any, b: int = 2, only: Any = None) -> int:
        calls.append((first, a, rest, b, only))
        return len(calls)

    assert f(object(), 1) == f(None, 1, object(), object()) == f(3, 1, b=2, only=object()) == f(a=1, first=[]) == 1
    assert f(object(), 2) == 2
    assert f(object(), 1, b=3) == 3
    with pytest.raises(TypeError, match="missing"):
        f(object())  # type: ignore[call-arg]


def test_what_the_rest_holds_may_be_ignored(cache: Cache) -> None:
    @cached(cache=cache, ignore="options")
    def f(a: int, **options: Any) -> int:
        return a

    assert f.key(1, x=object()) == f.key(1, y=2) == f.key(1)


def test_each_call_of_a_load_has_the_arguments_that_were_ignored(cache: Cache) -> None:
    @cached(cache=cache, ignore=["session"])
    def f(a: int, session: str) -> str:
        return session

    assert [f(1, "one"), f(1, "two"), f.refresh(1, "three"), f(1, "four")] == ["one", "one", "three", "three"]


def test_the_process_wide_cache_may_be_another_one_by_the_next_call(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    @cached(key_prefix="price:")
    def swapped(ticker: str) -> int:
        calls.append(ticker)
        return len(calls)

    first, second = Bench(), Bench()
    assert swapped("a") == swapped("a") == 1
    runtime.shared.cache_clear()
    assert swapped("a") == 2
    for bench in (first, second):
        monkeypatch.setattr(runtime, "shared", lambda bench=bench: SimpleNamespace(cache=bench.cache))
        assert swapped("a") == swapped("a") == len(calls)

    assert (len(calls), first.cache.keys(), second.cache.keys()) == (4, [swapped.key("a")], [swapped.key("a")])


def test_the_key_is_the_one_the_cache_knows(cache: Cache) -> None:
    for prefix in ("", "user:", "price:", "price:user:"):
        f, _ = counted(cache, key_prefix=prefix, name="f")
        cache.clear("*")
        f("aapl")

        assert cache.keys() == [f.key("aapl")]


def test_a_prefix_that_is_a_namespace_has_its_ttl() -> None:
    @cached(key_prefix="momentum:")
    def of_prefix(ticker: str) -> float:
        return 7.5

    of_prefix("AAPL")

    assert runtime.shared().cache.ttl(of_prefix.key("AAPL")) == pytest.approx(1800, abs=180)
    assert of_prefix.key("AAPL").startswith("momentum:")


# Beside the call


def test_refresh_computes_now_and_keeps_what_that_brings(made: Bench) -> None:
    f, calls = counted(made.cache, ttl=50)

    assert f(1) == f.refresh(1, b=2) == f(1) == "int 1 2"
    made.clock.advance(40)
    f.refresh(1)
    made.clock.advance(40)
    f(1)

    assert len(calls) == 3


def test_a_refresh_that_fails_leaves_the_result_as_it_was(cache: Cache) -> None:
    outcomes: Iterator[Any] = iter([1, KeyError("away")])

    @cached(cache=cache)
    def f() -> int:
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return int(outcome)

    f()

    with pytest.raises(KeyError, match="away"):
        f.refresh()
    assert f() == 1


def test_peek_shows_the_result_fresh_or_stale_and_neither_computes_nor_counts(made: Bench) -> None:
    f, calls = counted(made.cache, ttl=10, stale_ttl=20)

    assert f.peek(1) is None
    f(1)
    before = made.cache.stats().total
    assert f.peek(1) == f.peek(a=1) == "int 1 2"
    made.clock.advance(15)
    assert f.peek(1) == "int 1 2"
    made.clock.advance(20)
    assert f.peek(1) is None

    assert len(calls) == 1
    assert made.cache.stats().total == before


def test_invalidate_tells_what_it_did(cache: Cache) -> None:
    f, _ = counted(cache)
    f(1)

    cleared = f.invalidate(1)

    assert (cleared, cleared.pending, len(cleared.barriers)) == (1, False, 1)


async def test_a_coroutine_function_has_the_same_beside_it(cache: Cache) -> None:
    calls: list[int] = []

    @cached(cache=cache)
    async def f(number: int) -> int:
        calls.append(number)
        return number + len(calls)

    assert await f(1) == f.peek(1) == 2
    assert await f.refresh(1) == await f(1) == 3
    assert f.invalidate(1) == 1
    assert f.peek(1) is None
    assert inspect.iscoroutinefunction(f)


def test_a_method_knows_its_instance_beside_the_call_too(cache: Cache) -> None:
    class Desk:
        def __init__(self) -> None:
            self.calls: list[str] = []

        @cached(cache=cache, ignore=["self"])
        def price(self, ticker: str, days: int = 1) -> str:
            self.calls.append(ticker)
            return f"{ticker} {days} {len(self.calls)}"

    class Special(Desk):
        def price(self, ticker: str, days: int = 1) -> str:  # type: ignore[override]
            return super().price(ticker, days)

    desk = Desk()

    assert desk.price("A") == desk.price(ticker="A") == desk.price.peek("A", days=1) == "A 1 1"
    assert desk.price.key("A") == Desk.price.key(desk, "A")
    assert desk.price.refresh("A") == "A 1 2"
    assert (desk.price.invalidate("A"), desk.price.invalidate("A")) == (1, 0)
    assert Special().price("A") == "A 1 1"
    assert str(inspect.signature(desk.price)) == "(ticker: 'str', days: 'int' = 1) -> 'str'"
    assert desk.price.__name__ == Desk.price.__name__ == "price"  # type: ignore[attr-defined]


def test_a_method_does_not_keep_its_instance_alive(cache: Cache) -> None:
    class Desk:
        @cached(cache=cache, ignore=["self"])
        def price(self, ticker: str) -> str:
            return ticker

    desk = Desk()
    desk.price("A")
    desk.price.peek("A")
    dead = weakref.ref(desk)
    del desk
    gc.collect()

    assert dead() is None


def test_self_is_part_of_the_key_unless_it_is_ignored(cache: Cache) -> None:
    class Desk:
        @cached(cache=cache)
        def price(self, ticker: str) -> str:
            raise AssertionError(ticker)

    with pytest.raises(InvalidInput, match=r"^self=.*ignore="):
        Desk().price("A")


def test_a_text_may_be_a_self(cache: Cache) -> None:
    class Name(str):
        __slots__ = ()

        price = cached(cache=cache)(lambda self, days: f"{self} {days}")

    assert Name.price("A", 1) == "A 1"


async def test_a_method_may_be_a_coroutine_function(cache: Cache) -> None:
    class Desk:
        @cached(cache=cache, ignore=["self"])
        async def price(self, ticker: str) -> str:
            return ticker

    desk = Desk()

    assert await desk.price("A") == await desk.price.refresh("A") == desk.price.peek("A") == "A"
    assert inspect.iscoroutinefunction(desk.price)


def test_a_method_of_a_class_or_of_none_is_cached_below_its_decorator(cache: Cache) -> None:
    class Desk:
        @classmethod
        @cached(cache=cache, ignore=["cls"])
        def of_class(cls, ticker: str) -> str:
            return f"{cls.__name__} {ticker}"

        @staticmethod
        @cached(cache=cache)
        def of_none(ticker: str) -> str:
            return ticker

        @property
        @cached(cache=cache, ignore=["self"])
        def size(self) -> int:
            return 3

    of_class: Any = Desk.of_class  # mypy takes a classmethod for a function of its class
    of_object: Any = Desk()  # nor does it see what either is on an object

    assert of_class("A") == of_object.of_class("A") == of_class.peek("A") == "Desk A"
    assert of_class.invalidate("A") == 1
    assert Desk.of_none("A") == of_object.of_none("A") == Desk.of_none.peek("A") == "A"
    assert Desk().size == 3


@pytest.mark.parametrize("kind", [classmethod, staticmethod])
def test_a_method_of_a_class_or_of_none_is_refused_the_other_way_round(cache: Cache, kind: Any) -> None:
    for decorator in (cached(cache=cache), cache_price(cache=cache), invalidate_cache("price:*", cache=cache)):
        with pytest.raises(ConfigError, match=f"@{kind.__name__} goes above"):
            decorator(kind(lambda x: x))


def test_what_is_made_of_a_cached_function_in_turn_has_the_same_beside_it(cache: Cache) -> None:
    f, calls = counted(cache)

    @functools.wraps(f)
    def logged(*args: Any) -> Any:
        return f(*args)

    wrapped: Any = logged

    assert (wrapped(1), wrapped.invalidate(1), wrapped(1), len(calls)) == ("int 1 2", 1, "int 1 2", 2)


@cached(name="module level")
def at_module_level(a: int) -> int:
    """Adds one."""
    return a + 1


def test_a_cached_function_is_pickled_and_copied_by_name() -> None:
    assert copy.deepcopy(at_module_level) is at_module_level
    assert at_module_level.__reduce__() == "at_module_level"
    assert (at_module_level(1), at_module_level.__doc__) == (2, "Adds one.")
    assert str(inspect.signature(at_module_level)) == "(a: 'int') -> 'int'"


# Errors, nothing, and oneself


def test_an_exception_is_passed_on_as_it_is(cache: Cache) -> None:
    error = KeyError("AAPL")

    @cached(cache=cache)
    def f(a: int) -> int:
        raise error

    with pytest.raises(KeyError) as caught:
        f(1)

    assert caught.value is error
    assert (error.__cause__, error.__context__) == (None, None)
    assert f.peek(1) is None


def test_a_type_error_of_the_function_is_its_own_and_raised_once(cache: Cache) -> None:
    calls: list[int] = []

    @cached(cache=cache)
    def f(a: int) -> int:
        calls.append(a)
        raise TypeError("no number")

    with pytest.raises(TypeError, match=r"^no number$"):
        f(1)

    assert calls == [1]


def test_that_there_is_nothing_is_cached_as_well(made: Bench) -> None:
    calls: list[int] = []

    @cached(cache=made.cache)
    def f(a: int) -> int:
        calls.append(a)
        raise Absent("unknown", ttl=30)

    for _ in range(3):
        with pytest.raises(Absent, match="unknown"):
            f(1)
    assert (calls, f.peek(1)) == ([1], None)
    made.clock.advance(31)
    with pytest.raises(Absent):
        f(1)

    assert calls == [1, 1]


def test_a_function_may_ask_itself_for_the_same(cache: Cache) -> None:
    depth: list[int] = []

    @cached(cache=cache)
    def f(a: int) -> int:
        depth.append(a)
        return int(f(a)) + 1 if len(depth) < 3 else 0

    assert (f(1), f(1), len(depth)) == (2, 2, 3)


def test_a_function_that_asks_itself_for_the_same_without_end_is_stopped_as_any_other(cache: Cache) -> None:
    @cached(cache=cache)
    def f(a: int) -> int:
        return int(f(a))

    with pytest.raises(RecursionError):
        f(1)
    assert f.peek(1) is None


async def test_a_coroutine_function_may_ask_itself(cache: Cache) -> None:
    calls: list[int] = []

    @cached(cache=cache)
    async def factorial(n: int) -> int:
        calls.append(n)
        return n * int(await factorial(n - 1)) if n else 1

    assert await factorial(5) == await factorial(5) == 120
    assert sorted(calls) == [0, 1, 2, 3, 4, 5]


# What can be decorated, and under which name


class Doubled:
    def __call__(self, a: int) -> int:
        return 2 * a


class Awaited:
    async def __call__(self, a: int) -> int:
        return 2 * a


class Yielding:
    def __call__(self) -> Iterator[int]:
        yield 1


@pytest.mark.parametrize(
    "function",
    [functools.partial(operator.mul, 2), Doubled(), Doubled().__call__, "ab".count, [1].count],
    ids=["partial", "object", "method", "method of a text", "method of a list"],
)
def test_what_has_no_name_of_its_own_needs_one(cache: Cache, function: Any) -> None:
    with pytest.raises(ConfigError, match=r"no name of its own.*name="):
        cached(cache=cache)(function)


def test_with_a_name_a_partial_or_an_object_is_cached(cache: Cache) -> None:
    twice = cached(cache=cache, name="twice")(functools.partial(operator.mul, 2))
    doubled = cached(cache=cache, name="doubled")(Doubled())

    assert (twice(4), twice.peek(4), twice.key(4)) == (8, 8, "twice:b=4")
    assert (doubled(4), doubled(a=4), doubled.key(4)) == (8, 8, "doubled:a=4")
    assert cache.stats().total.loads == 2


async def test_objects_and_partials_of_coroutine_functions_are_awaited(cache: Cache) -> None:
    awaited: Any = cached(cache=cache, name="awaited")(Awaited())
    partial: Any = cached(cache=cache, name="partial")(functools.partial(Awaited(), a=4))

    assert (await awaited(4), awaited.peek(4)) == (8, 8)
    assert (await partial(), partial.peek(a=4)) == (8, 8)


def test_a_partial_of_a_ticker_is_cached(cache: Cache) -> None:
    def fetch(ticker: str, period: str) -> str:
        return f"{ticker} {period}"

    f = cache_price(cache=cache)(functools.partial(fetch, period="1d"))

    assert (f("aapl"), f.key("aapl")) == ("aapl 1d", "price:AAPL@(period='1d')")


def test_a_builtin_is_cached_if_it_tells_its_arguments(cache: Cache) -> None:
    root = cached(cache=cache)(math.sqrt)

    assert (root(4.0), root.peek(4.0), root.key(4.0)) == (2.0, 2.0, "math.sqrt:x=4.0")
    with pytest.raises(ConfigError, match="does not tell its arguments"):
        cached(cache=cache)(max)


@pytest.mark.parametrize("what", [Doubled, 5, None, "f", property(id)], ids=lambda what: type(what).__name__)
def test_what_is_no_function_is_refused(cache: Cache, what: Any) -> None:
    for decorator in (cached(cache=cache), cache_momentum(cache=cache), invalidate_cache("price:*", cache=cache)):
        with pytest.raises(ConfigError, match="only functions"):
            decorator(what)


async def _numbers() -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize(
    "function", [_numbers, Yielding(), functools.partial(Yielding())], ids=["async", "object", "partial"]
)
def test_whatever_yields_is_refused(cache: Cache, function: Any) -> None:
    for decorator in (
        cached(cache=cache, name="x"),
        cache_price(cache=cache),
        invalidate_cache("price:*", cache=cache),
    ):
        with pytest.raises(ConfigError, match="yields"):
            decorator(function)


@pytest.mark.parametrize("decorator", [cached, cache_price, cache_momentum, cache_portfolio])
def test_a_decorator_that_was_not_called_says_so(decorator: Any) -> None:
    with pytest.raises(ConfigError, match=r"@cached\(\)"):

        @decorator  # type: ignore[untyped-decorator]
        def f(a: int) -> int:
            return a


@pytest.mark.parametrize("ttl", [0, -1, True, "300", math.nan])
def test_a_ttl_that_is_none_is_refused_at_once(ttl: Any) -> None:
    for decorator in (cached, cache_price, cache_momentum, cache_portfolio):
        with pytest.raises(InvalidInput, match=r"^ttl="):
            decorator(ttl)
    if ttl != 0:
        with pytest.raises(InvalidInput, match=r"^stale_ttl="):
            cached(5, stale_ttl=ttl)


@pytest.mark.parametrize("prefix", ["user:*", "user:?:", "user:[a-z]:", "user:\\", "u*", "user:\n", "x" * 200, 5, None])
def test_a_prefix_that_looks_like_a_pattern_or_fits_no_key_is_refused_at_once(cache: Cache, prefix: Any) -> None:
    with pytest.raises(ConfigError, match="key_prefix="):
        counted(cache, key_prefix=prefix)


@pytest.mark.parametrize("name", ["", "f*", "f?", "a\nb", "x" * 200, 5])
def test_a_name_that_fits_no_key_is_refused_at_once(cache: Cache, name: Any) -> None:
    with pytest.raises(ConfigError, match="name="):
        counted(cache, name=name)


def test_two_functions_of_one_name_do_not_answer_for_each_other(cache: Cache) -> None:
    @cached(cache=cache)
    def f(a: int) -> str:
        return "first"

    first = f
    with pytest.raises(ConfigError, match=r"already belongs to .*f: give .* a name="):

        @cached(cache=cache)
        def f(a: int) -> str:
            return "second"

    assert first(1) == "first"


def test_a_module_may_be_reloaded_after_it_was_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = "from avcache import cached\n\n@cached(name=None)\ndef f(a): return {}\n"
    path = tmp_path / "reloaded_module_of_test.py"
    path.write_text(source.format("1"))
    monkeypatch.syspath_prepend(tmp_path)
    module: Any = importlib.import_module(path.stem)
    first = module.f
    path.write_text("# moved down a line\n" + source.format("1 + 1"))

    importlib.reload(module)

    assert first is not module.f
    assert module.f(1) == 2
    monkeypatch.delitem(importlib.sys.modules, path.stem)  # type: ignore[attr-defined]


def test_a_page_that_runs_again_decorates_its_closures_again(cache: Cache) -> None:
    source = "def make(n):\n    @cached(cache=cache)\n    def f(a): return a + n\n    return f\nf = make(1)\n"
    runs: list[dict[str, Any]] = [{"cached": cached, "cache": cache, "__name__": "page"} for _ in range(2)]

    for run in runs:
        exec(compile(source, "/page.py", "exec"), run)  # noqa: S102 - as Streamlit does

    assert [run["f"](1) for run in runs] == [2, 2]


def test_a_function_typed_in_again_takes_its_own_place(cache: Cache) -> None:
    source = "@cached(cache=cache)\ndef f(a): return a + 1{}\n"
    session: dict[str, Any] = {"cached": cached, "cache": cache, "__name__": "__main__"}

    for name in ("<cell 1>", "<cell 2>", "cell_3.py"):
        exec(compile(source.format("," if name == "<cell 2>" else ""), name, "exec"), session)  # noqa: S102 - as a notebook does

    assert session["f"](1) == 2


def test_what_wraps_a_function_has_to_be_named_apart_from_it(cache: Cache) -> None:
    class Times:
        def __init__(self, function: Callable[[int], int], factor: int) -> None:
            functools.update_wrapper(self, function)
            self.factor = factor

        def __call__(self, a: int) -> int:
            return self.factor * a

    def f(a: int) -> int:
        return a

    once = cached(cache=cache)(f)
    twice = cached(cache=cache, name="twice")(Times(f, 2))

    assert (once(3), twice(3)) == (3, 6)
    for function in (Times(f, 3), once):
        with pytest.raises(ConfigError, match="name="):
            cached(cache=cache)(function)


# Tickers and holdings


def test_a_function_of_a_ticker_has_the_plain_key(cache: Cache) -> None:
    calls: list[str] = []

    @cache_price(ttl=5, cache=cache)
    def price(ticker: str) -> float:
        calls.append(ticker)
        return 175.5

    assert price("AAPL") == price("aapl") == cache.get("price:AAPL") == 175.5
    assert calls == ["AAPL"]
    assert price.key("AAPL") == "price:AAPL"
    assert (price.invalidate("aapl"), cache.exists("price:AAPL")) == (1, False)


def test_without_a_ttl_a_function_of_a_ticker_has_that_of_its_namespace(cache: Cache) -> None:
    @cache_price(cache=cache)
    def price(ticker: str) -> float:
        return 1.0

    price("AAPL")

    assert cache.ttl("price:AAPL") == 10.0


@pytest.mark.parametrize("ticker", [None, 5, b"AAPL", "", " ", "AAPL@factor", ["AAPL"]])
def test_what_cannot_be_a_ticker_is_refused(cache: Cache, ticker: Any) -> None:
    @cache_price(cache=cache)
    def price(ticker: str) -> float:
        raise AssertionError

    with pytest.raises(InvalidInput, match="ticker="):
        price(ticker)


@pytest.mark.parametrize(
    "ticker",
    [
        "AAPL*",
        "A?",
        "A\nB",
        "\ud800",
        "x" * 65,
        pd.NA,
        np.array(["AAPL"]),
        pd.Series(["AAPL"]),
        pd.DataFrame({"a": [1]}),
    ],
    ids=range(9),
)
def test_what_no_ticker_looks_like_is_refused(cache: Cache, ticker: Any) -> None:
    @cache_momentum(cache=cache)
    def momentum(symbol: str) -> float:
        raise AssertionError

    with pytest.raises(InvalidInput, match=r"^symbol="):
        momentum(ticker)


def test_a_ticker_out_of_numpy_is_a_ticker(cache: Cache) -> None:
    @cache_price(cache=cache)
    def price(ticker: str) -> float:
        return 1.5

    assert price(np.array(["aapl"])[0]) == cache.get("price:AAPL") == 1.5


def test_a_ticker_has_one_key_in_capitals_and_without(cache: Cache) -> None:
    @cache_price(cache=cache)
    def price(ticker: str) -> str:
        return ticker

    assert price.key("brk.b") == price.key("BRK.B") == price.key(ticker="brk.b") == "price:BRK-B"
    assert price("brk.b") == price("BRK.B") == price.peek("Brk.b") == "brk.b"
    assert price.refresh("BRK.B") == price("brk.b") == "BRK.B"


def test_methods_and_sessions_of_a_ticker(cache: Cache) -> None:
    class Desk:
        @cache_price(cache=cache, ignore=["session"])
        def price(self, ticker: str, session: object = None) -> str:
            assert session is not self
            return ticker

    desk = Desk()

    assert desk.price("AAPL", object()) == desk.price("aapl") == "AAPL"
    assert desk.price.key("aapl") == "price:AAPL"
    assert desk.price.invalidate("aapl") == 1


def test_a_frame_may_be_a_further_argument_of_a_ticker(cache: Cache) -> None:
    @cache_momentum(cache=cache)
    def momentum(ticker: str, prices: Any) -> float:
        return float(prices["close"].sum())

    frames = [pd.DataFrame({"close": [1.0, 2.0]}), pd.DataFrame({"close": [1.0, 2.0]}), pd.DataFrame({"close": [3.0]})]

    assert [momentum("A", frame) for frame in frames] == [3.0, 3.0, 3.0]
    assert momentum.key("A", frames[0]) == momentum.key("A", frames[1]) != momentum.key("A", frames[2])


def test_further_arguments_are_part_of_the_key_with_their_capitals(cache: Cache) -> None:
    @cache_price(cache=cache)
    def price(ticker: str, period: str = "1y") -> str:
        return f"{ticker} {period}"

    assert [price("AAPL", period) for period in ("x", "X", "1y")] == ["AAPL x", "AAPL X", "AAPL 1y"]
    assert price("aapl") == "AAPL 1y"
    assert price.key("AAPL") == "price:AAPL@(period='1y')"


def test_a_second_owner_of_a_namespace_needs_a_name(cache: Cache) -> None:
    @cache_price(cache=cache)
    def first(ticker: str) -> int:
        return 1

    with pytest.raises(ConfigError, match=r"price:\* already belongs to .*first.* name="):

        @cache_price(cache=cache)
        def second(ticker: str) -> int:
            return 2

    @cache_price(cache=cache, name="close")
    def third(ticker: str) -> int:
        return 3

    assert (first("AAPL"), third("AAPL")) == (1, 3)
    assert third.key("AAPL") == "price:AAPL@close"

    with pytest.raises(ConfigError, match="name="):

        @cache_price(cache=cache, name="close")
        def fourth(ticker: str) -> int:
            return 4


@pytest.mark.parametrize("name", ["", "a@b", "a b", "*", "x" * 65, "(x)"])
def test_a_name_that_could_be_mistaken_is_refused(cache: Cache, name: str) -> None:
    with pytest.raises(ConfigError, match="name="):
        cache_momentum(name=name, cache=cache)(lambda ticker: ticker)


def test_the_same_function_may_be_decorated_again_as_when_its_module_is_reloaded(cache: Cache) -> None:
    def load() -> Any:
        @cache_price(cache=cache)
        def price(ticker: str) -> int:
            return 1

        return price

    load()

    assert load()("AAPL") == 1


def test_two_caches_have_owners_of_their_own(cache: Cache) -> None:
    @cache_price(cache=cache)
    def one(ticker: str) -> int:
        return 1

    @cache_price(cache=Bench().cache)
    def other(ticker: str) -> int:
        return 2

    assert (one("AAPL"), other("AAPL")) == (1, 2)


async def test_a_coroutine_of_a_ticker_is_cached(cache: Cache) -> None:
    @cache_momentum(cache=cache)
    async def momentum(ticker: str) -> float:
        return 7.5

    assert await momentum("AAPL") == cache.get("momentum:AAPL") == 7.5


def test_equal_holdings_are_one_portfolio(cache: Cache) -> None:
    calls: list[Any] = []

    @cache_portfolio(cache=cache)
    def analyze(holdings: dict[str, float]) -> int:
        calls.append(holdings)
        return len(calls)

    assert analyze({"AAPL": 100, "MSFT": 1}) == analyze({"msft": 1.0, "aapl": 100.0}) == 1
    assert analyze({"AAPL": 101, "MSFT": 1}) == 2
    assert analyze.key({"AAPL": 100}).startswith("portfolio:")


@pytest.mark.parametrize(
    "holdings", [pd.Series({"AAPL": 1}), [("AAPL", 1)], None, 5, pd.DataFrame({"AAPL": [1]})], ids=range(5)
)
def test_what_are_no_holdings_is_refused(cache: Cache, holdings: Any) -> None:
    @cache_portfolio(cache=cache)
    def analyze(positions: dict[str, float]) -> int:
        raise AssertionError

    with pytest.raises(InvalidInput, match=r"^positions="):
        analyze(holdings)


def test_numbers_out_of_numpy_are_shares(cache: Cache) -> None:
    @cache_portfolio(cache=cache)
    def analyze(holdings: dict[str, Any]) -> int:
        return 1

    assert analyze.key({"AAPL": np.float64(2)}) == analyze.key({"aapl": 2}) == analyze.key({"AAPL": np.int64(2)})


def test_a_function_without_arguments_cannot_be_cached_by_ticker(cache: Cache) -> None:
    @cache_price(cache=cache)
    def price() -> int:
        return 1

    with pytest.raises(ConfigError, match="first argument"):
        price()


# Invalidation


def test_a_pattern_is_cleared_after_success_only(cache: Cache) -> None:
    @invalidate_cache("price:*", cache=cache)
    def update(*, fail: bool) -> bool:
        assert cache.exists("price:A")
        if fail:
            raise KeyError
        return True

    cache.set_many({"price:A": 1, "short:1": 1})

    with pytest.raises(KeyError):
        update(fail=True)
    assert cache.exists("price:A")
    assert update(fail=False)
    assert cache.keys() == ["short:1"]


async def test_a_coroutine_clears_after_success_only(cache: Cache) -> None:
    @invalidate_cache("price:*", cache=cache)
    async def update(*, fail: bool) -> bool:
        if fail:
            raise KeyError
        return True

    cache.set("price:A", 1)

    with pytest.raises(KeyError):
        await update(fail=True)
    assert cache.exists("price:A")
    assert await update(fail=False)
    assert cache.keys() == []


@pytest.mark.parametrize("pattern", ["", "x" * 300, "*a" * 9, "a\nb"])
def test_what_is_no_pattern_is_refused_before_the_function_has_done_its_work(cache: Cache, pattern: str) -> None:
    with pytest.raises(InvalidInput, match="pattern="):
        invalidate_cache(pattern, cache=cache)


def test_two_lambdas_of_a_module_do_not_answer_for_each_other(cache: Cache) -> None:
    first = cached(cache=cache)(lambda x: x + 1)

    with pytest.raises(ConfigError, match="name="):
        cached(cache=cache)(lambda x: x * 10)
    second = cached(cache=cache, name="tenfold")(lambda x: x * 10)

    assert (first(2), second(2)) == (3, 20)


def test_two_closures_of_one_factory_do_not_answer_for_each_other(cache: Cache) -> None:
    def make(amount: int) -> Any:
        @cached(cache=cache)
        def add(x: int) -> int:
            return x + amount

        return add

    one = make(1)
    with pytest.raises(ConfigError, match="already belongs"):
        make(100)

    assert one(5) == 6


def test_a_pattern_that_names_no_key_is_refused_before_the_function_has_run(cache: Cache) -> None:
    with pytest.raises(InvalidInput):
        invalidate_cache("price:", cache=cache)


async def test_an_object_that_returns_coroutines_clears_when_they_are_done(cache: Cache) -> None:
    update: Any = invalidate_cache("price:*", cache=cache)(Awaited())
    cache.set("price:A", 1)

    waiting = update(2)
    assert cache.exists("price:A")

    assert await waiting == 4
    assert not cache.exists("price:A")


async def test_a_cached_coroutine_function_may_clear_as_well(cache: Cache) -> None:
    @invalidate_cache("price:*", cache=cache)
    @cached(cache=cache)
    async def update(number: int) -> int:
        return number

    cache.set("price:A", 1)

    assert await update(1) == 1
    assert cache.keys("price:*") == []


def test_a_method_may_clear(cache: Cache) -> None:
    class Desk:
        @invalidate_cache("price:*", cache=cache)
        def update(self) -> str:
            return "done"

    cache.set("price:A", 1)

    assert (Desk().update(), cache.keys()) == ("done", [])


def test_what_is_cleared_is_in_the_cache_of_the_process_when_no_other_is_given() -> None:
    @invalidate_cache("price:aapl")
    def update() -> None:
        runtime.shared().cache.set("price:AAPL", 1)

    update()

    assert runtime.shared().cache.keys() == []
