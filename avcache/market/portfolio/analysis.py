"""What a portfolio is worth and how it scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

import pandas as pd

from avcache.errors import ProviderError
from avcache.market.price import Price
from avcache.market.scoring import Score

__all__ = ["PortfolioAnalysis", "analyze", "from_record", "to_record"]

_DTYPES: Final = {
    "ticker": "str",
    "shares": "float64",
    "price": "float64",
    "value": "float64",
    "weight": "float64",
    "score": "float64",
    "composite_score": "float64",
    "rating": "str",
    "coverage": "float64",
    "score_contribution": "float64",
    "return_1d": "float64",
    "return_1m": "float64",
    "return_3m": "float64",
    "momentum_12_1": "float64",
    "as_of": "str",
}


@dataclass(frozen=True, slots=True, eq=False)
class PortfolioAnalysis:
    """
    The priced positions of a portfolio, and what is `missing`.

    `table`: one row per position, highest composite first, positions without a score last. Columns: ticker;
    shares; price (raw close), value and total in `currency`; weight (fraction of `total_value`); score (0
    to 10); composite_score (0 to 100); rating; coverage; score_contribution (weight * composite);
    return_1d, return_1m, return_3m, momentum_12_1 (fractions, from adjusted closes); as_of (ISO date).
    Unknown figures are NaN.

    `average_score` is the plain mean of composite / 10 over the scored positions, `weighted_score` the mean
    weighted by value; None without a scored position. `missing` is {ticker: reason}: such a position counts
    in no total and no mean. `as_of_oldest` and `as_of_newest` are None for an empty table; `computed_at` is
    epoch seconds.
    """

    table: pd.DataFrame
    total_value: float
    currency: str | None
    average_score: float | None
    weighted_score: float | None
    missing: dict[str, str]
    as_of_oldest: str | None
    as_of_newest: str | None
    source: str
    computed_at: float


def analyze(
    holdings: Mapping[str, float],
    prices: Mapping[str, Price | ProviderError],
    scores: Mapping[str, Score | ProviderError],
    *,
    source: str,
    computed_at: float,
) -> PortfolioAnalysis:
    """
    Return the analysis of *holdings* ({ticker: shares}), each with an entry in *prices* and *scores*.

    Amounts of different currencies are never summed: the currency of most positions is the portfolio's (of
    two equals the first by name), positions in another are missing.
    """
    missing: dict[str, str] = {}
    found: list[tuple[Price, Score]] = []
    for ticker in sorted(holdings):
        price, score = prices[ticker], scores[ticker]
        if isinstance(price, ProviderError):
            missing[ticker] = _why(price)
        elif isinstance(score, ProviderError):
            missing[ticker] = _why(score)
        else:
            found.append((price, score))
    currency = _main_currency([price for price, _ in found])
    for price, _ in found:
        if price.currency != currency:
            missing[price.ticker] = f"priced in {price.currency or '?'}, the portfolio is counted in {currency or '?'}"
    table = _table([_row(holdings[p.ticker], p, s) for p, s in found if p.currency == currency])
    return _summed(table, currency, dict(sorted(missing.items())), source, computed_at)


def to_record(value: PortfolioAnalysis) -> dict[str, Any]:
    """Return *value* as a dict of plain values and one DataFrame, `table`."""
    return {field.name: getattr(value, field.name) for field in fields(value)}


def from_record(record: dict[str, Any]) -> PortfolioAnalysis:
    """Return the analysis that `to_record` made *record* of; its table is the caller's own."""
    return PortfolioAnalysis(**{**record, "table": record["table"].copy(), "missing": dict(record["missing"])})


def _why(error: ProviderError) -> str:
    return f"{error.reason.replace('_', ' ')}: {error.detail}"


def _main_currency(prices: list[Price]) -> str | None:
    counts = Counter(price.currency for price in prices)
    return min(counts, key=lambda currency: (-counts[currency], currency or "~"), default=None)


def _row(shares: float, price: Price, score: Score) -> dict[str, object]:
    return {
        "ticker": price.ticker,
        "shares": shares,
        "price": price.price,
        "value": shares * price.price,
        "score": score.score,
        "composite_score": score.composite_score,
        "rating": score.rating,
        "coverage": score.coverage,
        "return_1d": price.change_1d,
        "return_1m": score.measures.get("return_1m"),
        "return_3m": score.measures.get("return_3m"),
        "momentum_12_1": score.measures.get("momentum_12_1"),
        "as_of": price.as_of,
    }


def _table(rows: list[dict[str, object]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=list(_DTYPES)).astype(_DTYPES)
    table["weight"] = table["value"] / table["value"].sum()
    table["score_contribution"] = table["weight"] * table["composite_score"]
    by_score = table.sort_values(["composite_score", "ticker"], ascending=[False, True], na_position="last")
    return by_score.reset_index(drop=True)


def _summed(
    table: pd.DataFrame, currency: str | None, missing: dict[str, str], source: str, computed_at: float
) -> PortfolioAnalysis:
    scored = table[table["composite_score"].notna()]
    points = scored["composite_score"] / 10
    return PortfolioAnalysis(
        table=table,
        total_value=float(table["value"].sum()),
        currency=currency,
        average_score=float(points.mean()) if len(scored) else None,
        weighted_score=float((points * scored["value"]).sum() / scored["value"].sum()) if len(scored) else None,
        missing=missing,
        as_of_oldest=str(table["as_of"].min()) if len(table) else None,
        as_of_newest=str(table["as_of"].max()) if len(table) else None,
        source=source,
        computed_at=computed_at,
    )
