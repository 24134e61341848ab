"""One row per position of a portfolio."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd

from avcache.market.holdings import Holding
from avcache.market.price import Price
from avcache.market.provider import PriceHistory
from avcache.market.scoring import Score

__all__ = ["COLUMNS", "PERIODS", "Position", "position_table", "total_returns"]

PERIODS: Final = ("1d", "1m", "3m")
"""Over which a position's contribution to the return is told."""

_DTYPES: Final = {
    "ticker": "str",
    "shares": "float64",
    "price": "float64",
    "value": "float64",
    "weight": "float64",
    "cost": "float64",
    "profit": "float64",
    "profit_share": "float64",
    "score": "float64",
    "composite_score": "float64",
    "rating": "str",
    "coverage": "float64",
    "score_contribution": "float64",
    "score_change_1w": "float64",
    "return_1d": "float64",
    "return_1m": "float64",
    "return_3m": "float64",
    "momentum_12_1": "float64",
    **{f"return_contribution_{period}": "float64" for period in PERIODS},
    "volatility_1y": "float64",
    "beta": "float64",
    "max_drawdown": "float64",
    "as_of": "str",
    "is_complete": "bool",
    "zone": "str",
    "source": "str",
    "state": "str",
}
COLUMNS: Final = tuple(_DTYPES)
"""Of `position_table`."""

_MEASURES: Final = ("return_1m", "return_3m", "momentum_12_1", "volatility_1y", "beta", "max_drawdown")


@dataclass(frozen=True, slots=True, eq=False)
class Position:
    """What is held of one ticker, what it is worth and how it scores. *is_stale*: its prices are past their time."""

    holding: Holding
    price: Price
    score: Score
    history: PriceHistory
    is_stale: bool = False

    @property
    def ticker(self) -> str:
        """Its ticker."""
        return self.price.ticker

    @property
    def value(self) -> float:
        """Shares times price, in the currency of the price."""
        return self.holding.shares * self.price.price


def position_table(positions: Sequence[Position], source: str) -> pd.DataFrame:
    """
    Return one row per position, highest composite first, positions without a score last; see `PortfolioAnalysis`.

    All *positions* are in one currency.
    """
    table = pd.DataFrame([_row(position, source) for position in positions], columns=list(_DTYPES)).astype(_DTYPES)
    table["weight"] = table["value"] / table["value"].sum()
    table["score_contribution"] = table["weight"] * table["composite_score"]
    for period in PERIODS:
        table[f"return_contribution_{period}"] = _return_contributions(table["value"], table[f"return_{period}"])
    by_score = table.sort_values(["composite_score", "ticker"], ascending=[False, True], na_position="last")
    return by_score.reset_index(drop=True)


def total_returns(table: pd.DataFrame) -> dict[str, float | None]:
    """The return of the shares held over each of `PERIODS`, by what is known; None if nothing is."""
    columns = {period: table[f"return_contribution_{period}"] for period in PERIODS}
    return {period: float(found.sum()) if found.notna().any() else None for period, found in columns.items()}


def _return_contributions(values: pd.Series[float], returns: pd.Series[float]) -> pd.Series[float]:
    """The weight at the start times the return, over the positions whose return is known: they add up to theirs."""
    started = (values / (1 + returns)).where(returns.notna())
    return started / started.sum() * returns


def _row(position: Position, source: str) -> dict[str, object]:
    price, score, cost = position.price, position.score, position.holding.cost
    profit = None if cost is None else position.value - cost
    changed = score.changes.get("1w")
    measures: Mapping[str, float | None] = {name: score.measures.get(name) for name in _MEASURES}
    return {
        "ticker": price.ticker,
        "shares": position.holding.shares,
        "price": price.price,
        "value": position.value,
        "cost": cost,
        "profit": profit,
        "profit_share": profit / cost if profit is not None and cost else None,
        "score": score.score,
        "composite_score": score.composite_score,
        "rating": score.rating,
        "coverage": score.coverage,
        "score_change_1w": changed.change if changed else None,
        "return_1d": price.change_1d,
        **measures,
        "as_of": price.as_of,
        "is_complete": price.is_complete,
        "zone": position.history.zone,
        "source": source,
        "state": "stale" if position.is_stale else "fresh",
    }
