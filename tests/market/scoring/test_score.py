"""The record of a score: changes, price, days, and its way through JSON."""

from __future__ import annotations

import datetime as dt
import json
import math
from dataclasses import replace

import msgspec
import pandas as pd
import pytest

from avcache.market.provider import PriceHistory
from avcache.market.scoring import COMPOSITES, Score, Subject, from_record, measure_table, scores, to_record
from avcache.market.scoring.measures import MEASURES
from avcache.market.scoring.panel import panels
from avcache.market.scoring.score import panel_table
from tests.market.doubles import steady
from tests.market.scoring.sample import (
    ALL,
    FIGURES,
    LAST_DAY,
    MARKET,
    TICKERS,
    cut,
    equal,
    everything,
    nearly,
    one,
    reshaped,
    score,
    subject,
    subjects,
)


def _parts_there(found: Score) -> set[str]:
    return {name for name, part in found.components.items() if part.missing is None}


def _without_close(whole: PriceHistory, column: str) -> PriceHistory:
    """*whole*, its last session without a figure in *column*."""
    values = whole.prices[column].copy()
    values.iloc[-1] = math.nan
    return reshaped(whole, **{column: values})


# Changes.


@pytest.mark.parametrize("profile", list(COMPOSITES))
@pytest.mark.parametrize(
    "day",
    [
        dt.date(2018, 3, 20),
        dt.date(2019, 1, 10),
        dt.date(2019, 3, 31),
        dt.date(2020, 3, 29),
        dt.date(2022, 5, 31),
        LAST_DAY,
    ],
    ids=str,
)
def test_changes_are_the_differences_to_the_scores_of_those_days(profile: str, day: dt.date) -> None:
    now = score(subjects(figures=FIGURES), profile, day)

    last = pd.Timestamp(now["AAPL"].as_of)
    for name, ago in (("1w", pd.DateOffset(weeks=1)), ("1m", pd.DateOffset(months=1))):
        then = score(subjects(figures=FIGURES), profile, (last - ago).date())
        for ticker in TICKERS:
            change, before, after = now[ticker].changes[name], then[ticker].composite_score, now[ticker].composite_score
            assert (change.as_of, change.composite_score) == (then[ticker].as_of, nearly(before))
            if before is None or after is None or _parts_there(then[ticker]) != _parts_there(now[ticker]):
                assert change.change is None
            else:
                assert change.change == nearly(after - before)


def test_there_is_no_change_since_a_day_before_the_first_session() -> None:
    found = one(ALL["AAPL"], as_of=dt.date(2018, 1, 12))

    assert set(found.changes) == {"1w"}
    assert one(ALL["AAPL"], as_of=dt.date(2018, 1, 5)).changes == {}


def test_a_change_needs_the_same_parts_now_and_then() -> None:
    found = one(subject("AAPL", FIGURES), as_of=dt.date(2019, 1, 10))

    then = one(subject("AAPL", FIGURES), as_of=dt.date(2018, 12, 10))
    assert (_parts_there(found), _parts_there(then)) == (
        {"price", "technical", "fundamental", "relative"},
        {"technical", "fundamental", "relative"},
    )
    assert (found.changes["1m"].composite_score, found.changes["1m"].change) == (then.composite_score, None)


def test_a_month_before_the_31st_is_the_last_day_of_a_shorter_month() -> None:
    found = one(ALL["AAPL"], as_of=dt.date(2022, 3, 31))

    assert found.changes["1m"].as_of == "2022-02-28"


# Days.


def test_a_day_without_a_session_has_the_score_of_the_session_before() -> None:
    saturday, friday = (one(ALL["AAPL"], as_of=dt.date(2020, 2, day)) for day in (29, 28))

    assert everything(saturday) == equal(everything(friday))
    assert saturday.as_of == "2020-02-28"


def test_as_of_a_day_ahead_is_as_of_now() -> None:
    assert everything(one(ALL["AAPL"], as_of=dt.date(2030, 1, 1))) == equal(everything(one(ALL["AAPL"])))


def test_tickers_without_a_session_by_then_are_left_out() -> None:
    late = replace(ALL["KO"], prices=ALL["KO"].prices.loc["2020-06-01":])

    found = score([subject("AAPL"), Subject(late, MARKET)], as_of=dt.date(2020, 5, 31))

    assert set(found) == {"AAPL"}
    assert score([Subject(late, MARKET)], as_of=dt.date(2020, 6, 1))["KO"].rows == 1
    assert score(subjects(), as_of=dt.date(2018, 1, 1)) == {}


def test_no_subjects_have_no_scores() -> None:
    assert score([]) == {}


def test_tickers_of_different_calendars_and_benchmarks_are_each_scored_as_alone() -> None:
    mixed = [
        subject("AAPL"),
        Subject(replace(ALL["KO"], prices=ALL["KO"].prices.iloc[::2]), MARKET),
        Subject(ALL["GE"], ALL["XOM"]),
        subject("MRK", market=None),
        Subject(cut(ALL["PFE"], "2021-03-01"), MARKET),
    ]

    found = score(mixed)

    assert everything(*found.values()) == equal(everything(*(one(whole) for whole in mixed)))
    assert [made.benchmark for made in found.values()].count("XOM") == 1


# Price and freshness.


def test_the_price_is_the_raw_close_in_the_tickers_currency() -> None:
    whole = replace(reshaped(ALL["AAPL"], close=ALL["AAPL"].prices["close"] * 2), currency="EUR")

    found = one(whole)

    assert (found.price, found.currency) == (252.08, "EUR")


@pytest.mark.parametrize("day", [dt.date(2018, 1, 2), dt.date(2020, 5, 3), dt.date(2022, 12, 27)], ids=str)
def test_as_of_a_day_the_price_is_that_of_the_day(day: dt.date) -> None:
    found = one(ALL["AAPL"], as_of=day)

    assert found.price == cut(ALL["AAPL"], day).prices["close"].iloc[-1]


def test_a_running_session_does_not_show_in_the_price_of_a_day_in_the_past() -> None:
    running = replace(ALL["AAPL"], is_complete=False)

    found = one(running, as_of=dt.date(2020, 5, 4))

    assert found.price == 73.29


def test_a_last_session_without_an_adjusted_close_is_priced_but_not_scored() -> None:
    found = one(_without_close(ALL["AAPL"], "adj_close"))

    assert (found.rows, found.as_of) == (1256, "2022-12-27")
    assert found.price == 126.04


def test_a_day_without_a_raw_close_is_safe_in_json() -> None:
    found = one(_without_close(ALL["AAPL"], "close"))

    json.dumps(to_record(found), allow_nan=False)


def test_a_history_without_adjusted_closes_is_left_out() -> None:
    nothing = reshaped(ALL["AAPL"], adj_close=math.nan)

    assert set(score([Subject(nothing, MARKET), subject("KO")])) == {"KO"}


def test_the_table_of_some_time_ago_has_a_row_for_what_has_no_adjusted_closes() -> None:
    nothing = reshaped(ALL["AAPL"], adj_close=math.nan)

    found = panel_table(panels([Subject(nothing, MARKET), subject("KO")]), pd.DateOffset(days=7))

    assert list(found.index) == ["AAPL", "KO"]


def test_a_score_says_what_it_rests_on() -> None:
    whole = Subject(replace(ALL["AAPL"], fetched_at=11.0), replace(MARKET, fetched_at=22.0), FIGURES, figures_at=33.0)

    found = scores([whole], source="made up", computed_at=44.0)["AAPL"]

    assert found.inputs == {"prices": 11.0, "benchmark": 22.0, "fundamentals": 33.0}
    assert (found.source, found.computed_at, found.benchmark, found.note) == ("made up", 44.0, "^GSPC", None)
    assert one(subject("AAPL", market=None)).inputs == {"prices": 0.0}


# JSON.


@pytest.mark.parametrize("profile", list(COMPOSITES))
@pytest.mark.parametrize("ticker", ["AAPL", "MRK"])
@pytest.mark.parametrize("day", ["2018-01-02", "2018-01-03", "2018-06-01", "2022-12-28"])
def test_a_score_survives_json(profile: str, ticker: str, day: str) -> None:
    found = one(Subject(cut(ALL[ticker], day), MARKET, FIGURES), profile)

    text = json.dumps(to_record(found), allow_nan=False)

    assert from_record(json.loads(text)) == found


def test_a_record_of_another_version_is_refused() -> None:
    record = to_record(one(ALL["AAPL"]))
    record.pop("coverage")

    with pytest.raises(msgspec.ValidationError, match="coverage"):
        from_record(record)


# What moves by rounding alone.


def _even(daily: float) -> PriceHistory:
    """A price that grows by the same factor each session of the sample."""
    grown = steady(daily, len(MARKET.prices), "EVEN")
    return replace(grown, prices=grown.prices.set_index(MARKET.prices.index))


def test_a_market_that_grows_evenly_has_no_variance_to_divide_by() -> None:
    found = one(Subject(ALL["AAPL"], _even(0.0004))).measures

    assert found["beta"] is None


def test_a_stock_that_grows_evenly_has_no_volatility_to_divide_by() -> None:
    found = one(_even(0.001)).measures

    assert found["tsmom_position"] is None


def test_nothing_in_nothing_out() -> None:
    assert list(measure_table([]).columns) == [measure.name for measure in MEASURES]
    assert measure_table([]).empty
    assert scores([], source="test", computed_at=0.0) == {}
