"""A portfolio over time, had it always held the shares of today, and how its positions move together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from avcache.market.portfolio.positions import Position
from avcache.market.provider import PriceHistory
from avcache.market.scoring.panel import Floats

__all__ = ["correlation", "growth", "risk"]

_YEAR: Final = 252
_FEWEST_RETURNS: Final = 60
_MOST_CORRELATED: Final = 100
_HALF: Final = 0.5 - 1e-9


def growth(positions: Sequence[Position], benchmark: PriceHistory | None) -> pd.DataFrame:
    """
    Return the value of the shares of today on each session since all of *positions* have prices.

    Sessions are the days on which at least half of the value trades: a coin among stocks does not make weekends count.
    Index `date`, ascending; columns `value` (adjusted for dividends, in the currency of the positions), `growth`
    (value over that of the first session), `drawdown` (0 or less, below an earlier high) and `benchmark` (its growth,
    NaN where it has no price). A position that did not trade on a session keeps its last price.
    """
    worth = pd.DataFrame({position.ticker: _worth(position) for position in positions}).sort_index()
    value = worth.ffill()[_sessions(worth, positions)].dropna().sum(axis=1)
    found = pd.DataFrame({"value": value, "growth": value / value.iloc[0] if len(value) else value})
    found["drawdown"] = value / value.cummax() - 1
    found["benchmark"] = math.nan if benchmark is None else _growth_of(benchmark, found.index)
    return found.rename_axis("date")


def correlation(positions: Sequence[Position]) -> pd.DataFrame:
    """
    Return how the daily returns of the last 252 sessions correlate: tickers x tickers, -1 to 1.

    Of the 100 largest positions. NaN with fewer than 60 returns in common, and for one that did not move.
    """
    largest = sorted(positions, key=lambda position: -position.value)[:_MOST_CORRELATED]
    closes = pd.DataFrame({position.ticker: _closes(position.history) for position in largest}).sort_index()
    returns = closes[_sessions(closes, largest)].pct_change(fill_method=None).iloc[1:].tail(_YEAR)
    return returns.corr(min_periods=_FEWEST_RETURNS)


def risk(over_time: pd.DataFrame, weights: pd.Series[float]) -> dict[str, float | None]:
    """
    Return the figures of the portfolio as a whole; None where there are too few sessions.

    `volatility_1y` and `return_1y` (252 sessions), `max_drawdown` (all of *over_time*, as `growth` returns it), `beta`
    to the benchmark (at least 60 returns), and `effective_positions`: 1 / sum of the squared weights.
    """
    value = over_time["value"]
    returns = value.pct_change().iloc[1:]
    found = {
        "return_1y": value.iloc[-1] / value.iloc[-_YEAR - 1] - 1 if len(value) > _YEAR else math.nan,
        "volatility_1y": returns.tail(_YEAR).std() * math.sqrt(_YEAR) if len(returns) >= _YEAR else math.nan,
        "max_drawdown": over_time["drawdown"].min() if len(value) else math.nan,
        "beta": _beta(returns, over_time["benchmark"].pct_change(fill_method=None).iloc[1:]),
        "effective_positions": 1 / float((weights**2).sum()) if len(weights) else math.nan,
    }
    return {name: float(figure) if math.isfinite(figure) else None for name, figure in found.items()}


def _sessions(columns: pd.DataFrame, positions: Sequence[Position]) -> pd.Series[bool]:
    """On which days at least half of the value of *positions* trades."""
    values = pd.Series({position.ticker: position.value for position in positions}, dtype="float64")
    return (columns.notna() * (values / values.sum())).sum(axis=1) >= _HALF


def _beta(returns: pd.Series[float], benchmark: pd.Series[float]) -> float:
    known = benchmark.notna() & returns.notna()
    if known.sum() < _FEWEST_RETURNS:
        return math.nan
    variance = float(benchmark[known].var())
    return float(returns[known].cov(benchmark[known])) / variance if variance > 0 else math.nan


def _worth(position: Position) -> pd.Series[float]:
    """Shares times adjusted close, so that the last session is worth its raw close."""
    closes = _closes(position.history)
    if not len(closes):
        return closes
    raw = float(position.history.prices["close"].loc[closes.index[-1]])
    return closes * (position.holding.shares * raw / float(closes.iloc[-1]))


def _growth_of(benchmark: PriceHistory, days: pd.Index[Any]) -> Floats:
    known = _closes(benchmark).reindex(days, method="ffill")
    first = known.dropna()
    return np.asarray(known / (first.iloc[0] if len(first) else math.nan), "float64")


def _closes(history: PriceHistory) -> pd.Series[float]:
    """The adjusted closes of the sessions that have ended."""
    closes = history.prices["adj_close"].dropna()
    return closes if history.is_complete else closes.iloc[:-1]
