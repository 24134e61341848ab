"""How parts become a score: the default profile, the original with its zeros and fifties, and the first version."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import get_args

import numpy as np
import pandas as pd
import pytest

from avcache.errors import InvalidInput
from avcache.market.provider import Figures, PriceHistory
from avcache.market.scoring import COMPOSITES, Rating, Score, Subject, rate, scores
from avcache.market.scoring.components import Parts
from avcache.market.scoring.panel import Panel
from avcache.market.scoring.profiles import ProfileName, parse_profile
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
    everything,
    nearly,
    one,
    score,
    subject,
    subjects,
    until,
)

LEGACY = "alphavelocity-legacy"
V1 = "alphavelocity-v1"
GOOD: Figures = {"forwardPE": 20.0, "pegRatio": 0.5}


def _values(found: Score) -> dict[str, float | None]:
    return {name: part.value for name, part in found.components.items()}


def _of_values(values: Mapping[str, float | None]) -> Score:
    """The score of a ticker whose parts are *values*."""

    def fixed(value: float | None) -> Callable[[Panel], Parts]:
        found = Parts(np.array([math.nan if value is None else value]), {}, ["not there" if value is None else None])
        return lambda _: found

    parts = {name: fixed(value) for name, value in values.items()}
    profile = replace(COMPOSITES["alphavelocity"], parts=parts)
    return scores([subject("AAPL")], source="sample", computed_at=0.0, profile=profile)["AAPL"]


def _legacy_parts(ticker: str, day: dt.date, figures: Mapping[str, float]) -> dict[str, float]:
    """As the original had it, on the last calendar year up to *day*."""
    closes = reference.last_year(until(SERIES[ticker], day))
    volumes, market = until(ALL[ticker].prices["volume"], day).tail(len(closes)), until(INDEX, day)
    relative = reference.relative_v2(closes, market)
    return {
        "price": reference.price(closes) or 0.0,
        "technical": reference.technical(closes, volumes, rsi_of_flat=0.0) or 0.0,
        "fundamental": reference.fundamental_v2(figures),
        "relative": 50.0 if relative is None else relative,
    }


# The rating.


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
def test_the_rating_follows_the_unrounded_composite(composite: float | None, rating: Rating) -> None:
    assert rate(composite) == rating


@pytest.mark.parametrize(
    ("value", "shown", "rating"),
    [
        (79.96, 7.9, "Buy"),
        (80.0, 8.0, "Strong Buy"),
        (64.999, 6.4, "Hold"),
        (65.0, 6.5, "Buy"),
        (49.95, 4.9, "Weak Hold"),
        (35.0, 3.5, "Weak Hold"),
        (0.0, 0.0, "Sell"),
        (100.0, 10.0, "Strong Buy"),
    ],
)
def test_the_shown_score_never_promises_more_than_the_rating(value: float, shown: float, rating: Rating) -> None:
    found = _of_values(dict.fromkeys(reference.WEIGHTS, value))

    assert (found.score, found.composite_score, found.rating) == (shown, value, rating)


@pytest.mark.parametrize("missing", [None, *reference.WEIGHTS])
@pytest.mark.parametrize(("value", "rating"), [(80, "Strong Buy"), (65, "Buy"), (50, "Hold"), (35, "Weak Hold")])
def test_equal_parts_are_their_composite_to_the_last_digit(value: float, rating: Rating, missing: str | None) -> None:
    found = _of_values({name: None if name == missing else value for name in reference.WEIGHTS})

    assert (found.score, found.composite_score, found.rating) == (value / 10, value, rating)


# The default profile.


def test_a_missing_part_leaves_its_weight_to_the_others() -> None:
    found = _of_values({"price": 90.0, "technical": None, "fundamental": 40.0, "relative": 10.0})

    parts = found.components
    assert found.coverage == 0.75
    assert {name: part.effective_weight for name, part in parts.items()} == equal(
        {"price": 0.4 / 0.75, "technical": 0.0, "fundamental": 0.25 / 0.75, "relative": 0.1 / 0.75}
    )
    assert {name: part.contribution for name, part in parts.items()} == equal(
        {"price": 36 / 0.75, "technical": 0.0, "fundamental": 10 / 0.75, "relative": 1 / 0.75}
    )
    assert (parts["technical"].value, parts["technical"].missing) == (None, "not there")
    assert found.composite_score == nearly(47 / 0.75)


@pytest.mark.parametrize(
    ("there", "coverage", "is_enough"),
    [
        (("price", "relative"), 0.5, True),
        (("technical", "fundamental"), 0.5, True),
        (("price",), 0.4, False),
        (("technical", "relative"), 0.35, False),
        (("fundamental", "relative"), 0.35, False),
        ((), 0.0, False),
        (("price", "technical", "fundamental", "relative"), 1.0, True),
    ],
)
def test_less_than_half_the_weights_are_insufficient_data(
    there: tuple[str, ...], coverage: float, is_enough: bool
) -> None:
    found = _of_values({name: 70.0 if name in there else None for name in reference.WEIGHTS})

    assert found.coverage == coverage
    assert (found.composite_score, found.score, found.rating) == (
        (70.0, 7.0, "Buy") if is_enough else (None, None, "Insufficient Data")
    )
    effective = sum(part.effective_weight for part in found.components.values())
    assert effective == nearly(1.0 if is_enough else 0.0)


def test_what_is_there_is_shown_even_where_it_is_not_enough() -> None:
    found = one(cut(ALL["AAPL"], "2018-06-01"))

    assert (found.rating, found.rows) == ("Insufficient Data", 105)
    assert found.components["price"].missing == "105 sessions, 249 needed"
    assert found.components["technical"].value is not None
    assert {part.contribution for part in found.components.values()} == {0.0}


def test_without_a_benchmark_the_relative_part_is_missing() -> None:
    found = one(subject("AAPL", GOOD, None))

    assert found.components["relative"].missing == "no prices of the benchmark"
    assert (found.benchmark, found.measures["beta"], found.coverage) == (None, None, 0.9)


def test_the_default_profile_looks_for_249_sessions_in_the_whole_history() -> None:
    prices = ALL["MRK"].prices
    fewer_a_year = replace(ALL["MRK"], prices=prices.drop(prices.index[4::5]))

    found = {profile: one(fewer_a_year, profile).components["price"] for profile in ("alphavelocity", LEGACY)}

    assert found["alphavelocity"].value == nearly(reference.price(fewer_a_year.prices["adj_close"]))
    assert (found["alphavelocity"].value, found[LEGACY].value) == (100.0, 0.0)


@pytest.mark.parametrize("profile", ["alphavelocity", V1])
def test_an_unfinished_session_is_left_out(profile: str) -> None:
    running = replace(ALL["AAPL"], is_complete=False)
    yesterday = cut(ALL["AAPL"], "2022-12-27")

    found, before = one(running, profile), one(yesterday, profile)

    assert (found.as_of, found.rows, before.price) == ("2022-12-27", 1256, 130.03)
    assert everything(found) == equal(everything(replace(before, price=126.04, bar_complete=False)))


def test_an_unfinished_session_of_the_benchmark_is_left_out_too() -> None:
    running = Subject(ALL["AAPL"], replace(MARKET, is_complete=False))
    yesterday = Subject(ALL["AAPL"], cut(MARKET, "2022-12-27"))

    assert everything(one(running)) == equal(everything(one(yesterday)))


# The original.


@pytest.mark.parametrize("day", DAYS, ids=str)
@pytest.mark.parametrize("figures", [{}, {"forwardPE": 30.0, "pegRatio": 0.8}], ids=["without", "with"])
def test_the_original_is_rebuilt_with_its_zeros_and_fifties(day: dt.date, figures: dict[str, float]) -> None:
    found = score(subjects(figures=dict(figures)), LEGACY, day)

    for ticker in TICKERS:
        parts = _legacy_parts(ticker, day, figures)
        if len(until(SERIES[ticker], day)) < 50:
            assert (found[ticker].composite_score, found[ticker].rating) == (0.0, "Insufficient Data")
        else:
            assert _values(found[ticker]) == equal(parts), ticker
            assert found[ticker].composite_score == nearly(reference.composite(parts), 1e-8)


def test_the_original_prints_81_7_for_merck() -> None:
    found = one(ALL["MRK"], LEGACY)

    assert found.composite_score == pytest.approx(81.691, abs=5e-4)
    assert (found.score, found.rating, found.coverage) == (8.1, "Strong Buy", 0.75)


@pytest.mark.parametrize(("rows", "is_zero"), [(248, True), (249, False)])
def test_fewer_than_249_sessions_in_the_last_year_are_a_price_part_of_0_in_the_original(
    rows: int, is_zero: bool
) -> None:
    rising = PriceHistory("AAPL", ALL["MRK"].prices.tail(rows), "USD")

    part = one(rising, LEGACY).components["price"]

    assert (part.value == 0.0, part.missing is not None) == (is_zero, is_zero)
    assert (part.effective_weight, part.contribution == 0.0) == (0.4, is_zero)


@pytest.mark.parametrize(("rows", "composite"), [(49, 0.0), (50, None)])
def test_fewer_than_50_sessions_are_a_composite_of_0_in_the_original(rows: int, composite: float | None) -> None:
    found = one(Subject(PriceHistory("AAPL", ALL["AAPL"].prices.tail(rows), "USD"), MARKET, GOOD), LEGACY)

    if composite is None:
        assert found.composite_score == nearly(sum(part.contribution for part in found.components.values()))
        assert found.rating == rate(found.composite_score)
    else:
        assert (found.score, found.composite_score, found.rating) == (0.0, 0.0, "Insufficient Data")
        assert {part.contribution for part in found.components.values()} == {0.0}


def test_fewer_than_50_sessions_in_the_last_year_are_insufficient_in_the_original() -> None:
    prices = ALL["AAPL"].prices
    halted = replace(ALL["AAPL"], prices=pd.concat([prices.iloc[:600], prices.iloc[-30:]]))

    found = one(halted, LEGACY)

    assert (found.composite_score, found.rating) == (0.0, "Insufficient Data")


def test_missing_fundamentals_and_a_missing_benchmark_are_fifties_in_the_original() -> None:
    found = one(subject("AAPL", None, None), LEGACY)

    parts = found.components
    assert (parts["fundamental"].value, parts["relative"].value) == (50.0, 50.0)
    assert (parts["fundamental"].missing, parts["relative"].missing) == (
        "no forward PE and no PEG",
        "no prices of the benchmark",
    )
    assert {name: part.effective_weight for name, part in parts.items()} == reference.WEIGHTS


def test_the_original_gives_a_flat_series_no_points_for_its_rsi() -> None:
    part = one(Subject(history([100.0] * 60), steady(0.0, 60, "MKT")), LEGACY).components["technical"]

    assert (part.inputs["rsi"], part.inputs["rsi_points"]) == (None, 0.0)
    assert part.value == nearly(0.3 * 50 / 0.7)


def test_the_original_knows_no_trailing_peg() -> None:
    figures: Figures = {"forwardPE": 20.0, "trailingPegRatio": 0.5}

    found = {profile: one(subject("AAPL", figures), profile) for profile in ("alphavelocity", LEGACY)}

    assert {name: made.components["fundamental"].value for name, made in found.items()} == {
        "alphavelocity": 90.0,
        LEGACY: 70.0,
    }


def test_the_original_counts_an_unfinished_session() -> None:
    running = replace(ALL["AAPL"], is_complete=False)

    found = one(running, LEGACY)

    assert (found.as_of, found.rows) == (LAST_DAY.isoformat(), 1257)
    assert everything(found) == equal(everything(replace(one(ALL["AAPL"], LEGACY), bar_complete=False)))


# The first version.


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_the_first_version_is_made_of_its_own_parts(day: dt.date) -> None:
    figures: Figures = {"revenueGrowth": 0.2, "earningsGrowth": 0.1, "returnOnEquity": 0.9, "pegRatio": 1.2}
    market, fundamental = until(INDEX, day), 0.4 * 30 + 0.4 * 50 + 0.2 * 40

    found = score(subjects(figures=figures), V1, day)

    for ticker in TICKERS:
        closes = until(SERIES[ticker], day)
        parts = {
            "price": reference.price(closes),
            "technical": reference.technical(closes, until(ALL[ticker].prices["volume"], day)),
            "fundamental": fundamental,
            "relative": reference.relative_v1(closes, market),
        }
        composite, coverage = reference.renormalised(parts)
        assert _values(found[ticker]) == equal(parts), ticker
        assert (found[ticker].composite_score, found[ticker].coverage) == (nearly(composite), nearly(coverage))


# All of them.


@pytest.mark.parametrize("profile", list(COMPOSITES))
@pytest.mark.parametrize("figures", [None, GOOD], ids=["without", "with"])
@pytest.mark.parametrize("day", DAYS, ids=str)
def test_contributions_add_up(profile: str, figures: Figures | None, day: dt.date) -> None:
    found = score(subjects(figures=figures), profile, day)

    for made in found.values():
        total = sum(part.contribution for part in made.components.values())
        assert total == pytest.approx(made.composite_score or 0.0, abs=1e-8)
        for part in made.components.values():
            assert part.contribution == nearly(part.effective_weight * (part.value or 0.0))


def test_every_profile_has_the_documented_weights() -> None:
    assert {name: dict(profile.weights) for name, profile in COMPOSITES.items()} == dict.fromkeys(
        COMPOSITES, reference.WEIGHTS
    )
    assert all(profile.name == name for name, profile in COMPOSITES.items())


def test_the_names_of_profiles_are_understood_and_no_others() -> None:
    assert {parse_profile(name) for name in (*COMPOSITES, "factor")} == set(get_args(ProfileName))
    with pytest.raises(InvalidInput, match="alphavelocity-legacy"):
        parse_profile("alpha")
