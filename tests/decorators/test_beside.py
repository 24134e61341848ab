"""What stands beside a cached function: refresh, peek, invalidate; methods, failures, recursion."""

from __future__ import annotations

import copy
import functools
import gc
import inspect
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from avcache import runtime
from avcache.core.cache import Cache
from avcache.decorators import cache_price, cached, invalidate_cache
from avcache.errors import Absent, ConfigError, InvalidInput
from tests.core.helpers import Bench
from tests.decorators.helpers import counted


def test_a_prefix_that_is_a_namespace_has_its_ttl() -> None:
    @cached(key_prefix="momentum:")
    def of_prefix(ticker: str) -> float:
        return 7.5

    of_prefix("AAPL")

    assert runtime.shared().cache.ttl(of_prefix.key("AAPL")) == pytest.approx(1800, abs=180)
    assert of_prefix.key("AAPL").startswith("momentum:")


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
