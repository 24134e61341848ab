"""`@cached` and its kin: which calls are one key, and what happens to their results."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import pytest

from avcache.core.cache import Cache
from avcache.decorators import cache_momentum, cache_portfolio, cache_price, cached, invalidate_cache
from avcache.errors import ConfigError, InvalidInput
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
    ],
    ids=["scalars", "texts", "composition", "containers", "mappings", "zeros"],
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
