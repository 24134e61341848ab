"""
A ticker among others: measures that only mean something within a universe, and the profile `factor`, made of them.

Tables have one row per ticker and `MEASURES` as columns. Figures of tickers outside of the universe are held against
it; they do not change it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

__all__ = ["FACTORS", "FEWEST_TICKERS", "Standing", "by_ticker", "normal", "percentiles", "risk_adjusted", "standings"]

FACTORS: Final = ("momentum_12_1", "risk_adjusted", "residual_momentum", "of_high_52w", "clenow")
"""Of which the profile `factor` takes the mean."""

FEWEST_TICKERS: Final = 10
_FEWEST_FACTORS = 3
_LIMIT = 3.0
_TINY = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """
    Where tickers stand in a universe.

    By ticker: `z`, the clipped z-scores of `FACTORS`; `composite`, 0 to 100; `contributions` of the factors, which add
    up to it. NaN where too little is known, or of too few. `members` is how many tickers of the universe it was held
    against.
    """

    z: dict[str, dict[str, float]]
    composite: dict[str, float]
    contributions: dict[str, dict[str, float]]
    members: int

    def composite_of(self, ticker: str) -> float | None:
        """The composite of one ticker, if it can be placed."""
        found = self.composite[ticker]
        return found if math.isfinite(found) else None

    def known(self, ticker: str) -> frozenset[str]:
        """The factors that *ticker* has."""
        return frozenset(name for name, z in self.z[ticker].items() if math.isfinite(z))


def risk_adjusted(universe: pd.DataFrame, table: pd.DataFrame | None = None) -> pd.DataFrame:
    """
    Return MSCI's risk-adjusted momentum of *table* (the universe itself, if None) within *universe*.

    Columns `risk_adjusted` (Z: the mean of the z-scores of both ratios, standardised again, within 3 of 0) and
    `risk_adjusted_score` (1 + Z, or 1 / (1 - Z) below 0).
    """
    rows = universe if table is None else table
    names = ("msci_ratio_6", "msci_ratio_12")
    blend = _blend(universe, universe, names)
    z = _z(blend, _blend(universe, rows, names)).clip(-_LIMIT, _LIMIT)
    with np.errstate(divide="ignore"):
        return pd.DataFrame({"risk_adjusted": z, "risk_adjusted_score": (1 + z).where(z > 0, 1 / (1 - z))})


def standings(universe: pd.DataFrame, table: pd.DataFrame) -> Standing:
    """
    Return where the tickers of *table* stand in *universe*.

    Z is the mean of the z-scores that there are (three at least), standardised over the universe; the composite is 100
    times the normal distribution of Z. A contribution is the part of the way from the composite of a ticker whose
    z-scores are all 0 that its z-score goes, and an equal share of where that way begins.
    """
    theirs, own = _factor_z(universe, universe), _factor_z(universe, table)
    means, mean = _enough(theirs), _enough(own)
    centre, spread = float(means.mean()), float(means.std(ddof=0))
    if not spread > _TINY:
        centre, spread = 0.0, math.nan
    standard = (mean - centre) / spread
    composite = 100 * standard.map(normal)
    base = 100 * normal(-centre / spread)
    members = int(means.notna().sum())
    if members < FEWEST_TICKERS:
        composite = composite * math.nan
    counts = own.notna().sum(axis=1)
    steepness = (composite - base) / mean.where(mean.abs() > _TINY)
    contributions = own.mul(steepness.fillna(0.0), axis=0).add(base).div(counts, axis=0).where(own.notna())
    return Standing(by_ticker(own), _plain(composite), by_ticker(contributions), members=members)


def percentiles(universe: pd.DataFrame, ticker: str) -> dict[str, float]:
    """Return the share of *universe* that is at most as high as *ticker*, a member, in each measure it has."""
    own = universe.loc[ticker].dropna()
    others = universe[own.index]
    return {str(name): float(share) for name, share in ((others <= own).sum() / others.notna().sum()).items()}


def _blend(universe: pd.DataFrame, table: pd.DataFrame, names: Sequence[str]) -> pd.Series[float]:
    """The mean of the z-scores, where all are known."""
    return pd.DataFrame({name: _z(universe[name], table[name]) for name in names}).mean(axis=1, skipna=False)


def _factor_z(universe: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    theirs = universe.assign(risk_adjusted=risk_adjusted(universe)["risk_adjusted"])
    own = table.assign(risk_adjusted=risk_adjusted(universe, table)["risk_adjusted"])
    return pd.DataFrame({name: _z(theirs[name], own[name]).clip(-_LIMIT, _LIMIT) for name in FACTORS})


def _enough(z: pd.DataFrame) -> pd.Series[float]:
    """The mean of each row, where there are three at least."""
    return z.mean(axis=1).where(z.notna().sum(axis=1) >= _FEWEST_FACTORS)


def _z(universe: pd.Series[float], values: pd.Series[float]) -> pd.Series[float]:
    """How many standard deviations of *universe* each is above its mean; NaN where all are the same."""
    known = universe.dropna().to_numpy()
    spread = float(known.std()) if len(known) else 0.0
    return (values - known.mean()) / spread if spread > _TINY else values * math.nan


def by_ticker(table: pd.DataFrame) -> dict[str, dict[str, float]]:
    """The rows of *table* as plain dicts."""
    return {str(row[0]): dict(zip(table.columns, row[1:], strict=True)) for row in table.itertuples()}


def _plain(values: pd.Series[float]) -> dict[str, float]:
    return {str(ticker): float(value) for ticker, value in values.items()}


def normal(z: float) -> float:
    """The share of a normal distribution that is below *z*."""
    return 0.5 * (1 + math.erf(z / math.sqrt(2)))
