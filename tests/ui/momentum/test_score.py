from __future__ import annotations

import dataclasses
import datetime as dt
import math

import pytest

from avcache.core.peek import Peek
from avcache.market.freshness import Session
from avcache.market.scoring import Score
from avcache.runtime import Runtime
from avcache.ui.momentum.score import breakdown, freshness, measure_table, standing_among, strength
from tests.market.doubles import score_of, steady


def entry(age: float = 108.0, ttl: float = 600.0) -> Peek:
    return Peek("momentum:X", "momentum", 1000, 900.0, age=age, ttl=ttl, ttl_left=max(0.0, ttl - age))


def test_strength_says_how_sure_we_are(mrk: Score) -> None:
    assert strength(mrk) == "9.2 (92.3, Strong Buy, coverage 75 %)"


def test_too_little_data_is_no_score() -> None:
    score = score_of(steady(0.001, rows=60))

    parts = breakdown(score)

    assert strength(score) == "No score (Insufficient Data, coverage 25 %)"
    assert parts["missing"].iloc[-1] == "coverage 25 %, 50 % needed"
    assert math.isnan(parts["contribution"].iloc[-1])


def test_freshness_tells_day_age_and_source(mrk: Score) -> None:
    told = freshness(mrk, entry(), "Sample prices", mrk.computed_at)

    clock = f"{dt.datetime.fromtimestamp(mrk.computed_at).astimezone():%H:%M:%S}"
    assert told == f"as of 28 Dec 2022 · computed {clock}, 1:48 old, fresh for 8:12 · Sample prices"


@pytest.mark.parametrize(
    ("session", "words"),
    [
        ("closed", "market closed, last close"),
        ("behind", "older than the last close"),
        ("running", "the session is running"),
    ],
)
def test_freshness_tells_a_closed_market_from_an_old_price(mrk: Score, session: Session, words: str) -> None:
    assert f"as of 28 Dec 2022 · {words} · computed" in freshness(mrk, entry(), "x", mrk.computed_at, session)


def test_freshness_tells_when_prices_were_fetched_and_what_is_provisional(mrk: Score) -> None:
    fetched = dataclasses.replace(
        mrk, inputs={"prices": mrk.computed_at - 60}, is_provisional=True, note="the universe is too small"
    )

    told = freshness(fetched, entry(), "x", mrk.computed_at)

    clock = f"{dt.datetime.fromtimestamp(mrk.computed_at - 60).astimezone():%H:%M:%S}"
    assert f"from prices of {clock}" in told
    assert "provisional" in told
    assert "the universe is too small" in told


def test_a_stale_score_says_that_it_is_being_loaded(mrk: Score) -> None:
    assert "stale, loaded again when read" in freshness(mrk, entry(age=700.0), "x", mrk.computed_at)


@pytest.mark.parametrize("ticker", ["AAPL", "MRK", "META", "XOM"])
def test_contributions_add_up_to_the_composite_that_is_shown(wired: Runtime, ticker: str) -> None:
    score = wired.market.score(ticker)

    parts = breakdown(score)

    *added, total = parts["contribution"]
    assert round(sum(added), 2) == total
    assert total == pytest.approx(score.composite_score, abs=0.01)
    assert parts["weight_percent"].iloc[-1] == pytest.approx(100)
    assert parts["effective_weight_percent"].iloc[-1] == pytest.approx(100)


def test_a_missing_part_says_why(mrk: Score) -> None:
    parts = breakdown(mrk).set_index("component")

    assert parts.loc["Fundamental", "missing"] == "no forward PE and no PEG"
    assert parts["missing"].drop("Fundamental").eq("").all()


def test_measures_are_text_with_their_units(mrk: Score) -> None:
    values = measure_table(mrk).set_index("Measure")["Value"]

    assert values["1 month"] == "+2.7 %"
    assert values["Of 52-week high"] == "99.1 %"
    assert values["RSI 14"] == "63.2"
    assert values["Deepest fall"] == "-27.3 %"
    assert values["Price"] == "$109.58"


def test_a_measure_that_is_not_there_is_a_dash(mrk: Score) -> None:
    bare = dataclasses.replace(mrk, measures={}, currency="EUR")

    values = measure_table(bare)["Value"]

    assert set(values.iloc[:-1]) == {"–"}
    assert values.iloc[-1] == "109.58 EUR"


def test_the_parts_of_factor_have_names_and_add_up(wired: Runtime) -> None:
    parts = breakdown(wired.market.score("MRK", profile="factor"))

    *added, total = parts["contribution"]
    assert parts["component"].tolist()[0] == "12-1 momentum"
    assert round(sum(added), 2) == total


def test_percentiles_are_those_of_the_market_if_all_of_the_universe_is_cached(wired: Runtime) -> None:
    tickers = wired.market.universes.get("Sample 25")
    scores = {ticker: wired.market.score(ticker) for ticker in tickers}

    standing = standing_among(scores, "MRK")

    expected = wired.market.percentiles("MRK", "Sample 25")
    assert standing == {name: pytest.approx(share) for name, share in expected.items() if name in standing}
    assert len(standing) > 25
    shown = measure_table(scores["MRK"], standing).set_index("Measure")["Percentile"]
    assert shown["12-1 momentum"] == pytest.approx(100 * expected["momentum_12_1"])


def test_a_place_among_fewer_than_ten_is_not_told(mrk: Score) -> None:
    assert standing_among({"MRK": mrk}, "MRK") == {}
    assert measure_table(mrk)["Percentile"].isna().all()


def test_a_measure_names_its_formula_and_its_source(mrk: Score) -> None:
    row = measure_table(mrk).set_index("Measure").loc["12-1 momentum"]

    assert "P[-22]/P[-253]-1" in row["Formula"]
    assert row["Source"] == "Jegadeesh & Titman 1993"
