"""
The four parts of the momentum score, each 0 to 100, as AlphaVelocity's documented service computes them.

`closes` is a series of adjusted closes, ascending, without gaps; `P[-k]` is its k-th row from the end. One
thing differs from the original: what cannot be computed is missing (value None, with the reason), never 0
or 50.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

__all__ = ["Part", "fundamental", "price", "relative", "simple_rsi", "technical"]

_PRICE_ROWS = 249
_TECHNICAL_ROWS = 50
_RELATIVE_ROWS = 21
_RSI_ROWS = 14
_VOLUME_ROWS = 30
_RSI_WEAK, _RSI_MIDDLE, _RSI_STRONG, _RSI_OVERBOUGHT = 30, 50, 70, 85
_CLEAR_LEAD = 0.05
_RETURN_WEIGHTS = {21: 0.4, 63: 0.3, 126: 0.2, 249: 0.1}
_TREND_WEIGHTS = {20: 0.4, 50: 0.3, 200: 0.3}
_TECHNICAL_WEIGHTS = {"rsi": 0.4, "volume": 0.3, "roc": 0.3}


@dataclass(frozen=True, slots=True)
class Part:
    """`value` 0 to 100, or None and why it is `missing`; `inputs` are the figures it was made of."""

    value: float | None
    inputs: dict[str, float | None]
    missing: str | None = None


def price(closes: pd.Series[float]) -> Part:
    """
    Returns over 20, 62, 125 and 248 sessions plus the trend: P above its averages of 20, 50 and 200 rows.

    100 * (.4 r1 + .3 r3 + .2 r6 + .1 r12) + 100 * (.4, .3, .3 of the averages), clipped. Needs 249 rows.
    """
    if len(closes) < _PRICE_ROWS:
        return Part(None, {}, f"{len(closes)} sessions, {_PRICE_ROWS} needed")
    last = float(closes.iloc[-1])
    returns = {f"return_{rows}": row_return(closes, rows) for rows in _RETURN_WEIGHTS}
    averages = {f"sma_{rows}": float(closes.iloc[-rows:].mean()) for rows in _TREND_WEIGHTS}
    weighted = sum(w * r for w, r in zip(_RETURN_WEIGHTS.values(), returns.values(), strict=True))
    trend = sum(w for w, average in zip(_TREND_WEIGHTS.values(), averages.values(), strict=True) if last > average)
    return _part(
        _clip(100 * weighted + 100 * trend),
        {**returns, **averages, "weighted_return": weighted, "trend": trend},
    )


def technical(closes: pd.Series[float], volumes: pd.Series[float]) -> Part:
    """
    .4 RSI + .3 volume + .3 rate of change, in points; a missing one leaves its weight to the others.

    RSI points: 100 from 50 to 70, 2.5 (RSI - 30) from 30, 100 - 2 (RSI - 70) up to 85, else 0. Volume points:
    min(100, 50 * V[-1] / mean of 30). Points of the rate of change: 50 + 1000 (P[-1]/P[-10] - 1), clipped.

    *volumes* has the rows of *closes*. Volume is missing if any of the last 30 is or if they are all 0; RSI
    is missing for a flat fortnight, where it is undefined. Needs 50 rows.
    """
    if len(closes) < _TECHNICAL_ROWS:
        return Part(None, {}, f"{len(closes)} sessions, {_TECHNICAL_ROWS} needed")
    rsi = simple_rsi(closes)
    ratio = _volume_ratio(volumes)
    roc = 100 * row_return(closes, 10)
    points = {
        "rsi": None if rsi is None else _rsi_points(rsi),
        "volume": None if ratio is None else min(100.0, 50 * ratio),
        "roc": _clip(50 + 10 * roc),
    }
    present = {name: value for name, value in points.items() if value is not None}
    total = sum(_TECHNICAL_WEIGHTS[name] for name in present)
    value = sum(_TECHNICAL_WEIGHTS[name] * value for name, value in present.items()) / total
    return _part(
        value,
        {"rsi": rsi, "volume_ratio": ratio, "roc": roc, **{f"{k}_points": v for k, v in points.items()}},
    )


def fundamental(figures: Mapping[str, float] | None) -> Part:
    """
    50; +20 for a forward PE in (0, 25), +10 in [25, 40); +20 for a PEG in (0, 1), +10 in [1, 2).

    `trailingPegRatio` stands in for `pegRatio`, which Yahoo stopped to deliver in June 2025. With none of
    them the part is missing, not 50.
    """
    found = figures or {}
    forward_pe = found.get("forwardPE")
    peg = found.get("pegRatio", found.get("trailingPegRatio"))
    inputs = {"forward_pe": forward_pe, "peg": peg}
    if forward_pe is None and peg is None:
        return Part(None, inputs, "no forward PE and no PEG")
    return _part(50 + _points(forward_pe, 25, 40) + _points(peg, 1, 2), inputs)


def relative(closes: pd.Series[float], benchmark: pd.Series[float] | None) -> Part:
    """
    d = return of the last 20 sessions less the benchmark's; above .05: 100, above 0: 50 + 1000 d, else 50 +
    500 d.

    *benchmark* ends with the last session of *closes*. Needs 21 rows of both.
    """
    if benchmark is None:
        return Part(None, {}, "no prices of the benchmark")
    fewest = min(len(closes), len(benchmark))
    if fewest < _RELATIVE_ROWS:
        return Part(None, {}, f"{fewest} sessions, {_RELATIVE_ROWS} needed")
    own, market = row_return(closes, _RELATIVE_ROWS), row_return(benchmark, _RELATIVE_ROWS)
    return _part(_relative_points(own - market), {"return_21": own, "benchmark_return_21": market})


def simple_rsi(closes: pd.Series[float]) -> float | None:
    """RSI of the last 14 changes with simple means (Cutler); None if nothing moved. Needs 15 rows."""
    changes = closes.diff().iloc[-_RSI_ROWS:]
    gain, loss = float(changes.clip(lower=0).sum()), float(-changes.clip(upper=0).sum())
    return 100 * gain / (gain + loss) if gain + loss > 0 else None


def row_return(closes: pd.Series[float], rows: int) -> float:
    """Return P[-1] / P[-rows] - 1: the change over `rows - 1` sessions; NaN if undefined."""
    first = float(closes.iloc[-rows])
    return float(closes.iloc[-1]) / first - 1 if first != 0 else math.nan


def _rsi_points(rsi: float) -> float:
    if _RSI_MIDDLE <= rsi <= _RSI_STRONG:
        return 100.0
    if _RSI_WEAK <= rsi < _RSI_MIDDLE:
        return 2.5 * (rsi - _RSI_WEAK)
    return 100 - 2 * (rsi - _RSI_STRONG) if _RSI_STRONG < rsi <= _RSI_OVERBOUGHT else 0.0


def _relative_points(difference: float) -> float:
    if difference > _CLEAR_LEAD:
        return 100.0
    return 50 + 1000 * difference if difference > 0 else max(0.0, 50 + 500 * difference)


def _points(value: float | None, good: float, fair: float) -> float:
    if value is None or value <= 0 or value >= fair:
        return 0.0
    return 20.0 if value < good else 10.0


def _volume_ratio(volumes: pd.Series[float]) -> float | None:
    recent = volumes.iloc[-_VOLUME_ROWS:]
    mean = float(recent.mean(skipna=False))
    return float(recent.iloc[-1]) / mean if math.isfinite(mean) and mean > 0 else None


def _clip(points: float) -> float:
    return min(100.0, max(0.0, points)) if math.isfinite(points) else math.nan


def _part(value: float, inputs: Mapping[str, float | None]) -> Part:
    """A part of finite figures; prices of 0 or less make others, and JSON has no word for those."""
    plain = {name: figure if figure is None or math.isfinite(figure) else None for name, figure in inputs.items()}
    return Part(value, plain) if math.isfinite(value) else Part(None, plain, "prices of 0 or less")
