from __future__ import annotations

import io
import json

import pandas as pd
import pytest

from avcache.ui.export import csv_of, json_of


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d"])
def test_text_that_a_spreadsheet_would_run_gets_an_apostrophe(start: str) -> None:
    frame = pd.DataFrame({"reason": [f"{start}1+1"]})

    read = pd.read_csv(io.BytesIO(csv_of(frame)), lineterminator=None)

    assert read["reason"][0].startswith("'")


@pytest.mark.parametrize("parted", [";", "\t", "\n"])
def test_text_that_other_countries_spreadsheets_would_part_and_run_gets_one_too(parted: str) -> None:
    frame = pd.DataFrame({"reason": [f"a{parted}=1+1{parted}b"], "why": ["5;-x, -1; 3-1"]})

    read = pd.read_csv(io.BytesIO(csv_of(frame)))

    assert list(read.iloc[0]) == [f"a{parted}'=1+1{parted}b", "5;'-x, -1; 3-1"]


def test_a_heading_is_text_too() -> None:
    frame = pd.DataFrame({"=cmd": [1]})

    assert csv_of(frame) == b"'=cmd\n1\n"


def test_numbers_stay_numbers() -> None:
    frame = pd.DataFrame({"return": [-0.25, 0.5], "count": [-3, 4]})

    assert csv_of(frame) == b"return,count\n-0.25,-3\n0.5,4\n"


def test_harmless_text_is_left_alone() -> None:
    frame = pd.DataFrame({"ticker": ["BRK-B", "^GSPC", "7203.T"]})

    assert csv_of(frame).decode().split() == ["ticker", "BRK-B", "^GSPC", "7203.T"]


def test_what_is_unknown_is_an_empty_cell() -> None:
    frame = pd.DataFrame({"score": [None, 1.5], "why": ["no data", None]})

    assert csv_of(frame) == b"score,why\n,no data\n1.5,\n"


def test_an_empty_table_is_its_heading() -> None:
    frame = pd.DataFrame({"ticker": pd.Series(dtype="str"), "score": pd.Series(dtype="float64")})

    assert csv_of(frame) == b"ticker,score\n"


def test_json_has_an_object_for_each_row_and_null_for_what_is_unknown() -> None:
    frame = pd.DataFrame({"key": ["=1+1", "<b>ü"], "age": [1.5, None], "at": [pd.Timestamp("2022-12-28"), pd.NaT]})

    assert json.loads(json_of(frame)) == [
        {"key": "=1+1", "age": 1.5, "at": "2022-12-28T00:00:00.000"},
        {"key": "<b>ü", "age": None, "at": None},
    ]
    assert json.loads(json_of(pd.DataFrame({"key": []}))) == []
