"""What is held, as a grid that people edit, and as files that they bring. Pure."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pandas as pd

from avcache.market.holdings import Holding, fault_of, parse_holdings

__all__ = ["EXAMPLE", "PROBLEM", "CheckedGrid", "checked_grid", "grid_of", "text_of"]

EXAMPLE: Final = "AAPL 100\nNVDA 50"
PROBLEM: Final = "Problem"

_TICKER, _SHARES, _COST = "Ticker", "Shares", "Cost basis"
_DTYPES: Final = {_TICKER: "str", _SHARES: "float64", _COST: "float64", PROBLEM: "str"}
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_GUARDED = re.compile(r"(?m)(^|[,;\t])'(?=[=+\-@])")


@dataclass(frozen=True, slots=True, eq=False)
class CheckedGrid:
    """
    What a grid says: the *holdings*, if nothing is wrong with it; *grid* is the same with what is wrong beside each
    row, and *problems* how many rows that are.
    """

    holdings: Mapping[str, Holding]
    grid: pd.DataFrame
    problems: int


def grid_of(holdings: Mapping[str, Holding]) -> pd.DataFrame:
    """One row per position: Ticker, Shares, Cost basis (NaN where unknown), Problem (empty)."""
    rows = [(ticker, held.shares, held.cost, "") for ticker, held in holdings.items()]
    return pd.DataFrame(rows, columns=list(_DTYPES)).astype(_DTYPES)


def checked_grid(edited: pd.DataFrame) -> CheckedGrid:
    """
    Read a grid as somebody left it; empty rows do not count.

    Raises:
        InvalidInput: Nothing is held, or more than 500 positions.
    """
    rows = [
        (_text(ticker), _known(shares), _known(cost))
        for ticker, shares, cost in edited[[_TICKER, _SHARES, _COST]].itertuples(index=False)
    ]
    filled = [row for row in rows if row[0] or row[1] is not None or row[2] is not None]
    faults = [fault_of(*row) or "" for row in filled]
    grid = pd.DataFrame(
        [(*row, fault) for row, fault in zip(filled, faults, strict=True)], columns=list(_DTYPES)
    ).astype(_DTYPES)
    problems = sum(map(bool, faults))
    if problems:
        return CheckedGrid({}, grid, problems)
    holdings = parse_holdings(_csv_of(filled))
    return CheckedGrid(holdings, grid_of(holdings), 0)


def text_of(data: bytes) -> str:
    """
    Return the text of a file, in whichever encoding spreadsheets write.

    The apostrophes that our own files have before what a spreadsheet would run as a formula are taken away.
    """
    if data.startswith(_UTF_16_MARKS):
        text = data.decode("utf-16", errors="replace")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("cp1252", errors="replace")
    return _GUARDED.sub(r"\1", text)


def _csv_of(rows: list[tuple[str, float | None, float | None]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["ticker", "shares", "cost basis"])
    writer.writerows([ticker, shares, "" if cost is None else cost] for ticker, shares, cost in rows)
    return out.getvalue()


def _text(cell: object) -> str:
    return cell.strip() if isinstance(cell, str) else ""


def _known(cell: object) -> float | None:
    return float(cell) if isinstance(cell, int | float) and not pd.isna(cell) else None
