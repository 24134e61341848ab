"""Functions of a ticker or of holdings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from avcache.core.cache import Cache
from avcache.decorators import cache_momentum, cache_portfolio, cache_price
from avcache.errors import ConfigError, InvalidInput
from tests.core.helpers import Bench


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
