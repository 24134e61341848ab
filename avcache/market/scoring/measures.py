"""
Published measures, shown beside the score.

`closes` is a series of adjusted closes, ascending, without gaps, index `date`; `P[-k]` is its k-th row from
the end. A measure with too few rows, or without a meaning (the RSI of a flat series), is None.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from avcache.market.components import row_return

__all__ = ["annual_volatility", "beta", "max_drawdown", "measures", "wilder_rsi"]

_YEAR = 252
_MONTH = 21
_TREND = 200
_RSI_ROWS = 14
_FEWEST_RETURNS = 60


def measures(closes: pd.Series[float], benchmark: pd.Series[float] | None) -> dict[str, float | None]:
    """
    Return every measure by name, as fractions (0.05 is 5 %) unless said otherwise.

    return_1m, _3m, _6m   P[-1]/P[-k]-1, k = 21, 63, 126, as in the score
    momentum_12_1         P[-22]/P[-253]-1 (Jegadeesh & Titman 1993, newest month skipped)
    rsi_wilder            0 to 100, 14 rows, over the whole series (Wilder 1978)
    vs_sma200             P[-1] / mean of the last 200 - 1
    of_high_52w           P[-1] / highest of the last 252 (George & Hwang 2004)
    volatility            annualised, of the last 252 daily returns
    max_drawdown          0 or less, over the whole series
    beta                  to the benchmark, over all common sessions, at least 60
    """
    rows = len(closes)
    found = {
        "return_1m": _return(closes, 21),
        "return_3m": _return(closes, 63),
        "return_6m": _return(closes, 126),
        "momentum_12_1": _return(closes.iloc[:-_MONTH], _YEAR + 1 - _MONTH),
        "rsi_wilder": wilder_rsi(closes),
        "vs_sma200": _ratio(closes.iloc[-1], closes.iloc[-_TREND:].mean()) - 1 if rows >= _TREND else None,
        "of_high_52w": _ratio(closes.iloc[-1], closes.iloc[-_YEAR:].max()) if rows >= _YEAR else None,
        "volatility": annual_volatility(closes.iloc[-_YEAR - 1 :]) if rows > _YEAR else None,
        "max_drawdown": max_drawdown(closes),
        "beta": None if benchmark is None else beta(closes, benchmark),
    }
    return {name: value if value is not None and math.isfinite(value) else None for name, value in found.items()}


def wilder_rsi(closes: pd.Series[float]) -> float | None:
    """RSI with Wilder's smoothing: mean of the first 14 changes, then 1/14 of each new one; None if flat."""
    changes = closes.diff().iloc[1:]
    if len(changes) < _RSI_ROWS:
        return None
    gain, loss = _wilder_mean(changes.clip(lower=0)), _wilder_mean(-changes.clip(upper=0))
    return 100 * gain / (gain + loss) if gain + loss > 0 else None


def annual_volatility(closes: pd.Series[float]) -> float | None:
    """Sample standard deviation of all daily returns, times the root of 252."""
    returns = _returns(closes)
    return float(returns.std() * math.sqrt(_YEAR)) if len(returns) > 1 else None


def max_drawdown(closes: pd.Series[float]) -> float | None:
    """The deepest fall below an earlier high, 0 or less."""
    return float((closes / closes.cummax() - 1).min()) if len(closes) else None


def beta(closes: pd.Series[float], benchmark: pd.Series[float]) -> float | None:
    """Covariance with the benchmark over its variance, daily returns between common sessions, at least 60."""
    common = pd.concat([closes, benchmark], axis=1, join="inner")
    own, market = _returns(common.iloc[:, 0]), _returns(common.iloc[:, 1])
    if len(own) < _FEWEST_RETURNS:
        return None
    return _ratio(own.cov(market), market.var())


def _return(closes: pd.Series[float], rows: int) -> float | None:
    return row_return(closes, rows) if len(closes) >= rows else None


def _returns(closes: pd.Series[float]) -> pd.Series[float]:
    return closes.pct_change().iloc[1:]


def _wilder_mean(changes: pd.Series[float]) -> float:
    seeded = np.concatenate(([changes.iloc[:_RSI_ROWS].mean()], changes.iloc[_RSI_ROWS:].to_numpy()))
    return float(pd.Series(seeded).ewm(alpha=1 / _RSI_ROWS, adjust=False).mean().iloc[-1])


def _ratio(value: float, base: float) -> float:
    return float(value) / float(base) if base != 0 else math.nan
