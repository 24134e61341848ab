"""Portfolio: what do I hold, how strong is it, what drives it? Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pandas as pd

from avcache.core.peek import Peek
from avcache.formats import add_up, format_clock, format_days, format_money, money_affixes
from avcache.market.portfolio import PortfolioAnalysis
from avcache.ui.numbers import RETURNS, Number
from avcache.ui.states import describe_age

__all__ = ["EXAMPLE", "PortfolioView", "exported", "freshness", "portfolio_view"]

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
        average_score=_of_ten(analysis.average_score),
        weighted_score=_of_ten(analysis.weighted_score),
        positions=f"{priced} of {held}",
        freshness=freshness(analysis, entry, source_label, now),
        missing=tuple(f"{ticker} ({reason})" for ticker, reason in analysis.missing.items()),
        table=_table(analysis),
        numbers=_numbers(analysis),
    )


def exported(analysis: PortfolioAnalysis, holdings: Mapping[str, float]) -> pd.DataFrame:
    """The analysis as it goes into a file: unrounded, with the missing positions and why they are missing."""
    priced = analysis.table.assign(currency=analysis.currency, missing="")
    rows = [
        {"ticker": ticker, "shares": holdings.get(ticker), "missing": why} for ticker, why in analysis.missing.items()
    ]
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
    days = [f"Prices as of {format_days(oldest, newest)}"] if oldest and newest else []
    return " · ".join([*days, computed, source_label])


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
            **{name: 100 * table[name.removesuffix("_percent")] for name in _PERCENTS},
            "as_of": [dt.date.fromisoformat(day) for day in table["as_of"]],
        }
    )


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
        **_PERCENTS,
    }
