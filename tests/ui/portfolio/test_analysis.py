from __future__ import annotations

import dataclasses
import datetime as dt
import math

import pandas as pd
import pytest

from avcache.clock import ManualClock
from avcache.core.peek import Peek
from avcache.market.calendar import exchange_calendar
from avcache.market.freshness import Freshness
from avcache.market.holdings import parse_holdings
from avcache.market.portfolio import PortfolioAnalysis, from_record, to_record
from avcache.runtime import Runtime
from avcache.ui.export import csv_of
from avcache.ui.portfolio.analysis import PortfolioView, exported, portfolio_view, tiles
from avcache.ui.portfolio.holdings import text_of

HOLDINGS = parse_holdings({"AAPL": 100.0, "NVDA": 50.0, "FOO": 3.0})


def entry(age: float) -> Peek:
    return Peek("portfolio:x", "portfolio", 1000, 900.0, age=age, ttl=600.0, ttl_left=max(0.0, 600.0 - age))


def seen(analysis: PortfolioAnalysis, at: Peek | None = None) -> PortfolioView:
    return portfolio_view(analysis, at, "Sample prices", analysis.computed_at)


def test_the_totals_have_their_units(analysis: PortfolioAnalysis) -> None:
    view = seen(analysis)

    assert view.total_value == "$19,622"
    assert view.average_score == "0.83 of 10"
    assert view.weighted_score == "0.82 of 10"
    assert view.positions == "2 of 3"


def test_a_missing_position_is_named_with_its_reason(analysis: PortfolioAnalysis) -> None:
    assert seen(analysis).missing == ("FOO (unknown: not among the 25 stocks of the sample)",)


def test_freshness_tells_day_age_and_source(analysis: PortfolioAnalysis) -> None:
    told = seen(analysis, entry(108.0)).freshness

    clock = f"{dt.datetime.fromtimestamp(analysis.computed_at).astimezone():%H:%M:%S}"
    assert told == f"Prices as of 28 Dec 2022 · computed {clock}, 1:48 old, fresh for 8:12 · Sample prices"


def test_a_range_of_days_is_named_with_both_ends(analysis: PortfolioAnalysis) -> None:
    mixed = dataclasses.replace(analysis, as_of_oldest="2022-12-23")

    assert seen(mixed).freshness.startswith("Prices as of 23 Dec 2022 to 28 Dec 2022")


def test_a_stale_analysis_and_one_not_kept_say_so(analysis: PortfolioAnalysis) -> None:
    assert "stale, computed again when read" in seen(analysis, entry(700.0)).freshness
    assert "not kept" in seen(analysis, None).freshness


def test_no_position_is_fresher_than_its_analysis(analysis: PortfolioAnalysis) -> None:
    assert seen(analysis, entry(108.0)).table["state"].tolist() == [["fresh"], ["fresh"]]
    assert seen(analysis, entry(700.0)).table["state"].tolist() == [["stale"], ["stale"]]


@pytest.mark.parametrize(
    ("now", "state"),
    [("2022-12-28 22:00", "market closed"), ("2022-12-30 22:00", "old price")],
)
def test_positions_say_what_their_price_is_by_the_hours_of_the_exchange(
    analysis: PortfolioAnalysis, now: str, state: str
) -> None:
    hours = Freshness(ManualClock(pd.Timestamp(now, tz="UTC").timestamp()), calendar=exchange_calendar("XNYS"))

    view = portfolio_view(analysis, entry(108.0), "x", analysis.computed_at, hours)

    assert view.table["state"].tolist() == [[state], [state]]


def test_a_kept_analysis_of_an_older_version_is_shown(analysis: PortfolioAnalysis) -> None:
    record = to_record(analysis)
    older = record | {"table": record["table"].drop(columns=["is_complete", "zone"])}

    assert seen(from_record(older)).table["state"].tolist() == [["fresh"], ["fresh"]]


def test_moments_that_a_clock_does_not_tell_apart_are_named_once(analysis: PortfolioAnalysis) -> None:
    now = math.floor(analysis.computed_at)
    mixed = dataclasses.replace(analysis, as_of_oldest="2022-12-23", inputs_oldest=now + 0.1, inputs_newest=now + 0.9)

    view = portfolio_view(mixed, None, "x", now)

    assert " to " not in view.freshness.partition("fetched")[2]
    assert " to " not in str(view.mixed).partition("fetched")[2]


def test_the_price_of_a_penny_stock_is_told_to_four_digits(analysis: PortfolioAnalysis) -> None:
    cheap = dataclasses.replace(analysis, table=analysis.table.assign(price=[0.0014, 126.0]))

    assert seen(cheap).numbers["price"].format == "$%,.6f"


def test_weights_and_additions_add_up_to_what_is_shown_above(analysis: PortfolioAnalysis) -> None:
    table = seen(analysis).table

    assert round(table["weight_percent"].sum(), 1) == 100.0
    assert f"{table['added'].sum():.2f} of 10" == seen(analysis).weighted_score


def test_a_position_without_a_score_adds_nothing(analysis: PortfolioAnalysis) -> None:
    table = analysis.table.copy()
    table.loc[1, ["score", "composite_score", "score_contribution"]] = math.nan
    partly = dataclasses.replace(analysis, table=table, weighted_score=table["composite_score"][0] / 10)

    view = seen(partly)

    assert math.isnan(view.table["added"][1])
    assert f"{view.table['added'][0]:.2f} of 10" == view.weighted_score


def test_every_number_has_a_column(analysis: PortfolioAnalysis) -> None:
    view = seen(analysis)

    optional = {"profit", "profit_percent"}  # where there is a cost basis
    assert set(view.numbers) - optional <= set(view.table.columns)
    assert not optional & set(view.table.columns)
    assert view.numbers["price"].format == "$%,.2f"


def test_nothing_priced_is_dashes_not_zeros(wired: Runtime) -> None:
    view = seen(wired.market.portfolio({"FOO": 1.0}))

    assert (view.total_value, view.average_score, view.weighted_score) == ("–", "–", "–")
    assert view.positions == "0 of 1"
    assert view.table.empty


def test_the_file_has_the_missing_positions_too(analysis: PortfolioAnalysis) -> None:
    table = exported(analysis, HOLDINGS)

    last = table.iloc[-1]
    assert (last["ticker"], last["shares"]) == ("FOO", 3.0)
    assert last["missing"].startswith("unknown")
    assert table["weight"].sum() == pytest.approx(1)
    assert b"FOO,3.0" in csv_of(table)


def test_the_file_of_a_portfolio_that_cannot_be_priced_names_what_is_missing(wired: Runtime) -> None:
    table = exported(wired.market.portfolio({"FOO": 1.0}), parse_holdings({"FOO": 1.0}))

    assert table["ticker"].tolist() == ["FOO"]
    assert pd.isna(table["value"][0])


def test_what_is_priced_in_another_currency_is_told_with_its_worth(analysis: PortfolioAnalysis) -> None:
    mixed = dataclasses.replace(analysis, missing={"BMW.DE": "priced in EUR"}, other_currencies={"EUR": 1250.0})

    view = seen(mixed)

    assert view.elsewhere == "All is counted in USD. Not in the total: 1,250 EUR."
    assert view.missing == ("BMW.DE (priced in EUR)",)
    assert seen(analysis).elsewhere is None


def test_prices_of_mixed_age_say_so(analysis: PortfolioAnalysis) -> None:
    now = analysis.computed_at
    mixed = dataclasses.replace(analysis, inputs_oldest=now - 2000, inputs_newest=now)
    same = dataclasses.replace(analysis, inputs_oldest=now - 20, inputs_newest=now)

    view = portfolio_view(mixed, None, "x", now)
    assert ", of mixed age: fetched " in view.freshness
    assert view.mixed is not None
    assert view.mixed.startswith("Prices fetched ")
    assert portfolio_view(same, None, "x", now).mixed is None
    told = portfolio_view(same, None, "x", now).freshness
    assert ", fetched " in told
    assert "mixed" not in told


def test_prices_of_different_days_say_so(analysis: PortfolioAnalysis) -> None:
    mixed = dataclasses.replace(analysis, as_of_oldest="2022-12-23")

    assert str(seen(mixed).mixed).startswith("Prices of 23 Dec 2022 to 28 Dec 2022:")


@pytest.mark.parametrize(
    "held",
    [
        {"AAPL": 100.0, "NVDA": 0.1},
        {"AAPL": (100.0, 10_000.55), "NVDA": (50.0, None), "MRK": (1 / 3, 0.0)},
        {"AAPL": (1e-4, 12.0), "FOO": (3.0, 250.0)},
    ],
)
def test_an_exported_portfolio_can_be_read_again(wired: Runtime, held: dict[str, float]) -> None:
    holdings = parse_holdings(held)

    file = csv_of(exported(wired.market.portfolio(holdings), holdings))

    assert parse_holdings(text_of(file)) == holdings


def test_contributions_to_the_return_add_up_to_it(analysis: PortfolioAnalysis) -> None:
    assert seen(analysis).table["adds_1m"].sum() == pytest.approx(100 * (analysis.returns["1m"] or 0))


def test_tiles_say_category_value_and_score(analysis: PortfolioAnalysis) -> None:
    found = tiles(analysis, lambda ticker: f"of {ticker}").set_index("ticker")

    assert found.loc["AAPL", "category"] == "of AAPL"
    assert found.loc["AAPL", "told"] == "64.2 % · score 0.8"
    assert found["value"].sum() == pytest.approx(analysis.total_value)
