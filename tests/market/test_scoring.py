"""The momentum score against reference values, and the laws it must obey."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avcache.market import components, scoring
from avcache.market.measures import annual_volatility, measures, wilder_rsi
from avcache.market.provider import PriceHistory
from avcache.market.sample import SampleProvider
from avcache.market.scoring import Score, rate
from tests.market.doubles import history, steady

EXPECTED: dict[str, Any] = json.loads((Path(__file__).parent / "expected_measures.json").read_text(encoding="utf-8"))
TICKERS: dict[str, dict[str, Any]] = EXPECTED["tickers"]
SAMPLE = SampleProvider()
MARKET = SAMPLE.history("^GSPC")
EXACT = 1e-6

CHANGES = st.lists(st.floats(min_value=-0.2, max_value=0.2), min_size=2, max_size=300)
CUTS = st.integers(min_value=2, max_value=1256)


def _score(of: PriceHistory, market: PriceHistory | None = MARKET, figures: dict[str, float] | None = None) -> Score:
    return scoring.score(of, market, figures, source="sample", computed_at=1_700_000_000.0)


def _walk(changes: list[float], start: float = 100.0) -> PriceHistory:
    return history(list(start * np.cumprod([1.0, *(1 + change for change in changes)])))


def _closes(ticker: str) -> pd.Series[float]:
    return SAMPLE.history(ticker).prices["adj_close"]


def _until(whole: PriceHistory, rows: int) -> PriceHistory:
    return PriceHistory(whole.ticker, whole.prices.iloc[:rows], whole.currency)


def _scaled(whole: PriceHistory, factor: float) -> PriceHistory:
    prices = whole.prices.copy()
    prices[["close", "adj_close"]] *= factor
    return PriceHistory(whole.ticker, prices, whole.currency)


@pytest.mark.parametrize("ticker", TICKERS)
def test_the_components_equal_the_reference(ticker: str) -> None:
    expected = TICKERS[ticker]

    found = _score(SAMPLE.history(ticker))

    parts = {name: part.value for name, part in found.components.items()}
    assert parts == {
        "price": pytest.approx(expected["price"], abs=EXACT),
        "technical": pytest.approx(expected["technical"], abs=EXACT),
        "fundamental": None,
        "relative": pytest.approx(expected["relative_v2"], abs=EXACT),
    }
    assert found.composite_score == pytest.approx(expected["composite_no_fundamental_v2"], abs=EXACT)
    assert (found.as_of, found.rows, found.coverage) == (EXPECTED["asof"], 1257, 0.75)


@pytest.mark.parametrize("ticker", TICKERS)
def test_the_inputs_equal_the_reference(ticker: str) -> None:
    price, technical = TICKERS[ticker]["detail"]["price"], TICKERS[ticker]["detail"]["technical"]

    found = _score(SAMPLE.history(ticker)).components

    assert found["price"].inputs == {
        "return_21": pytest.approx(price["m1"], abs=EXACT),
        "return_63": pytest.approx(price["m3"], abs=EXACT),
        "return_126": pytest.approx(price["m6"], abs=EXACT),
        "return_249": pytest.approx(price["m12"], abs=EXACT),
        "sma_20": pytest.approx(price["ma20"], abs=EXACT),
        "sma_50": pytest.approx(price["ma50"], abs=EXACT),
        "sma_200": pytest.approx(price["ma200"], abs=EXACT),
        "weighted_return": pytest.approx(price["weighted"], abs=EXACT),
        "trend": pytest.approx(price["ma_score"], abs=EXACT),
    }
    assert found["technical"].inputs == {
        "rsi": pytest.approx(technical["rsi_sma"], abs=EXACT),
        "rsi_points": pytest.approx(technical["rsi_score"], abs=EXACT),
        "volume_ratio": pytest.approx(technical["vol_ratio"], abs=EXACT),
        "volume_points": pytest.approx(technical["vol_score"], abs=EXACT),
        "roc": pytest.approx(technical["roc9"], abs=EXACT),
        "roc_points": pytest.approx(technical["roc_score"], abs=EXACT),
    }


@pytest.mark.parametrize("ticker", TICKERS)
def test_the_measures_equal_the_reference(ticker: str) -> None:
    expected = TICKERS[ticker]

    found = _score(SAMPLE.history(ticker)).measures

    names = {
        "momentum_12_1": "mom_12_1",
        "rsi_wilder": "rsi_wilder",
        "of_high_52w": "high52",
        "max_drawdown": "max_dd",
        "beta": "beta",
    }
    assert {name: found[name] for name in names} == {
        name: pytest.approx(expected[other], abs=EXACT) for name, other in names.items()
    }
    detail = expected["detail"]["price"]
    assert found["return_1m"] == pytest.approx(detail["m1"], abs=EXACT)
    assert found["return_3m"] == pytest.approx(detail["m3"], abs=EXACT)
    assert found["return_6m"] == pytest.approx(detail["m6"], abs=EXACT)
    assert found["vs_sma200"] == pytest.approx(_closes(ticker).iloc[-1] / detail["ma200"] - 1, abs=EXACT)


@pytest.mark.parametrize("ticker", TICKERS)
def test_the_volatility_of_the_whole_sample_equals_the_reference(ticker: str) -> None:
    closes = _closes(ticker)

    assert annual_volatility(closes) == pytest.approx(TICKERS[ticker]["ann_vol"], abs=EXACT)
    assert measures(closes, None)["volatility"] == annual_volatility(closes.iloc[-253:])


def test_the_two_kinds_of_rsi_equal_what_other_libraries_say() -> None:
    closes = _closes("AAPL")

    assert wilder_rsi(closes) == pytest.approx(EXPECTED["cross_library_AAPL"]["rsi_wilder"]["talib"], abs=EXACT)
    assert components.simple_rsi(closes) == pytest.approx(
        EXPECTED["cross_library_AAPL"]["rsi_cutler_talib_sma"], abs=EXACT
    )


@pytest.mark.parametrize(
    ("composite", "rating"),
    [
        (100, "Strong Buy"),
        (80, "Strong Buy"),
        (79.96, "Buy"),
        (65, "Buy"),
        (64.99, "Hold"),
        (50, "Hold"),
        (49.99, "Weak Hold"),
        (35, "Weak Hold"),
        (34.99, "Sell"),
        (0, "Sell"),
        (None, "Insufficient Data"),
    ],
)
def test_the_rating_follows_the_unrounded_composite(composite: float | None, rating: str) -> None:
    assert rate(composite) == rating


def test_the_shown_score_never_promises_more_than_the_rating(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(components, "price", lambda *_: components.Part(79.96, {}))
    monkeypatch.setattr(components, "technical", lambda *_: components.Part(79.96, {}))

    found = _score(SAMPLE.history("AAPL"), None)

    assert (found.score, found.composite_score, found.rating) == (7.9, 79.96, "Buy")


def test_four_eighties_are_an_eighty(monkeypatch: pytest.MonkeyPatch) -> None:
    eighty = components.Part(80.0, {})
    monkeypatch.setattr(components, "price", lambda *_: eighty)
    monkeypatch.setattr(components, "technical", lambda *_: eighty)
    monkeypatch.setattr(components, "relative", lambda *_: eighty)

    found = _score(SAMPLE.history("AAPL"))

    assert (found.score, found.composite_score, found.rating) == (8.0, 80.0, "Strong Buy")


@pytest.mark.parametrize(
    ("figures", "points"),
    [
        ({"forwardPE": 10, "pegRatio": 0.5}, 90),
        ({"forwardPE": 24.99, "pegRatio": 1}, 80),
        ({"forwardPE": 25, "pegRatio": 2}, 60),
        ({"forwardPE": 40}, 50),
        ({"forwardPE": -3, "trailingPegRatio": 0.5}, 70),
        ({"pegRatio": 1.5, "trailingPegRatio": 0.5}, 60),
        ({"trailingPegRatio": 1.5}, 60),
        ({}, None),
        (None, None),
    ],
)
def test_fundamentals_earn_points(figures: dict[str, float] | None, points: float | None) -> None:
    assert components.fundamental(figures).value == points


@pytest.mark.parametrize(("ahead", "points"), [(0.06, 100), (0.05, 100), (0.02, 70), (0.0, 50), (-0.02, 40), (-0.2, 0)])
def test_the_lead_over_the_market_earns_points(ahead: float, points: float) -> None:
    own, flat = history([100.0] * 20 + [100 * (1 + ahead)]), history([100.0] * 21)

    found = components.relative(own.prices["adj_close"], flat.prices["adj_close"])

    assert found.value == pytest.approx(points)


def test_fundamentals_complete_the_coverage() -> None:
    found = _score(SAMPLE.history("AAPL"), figures={"forwardPE": 20.0, "trailingPegRatio": 1.5})

    assert found.coverage == 1.0
    assert {name: part.effective_weight for name, part in found.components.items()} == scoring.WEIGHTS
    assert found.components["fundamental"].value == 80


def test_a_missing_part_leaves_its_weight_to_the_others() -> None:
    parts = _score(SAMPLE.history("AAPL")).components

    assert (parts["fundamental"].effective_weight, parts["fundamental"].contribution) == (0.0, 0.0)
    assert parts["fundamental"].missing == "no forward PE and no PEG"
    assert parts["price"].effective_weight == pytest.approx(0.4 / 0.75)


def test_without_a_benchmark_the_relative_part_is_missing() -> None:
    found = _score(SAMPLE.history("AAPL"), None)

    assert found.components["relative"].missing == "no prices of the benchmark"
    assert (found.benchmark, found.measures["beta"], found.coverage) == (None, None, 0.65)


def test_too_few_sessions_are_insufficient_data_not_a_zero() -> None:
    found = _score(_until(SAMPLE.history("AAPL"), 100))

    assert (found.score, found.composite_score, found.rating) == (None, None, "Insufficient Data")
    assert found.coverage == 0.35
    assert found.components["price"].missing == "100 sessions, 249 needed"
    assert sum(part.contribution for part in found.components.values()) == 0


def test_measures_with_too_few_rows_are_none() -> None:
    found = _score(_until(SAMPLE.history("AAPL"), 100)).measures

    assert {name for name, value in found.items() if value is None} == {
        "return_6m",
        "momentum_12_1",
        "vs_sma200",
        "of_high_52w",
        "volatility",
    }


def test_a_volume_with_gaps_is_no_volume() -> None:
    prices = SAMPLE.history("AAPL").prices
    prices.iloc[-5, prices.columns.get_loc("volume")] = math.nan  # type: ignore[index]

    found = _score(PriceHistory("AAPL", prices, "USD")).components["technical"]

    rsi, roc = found.inputs["rsi_points"], found.inputs["roc_points"]
    assert rsi is not None
    assert roc is not None
    assert found.inputs["volume_points"] is None
    assert found.value == pytest.approx((0.4 * rsi + 0.3 * roc) / 0.7)


def test_a_last_session_without_adjusted_close_is_not_scored_but_priced() -> None:
    whole = SAMPLE.history("AAPL")
    whole.prices.iloc[-1, whole.prices.columns.get_loc("adj_close")] = math.nan  # type: ignore[index]

    found = _score(whole)

    assert (found.rows, found.price, found.as_of) == (1256, 126.04, "2022-12-28")


def test_a_history_without_adjusted_closes_is_insufficient_data() -> None:
    prices = SAMPLE.history("AAPL").prices.assign(adj_close=math.nan)

    found = _score(PriceHistory("AAPL", prices, "USD"))

    assert found.rating == "Insufficient Data"
    assert set(found.measures.values()) == {None}


def test_the_price_is_the_raw_close() -> None:
    prices = SAMPLE.history("AAPL").prices
    prices["close"] *= 2

    found = _score(PriceHistory("AAPL", prices, "USD"))

    assert found.price == 252.08
    assert found.composite_score == _score(SAMPLE.history("AAPL")).composite_score


@pytest.mark.parametrize("ticker", ["AAPL", "MRK"])
@pytest.mark.parametrize("rows", [2, 100, 1257])
def test_a_score_survives_json(ticker: str, rows: int) -> None:
    found = _score(_until(SAMPLE.history(ticker), rows), figures={"forwardPE": 20.0})

    text = json.dumps(scoring.to_record(found), allow_nan=False)

    assert scoring.from_record(json.loads(text)) == found


@settings(max_examples=25)
@given(factor=st.floats(min_value=1e-3, max_value=1e3), ticker=st.sampled_from(sorted(TICKERS)))
def test_scaling_all_prices_changes_nothing(factor: float, ticker: str) -> None:
    whole = SAMPLE.history(ticker)

    found, scaled = _score(whole), _score(_scaled(whole, factor))

    assert scaled.composite_score == pytest.approx(found.composite_score, abs=1e-6)
    assert scaled.measures == {name: pytest.approx(value, abs=1e-9) for name, value in found.measures.items()}


@settings(max_examples=25)
@given(rows=CUTS, ticker=st.sampled_from(sorted(TICKERS)))
def test_the_future_changes_no_score_of_the_past(rows: int, ticker: str) -> None:
    whole = SAMPLE.history(ticker)

    with_known_market = _score(_until(whole, rows), _until(MARKET, rows))
    with_later_market = _score(_until(whole, rows), MARKET)

    assert with_later_market == with_known_market


@settings(max_examples=50)
@given(CHANGES)
def test_contributions_add_up_to_the_composite(changes: list[float]) -> None:
    found = _score(_walk(changes), steady(0.0004), {"forwardPE": 30.0})

    total = sum(part.contribution for part in found.components.values())

    assert total == pytest.approx(found.composite_score or 0.0, abs=1e-8)
    assert all(part.value is None or 0 <= part.value <= 100 for part in found.components.values())
    assert (found.composite_score is None) == (found.coverage < 0.5)
    json.dumps(scoring.to_record(found), allow_nan=False)


@settings(max_examples=25)
@given(close=st.floats(min_value=1e-4, max_value=1e6), rows=st.integers(min_value=2, max_value=400))
def test_a_flat_series_is_scored_without_inventing_an_rsi(close: float, rows: int) -> None:
    found = _score(history([close] * rows, volumes=[0] * rows), steady(0.0, rows=400))

    assert found.measures["rsi_wilder"] is None
    assert found.measures["beta"] is None
    assert found.components["technical"].inputs.get("rsi") is None
    assert {found.measures[name] for name in ("return_1m", "max_drawdown", "volatility")} <= {0.0, None}
    json.dumps(scoring.to_record(found), allow_nan=False)


@settings(max_examples=25)
@given(st.lists(st.sampled_from([0.0, -37.0, 5.0, math.nan]), min_size=2, max_size=300))
def test_no_series_crashes_the_score(closes: list[float]) -> None:
    found = _score(history(closes), history(closes, "MKT"))

    json.dumps(scoring.to_record(found)["components"], allow_nan=False)
    json.dumps(scoring.to_record(found)["measures"], allow_nan=False)
