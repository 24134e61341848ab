"""Portfolio: what do I hold, how strong is it, what drives it? Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import pandas as pd

from avcache.core.peek import Peek
from avcache.formats import add_up, format_clock, format_days, format_money, money_affixes, price_digits
from avcache.market.freshness import Freshness, Session
from avcache.market.holdings import Holding
from avcache.market.portfolio import PortfolioAnalysis
from avcache.ui.export import stamp
from avcache.ui.numbers import RETURNS, Number
from avcache.ui.states import describe_age, state_of_price

__all__ = ["PortfolioView", "exported", "freshness", "portfolio_view", "signed", "tiles", "unit", "weights"]

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
    added (what the position adds to the weighted score), rating, coverage_percent, change_1w, shares, price, profit
    where a cost basis is known, the returns in percent, what the position adds to two of them in points, state (a list
    of one word, as on the page Momentum), as_of. *numbers* says how its columns of numbers look; *missing* has a line
    for each position that counts in nothing; *mixed* says of what age the prices are if that is not the same,
    *elsewhere* what is held in other currencies.
    """

    total_value: str
    profit: tuple[str, str] | None
    average_score: str
    weighted_score: str
    positions: str
    freshness: str
    missing: tuple[str, ...]
    mixed: str | None
    elsewhere: str | None
    table: pd.DataFrame
    numbers: Mapping[str, Number]


def portfolio_view(
    analysis: PortfolioAnalysis,
    entry: Peek | None,
    source_label: str,
    now: float,
    hours: Freshness | None = None,
) -> PortfolioView:
    """
    *entry* is the cached analysis (None: it was not kept), *now* a wall-clock reading.

    Args:
        hours: Says what a price is by the hours of its exchange.
    """
    priced, held = len(analysis.table), len(analysis.table) + len(analysis.missing)
    return PortfolioView(
        total_value=format_money(analysis.total_value, analysis.currency) if priced else _DASH,
        profit=_profit(analysis),
        average_score=_of_ten(analysis.average_score),
        weighted_score=_of_ten(analysis.weighted_score),
        positions=f"{priced} of {held}",
        freshness=freshness(analysis, entry, source_label, now),
        missing=tuple(f"{ticker} ({reason})" for ticker, reason in analysis.missing.items()),
        mixed=_mixed(analysis, now),
        elsewhere=_elsewhere(analysis),
        table=_table(analysis, _states(analysis, entry, hours)),
        numbers=_numbers(analysis),
    )


def exported(analysis: PortfolioAnalysis, holdings: Mapping[str, Holding]) -> pd.DataFrame:
    """
    The analysis as it goes into a file: unrounded, with the missing positions and why they are missing.

    As CSV it is holdings again: `parse_holdings` reads what is held from it, costs included.
    """
    priced = analysis.table.assign(currency=analysis.currency, missing="")
    rows = [
        {"ticker": name, "shares": holdings[name].shares, "cost": holdings[name].cost, "missing": why}
        for name, why in analysis.missing.items()
    ]
    missing = pd.DataFrame(rows, columns=["ticker", "shares", "cost", "missing"]).astype({"cost": "float64"})
    both = pd.concat([priced, missing], ignore_index=True) if rows else priced
    return both.assign(computed_at=stamp(analysis.computed_at), source=analysis.source)


def weights(analysis: PortfolioAnalysis) -> list[float]:
    """The share of each position in percent, in the order of its table, with one decimal: they add up to 100."""
    return add_up((100 * analysis.table["weight"]).tolist(), 100.0, 1) if len(analysis.table) else []


def tiles(analysis: PortfolioAnalysis, category_of: Callable[[str], str]) -> pd.DataFrame:
    """Positions as areas: columns ticker, category, value, composite_score, told (weight and score in words)."""
    table = analysis.table
    told = [
        f"{weight:.1f} % · {'no score' if pd.isna(score) else f'score {score:.1f}'}"
        for weight, score in zip(weights(analysis), table["score"], strict=True)
    ]
    shown = table[["ticker", "value", "composite_score"]]
    return shown.assign(category=[category_of(ticker) for ticker in table["ticker"]], told=told)


def freshness(analysis: PortfolioAnalysis, entry: Peek | None, source_label: str, now: float) -> str:
    """Of which days, how old, from where; *entry* and *now* as in `portfolio_view`."""
    computed = f"computed {format_clock(analysis.computed_at, now)}"
    if entry is None:
        computed += ", not kept: what is missing may be there in a minute"
    else:
        computed += f", {describe_age(entry, if_stale='stale, computed again when read')}"
    oldest, newest = analysis.as_of_oldest, analysis.as_of_newest
    days = [f"Prices as of {format_days(oldest, newest)}{_fetched(analysis, now)}"] if oldest and newest else []
    return " · ".join([*days, computed, source_label])


def _fetched(analysis: PortfolioAnalysis, now: float) -> str:
    """When the prices were fetched: a moment, or from when to when if they are of mixed age."""
    oldest, newest = analysis.inputs_oldest, analysis.inputs_newest
    if oldest is None or newest is None:
        return ""
    mixed = " of mixed age:" if analysis.is_mixed else ""
    return f",{mixed} fetched {_clocks(oldest, newest if analysis.is_mixed else oldest, now)}"


def _mixed(analysis: PortfolioAnalysis, now: float) -> str | None:
    """From when to when the prices are, if that is not the same for all."""
    if not analysis.is_mixed:
        return None
    oldest, newest = analysis.as_of_oldest, analysis.as_of_newest
    days = f"of {format_days(oldest, newest)}" if oldest and newest and oldest != newest else ""
    first, last = analysis.inputs_oldest, analysis.inputs_newest
    fetched = f"fetched {_clocks(first, last, now)}" if first and last else ""
    return f"Prices {', '.join(part for part in (days, fetched) if part)}: totals add up what was not true at one time."


def _clocks(first: float, last: float, now: float) -> str:
    """`13:29:02 to 14:01:40`; one moment, if a clock tells no two."""
    one, other = format_clock(first, now), format_clock(last, now)
    return one if one == other else f"{one} to {other}"


def _elsewhere(analysis: PortfolioAnalysis) -> str | None:
    if not analysis.other_currencies:
        return None
    amounts = (format_money(amount, currency) for currency, amount in analysis.other_currencies.items())
    return f"All is counted in {analysis.currency or 'an unknown currency'}. Not in the total: {', '.join(amounts)}."


def _profit(analysis: PortfolioAnalysis) -> tuple[str, str] | None:
    """What the positions with a cost basis have gained, in money and of their cost; None if there are none."""
    if analysis.profit is None or not analysis.cost:
        return None
    sign = "+" if analysis.profit >= 0 else "-"
    money = f"{sign}{format_money(abs(analysis.profit), analysis.currency)}"
    return money, f"{signed(analysis.profit / analysis.cost)} of cost"


def unit(currency: str | None) -> str:
    """Behind a heading; a sign before the amount would stand before the minus."""
    return f", {currency}" if currency else ""


def signed(share: float | None) -> str:
    """A change as people read it: `+1.2 %`; a dash if it is unknown."""
    return _DASH if share is None else f"{100 * share:+z.1f} %"


def _of_ten(score: float | None) -> str:
    return _DASH if score is None else f"{score:.2f} of 10"


def _table(analysis: PortfolioAnalysis, states: list[str]) -> pd.DataFrame:
    table = analysis.table
    return pd.DataFrame(
        {
            "ticker": table["ticker"],
            "weight_percent": weights(analysis),
            "value": table["value"],
            "score": table["score"],
            "added": _added(analysis),
            "rating": table["rating"],
            "state": [[state] for state in states],
            "coverage_percent": 100 * table["coverage"],
            "change_1w": table["score_change_1w"],
            "shares": table["shares"],
            "price": table["price"],
            **_costs(table),
            **{name: 100 * table[name.removesuffix("_percent")] for name in _PERCENTS},
            "adds_1m": 100 * table["return_contribution_1m"],
            "adds_3m": 100 * table["return_contribution_3m"],
            "as_of": [dt.date.fromisoformat(day) for day in table["as_of"]],
        }
    )


def _states(analysis: PortfolioAnalysis, entry: Peek | None, hours: Freshness | None) -> list[str]:
    """One word for the price of each position: none is fresher than the analysis."""
    is_stale = entry is not None and entry.is_stale

    def session(as_of: str, is_complete: object, zone: object) -> Session | None:
        known_zone = zone if isinstance(zone, str) else None  # an analysis of an older version does not say
        return None if hours is None else hours.session(as_of, is_complete=bool(is_complete), zone=known_zone)

    rows = analysis.table[["state", "as_of", "is_complete", "zone"]].itertuples(index=False)
    return [state_of_price(session(*row), is_stale=is_stale or state == "stale") for state, *row in rows]


def _costs(table: pd.DataFrame) -> dict[str, pd.Series[float]]:
    """Columns of profit, where any position has a cost basis."""
    if not table["cost"].notna().any():
        return {}
    return {"profit": table["profit"], "profit_percent": 100 * table["profit_share"]}


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
    least = float(analysis.table["price"].min()) if len(analysis.table) else 1.0
    before, after = money_affixes(analysis.currency)
    return {
        "weight_percent": Number("Weight", "%.1f %%", "Share of the total value"),
        "value": Number("Value", f"{before}%,.{digits}f{after}", "Shares times price"),
        "added": Number("Adds", "%.2f", "What the position adds to the weighted score"),
        "coverage_percent": Number("Coverage", "%.0f %%", "Weight of the parts of the score that could be computed"),
        "change_1w": Number("1 w ±", "%+.1f", "Points of 100 since a week ago"),
        "shares": Number("Shares", "%,.6g", ""),
        "price": Number("Price", f"{before}%,.{price_digits(least)}f{after}", "Last close, not adjusted"),
        "profit": Number(f"Profit{unit(analysis.currency)}", f"%+,.{digits}f", "Value above the cost basis"),
        "profit_percent": Number("of cost", "%+.1f %%", "Profit as a share of the cost basis"),
        **_PERCENTS,
        "adds_1m": Number("Adds, 1 m", "%+.2f", "Points that it adds to the return of 1 month"),
        "adds_3m": Number("Adds, 3 m", "%+.2f", "Points that it adds to the return of 3 months"),
    }
