"""The parts of the score against plain formulas, on many days and at their edges."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from avcache.market.provider import Figures
from avcache.market.scoring import Component, Score, Subject
from tests.market.doubles import history, score_of, steady
from tests.market.scoring import reference
from tests.market.scoring.sample import (
    ALL,
    DAYS,
    INDEX,
    MARKET,
    SERIES,
    TICKERS,
    equal,
    everything,
    nearly,
    one,
    reshaped,
    score,
    subject,
    subjects,
    until,
)

VOLUMES = {ticker: whole.prices["volume"] for ticker, whole in ALL.items()}
WITH_VOLUME = [ticker for ticker in TICKERS if VOLUMES[ticker].notna().all()]


def _part(found: Score, name: str) -> float | None:
    return found.components[name].value


def _of(closes: list[float], name: str, volumes: list[float] | None = None) -> Component:
    """A part of a stock beside an index that stands still."""
    return one(Subject(history(closes, volumes=volumes), steady(0.0, len(closes), "MKT"))).components[name]


def _fundamental(figures: Figures | None, profile: str = "alphavelocity") -> float | None:
    return _part(one(subject("AAPL", figures), profile), "fundamental")


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_the_parts_of_every_ticker_equal_the_plain_formulas(day: dt.date) -> None:
    market, of = until(INDEX, day), {ticker: until(closes, day) for ticker, closes in SERIES.items()}

    found = score(subjects(), as_of=day)

    for ticker, closes in of.items():
        expected = {
            "price": reference.price(closes),
            "technical": reference.technical(closes, until(VOLUMES[ticker], day)),
            "fundamental": None,
            "relative": reference.relative_v2(closes, market),
        }
        composite, coverage = reference.renormalised(expected)
        assert {name: part.value for name, part in found[ticker].components.items()} == equal(expected), ticker
        assert (found[ticker].composite_score, found[ticker].coverage) == (nearly(composite), nearly(coverage))


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_the_first_versions_lead_over_the_market_equals_the_plain_formula(day: dt.date) -> None:
    found = score(subjects(), "alphavelocity-v1", as_of=day)

    market = until(INDEX, day)
    expected = {ticker: reference.relative_v1(until(closes, day), market) for ticker, closes in SERIES.items()}
    assert {ticker: _part(made, "relative") for ticker, made in found.items()} == equal(expected)


def test_the_sample_has_tickers_with_and_without_volume() -> None:
    assert WITH_VOLUME == ["AAPL", "AMZN", "GOOG", "META", "NFLX", "NVDA"]


@pytest.mark.parametrize("ticker", TICKERS)
def test_the_inputs_of_the_parts_are_what_they_are_made_of(ticker: str) -> None:
    closes, volumes = SERIES[ticker], VOLUMES[ticker]

    parts = one(ALL[ticker]).components

    newest = closes.iloc[-1]
    assert parts["price"].inputs == equal(
        {
            **{f"return_{rows}": newest / closes.iloc[-rows] - 1 for rows in (21, 63, 126, 249)},
            **{f"sma_{rows}": closes.tail(rows).mean() for rows in (20, 50, 200)},
            "weighted_return": parts["price"].inputs["weighted_return"],
            "trend": parts["price"].inputs["trend"],
        }
    )
    technical = parts["technical"].inputs
    assert technical["rsi"] == nearly(reference.cutler_rsi(closes))
    assert technical["roc"] == nearly(100 * (newest / closes.iloc[-10] - 1))
    assert technical["volume_ratio"] == nearly(volumes.iloc[-1] / volumes.tail(30).mean())


@pytest.mark.parametrize(("rows", "is_there"), [(248, False), (249, True)])
def test_the_price_part_needs_249_sessions(rows: int, is_there: bool) -> None:
    part = _of([100 + row / 10 for row in range(rows)], "price")

    assert (part.value is not None) == is_there
    assert part.missing == (None if is_there else "248 sessions, 249 needed")


@pytest.mark.parametrize(("rows", "is_there"), [(49, False), (50, True)])
def test_the_technical_part_needs_50_sessions(rows: int, is_there: bool) -> None:
    part = _of([100 + row / 10 for row in range(rows)], "technical")

    assert (part.value is not None) == is_there
    assert part.missing == (None if is_there else "49 sessions, 50 needed")


@pytest.mark.parametrize("short", ["stock", "index"])
@pytest.mark.parametrize(("profile", "needed"), [("alphavelocity", 21), ("alphavelocity-v1", 126)])
def test_the_lead_over_the_market_needs_sessions_of_both(short: str, profile: str, needed: int) -> None:
    rows = {"stock": 200, "index": 200} | {short: needed - 1}

    # Both end on the same day.
    own, market = (
        replace(steady(0.001, 200, name), prices=steady(0.001, 200).prices.tail(rows[name])) for name in rows
    )
    part = one(Subject(own, market), profile).components["relative"]

    assert (part.value, part.missing) == (None, f"{needed - 1} sessions, {needed} needed")


@pytest.mark.parametrize(
    ("last", "points"),
    [(106.0, 100.0), (105.0, 100.0), (104.9, 99.0), (102.0, 70.0), (100.0, 50.0), (98.0, 40.0), (90.0, 0.0), (50, 0.0)],
)
def test_the_lead_over_the_market_earns_points(last: float, points: float) -> None:
    part = _of([100.0] * 20 + [last], "relative")

    assert part.value == nearly(points)


def _moves(gains: float) -> list[float]:
    """60 closes whose last 14 moves have an RSI of *gains*: one rise, one fall."""
    return [1_000.0] * 58 + [1_000.0 + gains, 1_000.0 + gains - (100 - gains)]


@pytest.mark.parametrize(
    ("rsi", "points"),
    [
        (0, 0),
        (29, 0),
        (30, 0),
        (40, 25),
        (49, 47.5),
        (50, 100),
        (60, 100),
        (70, 100),
        (80, 80),
        (85, 70),
        (86, 0),
        (100, 0),
    ],
)
def test_the_rsi_earns_points_by_band(rsi: float, points: float) -> None:
    part = _of(_moves(rsi), "technical")

    assert part.inputs["rsi"] == nearly(rsi)
    assert part.inputs["rsi_points"] == nearly(points)


@pytest.mark.parametrize(("last", "points"), [(0.0, 0.0), (1_000.0, 50.0), (29_000.0, 100.0), (1e6, 100.0)])
def test_the_volume_earns_points_against_the_mean_of_30(last: float, points: float) -> None:
    mean = (29 * 1_000.0 + last) / 30

    part = _of([100.0 + row % 3 for row in range(60)], "technical", [1_000.0] * 59 + [last])

    assert part.inputs["volume_ratio"] == nearly(last / mean)
    assert part.inputs["volume_points"] == nearly(min(100.0, 50 * last / mean))
    assert part.inputs["volume_points"] == pytest.approx(points, abs=0.2)


@pytest.mark.parametrize("volumes", [[math.nan] * 60, [0.0] * 60, [1e6] * 55 + [math.nan] + [1e6] * 4])
def test_a_volume_that_is_unknown_leaves_its_weight_to_the_others(volumes: list[float]) -> None:
    part = _of([100.0 + row % 3 for row in range(60)], "technical", volumes)

    rsi, roc = part.inputs["rsi_points"], part.inputs["roc_points"]
    assert rsi is not None
    assert roc is not None
    assert (part.inputs["volume_ratio"], part.inputs["volume_points"]) == (None, None)
    assert part.value == nearly((0.4 * rsi + 0.3 * roc) / 0.7)


def test_a_gap_in_the_volume_is_forgotten_after_30_sessions() -> None:
    part = _of([100.0 + row % 3 for row in range(60)], "technical", [math.nan] * 30 + [1e6] * 30)

    assert part.inputs["volume_points"] == nearly(50.0)


def test_what_has_not_moved_has_no_rsi_and_the_others_take_its_weight() -> None:
    part = _of([100.0] * 60, "technical", [1_000.0] * 60)

    assert (part.inputs["rsi"], part.inputs["rsi_points"]) == (None, None)
    assert part.value == nearly(50.0)


@pytest.mark.parametrize("close", [0.1, 7.7, 33.33, 100.0, 1e6])
def test_what_has_not_moved_is_not_above_its_averages(close: float) -> None:
    part = _of([close] * 300, "price")

    assert (part.value, part.inputs["trend"]) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("figures", "points"),
    [
        ({"forwardPE": 0.01, "pegRatio": 0.01}, 90),
        ({"forwardPE": 24.99, "pegRatio": 0.99}, 90),
        ({"forwardPE": 25.0, "pegRatio": 1.0}, 70),
        ({"forwardPE": 39.99, "pegRatio": 1.99}, 70),
        ({"forwardPE": 40.0, "pegRatio": 2.0}, 50),
        ({"forwardPE": 0.0, "pegRatio": 0.0}, 50),
        ({"forwardPE": -3.0, "pegRatio": -1.0}, 50),
        ({"forwardPE": 20.0}, 70),
        ({"forwardPE": 30}, 60),
        ({"pegRatio": 0.5}, 70),
        ({"pegRatio": 1.5, "trailingPegRatio": 0.5}, 60),
        ({"trailingPegRatio": 0.5}, 70),
        ({"trailingPegRatio": 1.5}, 60),
        ({"trailingPE": 20.0, "returnOnEquity": 0.3}, None),
        ({"forwardPE": "Infinity"}, None),
        ({"forwardPE": math.nan}, None),
        ({}, None),
        (None, None),
    ],
)
def test_fundamentals_earn_points_by_band(figures: Figures | None, points: float | None) -> None:
    assert _fundamental(figures) == points


def _bond(paid: float | None, lead: float = 0.0, named: Mapping[str, str] | None = None) -> Component:
    known: Figures = {"quoteType": "ETF", "category": "Intermediate Core Bond", **(named or {})}
    figures = known if paid is None else known | {"yield": paid}
    own, market = history([100.0] * 20 + [100 * (1 + lead)]), history([100.0] * 21, "AGG")
    return one(Subject(own, market, figures)).components["fundamental"]


@pytest.mark.parametrize(
    ("paid", "lead", "points"),
    [
        (0.03, 0.0, 24.99 + 25),
        (0.06, 0.0, 49.98 + 25),
        (0.07, 0.0, 50 + 25),
        (0.0, 0.01, 37.5),
        (0.0, 0.02, 50),
        (0.0, 0.05, 50),
        (0.0, -0.01, 12.5),
        (0.0, -0.05, 0),
        (0.10, 0.10, 100),
    ],
)
def test_a_bond_fund_earns_points_by_its_yield_and_its_lead_over_other_bonds(
    paid: float, lead: float, points: float
) -> None:
    assert _bond(paid, lead).value == nearly(points)


@pytest.mark.parametrize(
    "named",
    [
        {"category": "Muni National Long"},
        {"category": "Long Government", "longName": "iShares 20+ Year TREASURY Bond ETF"},
        {"category": "", "longName": "Fixed Income Fund", "quoteType": "MUTUALFUND"},
    ],
)
def test_a_bond_fund_is_known_by_its_category_or_its_name(named: dict[str, str]) -> None:
    assert _bond(0.03, named=named).value == nearly(49.99)


def test_a_stock_with_income_in_its_name_is_no_bond_fund() -> None:
    part = _bond(0.05, named={"quoteType": "EQUITY", "longName": "Realty Income Corporation"})

    assert (part.value, part.missing) == (None, "no forward PE and no PEG")


def test_a_bond_fund_without_a_yield_or_a_benchmark_has_no_fundamental_part() -> None:
    figures: Figures = {"quoteType": "ETF", "category": "Bond", "yield": 0.03}

    without = one(subject("AAPL", figures, None)).components["fundamental"]

    assert (_bond(None).value, _bond(None).missing) == (None, "a bond fund without a yield")
    assert (without.value, without.missing) == (None, "no prices of the benchmark")


def test_bond_funds_and_stocks_of_one_batch_each_have_their_own_formula() -> None:
    bond: Figures = {"quoteType": "ETF", "category": "Bond", "yield": 0.03, "forwardPE": 10.0}

    found = score([subject("AAPL", {"forwardPE": 30.0}), subject("KO", bond), subject("GE")])

    lead = SERIES["KO"].iloc[-1] / SERIES["KO"].iloc[-21] - INDEX.iloc[-1] / INDEX.iloc[-21]
    expected = 833 * 0.03 + min(50.0, max(0.0, 25 + 1250 * lead))
    values = {ticker: _part(made, "fundamental") for ticker, made in found.items()}
    assert values == equal({"AAPL": 60.0, "KO": expected, "GE": None})


@pytest.mark.parametrize(
    ("figures", "points"),
    [
        ({"revenueGrowth": 0.3, "earningsGrowth": 0.7}, 0.4 * 80),
        ({"revenueGrowth": -0.3, "earningsGrowth": 0.1}, 0.4 * 10),
        ({"returnOnEquity": 1.5, "profitMargins": 0.25}, 0.4 * 75),
        ({"pegRatio": 0.5}, 0.2 * 75),
        ({"trailingPegRatio": 1.5}, 0.2 * 25),
        ({"pegRatio": 2.0}, 0.0),
        ({"pegRatio": -1.0}, 0.0),
        (
            {"revenueGrowth": 9, "earningsGrowth": 9, "returnOnEquity": 9, "profitMargins": 9, "pegRatio": 1e-9},
            100.0,
        ),
        ({"forwardPE": 20.0}, None),
        ({}, None),
    ],
)
def test_fundamentals_of_the_first_version_are_growth_profitability_and_valuation(
    figures: Figures, points: float | None
) -> None:
    assert _fundamental(figures, "alphavelocity-v1") == nearly(points)


def test_an_input_that_could_not_be_fetched_says_why() -> None:
    whole = Subject(ALL["AAPL"], None, unavailable={"fundamental": "rate limited: later", "price": "never said"})

    parts = one(whole).components

    assert parts["fundamental"].missing == "rate limited: later"
    assert parts["relative"].missing == "no prices of the benchmark"
    assert parts["price"].missing is None


@pytest.mark.parametrize("close", [0.0, -1.0])
@pytest.mark.parametrize(("rows", "back", "name"), [(300, 249, "price"), (60, 10, "technical"), (60, 21, "relative")])
def test_a_price_of_nothing_is_no_base_of_a_return(close: float, rows: int, back: int, name: str) -> None:
    closes = [100.0 + row % 3 for row in range(rows)]
    closes[-back] = close

    part = _of(closes, name)

    assert (part.value, part.missing) == (None, "prices of 0 or less")


def test_a_negative_yield_takes_no_points_away() -> None:
    assert _bond(-0.10).value == 25.0


def test_a_negative_volume_is_no_volume() -> None:
    part = _of([100.0 + row % 3 for row in range(60)], "technical", [1e6] * 59 + [-2e6])

    assert part.inputs["volume_points"] is None


def test_parts_come_from_adjusted_closes_alone() -> None:
    raw = reshaped(ALL["AAPL"], close=3 * ALL["AAPL"].prices["close"])

    found, expected = one(raw), one(ALL["AAPL"])

    assert everything(found) == equal(everything(replace(expected, price=378.12)))


def test_sessions_without_an_adjusted_close_do_not_count() -> None:
    holed = SERIES["AAPL"].copy()
    holed.iloc[np.arange(3, 1200, 7)] = math.nan

    found = one(Subject(reshaped(ALL["AAPL"], adj_close=holed), MARKET))

    known = holed.dropna()
    expected = reference.technical(known, VOLUMES["AAPL"][holed.notna()])
    assert found.rows == len(known)
    assert (_part(found, "price"), _part(found, "technical")) == (nearly(reference.price(known)), nearly(expected))


def test_a_benchmark_that_ends_long_before_says_so() -> None:
    late = replace(MARKET, prices=MARKET.prices.loc[:"2022-11-01"])

    part = score_of(ALL["AAPL"], late).components["relative"]

    assert (part.value, part.missing) == (None, "the prices of the benchmark end on 2022-11-01")


@pytest.mark.parametrize("figure", [True, float("inf"), float("nan")])
def test_what_is_no_number_is_no_figure(figure: float) -> None:
    part = score_of(ALL["AAPL"], figures={"forwardPE": figure}).components["fundamental"]

    assert part.value is None
