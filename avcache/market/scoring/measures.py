"""
Published measures of many tickers at a time, each with its formula and its source.

`P[-k]` is the k-th adjusted close from the end. A measure with too few rows, or without a meaning (the RSI of a flat
series), is NaN; `weekly_returns` is 0 then. Measures that need a universe are in `cross_section`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from avcache.market.scoring.indicators import dot, drawdown, r_squared, roc, slope, wilder_rsi
from avcache.market.scoring.panel import Days, Floats, Line, Panel

__all__ = ["MEASURES", "Measure", "measures", "row_return"]

_YEAR = 252
_MONTH = 21
_FEWEST_RETURNS = 60
_MOST_WEEKS, _FEWEST_WEEKS = 156, 52
_MONTHS = 36
_TARGET_VOLATILITY = 0.40
_TSMOM_YEAR, _TSMOM_MASS = 261, 60
_TREND_ROWS, _TREND_AVERAGE, _TREND_YEAR, _LARGEST_MOVE = 90, 100, 250, 0.15
_ROUNDING = 1e-12
_ROC_ROWS = 10


@dataclass(frozen=True, slots=True)
class Measure:
    """
    What stands under one name; of units, `change` and `share` are fractions: 0.05 is 5 %.

    *rows* is how many sessions it needs, about so many where weeks or months are counted.
    """

    name: str
    unit: str
    rows: int
    formula: str
    source: str = ""


MEASURES: Final = (
    Measure("return_1m", "change", 21, "P[-1]/P[-21]-1, as in the score"),
    Measure("return_3m", "change", 63, "P[-1]/P[-63]-1, as in the score"),
    Measure("return_6m", "change", 126, "P[-1]/P[-126]-1, as in the score"),
    Measure("momentum_6", "change", 127, "P[-1]/P[-127]-1", "Jegadeesh & Titman 1993"),
    Measure("momentum_12_1", "change", 253, "P[-22]/P[-253]-1, the newest month left out", "Jegadeesh & Titman 1993"),
    Measure("return_12m", "change", 253, "P[-1]/P[-253]-1"),
    Measure("tsmom_volatility", "share", 253, "root of 261 times the EWMA variance, mass 60", "Moskowitz et al. 2012"),
    Measure("tsmom_signal", "ratio", 253, "sign of return_12m", "Moskowitz et al. 2012"),
    Measure("tsmom_position", "ratio", 253, "signal * 40 % / volatility", "Moskowitz et al. 2012"),
    Measure("weekly_volatility", "share", 261, "of 156 weekly returns (52 at least), annualised", "MSCI Momentum"),
    Measure(
        "weekly_returns", "ratio", 261, "how many of them there are: fewer than 156 is a fallback", "MSCI Momentum"
    ),
    Measure("msci_return_6", "change", 148, "P[-22]/P[-148]-1", "MSCI Momentum"),
    Measure("msci_return_12", "change", 274, "P[-22]/P[-274]-1", "MSCI Momentum"),
    Measure("msci_ratio_6", "ratio", 261, "msci_return_6 / weekly_volatility", "MSCI Momentum"),
    Measure("msci_ratio_12", "ratio", 274, "msci_return_12 / weekly_volatility", "MSCI Momentum"),
    Measure(
        "residual_momentum",
        "ratio",
        757,
        "36 months regressed on the market; sum / deviation of the residuals of 11, the newest left out",
        "Blitz, Huij & Martens 2011",
    ),
    Measure("of_high_52w", "share", 252, "P[-1] / highest of 252", "George & Hwang 2004"),
    Measure("clenow_slope", "change", 90, "exp(250 b)-1, b the slope of ln P over 90", "Clenow"),
    Measure("clenow_r2", "share", 90, "R² of that line", "Clenow"),
    Measure("clenow", "ratio", 90, "clenow_slope * clenow_r2", "Clenow"),
    Measure("clenow_qualifies", "flag", 100, "above its mean of 100, and no move over 15 % in the 90", "Clenow"),
    Measure(
        "information_discreteness",
        "ratio",
        253,
        "sign(12-1) * (share of down days - share of up days); lower is smoother",
        "Da, Gurun & Warachka 2014",
    ),
    Measure("rsi_wilder", "points", 15, "14 rows, Wilder's smoothing over the whole history", "Wilder 1978"),
    Measure("roc_10", "points", 11, "100 (P[-1]/P[-11]-1)"),
    Measure("vs_sma20", "change", 20, "P[-1] / mean of 20 - 1"),
    Measure("vs_sma50", "change", 50, "P[-1] / mean of 50 - 1"),
    Measure("vs_sma200", "change", 200, "P[-1] / mean of 200 - 1"),
    Measure("volatility_1y", "share", 253, "deviation of 252 daily returns, annualised"),
    Measure("volatility", "share", 3, "deviation of all daily returns, annualised"),
    Measure("max_drawdown", "change", 1, "the deepest fall below an earlier high"),
    Measure("beta", "ratio", 61, "to the benchmark: covariance / variance of daily returns on common sessions"),
)
"""Every measure of one ticker, in the order in which people read them."""


def measures(panel: Panel) -> dict[str, Floats]:
    """Return every one of `MEASURES` for the tickers of *panel*: name -> (n), NaN where it cannot be computed."""
    closes = panel.closes
    with np.errstate(all="ignore"):
        found = {
            **_returns(closes),
            **_time_series_momentum(closes),
            **_risk_adjusted(panel.days, closes),
            "residual_momentum": _residual_momentum(panel),
            "of_high_52w": _if_rows(closes, _YEAR, lambda: closes[:, -1] / closes[:, -_YEAR:].max(axis=1)),
            **_clenow(closes),
            "information_discreteness": _discreteness(closes),
            "rsi_wilder": _last(wilder_rsi(closes)),
            "roc_10": _last(roc(closes[:, -_ROC_ROWS - 1 :], _ROC_ROWS)),
            **{f"vs_sma{rows}": _against_mean(closes, rows) for rows in (20, 50, 200)},
            "volatility_1y": _if_rows(closes, _YEAR + 1, lambda: _volatility(closes[:, -_YEAR - 1 :])),
            "volatility": _if_rows(closes, 3, lambda: _volatility(closes)),
            "max_drawdown": _if_rows(closes, 1, lambda: drawdown(closes).min(axis=1)),
            "beta": _beta(panel),
        }
    return {name: np.where(np.isfinite(values), values, np.nan) for name, values in found.items()}


def row_return(closes: Floats, rows: int) -> Floats:
    """P[-1] / P[-rows] - 1 of each row: the change over `rows - 1` sessions; NaN between prices of 0 or less."""
    first, last = closes[:, -rows], closes[:, -1]
    return np.where((first > 0) & (last > 0), last / first - 1, np.nan)


def _returns(closes: Floats) -> dict[str, Floats]:
    spans = {"return_1m": (1, 21), "return_3m": (1, 63), "return_6m": (1, 126), "momentum_6": (1, 127)}
    spans |= {"momentum_12_1": (_MONTH + 1, _YEAR + 1), "return_12m": (1, _YEAR + 1)}
    return {name: _change(closes, newest, oldest) for name, (newest, oldest) in spans.items()}


def _change(closes: Floats, newest: int, oldest: int) -> Floats:
    return _if_rows(closes, oldest, lambda: closes[:, -newest] / closes[:, -oldest] - 1)


def _time_series_momentum(closes: Floats) -> dict[str, Floats]:
    signal = np.sign(_change(closes, 1, _YEAR + 1))
    volatility = _if_rows(closes, _YEAR + 1, lambda: np.sqrt(_TSMOM_YEAR * _ewma_variance(_daily(closes))))
    return {
        "tsmom_volatility": volatility,
        "tsmom_signal": signal,
        "tsmom_position": signal * _TARGET_VOLATILITY / _meant(volatility),
    }


def _ewma_variance(returns: Floats) -> Floats:
    """The exponentially weighted variance with centre of mass 60, as of the last return."""
    decay = _TSMOM_MASS / (1 + _TSMOM_MASS)
    weights = decay ** np.arange(returns.shape[1] - 1, -1, -1.0)
    weights /= weights.sum()
    mean = dot(returns, weights)
    return dot((returns - mean[:, None]) ** 2, weights)


def _risk_adjusted(days: Days, closes: Floats) -> dict[str, Floats]:
    ends = _week_ends(days)[-_MOST_WEEKS - 1 :]
    count = max(0, len(ends) - 1)
    if count < _FEWEST_WEEKS:
        count, volatility = 0, np.full(len(closes), np.nan)
    else:
        volatility = _daily(closes[:, ends]).std(axis=1, ddof=1) * math.sqrt(52)
    six, twelve = _change(closes, _MONTH + 1, 148), _change(closes, _MONTH + 1, 274)
    return {
        "weekly_volatility": volatility,
        "weekly_returns": np.full(len(closes), float(count)),
        "msci_return_6": six,
        "msci_return_12": twelve,
        "msci_ratio_6": six / _meant(volatility),
        "msci_ratio_12": twelve / _meant(volatility),
    }


def _week_ends(days: Days) -> NDArray[np.int64]:
    """The positions of the last session of each week, which ends on a Friday; the running week counts as one."""
    # Day 0 of the epoch was a Thursday: weeks from Saturday to Friday begin with days 2, 9, 16…
    weeks = (days.astype("int64") - 2) // 7
    return np.asarray(np.flatnonzero(np.append(weeks[1:] != weeks[:-1], True))[: len(days)], "int64")


def _residual_momentum(panel: Panel) -> Floats:
    unknown = np.full(len(panel.closes), np.nan)
    if panel.market is None:
        return unknown
    own, market = _month_ends(panel.days), _month_ends(panel.market.days)
    newest = _newest_complete_month(panel.days)
    wanted = range(newest - _MONTHS, newest + 1)
    if not all(month in own and month in market for month in wanted):
        return unknown
    returns = _daily(panel.closes[:, [own[month] for month in wanted]])
    index = _daily(panel.market.closes[None, [market[month] for month in wanted]])[0]
    index = index - index.mean()
    beta = dot(returns, index) / _meant(np.sqrt((index**2).sum())) ** 2
    residuals = returns - returns.mean(axis=1, keepdims=True) - beta[:, None] * index
    counted = residuals[:, -12:-1]
    return np.asarray(counted.sum(axis=1) / _meant(counted.std(axis=1, ddof=1)))


def _month_ends(days: Days) -> dict[int, int]:
    """The position of the last session of each month, by the month's number."""
    months = days.astype("datetime64[M]").astype("int64")
    return dict(zip(months.tolist(), range(len(months)), strict=True))


def _newest_complete_month(days: Days) -> int:
    """The number of the last month of which no weekday is to come: no calendar is needed, and no look ahead."""
    if not len(days):
        return 0
    month = days[-1].astype("datetime64[M]")
    last_weekday = np.busday_offset((month + 1).astype("datetime64[D]"), -1, roll="forward")
    return int(month.astype("int64")) - (0 if days[-1] >= last_weekday else 1)


def _clenow(closes: Floats) -> dict[str, Floats]:
    logs = np.log(closes[:, -_TREND_ROWS:])
    yearly = np.exp(_TREND_YEAR * _last(slope(logs, _TREND_ROWS))) - 1
    fit = _last(r_squared(logs, _TREND_ROWS))
    return {
        "clenow_slope": yearly,
        "clenow_r2": fit,
        "clenow": yearly * fit,
        "clenow_qualifies": _if_rows(closes, _TREND_AVERAGE, lambda: _qualifies(closes)),
    }


def _qualifies(closes: Floats) -> Floats:
    # A series that stands still is not below its mean, however that was rounded.
    above = closes[:, -1] >= closes[:, -_TREND_AVERAGE:].mean(axis=1) * (1 - _ROUNDING)
    calm = np.abs(_daily(closes[:, -_TREND_ROWS:])).max(axis=1) <= _LARGEST_MOVE
    return np.asarray((above & calm).astype("float64"))


def _discreteness(closes: Floats) -> Floats:
    def measured() -> Floats:
        returns = _daily(closes[:, -_YEAR - 1 : -_MONTH])
        surplus = (returns < 0).mean(axis=1) - (returns > 0).mean(axis=1)
        return np.asarray(np.sign(closes[:, -_MONTH - 1] / closes[:, -_YEAR - 1] - 1) * surplus)

    return _if_rows(closes, _YEAR + 1, measured)


def _against_mean(closes: Floats, rows: int) -> Floats:
    return _if_rows(closes, rows, lambda: closes[:, -1] / closes[:, -rows:].mean(axis=1) - 1)


def _volatility(closes: Floats) -> Floats:
    return np.asarray(_daily(closes).std(axis=1, ddof=1) * math.sqrt(_YEAR))


def _beta(panel: Panel) -> Floats:
    own, market = _common(panel, panel.market)
    if own.shape[1] <= _FEWEST_RETURNS:
        return np.full(len(panel.closes), np.nan)
    returns, index = _daily(own), _daily(market)[0]
    index = index - index.mean()
    return np.asarray(dot(returns, index) / _meant(np.sqrt((index**2).sum())) ** 2)


def _common(panel: Panel, market: Line | None) -> tuple[Floats, Floats]:
    """The closes of *panel* and of *market* on the sessions that both have."""
    if market is None:
        return panel.closes[:, :0], np.empty((1, 0))
    if np.array_equal(panel.days, market.days):
        return panel.closes, market.closes[None]
    _, own, theirs = np.intersect1d(panel.days, market.days, assume_unique=True, return_indices=True)
    return panel.closes[:, own], market.closes[None, theirs]


def _meant(deviation: Floats) -> Floats:
    """*deviation* where it is one; that of prices which stand still, or grow evenly, is the rounding of the sums."""
    return np.where(deviation > _ROUNDING, deviation, np.nan)


def _daily(closes: Floats) -> Floats:
    return np.asarray(closes[:, 1:] / closes[:, :-1] - 1)


def _last(values: Floats) -> Floats:
    return np.asarray(values[:, -1]) if values.shape[1] else np.full(len(values), np.nan)


def _if_rows(closes: Floats, rows: int, compute: Callable[[], Floats]) -> Floats:
    return np.asarray(compute()) if closes.shape[1] >= rows else np.full(len(closes), np.nan)
