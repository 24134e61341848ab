"""Several tickers side by side. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import pandas as pd

from avcache.formats import format_day, format_percent
from avcache.market.provider import PriceHistory
from avcache.market.scoring import Score
from avcache.market.tickers import parse_tickers
from avcache.ui.export import stamp
from avcache.ui.momentum.prices import first_day
from avcache.ui.momentum.score import LABELS, composite_shown, measure_text

__all__ = ["MOST_COMPARED", "exported_comparison", "parse_compared", "rebased", "side_by_side"]

MOST_COMPARED: Final = 6
"""More lines cannot be told apart."""

_MEASURES: Final = (
    *("return_1m", "return_3m", "return_6m", "momentum_12_1", "rsi_wilder", "vs_sma20", "vs_sma50", "vs_sma200"),
    *("of_high_52w", "volatility_1y", "max_drawdown", "beta"),
)


def parse_compared(given: str | Sequence[str]) -> tuple[str, ...]:
    """
    The tickers to compare, at most six; none of nothing.

    Raises:
        InvalidInput: Something given is no ticker, or there are more.
    """
    words = [given] if isinstance(given, str) else list(given)
    text = " ".join(words)
    return parse_tickers(text, limit=MOST_COMPARED) if text.replace(",", " ").split() else ()


def rebased(histories: Mapping[str, PriceHistory], span: str) -> pd.DataFrame:
    """
    The return of each since the first session of *span* that all of them have, in percent: rows sessions, columns
    tickers. One without prices in the span is left out; empty if the others have no session in common.
    """
    closes = pd.DataFrame({ticker: history.prices["adj_close"] for ticker, history in histories.items()}).sort_index()
    if closes.empty:
        return closes
    # Where one has ended its line ends: it has not stood still since.
    known = closes.ffill().where(closes.bfill().notna())
    shown = known[known.index >= first_day(closes.index[-1], span)].dropna(axis="columns", how="all")
    common = shown.dropna().index
    shown = shown[shown.index >= common[0]] if len(common) else shown.iloc[:0]
    return shown if shown.empty else 100 * (shown / shown.iloc[0] - 1)


def side_by_side(tickers: Sequence[str], scores: Mapping[str, Score]) -> pd.DataFrame:
    """
    One column of texts per ticker, one row per figure, the column `Figure` in front; dashes of a ticker without a
    cached score.
    """
    rows = {ticker: _figures(scores[ticker]) for ticker in tickers if ticker in scores}
    labels = [
        "Score",
        "Of 100",
        "Rating",
        "Coverage",
        "Since last week, of 100",
        *(LABELS[name] for name in _MEASURES),
        "As of",
    ]
    table = {ticker: [rows.get(ticker, {}).get(label, "–") for label in labels] for ticker in tickers}
    return pd.DataFrame({"Figure": labels, **table})


def exported_comparison(scores: Mapping[str, Score]) -> pd.DataFrame:
    """The same as it goes into a file: one row per ticker, numbers as numbers (0.05 is 5 %), NaN where unknown."""
    rows = [
        {
            "ticker": ticker,
            "score": score.score,
            "composite_score": score.composite_score,
            "rating": score.rating,
            "coverage": score.coverage,
            "score_change_1w": score.changes["1w"].change if "1w" in score.changes else None,
            **{name: score.measures.get(name) for name in _MEASURES},
            "as_of": score.as_of,
            "computed_at": stamp(score.computed_at),
        }
        for ticker, score in scores.items()
    ]
    numbers = dict.fromkeys(("score", "composite_score", "score_change_1w", *_MEASURES), "float64")
    return pd.DataFrame(rows).astype(numbers)


def _figures(score: Score) -> dict[str, str]:
    composite = composite_shown(score.composite_score)
    changed = score.changes.get("1w")
    return {
        "Score": "–" if score.score is None else f"{score.score:.1f}",
        "Of 100": "–" if composite is None else f"{composite:.1f}",
        "Rating": score.rating,
        "Coverage": format_percent(score.coverage, 0),
        "Since last week, of 100": "–" if changed is None or changed.change is None else f"{changed.change:+z.1f}",
        **{LABELS[name]: measure_text(name, score.measures.get(name)) for name in _MEASURES},
        "As of": format_day(score.as_of),
    }
