"""
Indicators over a whole history: each takes prices along the last axis and returns as many values, NaN in the lead.

They equal TA-Lib's of the same name; but the RSI of what never moved is NaN. `simple_rsi` is Cutler's.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view

from avcache.market.scoring.panel import Floats

__all__ = ["dot", "drawdown", "r_squared", "roc", "simple_rsi", "slope", "sma", "wilder_rsi"]

_RSI_ROWS = 14


def sma(prices: Floats, rows: int) -> Floats:
    """The mean of the last *rows*."""
    return _led(prices, rows - 1, lambda: sliding_window_view(prices, rows, axis=-1).mean(axis=-1))


def roc(prices: Floats, rows: int = 10) -> Floats:
    """The change over *rows* sessions, in percent."""
    return _led(prices, rows, lambda: 100 * (prices[..., rows:] / prices[..., :-rows] - 1))


def wilder_rsi(prices: Floats, rows: int = _RSI_ROWS) -> Floats:
    """
    Relative strength, 0 to 100, smoothed as by Wilder: the mean of the first *rows* changes, then 1/rows of each new.

    NaN as long as nothing has moved (Wilder 1978).
    """

    def smoothed(changes: Floats) -> Floats:
        first = changes[..., :rows].mean(axis=-1, keepdims=True)
        seeded = np.concatenate([first, changes[..., rows:]], axis=-1)
        frame = pd.DataFrame(np.atleast_2d(seeded).T).ewm(alpha=1 / rows, adjust=False).mean()
        return frame.to_numpy().T.reshape(seeded.shape)

    return _led(prices, rows, lambda: _strength(prices, smoothed))


def simple_rsi(prices: Floats, rows: int = _RSI_ROWS) -> Floats:
    """Relative strength, 0 to 100, from simple means of the last *rows* changes (Cutler); NaN where nothing moved."""
    return _led(prices, rows, lambda: _strength(prices, lambda changes: _window_sums(changes, rows)))


def slope(values: Floats, rows: int) -> Floats:
    """The slope, per session, of the straight line through the last *rows* (least squares)."""
    weights = _centred(rows)
    squares = float((weights**2).sum())
    return _led(values, rows - 1, lambda: dot(sliding_window_view(values, rows, axis=-1), weights) / squares)


def r_squared(values: Floats, rows: int) -> Floats:
    """How much of the variance of the last *rows* that line explains, 0 to 1; 0 of a constant."""

    def explained() -> Floats:
        windows = sliding_window_view(values, rows, axis=-1)
        weights = _centred(rows)
        spread = ((windows - windows.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1)
        flat = windows.max(axis=-1) == windows.min(axis=-1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(flat, 0.0, dot(windows, weights) ** 2 / (weights**2).sum() / spread)

    return _led(values, rows - 1, explained)


def drawdown(prices: Floats) -> Floats:
    """How far each is below the highest so far, 0 or less."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return prices / np.maximum.accumulate(prices, axis=-1) - 1


def dot(rows: Floats, weights: Floats) -> Floats:
    """The weighted sum of each of *rows*. Not `@`, whose last bits depend on how many rows there are."""
    return np.asarray((rows * weights).sum(axis=-1))


def _strength(prices: Floats, average: Callable[[Floats], Floats]) -> Floats:
    changes = np.diff(prices, axis=-1)
    gain, loss = average(np.maximum(changes, 0.0)), average(np.maximum(-changes, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(100 * gain / (gain + loss))


def _window_sums(changes: Floats, rows: int) -> Floats:
    return np.asarray(sliding_window_view(changes, rows, axis=-1).sum(axis=-1))


def _centred(rows: int) -> Floats:
    return np.arange(rows, dtype="float64") - (rows - 1) / 2


def _led(values: Floats, lead: int, compute: Callable[[], Floats]) -> Floats:
    """What *compute* returns behind *lead* NaN; nothing but NaN where there are no more rows than those."""
    found = np.full(values.shape, np.nan)
    if values.shape[-1] > lead:
        found[..., lead:] = compute()
    return found
