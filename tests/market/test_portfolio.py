"""What a portfolio is worth, how it scores, and what is left out."""

from __future__ import annotations

import random

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avcache.errors import ProviderError
from avcache.market import portfolio, scoring
from avcache.market.portfolio import PortfolioAnalysis
from avcache.market.price import last_price
from avcache.market.provider import PriceHistory
from avcache.market.sample import SampleProvider
from tests.market.doubles import history, steady

SAMPLE = SampleProvider()
MARKET = SAMPLE.history("^GSPC")
COLUMNS = [
    "ticker",
    "shares",
    "price",
    "value",
    "weight",
    "score",
    "composite_score",
    "rating",
    "coverage",
    "score_contribution",
    "return_1d",
    "return_1m",
    "return_3m",
    "momentum_12_1",
    "as_of",
]


def _analyze(holdings: dict[str, float], *given_: PriceHistory, **errors: ProviderError) -> PortfolioAnalysis:
    histories = {one.ticker: one for one in given_}
    prices = {ticker: last_price(one) for ticker, one in histories.items()}
    scores = {
        ticker: scoring.score(one, MARKET, None, source="sample", computed_at=1.0) for ticker, one in histories.items()
    }
    return portfolio.analyze(holdings, {**prices, **errors}, {**scores, **errors}, source="sample", computed_at=1.0)


def _of_the_sample(holdings: dict[str, float]) -> PortfolioAnalysis:
    return _analyze(holdings, *(SAMPLE.history(ticker) for ticker in holdings))


def test_positions_are_valued_weighed_and_ranked() -> None:
    found = _of_the_sample({"AAPL": 10, "MRK": 5})

    table = found.table.set_index("ticker")
    assert list(found.table.columns) == COLUMNS
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


def test_of_two_equal_currencies_the_first_by_name_counts() -> None:
    found = _analyze({"A": 1, "B": 1}, steady(0, ticker="A", currency="USD"), steady(0, ticker="B", currency="EUR"))

    assert (found.currency, list(found.missing)) == ("EUR", ["A"])


def test_nothing_priced_is_an_empty_table_of_the_same_columns() -> None:
    found = _analyze({"NOPE": 5}, NOPE=ProviderError("NOPE", "unknown", "never heard of it"))

    whole = _of_the_sample({"AAPL": 1})
    assert found.table.empty
    assert list(found.table.dtypes) == list(whole.table.dtypes)
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
