from __future__ import annotations

import math

import pandas as pd
import pytest

from avcache.errors import InvalidInput
from avcache.market.holdings import Holding, parse_holdings
from avcache.ui.export import csv_of
from avcache.ui.portfolio.holdings import PROBLEM, checked_grid, grid_of, text_of

HELD = {"AAPL": Holding(100.0, 10_000.0), "NVDA": Holding(0.1)}


def edited(*rows: tuple[object, object, object]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["Ticker", "Shares", "Cost basis"]).assign(Problem="")


def test_a_grid_that_nobody_touched_says_the_same() -> None:
    assert checked_grid(grid_of(HELD)).holdings == HELD


def test_empty_rows_do_not_count_and_tickers_are_spelled_as_everywhere() -> None:
    found = checked_grid(edited((" brk.b ", 3, None), (None, None, None), ("", math.nan, math.nan)))

    assert found.holdings == {"BRK-B": Holding(3.0)}
    assert found.grid["Ticker"].tolist() == ["BRK-B"]


def test_a_ticker_that_is_named_twice_is_one_position() -> None:
    found = checked_grid(edited(("AAPL", 1.0, 10.0), ("aapl", 2.0, 20.0)))

    assert found.holdings == {"AAPL": Holding(3.0, 30.0)}
    assert len(found.grid) == 1


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (("<b>x</b>", 1.0, None), "no ticker"),
        (("AAPL", None, None), "shares missing"),
        (("AAPL", -1.0, None), "shares negative, zero or not finite"),
        (("AAPL", 1.0, -5.0), "cost not understood"),
        ((None, 1.0, None), "no ticker"),
        (("=1+1", 1.0, None), "no ticker"),
    ],
)
def test_what_is_wrong_stands_beside_its_row(row: tuple[object, object, object], fault: str) -> None:
    found = checked_grid(edited(("NVDA", 1.0, None), row))

    assert found.problems == 1
    assert not found.holdings
    assert found.grid[PROBLEM].tolist() == ["", fault]


def test_nothing_held_is_said() -> None:
    with pytest.raises(InvalidInput, match="1 to 500 positions"):
        checked_grid(edited((None, None, None)))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_file_is_read_in_whichever_encoding_spreadsheets_write(encoding: str) -> None:
    data = "Ticker;Shares;Name\nAAPL;100;Société".encode(encoding)

    assert parse_holdings(text_of(data)) == {"AAPL": Holding(100.0)}


def test_bytes_that_are_no_text_are_no_holdings() -> None:
    with pytest.raises(InvalidInput):
        parse_holdings(text_of(bytes(range(256))))


def test_the_guard_against_formulas_is_taken_off_again() -> None:
    table = pd.DataFrame({"ticker": ["-X", "^GSPC"], "shares": [1.0, 2.0]})

    assert parse_holdings(text_of(csv_of(table))) == {"-X": Holding(1.0), "^GSPC": Holding(2.0)}
