"""Which calls of a cached function are one, and what is kept of them."""

from __future__ import annotations

import asyncio
import gc
import inspect
import math
import weakref
from collections.abc import Callable, Iterator
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avcache import runtime
from avcache.core.cache import Cache
from avcache.decorators import cache_momentum, cached
from avcache.errors import ConfigError, InvalidInput
from tests.core.helpers import Bench
from tests.decorators.helpers import counted


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
