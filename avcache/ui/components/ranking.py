"""The ranking: filters, the table, the choice of one ticker."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import streamlit as st

from avcache.ui.components.aging import aging_captions
from avcache.ui.components.screen import choose_compared, choose_screen
from avcache.ui.components.tables import (
    choose_by_row,
    day_column,
    export_buttons,
    number_columns,
    rating_column,
    score_column,
    state_column,
)
from avcache.ui.momentum.ranking import NUMBERS, describe_cached, exported, filtered, ranking
from avcache.ui.momentum.reading import CachedScores
from avcache.ui.resources import get_runtime

__all__ = ["choose_from_ranking"]

_CHOSEN = "momentum_ticker"


def choose_from_ranking(cached: CachedScores) -> tuple[str, tuple[str, ...]]:
    """Show the ranking of what is cached; return the ticker whose details are wanted, and those to compare."""
    table = ranking(cached)
    shown = filtered(table, choose_screen())
    place = st.container()
    options: list[str] = [*table["ticker"], *cached.missing]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox("Details of", options, key=_CHOSEN, bind="query-params", width=220)
        compared = choose_compared(options)
    with place:
        if shown.empty:
            st.caption("No cached score passes these filters: choose another rating, or lower bounds.")
        else:
            _selectable(shown)
        with st.container(horizontal=True, vertical_alignment="center"):
            _told(cached, len(shown))
            export_buttons("Ranking", lambda: exported(shown), "momentum")
    return chosen, compared


def _told(cached: CachedScores, shown: int) -> None:
    """How many there are and how old; that runs on, other than what the table says."""
    tickers = list(cached.scores)
    aging_captions(
        [cached.entries[ticker] for ticker in tickers],
        lambda aged, _now: describe_cached(replace(cached, entries=dict(zip(tickers, aged, strict=True))), shown),
    )


def _selectable(shown: pd.DataFrame) -> None:
    rows = shown["ticker"].tolist()
    st.dataframe(
        shown,
        key="momentum_table",
        hide_index=True,
        placeholder="–",
        column_config=number_columns(NUMBERS)
        | {
            "rank": st.column_config.NumberColumn("#", pinned=True, width=40),
            "ticker": st.column_config.TextColumn("Ticker", pinned=True, width=_ticker_width(rows)),
            "score": score_column(),
            "rating": rating_column(),
            "trend": st.column_config.LineChartColumn("6 months", width=100, help="Where the prices are cached"),
            "as_of": day_column("As of"),
            "age": st.column_config.TextColumn(
                "Age", width=70, help="When this was drawn, since the score was computed"
            ),
            "state": {**state_column("State"), "width": _state_width()},
            "computed_at": None,
        },
        on_select=choose_by_row("momentum_table", rows, _CHOSEN),
        selection_mode="single-row",
        alt="Momentum ranking of the cached scores",
    )


def _state_width() -> int:
    """Where the hours of the exchange are known, a state can be `market closed`."""
    return 76 if get_runtime().market.freshness.calendar is None else 124


def _ticker_width(tickers: list[str]) -> int:
    """Wide enough for nearly all of them, and not so wide that a phone shows nothing else."""
    return min(120, max(72, 24 + 9 * max(map(len, tickers))))
