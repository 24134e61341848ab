"""How much a portfolio and its positions move, and which of these move together. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd

from avcache.formats import format_percent
from avcache.market.portfolio import PortfolioAnalysis
from avcache.ui.numbers import Number
from avcache.ui.portfolio.analysis import signed, weights

__all__ = ["RISK_NUMBERS", "alike_together", "risk_metrics", "risk_table"]

RISK_NUMBERS: Final[Mapping[str, Number]] = {
    "weight_percent": Number("Weight", "%.1f %%", "Share of the total value"),
    "volatility_percent": Number("Volatility, 1 y", "%.1f %%", "Standard deviation of daily returns, annualised"),
    "beta": Number("Beta", "%.2f", "Daily moves against those of the benchmark"),
    "max_drawdown_percent": Number("Deepest fall", "%+.1f %%", "Below an earlier high, over all prices there are"),
}
"""The numbers of `risk_table`."""

_DASH = "–"


def risk_metrics(analysis: PortfolioAnalysis) -> dict[str, str]:
    """The portfolio as a whole, by label; a dash where there are too few sessions."""
    risk, returns = analysis.risk, analysis.returns
    beta, effective = risk["beta"], risk["effective_positions"]
    return {
        "Last session": signed(returns["1d"]),
        "Return, 1 month": signed(returns["1m"]),
        "Return, 3 months": signed(returns["3m"]),
        "Return, 1 year": signed(risk["return_1y"]),
        "Volatility, 1 year": format_percent(risk["volatility_1y"]),
        "Deepest fall": signed(risk["max_drawdown"]),
        "Beta": _DASH if beta is None else f"{beta:.2f}",
        "Effective positions": _DASH if effective is None else f"{effective:.1f}",
    }


def risk_table(analysis: PortfolioAnalysis) -> pd.DataFrame:
    """The portfolio and below it its positions, the heaviest first: column name, and `RISK_NUMBERS`."""
    shown = analysis.table.assign(weight_percent=weights(analysis))
    table, risk = shown.sort_values("weight", ascending=False), analysis.risk
    whole = pd.DataFrame(
        {
            "name": ["Portfolio"],
            "weight_percent": [100.0],
            "volatility_percent": [_percent(risk["volatility_1y"])],
            "beta": [_number(risk["beta"])],
            "max_drawdown_percent": [_percent(risk["max_drawdown"])],
        }
    )
    positions = pd.DataFrame(
        {
            "name": table["ticker"],
            "weight_percent": table["weight_percent"],
            "volatility_percent": 100 * table["volatility_1y"],
            "beta": table["beta"],
            "max_drawdown_percent": 100 * table["max_drawdown"],
        }
    )
    return pd.concat([whole, positions], ignore_index=True)


def alike_together(correlation: pd.DataFrame) -> pd.DataFrame:
    """
    The same correlations with what moves alike side by side: ordered by the angle of the first two eigenvectors
    (Friendly 2002, "Corrgrams").
    """
    if len(correlation) < 3:  # noqa: PLR2004 - two have no order
        return correlation
    _, vectors = np.linalg.eigh(correlation.fillna(0.0).to_numpy())
    first, second = vectors[:, -1], vectors[:, -2]
    angles = np.arctan2(second, first)
    order = np.argsort(angles, kind="stable")
    # A circle is cut where its gap is widest.
    gaps = np.diff(np.append(angles[order], angles[order][0] + 2 * np.pi))
    order = np.roll(order, -int(gaps.argmax()) - 1)
    names = correlation.index[order]
    return correlation.loc[names, names]


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _percent(value: float | None) -> float:
    return 100 * _number(value)
