"""What a portfolio is worth, how it scores, and what is left out."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avcache.errors import ProviderError
from avcache.market import portfolio
from avcache.market.holdings import Holding
from avcache.market.portfolio import PortfolioAnalysis, category_table
from avcache.market.portfolio.categories import priority
from avcache.market.portfolio.positions import Position
from avcache.market.price import last_price
from avcache.market.provider import PriceHistory
from avcache.market.sample import SampleProvider
from avcache.market.universe import load_universes
from tests.market.doubles import history, score_of, steady

SAMPLE = SampleProvider()
MARKET = SAMPLE.history("^GSPC")


def _position(one: PriceHistory, shares: float, cost: float | None = None, **fields: Any) -> Position:
    return Position(Holding(shares, cost), last_price(one), score_of(one, MARKET), one, **fields)


def _analyze(
    holdings: dict[str, float], *given_: PriceHistory, costs: dict[str, float] | None = None, **errors: ProviderError
) -> PortfolioAnalysis:
    found: dict[str, Position | ProviderError] = {
        one.ticker: _position(one, holdings[one.ticker], (costs or {}).get(one.ticker)) for one in given_
    }
    return portfolio.analyze(found | errors, benchmark=MARKET, source="sample", computed_at=1.0)


def _of_the_sample(holdings: dict[str, float]) -> PortfolioAnalysis:
    return _analyze(holdings, *(SAMPLE.history(ticker) for ticker in holdings))


def test_positions_are_valued_weighed_and_ranked() -> None:
    found = _of_the_sample({"AAPL": 10, "MRK": 5})

    table = found.table.set_index("ticker")
    assert list(table.index) == ["MRK", "AAPL"]
    assert found.total_value == pytest.approx(10 * 126.04 + 5 * table["price"].loc["MRK"])
    assert table.loc["AAPL", "value"] == pytest.approx(1260.4)
    assert table["weight"].sum() == pytest.approx(1)
    assert (found.currency, found.as_of_oldest, found.as_of_newest) == ("USD", "2022-12-28", "2022-12-28")


def test_the_average_is_plain_and_the_weighted_score_is_by_value() -> None:
    found = _of_the_sample({"AAPL": 1000, "MRK": 1})

    composites = found.table["composite_score"]
    weights = found.table["weight"]
    assert found.average_score == pytest.approx(composites.mean() / 10)
    assert found.weighted_score == pytest.approx((composites * weights).sum() / 10)
    assert found.table["score_contribution"].sum() == pytest.approx(10 * (found.weighted_score or 0))


def test_returns_come_from_adjusted_closes_and_prices_from_raw_ones() -> None:
    one = history([100, 110])
    one.prices["close"] = [50.0, 45.0]

    row = _analyze({"AAPL": 2}, one).table.iloc[0]

    assert (row["price"], row["value"]) == (45.0, 90.0)
    assert row["return_1d"] == pytest.approx(0.1)


def test_a_missing_position_is_listed_and_counts_nowhere() -> None:
    alone = _of_the_sample({"AAPL": 10})

    found = _analyze(
        {"AAPL": 10, "NOPE": 5},
        SAMPLE.history("AAPL"),
        NOPE=ProviderError("NOPE", "rate_limited", "come back later"),
    )

    assert found.missing == {"NOPE": "rate limited: come back later"}
    assert (found.total_value, found.average_score) == (alone.total_value, alone.average_score)
    pd.testing.assert_frame_equal(found.table, alone.table)


def test_a_position_without_a_score_is_valued_but_in_no_mean() -> None:
    young = history([10.0, 11.0], "NEW")

    found = _analyze({"AAPL": 10, "NEW": 1}, SAMPLE.history("AAPL"), young)

    assert list(found.table["ticker"]) == ["AAPL", "NEW"]
    assert found.table["rating"].iloc[-1] == "Insufficient Data"
    assert found.total_value == pytest.approx(1260.4 + 11)
    assert found.average_score == found.weighted_score == _of_the_sample({"AAPL": 10}).average_score


def test_amounts_of_different_currencies_are_never_summed() -> None:
    euros = [steady(0.001, ticker=ticker, currency="EUR") for ticker in ("BMW.DE", "SAP.DE")]
    pence = steady(0.001, ticker="VOD.L", currency="GBp")
    unsaid = steady(0.001, ticker="X", currency=None)

    found = _analyze({"BMW.DE": 1, "SAP.DE": 1, "VOD.L": 1e6, "X": 1}, *euros, pence, unsaid)

    assert found.currency == "EUR"
    assert list(found.table["ticker"]) == ["BMW.DE", "SAP.DE"]
    assert found.missing == {
        "VOD.L": "priced in GBp, the portfolio is counted in EUR",
        "X": "priced in ?, the portfolio is counted in EUR",
    }
    last = steady(0.001).prices["close"].iloc[-1]
    assert found.total_value == pytest.approx(2 * last)
    assert found.other_currencies == pytest.approx({"GBp": 1e6 * last, "?": last})


def test_of_two_equal_currencies_the_first_by_name_counts() -> None:
    found = _analyze({"A": 1, "B": 1}, steady(0, ticker="A", currency="USD"), steady(0, ticker="B", currency="EUR"))

    assert (found.currency, list(found.missing)) == ("EUR", ["A"])


def test_nothing_priced_is_an_empty_table_of_the_same_columns() -> None:
    found = _analyze({"NOPE": 5}, NOPE=ProviderError("NOPE", "unknown", "never heard of it"))

    whole = _of_the_sample({"AAPL": 1})
    assert found.table.empty
    assert list(found.table.dtypes) == list(whole.table.dtypes)
    assert found.over_time.empty
    assert found.correlation.empty
    assert set(found.risk.values()) == set(found.returns.values()) == {None}
    assert (found.total_value, found.average_score, found.currency, found.as_of_oldest) == (
        0.0,
        None,
        None,
        None,
    )


def test_a_record_comes_back_with_a_table_of_its_own() -> None:
    found = _of_the_sample({"AAPL": 10, "MRK": 5})
    record = portfolio.to_record(found)

    back = portfolio.from_record(record)
    back.table.loc[0, "value"] = 0.0

    assert portfolio.to_record(back).keys() == record.keys()
    assert (back.total_value, back.missing, back.source) == (found.total_value, {}, "sample")
    assert record["table"].loc[0, "value"] > 0


@settings(max_examples=20)
@given(st.dictionaries(st.sampled_from(SAMPLE.tickers[:6]), st.floats(0.1, 1e6), min_size=1), st.randoms())
def test_the_order_of_the_holdings_changes_nothing(holdings: dict[str, float], order: random.Random) -> None:
    names = list(holdings)
    order.shuffle(names)

    found, shuffled = _of_the_sample(holdings), _of_the_sample({name: holdings[name] for name in names})

    pd.testing.assert_frame_equal(shuffled.table, found.table)
    assert (shuffled.total_value, shuffled.weighted_score) == (found.total_value, found.weighted_score)


def test_the_cost_basis_tells_the_profit_of_those_that_have_one() -> None:
    found = _analyze({"AAPL": 10, "MRK": 5}, SAMPLE.history("AAPL"), SAMPLE.history("MRK"), costs={"AAPL": 1000.0})

    table = found.table.set_index("ticker")
    assert table.loc["AAPL", "profit"] == pytest.approx(260.4)
    assert table.loc["AAPL", "profit_share"] == pytest.approx(0.2604)
    assert np.isnan(table.loc["MRK", ["cost", "profit", "profit_share"]].astype("float64")).all()
    assert found.cost == 1000.0
    assert found.profit == pytest.approx(260.4)


def test_what_cost_nothing_has_a_profit_but_no_share_of_it() -> None:
    found = _analyze({"AAPL": 10}, SAMPLE.history("AAPL"), costs={"AAPL": 0.0})

    assert found.profit == pytest.approx(1260.4)
    assert np.isnan(found.table["profit_share"]).all()


def test_contributions_to_the_return_add_up_to_that_of_the_shares_held() -> None:
    tickers = ("AAPL", "MRK", "XOM", "META")
    found = _of_the_sample(dict.fromkeys(tickers, 7.0))

    # Held as they are, at prices adjusted for dividends, 20 sessions before the last one and on it.
    for period, back in {"1d": 1, "1m": 20, "3m": 62}.items():
        before = now = 0.0
        for ticker in tickers:
            prices = SAMPLE.history(ticker).prices
            worth = 7 * prices["adj_close"] * (prices["close"].iloc[-1] / prices["adj_close"].iloc[-1])
            before, now = before + worth.iloc[-1 - back], now + worth.iloc[-1]
        assert found.returns[period] == pytest.approx(now / before - 1)
        assert found.table[f"return_contribution_{period}"].sum() == pytest.approx(now / before - 1)


def test_value_over_time_is_that_of_the_shares_of_today() -> None:
    holdings = {"AAPL": 10.0, "MRK": 5.0}
    prices = {ticker: SAMPLE.history(ticker).prices for ticker in holdings}

    found = _of_the_sample(holdings).over_time

    raw = {ticker: prices[ticker]["close"].iloc[-1] / prices[ticker]["adj_close"].iloc[-1] for ticker in holdings}
    worth = sum(shares * raw[ticker] * prices[ticker]["adj_close"] for ticker, shares in holdings.items())
    assert isinstance(worth, pd.Series)
    pd.testing.assert_series_equal(found["value"], worth, check_names=False, check_freq=False)
    pd.testing.assert_series_equal(found["drawdown"], worth / worth.cummax() - 1, check_names=False, check_freq=False)
    pd.testing.assert_series_equal(found["growth"], worth / worth.iloc[0], check_names=False, check_freq=False)
    index = MARKET.prices["adj_close"]
    pd.testing.assert_series_equal(found["benchmark"], index / index.iloc[0], check_names=False, check_freq=False)
    assert found["value"].iloc[-1] == pytest.approx(10 * 126.04 + 5 * prices["MRK"]["close"].iloc[-1])


def test_a_portfolio_of_one_ticker_moves_as_the_ticker() -> None:
    found = _of_the_sample({"AAPL": 3.0})

    score = score_of(SAMPLE.history("AAPL"), MARKET)
    assert found.risk["volatility_1y"] == pytest.approx(score.measures["volatility_1y"])
    assert found.risk["max_drawdown"] == pytest.approx(score.measures["max_drawdown"])
    assert found.risk["beta"] == pytest.approx(score.measures["beta"])
    assert found.risk["effective_positions"] == pytest.approx(1)
    assert found.returns["1m"] == pytest.approx(score.measures["return_1m"])


def test_time_begins_when_all_positions_have_prices_and_holidays_of_one_leave_no_gap() -> None:
    whole = steady(0.001, rows=300, ticker="OLD")
    young = PriceHistory(
        "NEW", steady(0.002, rows=300, ticker="NEW").prices.iloc[100:].drop(index=whole.prices.index[150]), "USD"
    )

    found = _analyze({"OLD": 1, "NEW": 0.1}, whole, young)

    assert len(found.over_time) == 200
    assert found.over_time.index[0] == whole.prices.index[100]
    assert found.over_time["value"].notna().all()


def test_a_running_session_is_in_the_value_and_not_in_the_past() -> None:
    running = replace(history([100.0, 110.0, 90.0]), is_complete=False)

    found = _analyze({"AAPL": 1}, running)

    assert found.total_value == 90
    assert found.over_time["value"].tolist() == [100, 110]


def test_correlation_is_that_of_a_year_of_daily_returns() -> None:
    found = _of_the_sample({"AAPL": 1.0, "MRK": 2.0, "XOM": 3.0})

    closes = pd.DataFrame({ticker: SAMPLE.history(ticker).prices["adj_close"] for ticker in ("AAPL", "MRK", "XOM")})
    expected = np.corrcoef(closes.pct_change().iloc[-252:].to_numpy().T)
    np.testing.assert_allclose(found.correlation.loc[["AAPL", "MRK", "XOM"], ["AAPL", "MRK", "XOM"]], expected)


def test_too_few_common_sessions_correlate_with_nothing() -> None:
    found = _analyze({"A": 1, "B": 1}, steady(0.001, rows=30, ticker="A"), steady(0.002, rows=30, ticker="B"))

    assert found.correlation.isna().all(axis=None)


def test_prices_of_different_days_are_mixed() -> None:
    old = steady(0.0, ticker="OLD", rows=250)

    found = _analyze({"AAPL": 1, "OLD": 1}, steady(0.0), old)

    assert found.is_mixed
    assert found.as_of_oldest is not None
    assert found.as_of_newest is not None
    assert dt.date.fromisoformat(found.as_of_oldest) < dt.date.fromisoformat(found.as_of_newest)


@pytest.mark.parametrize("shares", [1e307, 5e-324, 1e-200])
def test_a_position_out_of_all_proportion_is_left_out(shares: float) -> None:
    found = _analyze({"AAPL": 1, "KO": shares}, SAMPLE.history("AAPL"), SAMPLE.history("KO"))

    assert list(found.missing) == ["KO"]
    assert "out of all proportion" in found.missing["KO"]
    assert found.total_value == 126.04


def test_a_coin_among_stocks_makes_no_session_of_a_weekend() -> None:
    stock = SAMPLE.history("AAPL")
    days = pd.date_range(stock.prices.index[0], stock.prices.index[-1], name="date")
    coin = PriceHistory("BTC-USD", stock.prices.reindex(days, method="ffill"), "USD")

    alone = _analyze({"AAPL": 100}, stock)
    beside = _analyze({"AAPL": 100, "BTC-USD": 1e-6}, stock, coin)

    assert beside.risk["volatility_1y"] == pytest.approx(alone.risk["volatility_1y"])
    assert beside.risk["return_1y"] == pytest.approx(alone.risk["return_1y"])
    assert beside.risk["beta"] == pytest.approx(alone.risk["beta"])


def test_a_new_listing_leaves_the_correlation_of_the_others_alone() -> None:
    old = [SAMPLE.history("AAPL"), SAMPLE.history("MRK")]
    new = PriceHistory("NEW", SAMPLE.history("XOM").prices.tail(2), "USD")

    found = _analyze({"AAPL": 1, "MRK": 1, "NEW": 0.01}, *old, new).correlation

    assert found.loc["AAPL", "MRK"] == pytest.approx(
        _analyze({"AAPL": 1, "MRK": 1}, *old).correlation.loc["AAPL", "MRK"]
    )
    assert found["NEW"].isna().all()


# Categories


def test_categories_tell_gaps_in_points_and_in_money() -> None:
    found = _analyze(
        {"AAPL": 10, "SHY": 10, "XYZ": 20},
        *(steady(0.0, ticker=ticker) for ticker in ("AAPL", "SHY", "XYZ")),
    )

    table = category_table(found.table, load_universes().categories).set_index("category")

    assert table["actual"].sum() == pytest.approx(1)
    assert table["target"].sum() == pytest.approx(1)
    assert table["gap"].sum() == pytest.approx(0)
    assert table["gap_value"].sum() == pytest.approx(0)
    anchors, bonds, other, free = (
        table.loc[name] for name in ("Large-Cap Anchors", "Tactical Fixed Income", "Uncategorised", "Unallocated")
    )
    assert (anchors["target"], anchors["actual"], anchors["gap_value"]) == pytest.approx((0.20, 0.25, -200.0))
    assert (bonds["gap"], bonds["priority"], bonds["benchmark"]) == (pytest.approx(-0.17), "Low", "AGG")
    assert (other["value"], other["positions"], other["target"]) == (2000.0, 1, 0.0)
    assert (free["target"], free["actual"]) == (pytest.approx(0.08), 0.0)


@pytest.mark.parametrize(
    ("gap", "expected"), [(0.0201, "High"), (0.02, "Medium"), (0.001, "Medium"), (0.0, "Low"), (-0.1, "Low")]
)
def test_a_gap_of_more_than_two_points_is_of_high_priority(gap: float, expected: str) -> None:
    assert priority(gap) == expected


def test_categories_of_nothing_are_all_empty() -> None:
    found = _analyze({"NOPE": 5}, NOPE=ProviderError("NOPE", "unknown", "never heard of it"))

    table = category_table(found.table, load_universes().categories)

    assert (table["actual"] == 0).all()
    assert table["score"].isna().all()
