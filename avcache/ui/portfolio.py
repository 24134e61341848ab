"""Portfolio: what do I hold, how strong is it, what drives it? Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pandas as pd

from avcache.core.peek import Peek
from avcache.formats import add_up, format_clock, format_days, format_money, format_percent, money_affixes
from avcache.market.holdings import Holding
from avcache.market.portfolio import PortfolioAnalysis
from avcache.ui.numbers import RETURNS, Number
from avcache.ui.states import describe_age

__all__ = [
    "EXAMPLE",
    "PortfolioView",
    "category_numbers",
    "category_view",
    "exported",
    "freshness",
    "portfolio_view",
    "risk_metrics",
]

EXAMPLE: Final = "AAPL 100\nNVDA 50"
_DASH = "–"
_WHOLE_MONEY_FROM = 10_000
_PERCENTS: Final[Mapping[str, Number]] = {
    "return_1d_percent": Number("1 d", "%+.1f %%", "Return over the last session"),
    **RETURNS,
}


@dataclass(frozen=True, slots=True, eq=False)
class PortfolioView:
    """
    An analysis as the page shows it.

    *table*: one row per priced position, highest score first; columns ticker, weight_percent, value, score,
    added (what the position adds to the weighted score), rating, coverage_percent, shares, price, the returns
    in percent, as_of. *numbers* says how its columns of numbers look; *missing* has a line for each position
    that counts in nothing.
    """

    total_value: str
    profit: tuple[str, str] | None
    average_score: str
    weighted_score: str
    positions: str
    freshness: str
    missing: tuple[str, ...]
    table: pd.DataFrame
    numbers: Mapping[str, Number]


def portfolio_view(analysis: PortfolioAnalysis, entry: Peek | None, source_label: str, now: float) -> PortfolioView:
    """*entry* is the cached analysis (None: it was not kept), *now* a wall-clock reading."""
    priced, held = len(analysis.table), len(analysis.table) + len(analysis.missing)
    return PortfolioView(
        total_value=format_money(analysis.total_value, analysis.currency) if priced else _DASH,
        profit=_profit(analysis),
        average_score=_of_ten(analysis.average_score),
        weighted_score=_of_ten(analysis.weighted_score),
        positions=f"{priced} of {held}",
        freshness=freshness(analysis, entry, source_label, now),
        missing=_missing(analysis),
        table=_table(analysis),
        numbers=_numbers(analysis),
    )


def exported(analysis: PortfolioAnalysis, holdings: Mapping[str, Holding]) -> pd.DataFrame:
    """The analysis as it goes into a file: unrounded, with the missing positions and why they are missing."""
    priced = analysis.table.assign(currency=analysis.currency, missing="")
    rows = [{"ticker": name, "shares": holdings[name].shares, "missing": why} for name, why in analysis.missing.items()]
    missing = pd.DataFrame(rows, columns=["ticker", "shares", "missing"])
    both = pd.concat([priced, missing], ignore_index=True) if rows else priced
    computed = dt.datetime.fromtimestamp(analysis.computed_at, dt.UTC).isoformat(timespec="seconds")
    return both.assign(computed_at=computed, source=analysis.source)


def freshness(analysis: PortfolioAnalysis, entry: Peek | None, source_label: str, now: float) -> str:
    """Of which days, how old, from where; *entry* and *now* as in `portfolio_view`."""
    computed = f"computed {format_clock(analysis.computed_at, now)}"
    if entry is None:
        computed += ", not kept: what is missing may be there in a minute"
    else:
        computed += f", {describe_age(entry, if_stale='stale, computing again')}"
    oldest, newest = analysis.as_of_oldest, analysis.as_of_newest
    days = [f"Prices as of {format_days(oldest, newest)}{_fetched(analysis, now)}"] if oldest and newest else []
    return " · ".join([*days, computed, source_label])


def _fetched(analysis: PortfolioAnalysis, now: float) -> str:
    """When the prices were fetched: a moment, or from when to when if they are of mixed age."""
    oldest, newest = analysis.inputs_oldest, analysis.inputs_newest
    if oldest is None or newest is None:
        return ""
    if not analysis.is_mixed:
        return f", fetched {format_clock(oldest, now)}"
    return f", of mixed age: fetched {format_clock(oldest, now)} to {format_clock(newest, now)}"


def _missing(analysis: PortfolioAnalysis) -> tuple[str, ...]:
    left_out = [f"{ticker} ({reason})" for ticker, reason in analysis.missing.items()]
    others = (format_money(amount, currency) for currency, amount in analysis.other_currencies.items())
    worth = ", ".join(others)
    return (*left_out, *([f"Not in the total, being in another currency: {worth}"] if worth else []))


def _profit(analysis: PortfolioAnalysis) -> tuple[str, str] | None:
    """What the positions with a cost basis have gained, in money and of their cost; None if there are none."""
    if analysis.profit is None or not analysis.cost:
        return None
    sign = "+" if analysis.profit >= 0 else "-"
    money = f"{sign}{format_money(abs(analysis.profit), analysis.currency)}"
    return money, f"{_signed(analysis.profit / analysis.cost)} of cost"


def risk_metrics(analysis: PortfolioAnalysis) -> dict[str, str]:
    """The portfolio as a whole, by label; a dash where there are too few sessions."""
    risk, returns = analysis.risk, analysis.returns
    beta, effective = risk["beta"], risk["effective_positions"]
    return {
        "Last session": _signed(returns["1d"]),
        "Return, 1 year": _signed(risk["return_1y"]),
        "Volatility, 1 year": format_percent(risk["volatility_1y"]),
        "Deepest fall": _signed(risk["max_drawdown"]),
        "Beta": _DASH if beta is None else f"{beta:.2f}",
        "Effective positions": _DASH if effective is None else f"{effective:.1f}",
    }


def _unit(currency: str | None) -> str:
    """Behind a heading; a sign before the amount would stand before the minus."""
    return f", {currency}" if currency else ""


def _signed(share: float | None) -> str:
    return _DASH if share is None else f"{100 * share:+.1f} %"


def _of_ten(score: float | None) -> str:
    return _DASH if score is None else f"{score:.2f} of 10"


def _table(analysis: PortfolioAnalysis) -> pd.DataFrame:
    table = analysis.table
    return pd.DataFrame(
        {
            "ticker": table["ticker"],
            "weight_percent": add_up((100 * table["weight"]).tolist(), 100.0, 1),
            "value": table["value"],
            "score": table["score"],
            "added": _added(analysis),
            "rating": table["rating"],
            "coverage_percent": 100 * table["coverage"],
            "shares": table["shares"],
            "price": table["price"],
            **_costs(table),
            **{name: 100 * table[name.removesuffix("_percent")] for name in _PERCENTS},
            "as_of": [dt.date.fromisoformat(day) for day in table["as_of"]],
        }
    )


def _costs(table: pd.DataFrame) -> dict[str, pd.Series[float]]:
    """Columns of profit, where any position has a cost basis."""
    if not table["cost"].notna().any():
        return {}
    return {"profit": table["profit"], "profit_percent": 100 * table["profit_share"]}


def category_view(table: pd.DataFrame) -> pd.DataFrame:
    """
    Categories as the page shows them, those last that have neither a target nor a position.

    Columns: category, target_percent, actual_percent, gap_percent (points), gap_value, priority, positions, score.
    """
    shown = pd.DataFrame(
        {
            "category": table["category"],
            "target_percent": 100 * table["target"],
            "actual_percent": 100 * table["actual"],
            "gap_percent": 100 * table["gap"],
            "gap_value": table["gap_value"],
            "priority": table["priority"],
            "positions": table["positions"],
            "score": table["score"],
        }
    )
    return shown[(table["target"] > 0) | (table["positions"] > 0)].reset_index(drop=True)


def category_numbers(currency: str | None) -> dict[str, Number]:
    """How the numbers of `category_view` look."""
    return {
        "target_percent": Number("Target", "%.0f %%", "Share of the value it is meant to have"),
        "actual_percent": Number("Actual", "%.1f %%", "Share of the value it has"),
        "gap_percent": Number("Gap, points", "%+.1f", "Target less actual"),
        "gap_value": Number(f"Gap{_unit(currency)}", "%+,.0f", "What would have to be bought, or sold if negative"),
        "positions": Number("Positions", "%d", ""),
        "score": Number("Mean score", "%.2f", "Plain mean of its scored positions, 0 to 10"),
    }


def _added(analysis: PortfolioAnalysis) -> list[float | None]:
    """What each position adds to the weighted score; one without a score adds and weighs nothing."""
    table = analysis.table
    scored = table["composite_score"].notna()
    share = table["score_contribution"][scored] / table["weight"][scored].sum() / 10
    rounded = add_up(share.tolist(), round(analysis.weighted_score or 0.0, 2), 2)
    known = iter(rounded)
    return [next(known) if has_score else None for has_score in scored]


def _numbers(analysis: PortfolioAnalysis) -> dict[str, Number]:
    digits = 0 if analysis.total_value >= _WHOLE_MONEY_FROM else 2
    before, after = money_affixes(analysis.currency)
    return {
        "weight_percent": Number("Weight", "%.1f %%", "Share of the total value"),
        "value": Number("Value", f"{before}%,.{digits}f{after}", "Shares times price"),
        "added": Number("Adds", "%.2f", "What the position adds to the weighted score"),
        "coverage_percent": Number("Coverage", "%.0f %%", "Weight of the parts of the score that could be computed"),
        "shares": Number("Shares", "%,.6g", ""),
        "price": Number("Price", f"{before}%,.2f{after}", "Last close, not adjusted"),
        "profit": Number(f"Profit{_unit(analysis.currency)}", f"%+,.{digits}f", "Value above the cost basis"),
        "profit_percent": Number("of cost", "%+.1f %%", "Profit as a share of the cost basis"),
        **_PERCENTS,
    }
