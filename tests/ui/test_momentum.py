from __future__ import annotations

import dataclasses
import datetime as dt
import math
from collections.abc import Iterator

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avcache import runtime
from avcache.core.peek import Peek
from avcache.market import scoring
from avcache.market.provider import PriceHistory
from avcache.market.scoring import Score, rate
from avcache.runtime import Runtime
from avcache.ui import momentum
from avcache.ui.export import csv_of
from tests.market.doubles import history, steady


@pytest.fixture
def wired() -> Iterator[Runtime]:
    made = runtime.from_environment({"AVCACHE_PROVIDER": "sample"})
    yield made
    made.close()


@pytest.fixture
def mrk(wired: Runtime) -> Score:
    return wired.market.score("MRK")


def entry(age: float = 108.0, ttl: float = 600.0) -> Peek:
    return Peek("momentum:X", "momentum", 1000, 900.0, age=age, ttl=ttl, ttl_left=max(0.0, ttl - age))


def with_composite(score: Score, composite: float | None) -> Score:
    points = None if composite is None else math.floor(composite) / 10
    return dataclasses.replace(score, composite_score=composite, score=points, rating=rate(composite))


def cached(*scores: Score) -> momentum.CachedScores:
    found = {score.ticker: score for score in scores}
    return momentum.CachedScores(found, dict.fromkeys(found, entry()), {}, ())


# -- reading


def test_looking_at_an_empty_cache_loads_nothing(wired: Runtime) -> None:
    seen = momentum.read_cached(wired, ["AAPL", "MRK"])

    assert seen.missing == ("AAPL", "MRK")
    assert not seen.scores
    assert wired.cache.stats().total.requests == 0


def test_only_cached_scores_are_read_and_each_counts_as_a_hit(wired: Runtime) -> None:
    wired.market.score("MRK")
    before = wired.cache.stats().total

    seen = momentum.read_cached(wired, ["AAPL", "MRK"])

    after = wired.cache.stats().total
    assert list(seen.scores) == ["MRK"]
    assert seen.missing == ("AAPL",)
    assert (after.hits - before.hits, after.misses - before.misses) == (1, 0)


def test_a_score_of_another_source_is_missing(wired: Runtime) -> None:
    other = scoring.to_record(wired.market.score("MRK"))
    wired.cache.delete("momentum:MRK")
    wired.cache.get_or_load("momentum:MRK", lambda: other, source="yahoo/alphavelocity/^GSPC")

    seen = momentum.read_cached(wired, ["MRK"])

    assert seen.missing == ("MRK",)


def test_a_trend_is_drawn_from_a_cached_history_only(wired: Runtime) -> None:
    wired.market.scores(["MRK", "AAPL"])
    wired.cache.delete("history:AAPL")

    seen = momentum.read_cached(wired, ["MRK", "AAPL"])

    assert len(seen.trends["MRK"]) == 126
    assert "AAPL" not in seen.trends
    assert wired.cache.peek("history:AAPL") is None


def test_prices_are_read_only_if_cached(wired: Runtime) -> None:
    absent = momentum.read_history(wired, "MRK")
    wired.market.history("MRK")

    present = momentum.read_history(wired, "MRK")

    assert absent is None
    assert present is not None
    assert present.ticker == "MRK"


def test_loading_tells_how_far_it_is_and_what_failed(wired: Runtime) -> None:
    steps = list(momentum.load_scores(wired.market, ["AAPL", "FOO", "MRK", "NVDA", "XOM"]))

    assert [done for done, _ in steps] == [4, 5]
    assert steps[-1][1] == {"FOO": "unknown: not among the 25 stocks of the sample"}
    assert not momentum.read_cached(wired, ["AAPL", "MRK", "NVDA", "XOM"]).missing


# -- the ranking


def test_the_strongest_is_first_and_those_without_a_score_are_last(mrk: Score) -> None:
    weak = dataclasses.replace(with_composite(mrk, 20.0), ticker="WEAK")
    none = dataclasses.replace(with_composite(mrk, None), ticker="NONE")

    table = momentum.ranking(cached(none, weak, mrk))

    assert table["ticker"].tolist() == ["MRK", "WEAK", "NONE"]
    assert table["rank"].tolist()[:2] == [1, 2]
    assert table["rank"].isna().tolist() == [False, False, True]


def test_a_row_has_units_dates_and_freshness(mrk: Score) -> None:
    row = momentum.ranking(cached(mrk)).iloc[0]

    assert row["score"] == 9.2
    assert row["composite_score"] == 92.3
    assert row["coverage_percent"] == pytest.approx(75)
    assert row["momentum_12_1_percent"] == pytest.approx(44.77, abs=0.01)
    assert row["as_of"] == dt.date(2022, 12, 28)
    assert row["age"] == "1:48"
    assert row["state"] == ["fresh"]


def test_a_composite_is_never_rounded_into_the_next_band(mrk: Score) -> None:
    table = momentum.ranking(cached(with_composite(mrk, 79.96)))

    assert table["composite_score"][0] == 79.9
    assert table["rating"][0] == "Buy"


def test_an_empty_ranking_has_all_columns() -> None:
    table = momentum.ranking(cached())

    assert table.empty
    assert set(momentum.NUMBERS) <= set(table.columns)


def test_filters_narrow_by_rating_score_and_part_of_the_ticker(wired: Runtime) -> None:
    wired.market.scores(["MRK", "AAPL", "XOM", "NVDA"])
    table = momentum.ranking(momentum.read_cached(wired, ["MRK", "AAPL", "XOM", "NVDA"]))

    everyone = momentum.filtered(table, rating=momentum.ANY, least=0, find="")
    strong = momentum.filtered(table, rating="Strong Buy", least=9, find="")
    found = momentum.filtered(table, rating=momentum.ANY, least=0, find=" aap")

    assert len(everyone) == 4
    assert strong["ticker"].tolist() == ["MRK"]
    assert found["ticker"].tolist() == ["AAPL"]


def test_what_is_typed_to_find_is_no_pattern(mrk: Score) -> None:
    table = momentum.ranking(cached(mrk))

    assert momentum.filtered(table, rating=momentum.ANY, least=0, find=".*[").empty


def test_the_exported_ranking_is_plain_text_and_numbers(mrk: Score) -> None:
    table = momentum.exported(momentum.ranking(cached(mrk)))

    heading, row = csv_of(table).decode().splitlines()
    cells = dict(zip(heading.split(","), row.split(","), strict=True))
    assert "trend" not in cells
    assert (cells["ticker"], cells["state"], cells["as_of"]) == ("MRK", "fresh", "2022-12-28")


def test_what_is_cached_is_told_in_one_line(wired: Runtime) -> None:
    wired.market.score("MRK")

    seen = momentum.describe_cached(momentum.read_cached(wired, ["MRK", "AAPL"]))

    assert seen.startswith("1 of 2 scores cached · prices as of 28 Dec 2022 · oldest 0:0")


def test_stale_scores_are_counted(mrk: Score) -> None:
    stale = momentum.CachedScores({"MRK": mrk}, {"MRK": entry(age=700.0)}, {}, ())

    assert momentum.describe_cached(stale).endswith("oldest 11:40 · 1 stale, loading again")
    assert momentum.ranking(stale)["state"][0] == ["stale"]


def test_a_long_list_is_cut_and_says_so() -> None:
    tickers = [f"T{number}" for number in range(45)]

    assert momentum.named(tickers).endswith("T39 and 5 more")
    assert momentum.named(tickers[:2]) == "T0, T1"


# -- one score


def test_strength_says_how_sure_we_are(mrk: Score) -> None:
    assert momentum.strength(mrk) == "9.2 (92.3, Strong Buy, coverage 75 %)"


def test_too_little_data_is_no_score() -> None:
    score = scoring.score(steady(0.001, rows=60), None, None, source="memory", computed_at=0.0)

    parts = momentum.breakdown(score)

    assert momentum.strength(score) == "No score (Insufficient Data, coverage 25 %)"
    assert parts["missing"].iloc[-1] == "coverage 25 %, 50 % needed"
    assert math.isnan(parts["contribution"].iloc[-1])


def test_freshness_tells_day_age_and_source(mrk: Score) -> None:
    told = momentum.freshness(mrk, entry(), "Sample prices", mrk.computed_at)

    clock = f"{dt.datetime.fromtimestamp(mrk.computed_at).astimezone():%H:%M:%S}"
    assert told == f"as of 28 Dec 2022 · computed {clock}, 1:48 old, fresh for 8:12 · Sample prices"


def test_a_stale_score_says_that_it_is_being_loaded(mrk: Score) -> None:
    assert "stale, loading again" in momentum.freshness(mrk, entry(age=700.0), "x", mrk.computed_at)


def test_another_day_is_named_beside_the_time() -> None:
    told = momentum.format_clock(0.0, 40 * 86_400.0)

    assert "Jan" in told or "Dec" in told


@pytest.mark.parametrize("ticker", ["AAPL", "MRK", "META", "XOM"])
def test_contributions_add_up_to_the_composite_that_is_shown(wired: Runtime, ticker: str) -> None:
    score = wired.market.score(ticker)

    parts = momentum.breakdown(score)

    *added, total = parts["contribution"]
    assert round(sum(added), 2) == total
    assert total == pytest.approx(score.composite_score, abs=0.01)
    assert parts["weight_percent"].iloc[-1] == pytest.approx(100)
    assert parts["effective_weight_percent"].iloc[-1] == pytest.approx(100)


def test_a_missing_part_says_why(mrk: Score) -> None:
    parts = momentum.breakdown(mrk).set_index("component")

    assert parts.loc["Fundamental", "missing"] == "no forward PE and no PEG"
    assert parts["missing"].drop("Fundamental").eq("").all()


@given(st.lists(st.floats(0, 100), min_size=1, max_size=8))
def test_rounded_figures_add_up_and_move_by_one_digit_at_most(values: list[float]) -> None:
    total = round(sum(values), 2)

    rounded = momentum.add_up(values, total, 2)

    assert round(sum(rounded), 2) == total
    assert all(abs(after - before) < 0.0101 for before, after in zip(values, rounded, strict=True))


def test_measures_are_text_with_their_units(mrk: Score) -> None:
    values = momentum.measure_table(mrk).set_index("Measure")["Value"]

    assert values["1 month"] == "+2.7 %"
    assert values["Of 52-week high"] == "99.1 %"
    assert values["RSI 14"] == "63.2"
    assert values["Deepest fall"] == "-27.3 %"
    assert values["Price"] == "$109.58"


def test_a_measure_that_is_not_there_is_a_dash(mrk: Score) -> None:
    bare = dataclasses.replace(mrk, measures={}, currency="EUR")

    values = momentum.measure_table(bare)["Value"]

    assert set(values.iloc[:-1]) == {"–"}
    assert values.iloc[-1] == "109.58 EUR"


# -- prices


def test_candles_and_averages_are_on_the_scale_of_the_adjusted_close(wired: Runtime) -> None:
    prices = wired.market.history("AAPL")

    view = momentum.price_view(prices, "1Y")

    last = view.frame.iloc[-1]
    assert view.has_candles
    assert view.has_volume
    assert last["close"] == pytest.approx(125.5045)
    assert last["low"] <= last["close"] <= last["high"]
    assert last["sma_200"] == pytest.approx(150.8843495)
    assert view.note == "Adjusted for splits and dividends."


def test_closes_alone_make_a_line_and_say_so(wired: Runtime) -> None:
    view = momentum.price_view(wired.market.history("MRK"), "6M")

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
    view = momentum.price_view(wired.market.history("AAPL"), span)

    assert view.frame.index[0] == pd.Timestamp(first)
    assert view.frame.index[-1] == pd.Timestamp("2022-12-28")


def test_averages_reach_further_back_than_what_is_shown(wired: Runtime) -> None:
    view = momentum.price_view(wired.market.history("AAPL"), "1M")

    assert view.frame["sma_200"].notna().all()


def test_a_session_without_an_adjusted_close_is_left_out() -> None:
    prices = history([100.0, 101.0, 102.0]).prices
    prices.loc[prices.index[1], "adj_close"] = math.nan

    view = momentum.price_view(PriceHistory("AAPL", prices, "USD"), "5Y")

    assert len(view.frame) == 2
