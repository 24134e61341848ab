"""The ranking: filters, the table, the choice of one ticker."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from avcache.ui.components.tables import (
    day_column,
    export_buttons,
    number_columns,
    rating_column,
    score_column,
    state_column,
)
from avcache.ui.momentum.ranking import NUMBERS, RATINGS, describe_cached, exported, filtered, ranking
from avcache.ui.momentum.reading import CachedScores
from avcache.ui.words import literal

__all__ = ["choose_from_ranking"]


def choose_from_ranking(cached: CachedScores) -> str:
    """Show the ranking of what is cached; return the ticker whose details are wanted."""
    table = ranking(cached)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        rating = st.selectbox("Rating", RATINGS, key="momentum_rating", bind="query-params", width=170)
        least = st.number_input(
            "Min score", 0.0, 10.0, step=0.5, format="%.1f", key="momentum_min", bind="query-params", width=140
        )
        find = st.text_input("Find", placeholder="Ticker", key="momentum_find", bind="query-params", width=170)
        options: list[str] = [*table["ticker"], *cached.missing]
        chosen = st.selectbox("Details of", options, key="momentum_ticker", bind="query-params", width=170)
    shown = filtered(table, rating=rating, least=least, find=find)
    if shown.empty:
        st.caption("No cached score passes these filters: choose another rating, or a lower score.")
    else:
        _selectable(shown, chosen)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(literal(describe_cached(cached)), width="content")
        export_buttons("Ranking", lambda: exported(shown), "momentum")
    return chosen


def _selectable(shown: pd.DataFrame, chosen: str) -> None:
    rows = shown["ticker"].tolist()

    def choose() -> None:
        """The row picked in the table becomes the choice in the select box, and so in the address."""
        for at in st.session_state["momentum_table"].selection.rows:
            st.session_state["momentum_ticker"] = rows[at]

    picked = [rows.index(chosen)] if chosen in rows else []
    st.session_state["momentum_table"] = {"selection": {"rows": picked, "columns": [], "cells": []}}
    st.dataframe(
        shown,
        key="momentum_table",
        hide_index=True,
        placeholder="–",
        column_config=number_columns(NUMBERS)
        | {
            "rank": st.column_config.NumberColumn("#", pinned=True, width=40),
            "ticker": st.column_config.TextColumn("Ticker", pinned=True, width=70),
            "score": score_column(),
            "rating": rating_column(),
            "trend": st.column_config.LineChartColumn("6 months", width=100, help="Where the prices are cached"),
            "as_of": day_column("As of"),
            "age": "Age",
            "state": state_column("State"),
            "computed_at": None,
        },
        on_select=choose,
        selection_mode="single-row",
        alt="Momentum ranking of the cached scores",
    )
