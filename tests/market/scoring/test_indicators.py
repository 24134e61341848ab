"""The indicators against TA-Lib, over whole histories."""

from __future__ import annotations

import numpy as np
import pytest
import talib

from avcache.market.scoring.indicators import drawdown, r_squared, roc, simple_rsi, slope, sma, wilder_rsi
from avcache.market.scoring.measures import measures
from avcache.market.scoring.panel import Floats, Panel
from tests.market.scoring.sample import ALL, MARKET

STOCKS = ["AAPL", "META", "MRK", "XOM", "GE", "AMD", "^GSPC"]


def _closes(ticker: str) -> Floats:
    whole = MARKET if ticker == "^GSPC" else ALL[ticker]
    return whole.prices["adj_close"].to_numpy("float64")


def _same(found: Floats, expected: Floats) -> None:
    assert np.isfinite(expected).sum() > 1_000
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("ticker", STOCKS)
def test_wilders_rsi_is_that_of_ta_lib(ticker: str) -> None:
    closes = _closes(ticker)

    _same(wilder_rsi(closes), talib.RSI(closes, 14))


@pytest.mark.parametrize("ticker", STOCKS)
def test_cutlers_rsi_is_made_of_averages_of_ta_lib(ticker: str) -> None:
    closes = _closes(ticker)
    moves = np.diff(closes)
    gain, loss = (talib.SMA(side, 14) for side in (np.maximum(moves, 0.0), np.maximum(-moves, 0.0)))

    _same(simple_rsi(closes)[1:], 100 * gain / (gain + loss))


@pytest.mark.parametrize("ticker", STOCKS)
@pytest.mark.parametrize("rows", [20, 50, 200])
def test_averages_are_those_of_ta_lib(ticker: str, rows: int) -> None:
    closes = _closes(ticker)

    _same(sma(closes, rows), talib.SMA(closes, rows))


@pytest.mark.parametrize("ticker", STOCKS)
def test_the_rate_of_change_is_that_of_ta_lib(ticker: str) -> None:
    closes = _closes(ticker)

    _same(roc(closes, 10), talib.ROC(closes, 10))


@pytest.mark.parametrize("ticker", STOCKS)
def test_the_slope_is_that_of_ta_lib(ticker: str) -> None:
    logs = np.log(_closes(ticker))

    _same(slope(logs, 90), talib.LINEARREG_SLOPE(logs, 90))


@pytest.mark.parametrize("ticker", STOCKS)
def test_the_fit_is_the_squared_correlation_of_ta_lib(ticker: str) -> None:
    logs = np.log(_closes(ticker))

    found = r_squared(logs, 90)

    # TA-Lib sums squares: it is given each window about its own middle, or it loses the digits.
    middle = np.arange(90.0) - 44.5
    windows = np.lib.stride_tricks.sliding_window_view(logs, 90)
    expected = [talib.CORREL(window - window.mean(), middle, 90)[-1] ** 2 for window in windows]
    assert np.isnan(found[:89]).all()
    _same(found[89:], np.array(expected))


@pytest.mark.parametrize("ticker", STOCKS)
def test_the_52_week_high_is_the_maximum_of_ta_lib(ticker: str) -> None:
    closes, days = _closes(ticker), MARKET.prices.index.to_numpy().astype("datetime64[D]")
    windows = np.array(np.lib.stride_tricks.sliding_window_view(closes, 252))

    # Every stretch of 252 rows as if it were a ticker.
    found = measures(Panel((), days[:252], windows, np.full_like(windows, np.nan), None))["of_high_52w"]

    _same(found, (closes / talib.MAX(closes, 252))[251:])


def test_indicators_of_many_rows_are_those_of_each() -> None:
    many = np.stack([_closes(ticker) for ticker in STOCKS])

    for indicator in (wilder_rsi, simple_rsi, roc, drawdown):
        np.testing.assert_allclose(indicator(many), [indicator(row) for row in many], rtol=1e-12)
    for fitted in (sma, slope, r_squared):
        np.testing.assert_allclose(fitted(many, 90), [fitted(row, 90) for row in many], rtol=1e-9)


@pytest.mark.parametrize("rows", [0, 1, 13, 14])
def test_an_indicator_of_too_few_rows_is_unknown_throughout(rows: int) -> None:
    closes = np.linspace(100, 110, rows)

    for found in (wilder_rsi(closes), simple_rsi(closes), sma(closes, 20), slope(closes, 20), r_squared(closes, 20)):
        assert found.shape == (rows,)
        assert np.isnan(found).all()


def test_what_never_moved_has_no_rsi_and_a_fit_of_nothing() -> None:
    flat = np.full(60, 3.3)

    assert np.isnan(wilder_rsi(flat)).all()
    assert np.isnan(simple_rsi(flat)).all()
    assert (slope(flat, 20)[19:] == pytest.approx(0.0, abs=1e-15), r_squared(flat, 20)[-1]) == (True, 0.0)


def test_what_only_rose_has_an_rsi_of_100_and_what_only_fell_one_of_0() -> None:
    rising = np.linspace(10, 20, 40)

    assert (wilder_rsi(rising)[-1], simple_rsi(rising)[-1]) == (100.0, 100.0)
    assert (wilder_rsi(rising[::-1])[-1], simple_rsi(rising[::-1])[-1]) == (0.0, 0.0)


def test_a_drawdown_is_measured_from_the_highest_so_far() -> None:
    assert drawdown(np.array([10.0, 12.0, 9.0, 15.0, 3.0])).tolist() == pytest.approx([0.0, 0.0, -0.25, 0.0, -0.8])
