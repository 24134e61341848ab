"""The laws that every score obeys, whatever the prices."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avcache.market.provider import PriceHistory
from avcache.market.scoring import COMPOSITES, Score, Subject, to_record
from avcache.market.scoring.factor import cross_section, factor_scores
from tests.market.doubles import history, steady
from tests.market.scoring.sample import (
    ALL,
    FIGURES,
    MARKET,
    TICKERS,
    cut,
    equal,
    everything,
    fields,
    one,
    reshaped,
    scaled,
    score,
    subjects,
    walk,
)

FACTORS = st.floats(min_value=1e-3, max_value=1e3)
PROFILES = st.sampled_from(sorted(COMPOSITES))
STOCKS = st.sampled_from(TICKERS)
SEEDS = st.integers(min_value=0, max_value=10_000)
ROWS = st.integers(min_value=1, max_value=900)
CHANGES = st.lists(st.floats(min_value=-0.2, max_value=0.2), min_size=1, max_size=40)
GARBAGE = st.sampled_from([0.0, -37.0, 5.0, 5.0, 1e-300, 1e-9, 1e12, 1e300, -1e300, math.inf, -math.inf, math.nan])
"""No market prints these; a broken source may."""
VOLUMES = st.sampled_from([0.0, -1e6, 1.0, 1e6, 1e300, math.inf, math.nan])


def _all_equal(found: Mapping[str, Score], expected: Mapping[str, Score]) -> bool:
    assert found.keys() == expected.keys()
    for ticker, made in expected.items():
        assert fields(found[ticker]) == equal(fields(made)), ticker
    return True


def _repeated(pattern: Sequence[float], rows: int) -> list[float]:
    return [pattern[row % len(pattern)] for row in range(rows)]


def _numbers(record: object) -> list[float]:
    """Every number of a record."""
    if isinstance(record, dict):
        return [number for value in record.values() for number in _numbers(value)]
    return [record] if isinstance(record, float) else []


def _steps(changes: list[float], rows: int) -> list[float]:
    return list(100 * np.cumprod([1.0, *(1 + change for change in _repeated(changes, rows - 1))]))


# Scale.


@settings(max_examples=40)
@given(ticker=STOCKS, own=FACTORS, market=FACTORS, profile=PROFILES)
def test_another_currency_changes_no_measure_and_no_score(ticker: str, own: float, market: float, profile: str) -> None:
    found = one(Subject(scaled(ALL[ticker], own), scaled(MARKET, market), FIGURES), profile)

    assert fields(found) == equal(fields(one(Subject(ALL[ticker], MARKET, FIGURES), profile)))


@settings(max_examples=40)
@given(seed=SEEDS, rows=ROWS, own=FACTORS, market=FACTORS)
def test_another_currency_changes_nothing_of_a_random_walk(seed: int, rows: int, own: float, market: float) -> None:
    stock, index = walk(seed, rows), walk(seed + 1, rows, "MKT", deviation=0.01)

    found = one(Subject(scaled(stock, own), scaled(index, market), FIGURES))

    assert fields(found) == equal(fields(one(Subject(stock, index, FIGURES))))


@settings(max_examples=5)
@given(factors=st.lists(FACTORS, min_size=25, max_size=25))
def test_another_currency_of_each_changes_no_place_in_the_universe(factors: list[float]) -> None:
    converted = [Subject(scaled(ALL[ticker], factor), MARKET) for ticker, factor in zip(TICKERS, factors, strict=True)]

    found = factor_scores(converted, cross_section(converted), source="sample", computed_at=0.0)

    expected = factor_scores(subjects(), cross_section(subjects()), source="sample", computed_at=0.0)
    assert _all_equal(found, expected)


def test_another_currency_changes_nothing_of_a_price_that_stands_still() -> None:
    still = history([100.0] * 300)

    found = one(Subject(scaled(still, 0.077), None))

    assert found.measures == equal(one(Subject(still, None)).measures)


# No look ahead.


@settings(max_examples=40)
@given(ticker=STOCKS, back=st.integers(min_value=0, max_value=1256), profile=PROFILES)
def test_the_future_changes_no_score_of_the_past(ticker: str, back: int, profile: str) -> None:
    day = ALL[ticker].prices.index[back].date()

    later = one(Subject(ALL[ticker], MARKET, FIGURES), profile, as_of=day)
    then = one(Subject(cut(ALL[ticker], day), cut(MARKET, day), FIGURES), profile)

    assert everything(later) == equal(everything(then))


@settings(max_examples=30)
@given(seed=SEEDS, rows=ROWS, future=st.lists(st.floats(min_value=1e-3, max_value=1e6), min_size=1, max_size=60))
def test_whatever_comes_after_changes_no_score_of_the_past(seed: int, rows: int, future: list[float]) -> None:
    known, index = walk(seed, rows), walk(seed + 1, rows + len(future), "MKT")
    days = pd.bdate_range(known.prices.index[-1] + pd.Timedelta(days=1), periods=len(future))
    more = pd.DataFrame(dict.fromkeys(known.prices.columns, future), index=days)
    longer = replace(known, prices=pd.concat([known.prices, more]))

    found = one(Subject(longer, index), as_of=known.prices.index[-1].date())

    assert everything(found) == equal(everything(one(Subject(known, index))))


# Company.


@settings(max_examples=15)
@given(order=st.permutations(TICKERS), profile=PROFILES)
def test_the_order_of_the_tickers_changes_nothing(order: list[str], profile: str) -> None:
    assert _all_equal(score(subjects(order), profile), score(subjects(), profile))


@pytest.mark.parametrize("profile", sorted(COMPOSITES))
@pytest.mark.parametrize("day", [dt.date(2018, 3, 25), dt.date(2020, 3, 23), dt.date(2022, 12, 28)], ids=str)
def test_a_ticker_alone_has_the_score_it_has_among_many(profile: str, day: dt.date) -> None:
    together = score(subjects(), profile, day)

    alone = {ticker: made for each in subjects() for ticker, made in score([each], profile, day).items()}

    assert _all_equal(alone, together)


@settings(max_examples=15)
@given(st.lists(st.tuples(SEEDS, ROWS), min_size=2, max_size=12))
def test_walks_of_any_length_are_scored_together_as_alone(walks: list[tuple[int, int]]) -> None:
    index = walk(77, 900, "MKT")
    many = [Subject(walk(seed, rows, f"W{at}"), index) for at, (seed, rows) in enumerate(walks)]

    assert _all_equal({whole.history.ticker: one(whole) for whole in many}, score(many))


# Sums.


@settings(max_examples=60)
@given(changes=CHANGES, rows=st.integers(min_value=2, max_value=400), profile=PROFILES)
def test_contributions_add_up_and_parts_stay_within_their_scale(changes: list[float], rows: int, profile: str) -> None:
    found = one(Subject(history(_steps(changes, rows)), steady(0.0004, rows, "MKT"), FIGURES), profile)

    total = sum(part.contribution for part in found.components.values())
    assert total == pytest.approx(found.composite_score or 0.0, abs=1e-8)
    assert all(part.value is None or 0 <= part.value <= 100 for part in found.components.values())
    assert found.composite_score is None or 0 <= found.composite_score <= 100
    if profile != "alphavelocity-legacy":
        assert (found.composite_score is None) == (found.coverage < 0.5)
    json.dumps(to_record(found), allow_nan=False)


# Odd prices.


@settings(max_examples=30)
@given(close=st.floats(min_value=1e-6, max_value=1e9), rows=st.integers(min_value=1, max_value=800), profile=PROFILES)
def test_a_price_that_stands_still_has_returns_of_zero(close: float, rows: int, profile: str) -> None:
    still = Subject(history([close] * rows, volumes=[0.0] * rows), steady(0.0, rows, "MKT"))

    found = one(still, profile)

    moves = [
        value for name, value in found.measures.items() if name.startswith(("return", "momentum", "vs_sma", "roc"))
    ]
    assert all(value is None or value == pytest.approx(0.0, abs=1e-12) for value in moves)
    assert (found.measures["rsi_wilder"], found.measures["beta"]) == (None, None)
    assert found.measures["max_drawdown"] == 0.0
    assert {change.change for change in found.changes.values()} <= {0.0, None}
    json.dumps(to_record(found), allow_nan=False)


def _odd(pattern: list[float], rows: int, volumes: list[float]) -> PriceHistory:
    """A history whose raw closes are sound: what a source delivers last is checked."""
    whole = history(_repeated(pattern, rows), volumes=_repeated(volumes, rows))
    return reshaped(whole, close=12.5)


@settings(max_examples=150)
@given(
    pattern=st.lists(GARBAGE, min_size=1, max_size=9),
    market=st.lists(GARBAGE, min_size=1, max_size=9),
    volumes=st.lists(VOLUMES, min_size=1, max_size=4),
    rows=st.one_of(st.integers(min_value=1, max_value=3), st.integers(min_value=40, max_value=820)),
    profile=PROFILES,
)
def test_no_series_crashes_a_score_or_spoils_its_json(
    pattern: list[float], market: list[float], volumes: list[float], rows: int, profile: str
) -> None:
    odd = Subject(_odd(pattern, rows, volumes), history(_repeated(market, rows), "MKT"), FIGURES)

    found = score([odd], profile)

    assert bool(found) == any(not math.isnan(close) for close in _repeated(pattern, rows))
    for made in found.values():
        record: dict[str, Any] = to_record(made)
        json.dumps(record, allow_nan=False)
        assert all(math.isfinite(number) for number in _numbers(record))
        assert all(part.value is None or 0 <= part.value <= 100 for part in made.components.values())


@pytest.mark.parametrize("profile", sorted(COMPOSITES))
@pytest.mark.parametrize("rows", [1, 2, 3])
def test_a_history_of_one_or_two_sessions_is_scored_without_a_warning(profile: str, rows: int) -> None:
    found = one(Subject(history([10.0, 11.0, 12.0][:rows]), steady(0.0, rows, "MKT")), profile)

    assert (found.rating, found.rows) == ("Insufficient Data", rows)


@pytest.mark.parametrize("gap", [0.0, -5.0, math.nan])
def test_a_gap_far_back_raises_no_warning(gap: float) -> None:
    closes = [100.0 + row % 7 for row in range(700)]
    closes[100] = gap

    found = one(Subject(history(closes), history(closes, "MKT")))

    json.dumps(to_record(found), allow_nan=False)


@pytest.mark.parametrize(
    "pattern",
    [
        [0.0],  # technical: 0 / 0, where not one of its parts is known
        [1e300, 1e-300],  # row_return: overflow in divide
        [1e308],  # averages: overflow in sum
    ],
    ids=str,
)
def test_odd_prices_raise_no_warning(pattern: list[float]) -> None:
    odd = Subject(_odd(pattern, 400, [math.nan]), MARKET)

    one(odd)
