"""Functions that clear when they succeed."""

from __future__ import annotations

from typing import Any

import pytest

from avcache import runtime
from avcache.core.cache import Cache
from avcache.decorators import cached, invalidate_cache
from avcache.errors import InvalidInput
from tests.decorators.helpers import Awaited


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
