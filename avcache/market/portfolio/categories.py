"""What is held against what was meant to be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Literal

import pandas as pd

from avcache.market.universe import Category

__all__ = ["UNALLOCATED", "UNCATEGORISED", "Priority", "category_table", "priority"]

UNCATEGORISED: Final = "Uncategorised"
UNALLOCATED: Final = "Unallocated"
Priority = Literal["High", "Medium", "Low"]
_WIDE_GAP: Final = 0.02
_ROUNDING: Final = 1e-9


def category_table(table: pd.DataFrame, categories: Sequence[Category]) -> pd.DataFrame:
    """
    Return one row per category, then what is held outside of all, then what no category is meant to have.

    Args:
        table: Positions, as in `PortfolioAnalysis.table`: columns `ticker`, `value`, `composite_score`.

    Columns: category; target and actual (shares of the total value); value; gap (target - actual) and gap_value (the
    same in money; what to buy, or less than 0 to sell); priority (High above 2 points, Medium above 0, else Low; NaN
    for the last two rows); positions (how many); score (their plain mean, 0 to 10, NaN without any); benchmark.
    """
    of = {ticker: category.name for category in categories for ticker in category.tickers}
    named = table.assign(category=[of.get(ticker, UNCATEGORISED) for ticker in table["ticker"]])
    targets = {category.name: category.target for category in categories}
    targets |= {UNCATEGORISED: 0.0, UNALLOCATED: max(0.0, round(1 - sum(targets.values()), 9))}
    groups = named.groupby("category")
    found = pd.DataFrame({"category": pd.Series(list(targets), dtype="str"), "target": list(targets.values())})
    by_name = found["category"]
    found["value"] = by_name.map(groups["value"].sum()).fillna(0.0)
    total = float(table["value"].sum())
    found["actual"] = found["value"] / total if total > 0 else 0.0
    found["gap"] = found["target"] - found["actual"]
    found["gap_value"] = found["gap"] * total
    found["priority"] = [priority(gap) for gap in found["gap"][:-2]] + [math.nan, math.nan]
    found["positions"] = by_name.map(groups.size()).fillna(0).astype("int64")
    found["score"] = by_name.map(groups["composite_score"].mean()) / 10
    found["benchmark"] = by_name.map({category.name: category.benchmark for category in categories})
    return found


def priority(gap: float) -> Priority:
    """How much a category that lacks *gap* of its target needs attention."""
    if gap > _WIDE_GAP + _ROUNDING:
        return "High"
    return "Medium" if gap > _ROUNDING else "Low"
