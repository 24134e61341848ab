"""
The formulas again, slow and plain, one ticker at a time: what the package is held against.

Written from the definitions (finance notes 1.2, 2.2 and `expected_measures.json`), not from the package. Each takes the
adjusted closes up to the day in question; None where there is too little. `P[-k]` is the k-th row from the end.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

__all__ = [
    "composite",
    "cutler_rsi",
    "fundamental_v2",
    "last_year",
    "measures",
    "price",
    "relative_v1",
    "relative_v2",
    "renormalised",
    "spearman",
    "technical",
    "wilder_rsi",
    "z_scores",
]

WEIGHTS = {"price": 0.40, "technical": 0.25, "fundamental": 0.25, "relative": 0.10}


def price(closes: pd.Series[float]) -> float | None:
    """1.2: four returns and three averages; needs 249 rows."""
    if len(closes) < 249:
        return None
    newest = closes.iloc[-1]
    returns = [newest / closes.iloc[-k] - 1 for k in (21, 63, 126, 249)]
    w = 0.4 * returns[0] + 0.3 * returns[1] + 0.2 * returns[2] + 0.1 * returns[3]
    s = 0.4 * (newest > closes.tail(20).mean())
    s += 0.3 * (newest > closes.tail(50).mean())
    s += 0.3 * (newest > closes.tail(200).mean())
    return _clip(100 * w + 100 * s)


def cutler_rsi(closes: pd.Series[float]) -> float | None:
    """RSI of 14 rows with simple means; None if nothing moved."""
    moves = closes.diff().tail(14)
    gain, loss = moves.clip(lower=0).mean(), (-moves).clip(lower=0).mean()
    if gain == loss == 0:
        return None
    return 100.0 if loss == 0 else float(100 - 100 / (1 + gain / loss))


def technical(closes: pd.Series[float], volumes: pd.Series[float], *, rsi_of_flat: float | None = None) -> float | None:
    """1.2: RSI, volume and rate of change in points; what is missing leaves its weight to the others."""
    if len(closes) < 50:
        return None
    rsi = cutler_rsi(closes)
    points = {"rsi": (0.4, rsi_of_flat if rsi is None else _rsi_points(rsi))}
    recent = volumes.tail(30)
    known = recent.notna().all() and recent.mean() > 0
    points["volume"] = (0.3, min(100.0, 50 * recent.iloc[-1] / recent.mean()) if known else None)
    points["roc"] = (0.3, _clip(50 + 10 * 100 * (closes.iloc[-1] / closes.iloc[-10] - 1)))
    there = [(weight, found) for weight, found in points.values() if found is not None]
    return sum(weight * found for weight, found in there) / sum(weight for weight, _ in there)


def relative_v2(closes: pd.Series[float], market: pd.Series[float]) -> float | None:
    """1.2: the lead over the market in one month."""
    if min(len(closes), len(market)) < 21:
        return None
    d = _return(closes, 1, 21) - _return(market, 1, 21)
    if d > 0.05:
        return 100.0
    return 50 + 1000 * d if d > 0 else max(0.0, 50 + 500 * d)


def relative_v1(closes: pd.Series[float], market: pd.Series[float]) -> float | None:
    """1.2: the lead over the market in three and six months."""
    if min(len(closes), len(market)) < 126:
        return None
    d = 0.7 * (_return(closes, 1, 63) - _return(market, 1, 63))
    d += 0.3 * (_return(closes, 1, 126) - _return(market, 1, 126))
    return _clip(50 + 500 * d)


def fundamental_v2(figures: Mapping[str, float]) -> float:
    """1.2: 50, and points for a forward PE and a PEG; 50 if there is neither."""
    pe, peg = figures.get("forwardPE", math.nan), figures.get("pegRatio", math.nan)
    points = 50.0
    points += 20 if 0 < pe < 25 else 10 if 25 <= pe < 40 else 0
    return points + (20 if 0 < peg < 1 else 10 if 1 <= peg < 2 else 0)


def renormalised(parts: Mapping[str, float | None]) -> tuple[float | None, float]:
    """2.1: the composite of the parts that are there, with their weights made 1 again, and the coverage."""
    there = {name: value for name, value in parts.items() if value is not None}
    coverage = sum(WEIGHTS[name] for name in there)
    if coverage < 0.5 - 1e-12:
        return None, coverage
    return sum(WEIGHTS[name] * value for name, value in there.items()) / coverage, coverage


def composite(parts: Mapping[str, float]) -> float:
    """1.1: the four parts by their weights."""
    return sum(weight * parts[name] for name, weight in WEIGHTS.items())


def last_year(values: pd.Series[float]) -> pd.Series[float]:
    """The rows after the last day less one calendar year."""
    begin = values.index[-1] - pd.DateOffset(years=1)
    found: pd.Series[float] = values.loc[values.index > begin]
    return found


def measures(closes: pd.Series[float], market: pd.Series[float]) -> dict[str, float | None]:
    """2.2, all of it: by the names of the package."""
    rows, newest = len(closes), closes.iloc[-1]
    found: dict[str, float | None] = {
        "return_1m": _return(closes, 1, 21),
        "return_3m": _return(closes, 1, 63),
        "return_6m": _return(closes, 1, 126),
        "momentum_6": _return(closes, 1, 127),
        "momentum_12_1": _return(closes, 22, 253),
        "return_12m": _return(closes, 1, 253),
        "of_high_52w": newest / closes.tail(252).max() if rows >= 252 else None,
        "roc_10": 100 * _return(closes, 1, 11),
        "rsi_wilder": wilder_rsi(closes),
        "max_drawdown": (closes / closes.cummax() - 1).min(),
        "volatility": closes.pct_change().std() * math.sqrt(252) if rows >= 3 else None,
        "volatility_1y": closes.tail(253).pct_change().std() * math.sqrt(252) if rows >= 253 else None,
        "residual_momentum": _residual_momentum(closes, market),
        "beta": _beta(closes, market),
        **{f"vs_sma{k}": newest / closes.tail(k).mean() - 1 if rows >= k else None for k in (20, 50, 200)},
        **_tsmom(closes),
        **_msci(closes),
        **_clenow(closes),
    }
    found["information_discreteness"] = _discreteness(closes)
    return {name: None if value is None or math.isnan(value) else float(value) for name, value in found.items()}


def wilder_rsi(closes: pd.Series[float]) -> float | None:
    """RSI of 14 rows as Wilder smoothed it: a mean of 14, then (13 * old + new) / 14."""
    moves = closes.diff().dropna().tolist()
    if len(moves) < 14:
        return None
    gain = sum(max(move, 0.0) for move in moves[:14]) / 14
    loss = sum(max(-move, 0.0) for move in moves[:14]) / 14
    for move in moves[14:]:
        gain, loss = (13 * gain + max(move, 0.0)) / 14, (13 * loss + max(-move, 0.0)) / 14
    return None if gain + loss == 0 else 100 * gain / (gain + loss)


def z_scores(values: pd.Series[float]) -> pd.Series[float]:
    """By the population's deviation, within 3 of 0."""
    return ((values - values.mean()) / values.std(ddof=0)).clip(-3, 3)


def _tsmom(closes: pd.Series[float]) -> dict[str, float | None]:
    if len(closes) < 253:
        return dict.fromkeys(("tsmom_volatility", "tsmom_signal", "tsmom_position"))
    variance = closes.pct_change().ewm(com=60).var(bias=True).iloc[-1]
    volatility, signal = math.sqrt(261 * variance), float(np.sign(_return(closes, 1, 253)))
    return {"tsmom_volatility": volatility, "tsmom_signal": signal, "tsmom_position": signal * 0.4 / volatility}


def _msci(closes: pd.Series[float]) -> dict[str, float | None]:
    weekly = closes.resample("W-FRI").last().pct_change().dropna().tail(156)
    enough = len(weekly) >= 52
    volatility = weekly.std() * math.sqrt(52) if enough else math.nan
    six, twelve = _return(closes, 22, 148), _return(closes, 22, 274)
    return {
        "weekly_volatility": volatility,
        "weekly_returns": float(len(weekly)) if enough else 0.0,
        "msci_return_6": six,
        "msci_return_12": twelve,
        "msci_ratio_6": six / volatility,
        "msci_ratio_12": twelve / volatility,
    }


def _residual_momentum(closes: pd.Series[float], market: pd.Series[float]) -> float | None:
    """36 complete months on the market; sum / deviation of the residuals of 11, the newest month skipped."""
    both = pd.DataFrame({"own": closes, "market": market}).resample("ME").last()
    month_end, today = both.index[-1], closes.index[-1]
    if len(pd.bdate_range(today + pd.Timedelta(days=1), month_end)):  # the running month is not over
        both = both.iloc[:-1]
    returns = both.pct_change().dropna().tail(36)
    if len(returns) < 36:
        return None
    design = np.column_stack([np.ones(36), returns["market"].to_numpy()])
    solution = np.linalg.lstsq(design, returns["own"].to_numpy(), rcond=None)[0]
    residuals = returns["own"].to_numpy() - design @ solution
    counted = residuals[-12:-1]
    return float(counted.sum() / counted.std(ddof=1))


def _clenow(closes: pd.Series[float]) -> dict[str, float | None]:
    names = ("clenow_slope", "clenow_r2", "clenow", "clenow_qualifies")
    if len(closes) < 90:
        return dict.fromkeys(names)
    recent = closes.tail(90)
    logs, x = np.log(recent.to_numpy()), np.arange(90.0)
    yearly = math.exp(250 * float(np.polyfit(x, logs, 1)[0])) - 1
    fit = float(np.corrcoef(x, logs)[0, 1]) ** 2
    qualifies = None
    if len(closes) >= 100:
        below = closes.iloc[-1] < closes.tail(100).mean()
        jumped = (recent.pct_change().abs() > 0.15).any()
        qualifies = 0.0 if below or jumped else 1.0
    return dict(zip(names, (yearly, fit, yearly * fit, qualifies), strict=True))


def _discreteness(closes: pd.Series[float]) -> float | None:
    if len(closes) < 253:
        return None
    returns = closes.iloc[-253:-21].pct_change().dropna()
    share = (returns < 0).sum() / len(returns) - (returns > 0).sum() / len(returns)
    return float(np.sign(_return(closes, 22, 253)) * share)


def _beta(closes: pd.Series[float], market: pd.Series[float]) -> float | None:
    both = pd.DataFrame({"own": closes, "market": market}).dropna().pct_change().dropna()
    return both["own"].cov(both["market"]) / both["market"].var() if len(both) >= 60 else None


def _return(closes: pd.Series[float], newest: int, oldest: int) -> float:
    return float(closes.iloc[-newest] / closes.iloc[-oldest] - 1) if len(closes) >= oldest else math.nan


def _rsi_points(rsi: float) -> float:
    if 50 <= rsi <= 70:
        return 100.0
    if 30 <= rsi < 50:
        return 2.5 * (rsi - 30)
    return 100 - 2 * (rsi - 70) if 70 < rsi <= 85 else 0.0


def _clip(value: float) -> float:
    return min(100.0, max(0.0, float(value)))


def spearman(table: pd.DataFrame, columns: Sequence[str], against: str) -> dict[str, float]:
    """The rank correlation of *against* with each of *columns*."""
    ranks = table.rank()
    return {column: float(ranks[against].corr(ranks[column])) for column in columns}
