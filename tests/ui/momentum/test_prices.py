from __future__ import annotations

import math

import pandas as pd
import pytest

from avcache.market.provider import PriceHistory
from avcache.runtime import Runtime
from avcache.ui.momentum.prices import price_view
from tests.market.doubles import history


def test_candles_and_averages_are_on_the_scale_of_the_adjusted_close(wired: Runtime) -> None:
    prices = wired.market.history("AAPL")

    view = price_view(prices, "1Y")

    last = view.frame.iloc[-1]
    assert view.has_candles
    assert view.has_volume
    assert last["close"] == pytest.approx(125.5045)
    assert last["low"] <= last["close"] <= last["high"]
    assert last["sma_200"] == pytest.approx(150.8843495)
    assert view.note == "Adjusted for splits and dividends. A blue candle closed above its open."


def test_closes_alone_make_a_line_and_say_so(wired: Runtime) -> None:
    view = price_view(wired.market.history("MRK"), "6M")

    assert not view.has_candles
    assert not view.has_volume
    assert view.note.endswith("The source gives no open, high, low, volume: a line of closes.")


@pytest.mark.parametrize(
    ("span", "first"),
    [
        ("1M", "2022-11-28"),
        ("3M", "2022-09-28"),
        ("6M", "2022-06-28"),
        ("YTD", "2022-01-03"),
        ("1Y", "2021-12-28"),
        ("5Y", "2018-01-02"),
    ],
)
def test_a_span_begins_that_long_before_the_last_session(wired: Runtime, span: str, first: str) -> None:
    view = price_view(wired.market.history("AAPL"), span)

    assert view.frame.index[0] == pd.Timestamp(first)
    assert view.frame.index[-1] == pd.Timestamp("2022-12-28")


def test_averages_reach_further_back_than_what_is_shown(wired: Runtime) -> None:
    view = price_view(wired.market.history("AAPL"), "1M")

    assert view.frame["sma_200"].notna().all()


def test_a_session_without_an_adjusted_close_is_left_out() -> None:
    prices = history([100.0, 101.0, 102.0]).prices
    prices.loc[prices.index[1], "adj_close"] = math.nan

    view = price_view(PriceHistory("AAPL", prices, "USD"), "5Y")

    assert len(view.frame) == 2


def test_rsi_is_wilders_over_the_whole_history(wired: Runtime) -> None:
    prices, score = wired.market.history("AAPL"), wired.market.score("AAPL")

    view = price_view(prices, "1M")

    assert view.frame["rsi"].iloc[-1] == pytest.approx(score.measures["rsi_wilder"])
    assert view.frame["rsi"].notna().all()


def test_relative_strength_begins_at_zero_and_ends_with_the_lead_over_the_benchmark(wired: Runtime) -> None:
    prices, market = wired.market.history("MRK"), wired.market.history("^GSPC")

    view = price_view(prices, "1Y", market)

    own, index = prices.prices["adj_close"], market.prices["adj_close"]
    first = view.frame.index[0]
    lead = (own.iloc[-1] / own[first]) / (index.iloc[-1] / index[first]) - 1
    assert view.benchmark == "^GSPC"
    assert view.frame["relative"].iloc[0] == 0
    assert view.frame["relative"].iloc[-1] == pytest.approx(100 * lead)


def test_a_benchmark_of_other_days_gives_no_relative_strength() -> None:
    own, other = history([100.0, 101.0, 102.0]), history([1.0, 2.0]).prices
    later = PriceHistory("^GSPC", other.set_axis(pd.date_range("2040-01-02", periods=2)), "USD")

    view = price_view(own, "5Y", later)

    assert view.benchmark is None
    assert view.frame["relative"].isna().all()


def test_sessions_without_a_candle_are_counted() -> None:
    prices = history([100.0 + day for day in range(40)]).prices
    for name in ("open", "high", "low"):
        prices[name] = prices["close"]
    prices.loc[prices.index[5:7], "open"] = math.nan

    view = price_view(PriceHistory("AAPL", prices, "USD"), "5Y")

    assert view.has_candles
    assert " 2 sessions without open, high or low: no candle there." in view.note
