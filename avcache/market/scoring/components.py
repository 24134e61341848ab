"""
The four parts of the momentum score, each 0 to 100, as AlphaVelocity's documented service computes them.

Each takes the adjusted closes (n, S) of many tickers; `P[-k]` is the k-th column from the end. What cannot be computed
is missing (NaN, with the reason); what a profile makes of that is the profile's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from avcache.market.provider import Figures
from avcache.market.scoring.indicators import simple_rsi
from avcache.market.scoring.measures import row_return
from avcache.market.scoring.panel import Floats, Line, Panel

__all__ = ["Parts", "fundamental", "fundamental_v1", "is_bond_fund", "price", "relative", "relative_v1", "technical"]

_PRICE_ROWS, _TECHNICAL_ROWS, _RELATIVE_ROWS = 249, 50, 21
_RSI_ROWS, _VOLUME_ROWS, _ROC_ROWS = 14, 30, 10
_RETURN_WEIGHTS = {21: 0.4, 63: 0.3, 126: 0.2, 249: 0.1}
_TREND_WEIGHTS = {20: 0.4, 50: 0.3, 200: 0.3}
_TECHNICAL_WEIGHTS = {"rsi": 0.4, "volume": 0.3, "roc": 0.3}
_CLEAR_LEAD = 0.05
_ROUNDING = 1e-12
_V1_LEAD_WEIGHTS = {63: 0.7, 126: 0.3}
_V1_PAIRS = (("revenueGrowth", "earningsGrowth"), ("returnOnEquity", "profitMargins"))
_LATE = np.timedelta64(7, "D")
"""Further behind than that, the last month of the benchmark is not that of the ticker."""

_FUNDS = frozenset({"ETF", "MUTUALFUND"})
_BOND_WORDS = ("bond", "treasury", "income", "muni")


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """
    One part of the score of n tickers: `values` (n) 0 to 100, NaN where it is missing, with the reason in `missing`.

    `inputs`: the figures it was made of, name -> (n).
    """

    values: Floats
    inputs: dict[str, Floats]
    missing: list[str | None]


def price(panel: Panel) -> Parts:
    """
    Returns over 20, 62, 125 and 248 sessions plus the trend: P above its averages of 20, 50 and 200 rows.

    100 * (.4 r1 + .3 r3 + .2 r6 + .1 r12) + 100 * (.4, .3, .3 of the averages), clipped. Needs 249 rows.
    """
    if panel.rows < _PRICE_ROWS:
        return _absent(panel, f"{panel.rows} sessions, {_PRICE_ROWS} needed")
    closes, last = panel.closes, panel.closes[:, -1]
    returns = {f"return_{rows}": row_return(closes, rows) for rows in _RETURN_WEIGHTS}
    averages = {f"sma_{rows}": closes[:, -rows:].mean(axis=1) for rows in _TREND_WEIGHTS}
    weighted = sum(w * r for w, r in zip(_RETURN_WEIGHTS.values(), returns.values(), strict=True))
    # A flat series is not above its mean, however the mean was rounded.
    above = [last > average * (1 + _ROUNDING) for average in averages.values()]
    trend = sum(w * is_above for w, is_above in zip(_TREND_WEIGHTS.values(), above, strict=True))
    inputs = {**returns, **averages, "weighted_return": np.asarray(weighted), "trend": np.asarray(trend)}
    return _parts(np.clip(100 * weighted + 100 * trend, 0, 100), inputs)


def technical(panel: Panel, *, flat_rsi: float | None = None) -> Parts:
    """
    .4 RSI + .3 volume + .3 rate of change, in points; a missing one leaves its weight to the others.

    RSI points: 100 from 50 to 70, 2.5 (RSI - 30) from 30, 100 - 2 (RSI - 70) up to 85, else 0. Volume points:
    min(100, 50 * V[-1] / mean of 30). Points of the rate of change: 50 + 1000 (P[-1]/P[-10] - 1), clipped.

    Volume is missing if any of the last 30 is or if they are all 0. Needs 50 rows.

    Args:
        flat_rsi: The points where nothing moved in 14 sessions, so that there is no RSI; None: then it is missing.
    """
    if panel.rows < _TECHNICAL_ROWS:
        return _absent(panel, f"{panel.rows} sessions, {_TECHNICAL_ROWS} needed")
    rsi = simple_rsi(panel.closes[:, -_RSI_ROWS - 1 :])[:, -1]
    ratio = _volume_ratio(panel.volumes[:, -_VOLUME_ROWS:])
    roc = 100 * row_return(panel.closes, _ROC_ROWS)
    rsi_points = _rsi_points(rsi)
    points = {
        "rsi": rsi_points if flat_rsi is None else np.where(np.isnan(rsi), flat_rsi, rsi_points),
        "volume": np.minimum(100.0, 50 * ratio),
        "roc": np.clip(50 + 10 * roc, 0, 100),
    }
    weight = sum(_TECHNICAL_WEIGHTS[name] * np.isfinite(found) for name, found in points.items())
    total = sum(_TECHNICAL_WEIGHTS[name] * np.nan_to_num(found) for name, found in points.items())
    inputs = {"rsi": rsi, "volume_ratio": ratio, "roc": roc, **{f"{name}_points": p for name, p in points.items()}}
    # Without a rate of change the prices themselves are no good.
    return _parts(np.where(np.isfinite(points["roc"]), total / weight, np.nan), inputs)


def fundamental(panel: Panel, *, trailing_peg: bool = True) -> Parts:
    """
    50; +20 for a forward PE in (0, 25), +10 in [25, 40); +20 for a PEG in (0, 1), +10 in [1, 2).

    With none of them the part is missing. A bond fund has neither: min(50, 833 * yield) + its 20-session return less
    the benchmark's, clip(25 + 1250 * difference, 0, 50).

    Args:
        trailing_peg: Let `trailingPegRatio` stand in for `pegRatio`, which Yahoo stopped to deliver in June 2025.
    """
    known = [subject.figures or {} for subject in panel.subjects]
    peg = _figure(known, "pegRatio")
    if trailing_peg:
        peg = np.where(np.isnan(peg), _figure(known, "trailingPegRatio"), peg)
    pe = _figure(known, "forwardPE")
    points = 50 + _band_points(pe, 25, 40) + _band_points(peg, 1, 2)
    parts = _parts(
        np.where(np.isnan(pe) & np.isnan(peg), np.nan, points),
        {"forward_pe": pe, "peg": peg},
        "no forward PE and no PEG",
    )
    bonds = np.array([is_bond_fund(figures) for figures in known])
    return _merged(parts, _bond_fund(panel, known), bonds) if bonds.any() else parts


def relative(panel: Panel) -> Parts:
    """
    d = return of the last 20 sessions less the benchmark's; above .05: 100, above 0: 50 + 1000 d, else 50 +
    500 d.

    Needs 21 rows of both.
    """
    market_line, missing = _benchmark(panel, _RELATIVE_ROWS)
    if market_line is None:
        return _absent(panel, missing)
    own, market = _leads(panel, market_line, _RELATIVE_ROWS)
    difference = own - market
    behind = np.maximum(0.0, 50 + 500 * difference)
    ahead = np.where(difference > _CLEAR_LEAD, 100.0, 50 + 1000 * difference)
    points = np.where(np.isnan(difference), np.nan, np.where(difference > 0, ahead, behind))
    return _parts(points, {"return_21": own, "benchmark_return_21": market})


def relative_v1(panel: Panel) -> Parts:
    """
    As the first version had it: clip(50 + 500 d), d = .7 * the lead over the benchmark in 62 sessions + .3 * in 125.

    Needs 126 rows of both.
    """
    market, missing = _benchmark(panel, max(_V1_LEAD_WEIGHTS))
    if market is None:
        return _absent(panel, missing)
    leads = {rows: np.subtract(*_leads(panel, market, rows)) for rows in _V1_LEAD_WEIGHTS}
    lead = sum(weight * leads[rows] for rows, weight in _V1_LEAD_WEIGHTS.items())
    return _parts(np.clip(50 + 500 * lead, 0, 100), {f"return_lead_{rows}": found for rows, found in leads.items()})


def fundamental_v1(panel: Panel) -> Parts:
    """
    As the first version had it: .4 growth + .4 profitability + .2 valuation, in points.

    Growth: min(50, 100 g) of revenue and of earnings, what is positive; profitability the same of return on equity and
    profit margin; valuation 100 - 50 PEG for a PEG in (0, 2). With none of them the part is missing.
    """
    known = [subject.figures or {} for subject in panel.subjects]
    figures = {name: _figure(known, name) for pair in _V1_PAIRS for name in pair}
    growth, profitability = (sum(_up_to_half(figures[name]) for name in pair) for pair in _V1_PAIRS)
    peg = _figure(known, "pegRatio")
    peg = np.where(np.isnan(peg), _figure(known, "trailingPegRatio"), peg)
    valuation = np.where((peg > 0) & (peg < 2), 100 - 50 * peg, 0.0)
    nothing = np.isnan(np.stack([peg, *figures.values()])).all(axis=0)
    points = np.where(nothing, np.nan, 0.4 * growth + 0.4 * profitability + 0.2 * valuation)
    return _parts(points, {**figures, "peg": peg}, "no growth, profitability or PEG")


def is_bond_fund(figures: Figures) -> bool:
    """Whether a fund's category or name says that it holds bonds."""
    named = f"{figures.get('category', '')} {figures.get('longName', '')}".lower()
    return figures.get("quoteType") in _FUNDS and any(word in named for word in _BOND_WORDS)


def _bond_fund(panel: Panel, known: Sequence[Figures]) -> Parts:
    paid = _figure(known, "yield")
    market_line, missing = _benchmark(panel, _RELATIVE_ROWS)
    if market_line is None:
        return _absent(panel, missing)
    own, market = _leads(panel, market_line, _RELATIVE_ROWS)
    lead = own - market
    points = np.clip(833 * paid, 0, 50) + np.clip(25 + 1250 * lead, 0, 50)
    return _parts(points, {"yield": paid, "return_lead_21": lead}, "a bond fund without a yield")


def _benchmark(panel: Panel, rows: int) -> tuple[Line | None, str]:
    """The benchmark of *panel* with *rows* sessions at least, which ends with those of the tickers; or why not."""
    market = panel.market
    if market is None or not len(market.days):
        return None, "no prices of the benchmark"
    if panel.days[-1] - market.days[-1] > _LATE:
        return None, f"the prices of the benchmark end on {market.days[-1]}"
    fewest = min(panel.rows, len(market.days))
    return (None, f"{fewest} sessions, {rows} needed") if fewest < rows else (market, "")


def _leads(panel: Panel, market: Line, rows: int) -> tuple[Floats, Floats]:
    """The return of each ticker over the last *rows* - 1 sessions, and that of its benchmark."""
    index = row_return(market.closes[None], rows)
    return row_return(panel.closes, rows), np.repeat(index, len(panel.closes))


def _rsi_points(rsi: Floats) -> Floats:
    rising = np.where((rsi >= 30) & (rsi < 50), 2.5 * (rsi - 30), 0.0)
    strong = np.where((rsi >= 50) & (rsi <= 70), 100.0, rising)
    hot = np.where((rsi > 70) & (rsi <= 85), 100 - 2 * (rsi - 70), strong)
    return np.where(np.isnan(rsi), np.nan, hot)


def _volume_ratio(volumes: Floats) -> Floats:
    mean, are_volumes = volumes.mean(axis=1), (volumes >= 0).all(axis=1)
    return np.where(are_volumes & (mean > 0), volumes[:, -1] / mean, np.nan)


def _band_points(values: Floats, good: float, fair: float) -> Floats:
    return np.where((values > 0) & (values < good), 20.0, np.where((values >= good) & (values < fair), 10.0, 0.0))


def _up_to_half(share: Floats) -> Floats:
    """100 times a share, 50 at most; 0 where it is negative or unknown."""
    return np.where(share > 0, np.minimum(50.0, 100 * share), 0.0)


def _figure(known: Sequence[Figures], name: str) -> Floats:
    found = [figures.get(name) for figures in known]
    numbers = [value if isinstance(value, int | float) and not isinstance(value, bool) else np.nan for value in found]
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _parts(values: Floats, inputs: dict[str, Floats], missing: str = "prices of 0 or less") -> Parts:
    return Parts(values, inputs, [None if is_there else missing for is_there in np.isfinite(values)])


def _absent(panel: Panel, reason: str) -> Parts:
    return Parts(np.full(len(panel.closes), np.nan), {}, [reason] * len(panel.closes))


def _merged(parts: Parts, others: Parts, is_other: Floats) -> Parts:
    """*parts*, and *others* where *is_other*."""
    names = [*parts.inputs, *others.inputs]
    nothing = np.full(len(is_other), np.nan)
    return Parts(
        np.where(is_other, others.values, parts.values),
        {name: np.where(is_other, others.inputs.get(name, nothing), parts.inputs.get(name, nothing)) for name in names},
        [theirs if other else own for own, theirs, other in zip(parts.missing, others.missing, is_other, strict=True)],
    )
