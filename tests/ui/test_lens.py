"""An entry is shown as what it means; what nobody knows, as data."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from avcache import runtime
from avcache.config import Settings
from avcache.market.price import Price
from avcache.market.provider import PriceHistory
from avcache.market.scoring import Score
from avcache.runtime import Runtime
from avcache.ui.keys import ALL, prefixes
from avcache.ui.lens import comparison, holdings_table, input_table, json_of_value, lens_of, plain
from avcache.ui.momentum.recompute import NotComparable, recomputed
from tests.ops.census import Kept, snapshot


@pytest.fixture
def wired() -> Iterator[Runtime]:
    made = runtime.build(Settings.from_env({"AVCACHE_PROVIDER": "sample"}))
    yield made
    made.close()


def score_of(wired: Runtime, ticker: str = "AAPL") -> Score:
    return wired.market.score(ticker)


def test_market_entries_are_what_they_mean_and_others_data(wired: Runtime) -> None:
    wired.market.price("AAPL")
    score = score_of(wired)
    value = wired.cache.peek_value

    assert lens_of("momentum", value("momentum:AAPL")) == score
    assert isinstance(lens_of("price", value("price:AAPL")), Price)
    assert isinstance(lens_of("history", value("history:AAPL")), PriceHistory)
    assert lens_of("user", {"ticker": "AAPL"}) is None
    assert lens_of("momentum", {"by": "another version"}) is None
    assert lens_of("price", 175.5) is None


def test_inputs_of_a_score_have_their_age_and_their_state(wired: Runtime) -> None:
    score = replace(score_of(wired), inputs={"prices": 1000.0, "benchmark": 0.0})
    entries = {"history:AAPL": None, "history:^GSPC": wired.cache.peek("history:^GSPC")}

    table = input_table(score, entries, 1061.0)

    assert table["Input"].to_list() == ["history:AAPL", "history:^GSPC"]
    assert table["Age"].to_list()[0] == "1:01"
    assert table["Age"].to_list()[1] == "0:00"
    assert table["Now"].to_list() == [["missing"], ["fresh"]]


def test_a_score_that_its_prices_still_make_differs_in_nothing(wired: Runtime) -> None:
    score = score_of(wired)
    loads = wired.cache.stats().total.loads

    found = comparison(score, recomputed(wired, score))

    assert found.table.empty
    assert found.text.startswith(f"All {found.fields} fields are the same")
    assert wired.cache.stats().total.loads == loads


def test_a_score_that_differs_says_in_what(wired: Runtime) -> None:
    score = score_of(wired)
    other = replace(score, price=score.price + 1.5, rating="Buy", measures={**score.measures, "beta": None})

    found = comparison(other, score)

    rows = found.table.set_index("Field")
    assert set(rows.index) == {"price", "rating", "measure beta"}
    assert rows.loc["price", "Difference"] == "-1.5"
    assert rows.loc["measure beta", "Cached"] == "–"
    assert found.text.startswith("3 of ")


def test_nothing_is_fetched_to_compare(wired: Runtime) -> None:
    score = score_of(wired)
    wired.cache.delete("history:AAPL")

    with pytest.raises(NotComparable, match="history:AAPL would have to be fetched first"):
        recomputed(wired, score)

    assert wired.cache.peek("history:AAPL") is None


def test_a_score_among_others_is_not_compared_alone(wired: Runtime) -> None:
    with pytest.raises(NotComparable, match="depends on its universe"):
        recomputed(wired, replace(score_of(wired), profile="factor"))


def test_any_value_becomes_json() -> None:
    frame = pd.DataFrame({"close": [1.5, np.nan]}, index=pd.DatetimeIndex(["2022-12-27", "2022-12-28"], name="day"))
    value = {"prices": frame, 1: (float("nan"), dt.date(2022, 12, 28), {3}), "<b>": b"\x00"}

    found = json.loads(json_of_value(value))

    assert [row["close"] for row in found["prices"]] == [1.5, None]
    assert found["prices"][0]["day"].startswith("2022-12-27")
    assert found["1"] == [None, "datetime.date(2022, 12, 28)", "{3}"]
    assert found["<b>"] == "b'\\x00'"


def test_a_value_without_end_is_cut() -> None:
    deep: object = 1
    for _ in range(100):
        deep = [deep]

    assert json.loads(json_of_value(deep)) == plain(deep)
    assert json_of_value(deep).count(b"[") == 20


def test_holdings_keep_their_order_and_those_without_a_price() -> None:
    table = holdings_table({"AAPL": 100.0, "ZZZZ": None})

    assert table["Ticker"].to_list() == ["AAPL", "ZZZZ"]
    assert table["Shares"].isna().to_list() == [False, True]


def test_prefixes_have_their_counts_and_say_where_those_are_reckoned() -> None:
    kept = [Kept("price:A"), Kept("price:B"), Kept("momentum:A")]

    assert prefixes(snapshot(kept)) == {ALL: "All 3", "momentum": "momentum 1", "price": "price 2"}
    assert prefixes(snapshot(kept, share=0.01))["price"] == "price ≈ 200"
