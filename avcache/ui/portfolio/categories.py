"""What is held in each category against what was meant to be. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from avcache.market.scoring import Score
from avcache.ui.numbers import Number
from avcache.ui.portfolio.analysis import unit

__all__ = ["category_numbers", "category_view"]


def category_view(table: pd.DataFrame, candidates: Mapping[str, Sequence[Score]] | None = None) -> pd.DataFrame:
    """
    Categories as the page shows them, without those that have neither a target nor a position.

    Columns: category, target_percent, actual_percent, gap_percent (points), gap_value, priority, candidates (the
    strongest that are not held, with their scores), positions, score.
    """
    strong = candidates or {}
    shown = pd.DataFrame(
        {
            "category": table["category"],
            "target_percent": 100 * table["target"],
            "actual_percent": 100 * table["actual"],
            "gap_percent": 100 * table["gap"],
            "gap_value": table["gap_value"],
            "priority": table["priority"],
            "candidates": [_named(strong.get(name, ())) for name in table["category"]],
            "positions": table["positions"],
            "score": table["score"],
        }
    )
    return shown[(table["target"] > 0) | (table["positions"] > 0)].reset_index(drop=True)


def category_numbers(currency: str | None) -> dict[str, Number]:
    """How the numbers of `category_view` look."""
    return {
        "target_percent": Number("Target", "%.0f %%", "Share of the value it is meant to have"),
        "actual_percent": Number("Actual", "%.1f %%", "Share of the value it has"),
        "gap_percent": Number("Gap, points", "%+.1f", "Target less actual"),
        "gap_value": Number(f"Gap{unit(currency)}", "%+,.0f", "What would have to be bought, or sold if negative"),
        "positions": Number("Positions", "%d", ""),
        "score": Number("Mean score", "%.2f", "Plain mean of its scored positions, 0 to 10"),
    }


def _named(scores: Sequence[Score]) -> str:
    return ", ".join(f"{score.ticker} {score.score:.1f}" for score in scores if score.score is not None)
