"""The details of one score: how strong it is, its prices, how it is made, its published measures."""

from __future__ import annotations

import streamlit as st

from avcache.core.peek import Peek
from avcache.market.scoring import Score
from avcache.ui.charts.analyse import contribution_chart, price_chart
from avcache.ui.components.aging import aging_caption
from avcache.ui.components.tables import export_buttons, number_columns
from avcache.ui.momentum.prices import SPANS, price_view
from avcache.ui.momentum.reading import read_history
from avcache.ui.momentum.score import MEANINGS, PARTS, breakdown, freshness, measure_table, strength
from avcache.ui.resources import get_runtime
from avcache.ui.words import literal

__all__ = ["score_details"]


def score_details(score: Score, entry: Peek) -> None:
    """Everything about one cached score; *entry* is its age."""
    st.subheader(literal(f"{score.ticker} {strength(score)}"))
    market = get_runtime().market
    source, session = (
        market.label,
        market.freshness.session(score.as_of, is_complete=score.bar_complete, zone=score.zone),
    )
    aging_caption(entry, lambda aged, now: freshness(score, aged, source, now, session))
    _prices(score.ticker)
    made, measured = st.columns([5, 3], gap="medium")
    with made:
        _parts(score)
    with measured:
        _measures(score)


def _prices(ticker: str) -> None:
    runtime = get_runtime()
    span = st.segmented_control("Range", SPANS, default="1Y", required=True, key="momentum_range", bind="query-params")
    history = read_history(runtime, ticker)
    if history is not None:
        view = price_view(history, span)
        st.plotly_chart(price_chart(view), key="momentum_prices", alt=f"Prices of {ticker} with their averages")
        st.caption(view.note)
        return
    st.caption("The prices behind this score are not cached any more, so there is no chart.")
    if st.button(f"Load the prices of {literal(ticker)}"):
        runtime.market.prices([ticker])
        st.rerun()


def _parts(score: Score) -> None:
    parts = breakdown(score)
    st.subheader("How the score is made")
    if score.score is not None:
        st.plotly_chart(contribution_chart(parts), key="momentum_parts", alt=f"What makes the score of {score.ticker}")
    st.dataframe(
        parts,
        hide_index=True,
        placeholder="–",
        column_config=number_columns(PARTS) | {"component": "Part", "missing": "Why missing"},
        alt=f"Parts of the score of {score.ticker}",
    )
    export_buttons("Parts", lambda: parts.assign(ticker=score.ticker), f"momentum-{score.ticker}")


def _measures(score: Score) -> None:
    measures = measure_table(score)
    st.subheader("Published measures")
    st.dataframe(
        measures,
        hide_index=True,
        height="content",
        column_order=["Measure", "Value"],
        column_config={
            "Measure": st.column_config.TextColumn(help=MEANINGS),
            "Value": st.column_config.TextColumn(alignment="right"),
        },
        alt=f"Published measures of {score.ticker}",
    )
    export_buttons("Measures", lambda: measures.assign(Ticker=score.ticker), f"measures-{score.ticker}")
