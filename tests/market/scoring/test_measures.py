"""The measures against recorded values, and against plain formulas on many days."""

from __future__ import annotations

import datetime as dt
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from avcache.market.scoring import Score, Subject, measure_table
from avcache.market.scoring.cross_section import risk_adjusted
from avcache.market.scoring.indicators import r_squared, simple_rsi, slope, sma
from avcache.market.scoring.measures import MEASURES
from avcache.market.scoring.panel import panels
from avcache.market.scoring.score import panel_table
from tests.market.doubles import history, steady
from tests.market.scoring import reference
from tests.market.scoring.sample import (
    ALL,
    DAYS,
    INDEX,
    LAST_DAY,
    MARKET,
    SERIES,
    TICKERS,
    cut,
    equal,
    nearly,
    one,
    score,
    subjects,
    until,
    walk,
)

RECORDED: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "expected_measures.json").read_text(encoding="utf-8")
)
NEEDS = {measure.name: measure.rows for measure in MEASURES}


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, float | None]:
    flat: dict[str, float | None] = {}
    for name, value in tree.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat


def _by_recorded_names(ticker: str) -> dict[str, float | None]:
    """All that the package says of *ticker*, by the names of the file."""
    found, v1 = (one(subjects([ticker])[0], profile) for profile in ("alphavelocity", "alphavelocity-v1"))
    (panel,) = panels(subjects([ticker]))
    year_before = pd.Timestamp(LAST_DAY) - pd.DateOffset(years=1)
    cross = risk_adjusted(measure_table(subjects())).to_dict("index")[ticker]
    price, technical = found.components["price"].inputs, found.components["technical"].inputs
    relative, lead = found.components["relative"].inputs, v1.components["relative"].inputs
    return {
        "rows_1y": panel.since(year_before.to_datetime64()).rows,
        **{name: found.components[name].value for name in ("price", "technical")},
        "relative_v1": v1.components["relative"].value,
        "relative_v2": found.components["relative"].value,
        "detail.price.m1": price["return_21"],
        "detail.price.m3": price["return_63"],
        "detail.price.m6": price["return_126"],
        "detail.price.m12": price["return_249"],
        "detail.price.weighted": price["weighted_return"],
        "detail.price.ma20": price["sma_20"],
        "detail.price.ma50": price["sma_50"],
        "detail.price.ma200": price["sma_200"],
        "detail.price.ma_score": price["trend"],
        "detail.technical.rsi_sma": technical["rsi"],
        "detail.technical.rsi_score": technical["rsi_points"],
        "detail.technical.vol_ratio": technical["volume_ratio"],
        "detail.technical.vol_score": technical["volume_points"],
        "detail.technical.roc9": technical["roc"],
        "detail.technical.roc_score": technical["roc_points"],
        "detail.rel.rel1": _known(relative["return_21"]) - _known(relative["benchmark_return_21"]),
        "detail.rel.rel3": lead["return_lead_63"],
        "detail.rel.rel6": lead["return_lead_126"],
        "composite_no_fundamental_v1": v1.composite_score,
        "composite_no_fundamental_v2": found.composite_score,
        "composite_v1_missing_as_zero": sum(part.weight * (part.value or 0.0) for part in v1.components.values()),
        **{recorded: found.measures[name] for recorded, name in _MEASURES.items()},
        "msci_z": cross["risk_adjusted"],
        "msci_score": cross["risk_adjusted_score"],
    }


_MEASURES = {
    "mom_12_1": "momentum_12_1",
    "mom_6": "momentum_6",
    "ret_12": "return_12m",
    "msci6": "msci_return_6",
    "msci12": "msci_return_12",
    "wk_vol_ann": "weekly_volatility",
    "high52": "of_high_52w",
    "clenow_slope_ann": "clenow_slope",
    "clenow_r2": "clenow_r2",
    "clenow": "clenow",
    "tsmom_vol": "tsmom_volatility",
    "tsmom_signal": "tsmom_signal",
    "tsmom_pos": "tsmom_position",
    "resid_mom": "residual_momentum",
    "info_discreteness": "information_discreteness",
    "rsi_wilder": "rsi_wilder",
    "roc10": "roc_10",
    "max_dd": "max_drawdown",
    "ann_vol": "volatility",
    "beta": "beta",
}


def _known(value: float | None) -> float:
    assert value is not None
    return value


@pytest.mark.parametrize("ticker", RECORDED["tickers"])
def test_every_recorded_value_of_a_ticker_is_found_again(ticker: str) -> None:
    recorded = _flat(RECORDED["tickers"][ticker])

    found = _by_recorded_names(ticker)

    assert found == equal(recorded)


def test_every_value_that_other_libraries_agree_on_is_found_again() -> None:
    closes = SERIES["AAPL"].to_numpy()
    recorded = _flat(RECORDED["cross_library_AAPL"])

    found = one(ALL["AAPL"]).measures

    log = pd.Series(closes).map(math.log).to_numpy()
    volatility = _known(found["volatility"])
    ours = {
        "rsi_wilder": _known(found["rsi_wilder"]),
        "rsi_cutler_ours": float(simple_rsi(closes)[-1]),
        "rsi_cutler_talib_sma": float(simple_rsi(closes)[-1]),
        "sma200": float(sma(closes, 200)[-1]),
        "slope90": float(slope(log, 90)[-1]),
        "r2_90": float(r_squared(log, 90)[-1]),
        "max52": closes[-1] / _known(found["of_high_52w"]),
        "max_dd": _known(found["max_drawdown"]),
        "vol": volatility,
        "sharpe": SERIES["AAPL"].pct_change().mean() * 252 / volatility,
    }
    assert {name: ours[name.partition(".")[0]] for name in recorded} == equal(recorded)


def test_every_section_of_the_recorded_values_is_checked() -> None:
    assert RECORDED.keys() == {"asof", "definitions", "tickers", "cross_library_AAPL"}
    assert RECORDED["asof"] == LAST_DAY.isoformat() == one(ALL["AAPL"]).as_of


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_every_measure_of_every_ticker_equals_the_plain_formula(day: dt.date) -> None:
    market = until(INDEX, day)
    expected = {ticker: reference.measures(until(closes, day), market) for ticker, closes in SERIES.items()}

    found = score(subjects(), as_of=day)

    assert found.keys() == set(TICKERS)
    for ticker in TICKERS:
        assert found[ticker].measures == equal(expected[ticker]), ticker


def test_there_is_a_plain_formula_for_every_measure() -> None:
    assert reference.measures(SERIES["AAPL"], INDEX).keys() == NEEDS.keys()


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_the_table_holds_the_measures_of_the_scores(day: dt.date) -> None:
    then = [Subject(cut(whole, day), MARKET) for whole in ALL.values()]

    found = measure_table(then)

    expected = {ticker: made.measures for ticker, made in score(subjects(), as_of=day).items()}
    rows = found.astype(object).where(found.notna(), None).to_dict("index")
    assert list(found.index) == sorted(TICKERS)
    assert list(found.columns) == [measure.name for measure in MEASURES]
    for ticker in TICKERS:
        assert rows[ticker] == equal(expected[ticker], 1e-12), ticker


@pytest.mark.parametrize(("ago", "days"), [(pd.DateOffset(days=7), 7), (pd.DateOffset(months=1), 30)])
def test_the_table_of_some_time_ago_is_that_of_the_prices_cut_there(ago: pd.DateOffset, days: int) -> None:
    then = LAST_DAY - dt.timedelta(days=days)

    found = panel_table(panels(subjects()), ago)

    expected = measure_table([Subject(cut(whole, then), cut(MARKET, then)) for whole in ALL.values()])
    pd.testing.assert_frame_equal(found, expected, rtol=1e-9)


FROM_CALENDAR = {"weekly_volatility", "weekly_returns", "msci_ratio_6", "residual_momentum"}
"""Their rows depend on holidays."""


@pytest.mark.parametrize("name", sorted(NEEDS.keys() - FROM_CALENDAR))
def test_a_measure_needs_the_rows_it_says_and_no_more(name: str) -> None:
    rows = NEEDS[name]

    def of_rows(count: int) -> Score:
        return one(cut(ALL["AAPL"], SERIES["AAPL"].index[count - 1].date()))

    assert of_rows(rows).measures[name] is not None
    if rows > 1:
        assert of_rows(rows - 1).measures[name] is None


def test_a_year_of_full_weeks_is_enough_for_a_weekly_volatility() -> None:
    whole = walk(1, 262)

    measured = [one(cut(whole, whole.prices.index[count - 1].date())).measures for count in (260, 261)]

    assert [found["weekly_volatility"] is None for found in measured] == [True, False]
    assert [found["weekly_returns"] for found in measured] == [0.0, 52.0]


def test_the_weekly_volatility_is_that_of_three_years_at_most() -> None:
    assert one(ALL["AAPL"]).measures["weekly_returns"] == 156


def test_residuals_need_36_complete_months_and_the_month_before_them() -> None:
    days = [dt.date(2021, 1, 28), dt.date(2021, 1, 29), dt.date(2021, 2, 1)]

    found = [one(ALL["AAPL"], as_of=day).measures["residual_momentum"] for day in days]

    assert [value is None for value in found] == [True, False, False]
    assert found[1] == found[2]


def test_a_stock_that_is_its_market_has_a_beta_of_one_and_no_residual_momentum() -> None:
    found = one(MARKET).measures

    assert found["beta"] == nearly(1.0)
    assert found["residual_momentum"] is None


def test_a_beta_comes_from_the_sessions_that_both_have() -> None:
    own = replace(ALL["AAPL"], prices=ALL["AAPL"].prices.iloc[::2])
    market = replace(MARKET, prices=MARKET.prices.iloc[::3])

    found = one(Subject(own, market)).measures["beta"]

    assert found == nearly(reference.measures(own.prices["adj_close"], market.prices["adj_close"])["beta"])


def test_a_series_without_a_move_has_returns_of_zero_and_no_rsi() -> None:
    found = one(Subject(history([50.0] * 400), steady(0.0, rows=400, ticker="MKT"))).measures

    zero = {"return_1m", "momentum_12_1", "return_12m", "volatility", "max_drawdown", "vs_sma200", "clenow", "roc_10"}
    assert {name: found[name] for name in zero} == dict.fromkeys(zero, 0.0)
    assert {found[name] for name in ("rsi_wilder", "beta", "tsmom_position", "msci_ratio_12")} == {None}
    assert found["of_high_52w"] == 1.0
