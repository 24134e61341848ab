from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from avcache.errors import InvalidInput
from avcache.market.provider import PriceHistory
from avcache.market.scoring import Score
from avcache.runtime import Runtime
from avcache.ui.momentum.compare import exported_comparison, parse_compared, rebased, side_by_side
from tests.market.doubles import history


@pytest.mark.parametrize("given", ["AAPL,NVDA", ["aapl", "NVDA"], ["AAPL,NVDA"], "AAPL NVDA AAPL"])
def test_tickers_to_compare_come_as_a_list_or_as_in_the_address(given: str | list[str]) -> None:
    assert parse_compared(given) == ("AAPL", "NVDA")


@pytest.mark.parametrize("given", ["", [], " , "])
def test_nothing_to_compare_is_no_error(given: str | list[str]) -> None:
    assert parse_compared(given) == ()


def test_more_than_six_are_refused() -> None:
    with pytest.raises(InvalidInput, match="1 to 6 tickers"):
        parse_compared("A,B,C,D,E,F,G")


def test_all_lines_begin_at_zero_on_the_same_day(wired: Runtime) -> None:
    histories = {ticker: wired.market.history(ticker) for ticker in ("AAPL", "MRK")}

    lines = rebased(histories, "1Y")

    closes = histories["MRK"].prices["adj_close"]
    assert lines.index[0] == pd.Timestamp("2021-12-28")
    assert lines.iloc[0].tolist() == [0.0, 0.0]
    assert lines["MRK"].iloc[-1] == pytest.approx(100 * (closes.iloc[-1] / closes["2021-12-28"] - 1))


def test_lines_begin_when_the_youngest_has_prices() -> None:
    old, young = history([100.0 + day for day in range(30)]), history([10.0, 11.0, 12.0])
    late = PriceHistory("NEW", young.prices.set_axis(old.prices.index[-3:]), "USD")

    lines = rebased({"OLD": old, "NEW": late}, "5Y")

    assert len(lines) == 3
    assert lines["NEW"].tolist() == pytest.approx([0.0, 10.0, 20.0])


def test_nothing_cached_gives_no_lines() -> None:
    assert rebased({}, "1Y").empty


def test_figures_stand_side_by_side_with_units(mrk: Score) -> None:
    table = side_by_side(["MRK", "XOM"], {"MRK": mrk}).set_index("Figure")

    assert table.loc["Score", "MRK"] == "9.2"
    assert table.loc["12-1 momentum", "MRK"] == "+44.8 %"
    assert table.loc["As of", "MRK"] == "28 Dec 2022"
    assert set(table["XOM"]) == {"–"}


def test_a_line_ends_where_its_prices_do() -> None:
    closes = [100.0 + day for day in range(30)]
    on, over = history(closes), history(closes[:20])

    lines = rebased({"ON": on, "OVER": over}, "5Y")

    assert lines["ON"].notna().all()
    assert lines["OVER"].iloc[:20].notna().all()
    assert lines["OVER"].iloc[20:].isna().all()


def test_one_that_ended_before_the_span_leaves_the_others_their_lines() -> None:
    closes = [100.0 + day for day in range(60)]

    lines = rebased({"ON": history(closes), "OVER": history(closes[:10])}, "1M")

    assert list(lines.columns) == ["ON"]
    assert lines["ON"].iloc[0] == 0.0


def test_a_comparison_in_a_file_has_numbers_and_its_day(mrk: Score) -> None:
    table = exported_comparison({"MRK": mrk}).set_index("ticker")

    assert table.loc["MRK", "momentum_12_1"] == mrk.measures["momentum_12_1"]
    assert table.loc["MRK", "as_of"] == "2022-12-28"


def test_no_change_has_no_sign_of_a_loss(mrk: Score) -> None:
    flat = replace(mrk, measures={**mrk.measures, "vs_sma20": -0.0001})

    table = side_by_side(["MRK"], {"MRK": flat}).set_index("Figure")

    assert table.loc["vs SMA 20", "MRK"] == "+0.0 %"
