"""What may be cached, and under which name."""

from __future__ import annotations

import functools
import importlib
import math
import operator
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from avcache.core.cache import Cache
from avcache.decorators import cache_momentum, cache_portfolio, cache_price, cached, invalidate_cache
from avcache.errors import ConfigError, InvalidInput
from tests.decorators.helpers import Awaited, counted


class Doubled:
    def __call__(self, a: int) -> int:
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
