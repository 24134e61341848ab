"""All there is to say about a portfolio."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import pandas as pd

from avcache.errors import ProviderError
from avcache.market.freshness import span
from avcache.market.portfolio.history import correlation, growth, risk
from avcache.market.portfolio.positions import COLUMNS, Position, position_table, total_returns
from avcache.market.provider import PriceHistory

__all__ = ["PortfolioAnalysis", "analyze", "from_record", "to_record"]

_FRAMES: Final = ("table", "over_time", "correlation")
_MIXED: Final = 300.0
_SMALLEST, _LARGEST = 1e-9, 1e18
"""Amounts of money that can be added to others without either being lost in the rounding, or beyond all numbers."""


@dataclass(frozen=True, slots=True, eq=False)
class PortfolioAnalysis:
    """
    The priced positions of a portfolio, and what is `missing`.

    `table`: one row per position, highest composite first, positions without a score last. Columns: ticker;
    shares; price (raw close), value and total in `currency`; weight (fraction of `total_value`); cost, profit and
    profit_share (of the cost; NaN without a cost basis); score (0 to 10); composite_score (0 to 100); rating; coverage;
    score_contribution (weight * composite); score_change_1w (points of 100); return_1d, return_1m, return_3m,
    momentum_12_1 (fractions, from adjusted closes); return_contribution_1d, _1m, _3m (weight at the start * return);
    volatility_1y, beta, max_drawdown; as_of (ISO date) and is_complete, whether that session had ended; zone (of the
    exchange, such as America/New_York); source (the provider); state ("fresh", or "stale": its prices
    were past their time). Unknown figures are NaN.

    `average_score` is the plain mean of composite / 10 over the scored positions, `weighted_score` the mean
    weighted by value; None without a scored position. `missing` is {ticker: reason}: such a position counts
    in no total and no mean.

    Attributes:
        other_currencies: What the positions are worth that are missing because they are priced in another currency:
            currency -> amount. Amounts of different currencies are never summed.
        cost: The cost basis of the positions that have one; `profit` is what they are worth above it. None without any.
        returns: Of the shares held today, by "1d", "1m", "3m"; None if unknown.
        risk: `return_1y`, `volatility_1y`, `max_drawdown`, `beta`, `effective_positions` of the portfolio as a whole.
        over_time: Value, growth, drawdown by session, see `history.growth`; empty without positions.
        correlation: Of daily returns over a year, tickers x tickers.
        as_of_oldest, as_of_newest: The days of the oldest and newest price; None for an empty table.
        inputs_oldest, inputs_newest: When the oldest and newest input was fetched, epoch seconds; None if it does not
            matter.
        computed_at: Epoch seconds.
    """

    table: pd.DataFrame
    total_value: float
    currency: str | None
    average_score: float | None
    weighted_score: float | None
    missing: dict[str, str]
    other_currencies: dict[str, float]
    cost: float | None
    profit: float | None
    returns: dict[str, float | None]
    risk: dict[str, float | None]
    over_time: pd.DataFrame
    correlation: pd.DataFrame
    as_of_oldest: str | None
    as_of_newest: str | None
    inputs_oldest: float | None
    inputs_newest: float | None
    source: str
    computed_at: float

    @property
    def is_mixed(self) -> bool:
        """Whether it was put together from prices of different days, or of moments more than five minutes apart."""
        if self.as_of_oldest != self.as_of_newest:
            return True
        oldest, newest = self.inputs_oldest, self.inputs_newest
        return oldest is not None and newest is not None and newest - oldest > _MIXED


def analyze(
    found: Mapping[str, Position | ProviderError],
    *,
    benchmark: PriceHistory | None,
    source: str,
    computed_at: float,
) -> PortfolioAnalysis:
    """
    Return the analysis of what was *found* of each ticker held.

    The currency of most positions is the portfolio's (of two equals the first by name); positions in another are
    missing.
    """
    missing = {ticker: _why(error) for ticker, error in found.items() if isinstance(error, ProviderError)}
    priced: list[Position] = []
    for ticker, position in sorted(found.items()):
        if isinstance(position, ProviderError):
            continue
        if _SMALLEST < position.value < _LARGEST:
            priced.append(position)
        else:
            missing[ticker] = f"its value of {position.value:g} is out of all proportion"
    currency = _main_currency(priced)
    positions = [position for position in priced if position.price.currency == currency]
    others = [position for position in priced if position.price.currency != currency]
    for position in others:
        own = position.price.currency
        missing[position.ticker] = f"priced in {own or '?'}, the portfolio is counted in {currency or '?'}"
    table, over_time = position_table(positions, source), growth(positions, benchmark)
    scored, costed = table[table["composite_score"].notna()], table[table["cost"].notna()]
    points = scored["composite_score"] / 10
    oldest, newest = span(moment for position in positions for moment in _moments(position))
    return PortfolioAnalysis(
        table=table,
        total_value=float(table["value"].sum()),
        currency=currency,
        average_score=float(points.mean()) if len(scored) else None,
        weighted_score=float((points * scored["value"]).sum() / scored["value"].sum()) if len(scored) else None,
        missing=dict(sorted(missing.items())),
        other_currencies=_by_currency(others),
        cost=float(costed["cost"].sum()) if len(costed) else None,
        profit=float(costed["profit"].sum()) if len(costed) else None,
        returns=total_returns(table),
        risk=risk(over_time, table["weight"]),
        over_time=over_time,
        correlation=correlation(positions),
        as_of_oldest=str(table["as_of"].min()) if len(table) else None,
        as_of_newest=str(table["as_of"].max()) if len(table) else None,
        inputs_oldest=oldest,
        inputs_newest=newest,
        source=source,
        computed_at=computed_at,
    )


def to_record(value: PortfolioAnalysis) -> dict[str, Any]:
    """Return *value* as a dict of plain values and DataFrames."""
    return {field.name: getattr(value, field.name) for field in fields(value)}


def from_record(record: dict[str, Any]) -> PortfolioAnalysis:
    """Return the analysis that `to_record` made *record* of; its frames are the caller's own."""
    own = {field.name: record[field.name] for field in fields(PortfolioAnalysis)}
    frames = {name: own[name].copy() for name in _FRAMES}
    # What an older version kept lacks the newest columns.
    return PortfolioAnalysis(**own | frames | {"table": frames["table"].reindex(columns=list(COLUMNS))})


def _why(error: ProviderError) -> str:
    return f"{error.reason.replace('_', ' ')}: {error.detail}"


def _main_currency(positions: Sequence[Position]) -> str | None:
    counts = Counter(position.price.currency for position in positions)
    return min(counts, key=lambda currency: (-counts[currency], currency or "~"), default=None)


def _by_currency(positions: Sequence[Position]) -> dict[str, float]:
    found: dict[str, float] = {}
    for position in positions:
        currency = position.price.currency or "?"
        found[currency] = found.get(currency, 0.0) + position.value
    return found


def _moments(position: Position) -> list[float]:
    """When the prices behind its value and its score were fetched; fundamentals are slow and do not count."""
    behind_score = [moment for name, moment in position.score.inputs.items() if name != "fundamentals"]
    return [position.price.fetched_at, *behind_score]
