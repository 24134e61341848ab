"""The ranking: who is strong. Pure."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, get_args

import pandas as pd

from avcache.formats import format_age, format_days
from avcache.market.scoring import Rating, Score
from avcache.ui.export import stamp
from avcache.ui.momentum.reading import CachedScores
from avcache.ui.momentum.score import composite_shown
from avcache.ui.numbers import RETURNS, Number
from avcache.ui.states import state_of

__all__ = ["ANY", "NUMBERS", "PROFILES", "RATINGS", "Screen", "describe_cached", "exported", "filtered", "ranking"]

ANY: Final = "All"
RATINGS: Final[tuple[str, ...]] = (ANY, *get_args(Rating))
PROFILES: Final[Mapping[str, str]] = {
    "alphavelocity": "the documented score; weight of what is missing goes to what is there",
    "alphavelocity-legacy": "the original, which counts what is missing as 0 or 50",
    "alphavelocity-v1": "the parts of the first version",
    "factor": "place among the listed tickers by five published measures",
}
"""By which scores are computed, and what they are."""
_ROUNDING = 1e-9

NUMBERS: Final[Mapping[str, Number]] = {
    "composite_score": Number("Of 100", "%.1f", "The composite behind the score"),
    "coverage_percent": Number(
        "Coverage", "%.0f %%", "Weight of the parts that could be computed; below 50 % there is no score"
    ),
    "change_1w": Number("1 w ±", "%+.1f", "Points of 100 since a week ago, from the same prices cut there"),
    "change_1m": Number("1 m ±", "%+.1f", "Points of 100 since a month ago"),
    "return_1m_percent": RETURNS["return_1m_percent"],
    "return_3m_percent": RETURNS["return_3m_percent"],
    "return_6m_percent": Number("6 m", "%+.1f %%", "Return over 125 sessions"),
    "momentum_12_1_percent": RETURNS["momentum_12_1_percent"],
    "rsi_wilder": Number("RSI", "%.0f", "Wilder's RSI over 14 sessions: above 70 overbought, below 30 oversold"),
    "vs_sma20_percent": Number("vs SMA 20", "%+.1f %%", "Price against its average of 20 sessions"),
    "vs_sma50_percent": Number("vs SMA 50", "%+.1f %%", "Price against its average of 50 sessions"),
    "vs_sma200_percent": Number("vs SMA 200", "%+.1f %%", "Price against its average of 200 sessions"),
    "of_high_52w_percent": Number("Of 52 w high", "%.0f %%", "Price as a share of its 52-week high"),
}
"""The numbers of the ranking, in their order."""

_COLUMNS = (
    *("rank", "ticker", "score", "composite_score", "rating", "coverage_percent", "change_1w"),
    *("state", "age", "as_of", "trend"),
    *(name for name in NUMBERS if name not in {"composite_score", "coverage_percent", "change_1w"}),
    "computed_at",
)
_DTYPES = {
    "rank": "Int64",
    "ticker": "str",
    "rating": "str",
    "age": "str",
    "score": "float64",
} | dict.fromkeys(NUMBERS, "float64")


def ranking(cached: CachedScores) -> pd.DataFrame:
    """
    One row per cached score, strongest first, those without a score last.

    Columns: rank, ticker, score (0 to 10), composite_score, rating, coverage_percent, age (clock text), state
    (a list of one word), trend (list of closes), the other `NUMBERS`, as_of (date), computed_at (UTC).
    """
    ordered = sorted(cached.scores.values(), key=lambda score: (-_composite(score), score.ticker))
    rows = [_row(place, score, cached) for place, score in enumerate(ordered, start=1)]
    return pd.DataFrame(rows, columns=list(_COLUMNS)).astype(_DTYPES)


@dataclass(frozen=True, slots=True)
class Screen:
    """Which rows of a ranking are wanted: *rating* of `RATINGS`, at least this *score* and *coverage* (percent)."""

    rating: str = ANY
    score: float = 0.0
    coverage: float = 0.0
    is_above_sma200: bool = False
    find: str = ""


def filtered(table: pd.DataFrame, screen: Screen) -> pd.DataFrame:
    """The rows of a ranking that pass *screen*; what is unknown of a row does not pass a bound on it."""
    keep = table["ticker"].str.contains(screen.find.strip().upper(), regex=False)
    if screen.rating != ANY:
        keep &= table["rating"] == screen.rating
    if screen.score > 0:
        keep &= table["score"] >= screen.score
    if screen.coverage > 0:
        keep &= table["coverage_percent"] >= screen.coverage - _ROUNDING
    if screen.is_above_sma200:
        keep &= table["vs_sma200_percent"] > 0
    return table[keep].reset_index(drop=True)


def exported(table: pd.DataFrame) -> pd.DataFrame:
    """A ranking as it goes into a file: no trend, the state as a word."""
    return table.drop(columns="trend").assign(state=table["state"].str[0])


def describe_cached(cached: CachedScores, shown: int | None = None) -> str:
    """How many scores are cached, how many of them are *shown*, of which day they are, and how old."""
    found, total = len(cached.scores), len(cached.scores) + len(cached.missing)
    parts = [f"{found} of {total} scores cached"]
    if shown is not None and shown < found:
        parts.append(f"{shown} shown")
    if cached.scores:
        days = sorted({score.as_of for score in cached.scores.values()})
        parts.append(f"prices as of {format_days(days[0], days[-1])}")
        parts.append(f"oldest {format_age(max(cached.entries[ticker].age for ticker in cached.scores))}")
    stale = sum(cached.entries[ticker].is_stale for ticker in cached.scores)
    if stale:
        parts.append(f"{stale} stale, loaded again when read")
    return " · ".join(parts)


def _row(place: int, score: Score, cached: CachedScores) -> dict[str, object]:
    entry = cached.entries[score.ticker]
    return {
        "rank": place if score.composite_score is not None else None,
        "ticker": score.ticker,
        "score": score.score,
        "composite_score": composite_shown(score.composite_score),
        "rating": score.rating,
        "coverage_percent": 100 * score.coverage,
        "trend": cached.trends.get(score.ticker),
        "change_1w": _change(score, "1w"),
        "change_1m": _change(score, "1m"),
        "return_1m_percent": _percent(score, "return_1m"),
        "return_3m_percent": _percent(score, "return_3m"),
        "return_6m_percent": _percent(score, "return_6m"),
        "momentum_12_1_percent": _percent(score, "momentum_12_1"),
        "rsi_wilder": score.measures.get("rsi_wilder"),
        "vs_sma20_percent": _percent(score, "vs_sma20"),
        "vs_sma50_percent": _percent(score, "vs_sma50"),
        "vs_sma200_percent": _percent(score, "vs_sma200"),
        "of_high_52w_percent": _percent(score, "of_high_52w"),
        "as_of": dt.date.fromisoformat(score.as_of),
        "age": format_age(entry.age),
        "state": [state_of(entry, cached.sessions.get(score.ticker))],
        "computed_at": stamp(score.computed_at),
    }


def _composite(score: Score) -> float:
    return -math.inf if score.composite_score is None else score.composite_score


def _change(score: Score, since: str) -> float | None:
    found = score.changes.get(since)
    return None if found is None else found.change


def _percent(score: Score, measure: str) -> float | None:
    value = score.measures.get(measure)
    return None if value is None else 100 * value
