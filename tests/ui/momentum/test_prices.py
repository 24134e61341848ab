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
    assert view.note == "Adjusted for splits and dividends."


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
