"""Who is strong, how sure are we, how fresh is it?"""

from __future__ import annotations

import time

import streamlit as st

from avcache.errors import InvalidInput
from avcache.market.tickers import parse_tickers
from avcache.market.universe import UNIVERSES
from avcache.ui import PAGES
from avcache.ui import momentum as model
from avcache.ui.charts.analyse import contribution_chart, price_chart
from avcache.ui.components import literal, may_act, state_column
from avcache.ui.export import csv_of
from avcache.ui.resources import get_runtime

runtime = get_runtime()
names = [*UNIVERSES, model.MINE]
universe = st.segmented_control(
    "Universe", names, default=names[0], required=True, key="momentum_universe", bind="query-params"
)
given: str | tuple[str, ...] = UNIVERSES.get(universe, ())
if universe == model.MINE:
    given = st.text_input("Tickers", placeholder="AAPL, NVDA", key="momentum_tickers", bind="query-params")
    if not given.strip():
        st.caption("Name some tickers, separated by commas or spaces, to see their scores.")
        st.stop()
try:
    cached = model.read_cached(runtime, parse_tickers(given, limit=model.MOST_TICKERS))
except InvalidInput as exc:
    st.error(literal(model.sentence(exc.allowed)), title="Not all of these are tickers")
    st.stop()

if cached.scores:
    ranking = model.ranking(cached)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        rating = st.selectbox("Rating", model.RATINGS, key="momentum_rating", bind="query-params", width=170)
        least = st.number_input(
            "Min score",
            0.0,
            10.0,
            step=0.5,
            format="%.1f",
            key="momentum_min",
            bind="query-params",
            width=140,
        )
        find = st.text_input("Find", placeholder="Ticker", key="momentum_find", bind="query-params", width=170)
        options = [*ranking["ticker"], *cached.missing]
        chosen = st.selectbox("Details of", options, key="momentum_ticker", bind="query-params", width=170)
    shown = model.filtered(ranking, rating=rating, least=least, find=find)
    rows = shown["ticker"].tolist()

    def choose() -> None:
        """The row picked in the table becomes the choice in the select box, and so in the address."""
        for at in st.session_state["momentum_table"].selection.rows:
            st.session_state["momentum_ticker"] = rows[at]

    if rows:
        picked = [rows.index(chosen)] if chosen in rows else []
        st.session_state["momentum_table"] = {"selection": {"rows": picked, "columns": [], "cells": []}}
        numbers = {
            name: st.column_config.NumberColumn(look.label, format=look.format, help=look.help)
            for name, look in model.NUMBERS.items()
        }
        st.dataframe(
            shown,
            key="momentum_table",
            hide_index=True,
            placeholder="–",
            column_config=numbers
            | {
                "rank": st.column_config.NumberColumn("#", pinned=True, width=40),
                "ticker": st.column_config.TextColumn("Ticker", pinned=True, width=70),
                "score": st.column_config.ProgressColumn("Score", format="%.1f", min_value=0, max_value=10, width=110),
                "rating": "Rating",
                "trend": st.column_config.LineChartColumn("6 months", width=100, help="Where the prices are cached"),
                "as_of": st.column_config.DateColumn("As of", format="D MMM YYYY"),
                "age": "Age",
                "state": state_column("State"),
                "computed_at": None,
            },
            on_select=choose,
            selection_mode="single-row",
            alt="Momentum ranking of the cached scores",
        )
    else:
        st.caption("No cached score passes these filters: choose another rating, or a lower score.")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(literal(model.describe_cached(cached)), width="content")
        st.download_button(
            "Ranking as CSV",
            csv_of(model.exported(shown)),
            "momentum.csv",
            icon=":material/download:",
            type="tertiary",
            on_click="ignore",
        )
else:
    st.write(f"None of the {len(cached.missing)} scores is in the cache yet. Load them here, or by a warm-up.")

if cached.missing:
    st.caption(f"Not cached: {literal(model.named(cached.missing))}")
    with st.container(horizontal=True, vertical_alignment="center"):
        if may_act() and st.button("Load the missing scores", type="primary", icon=":material/download:"):
            bar = st.progress(0.0, text="Loading")
            for done, failed in model.load_scores(runtime.market, cached.missing):
                st.session_state["momentum_failed"] = failed
                bar.progress(done / len(cached.missing), text=f"{done} of {len(cached.missing)} scores")
            st.rerun()
        st.page_link(PAGES / "warmup.py", label="Warm-up", icon=":material/local_fire_department:")
    failed = st.session_state.get("momentum_failed", {})
    reasons = [literal(f"{ticker} ({failed[ticker]})") for ticker in cached.missing if ticker in failed]
    if reasons:
        st.warning("  \n".join(reasons), title="Could not be loaded", icon=":material/warning:")

if cached.scores and chosen not in cached.scores:
    st.caption(f"The score of {literal(chosen)} is not cached: load it above.")
elif cached.scores:
    score = cached.scores[chosen]
    st.subheader(literal(f"{chosen} {model.strength(score)}"))
    st.caption(literal(model.freshness(score, cached.entries[chosen], runtime.market.label, time.time())))
    span = st.segmented_control(
        "Range", model.SPANS, default="1Y", required=True, key="momentum_range", bind="query-params"
    )
    history = model.read_history(runtime, chosen)
    if history is not None:
        view = model.price_view(history, span)
        st.plotly_chart(price_chart(view), key="momentum_prices", alt=f"Prices of {chosen} with their averages")
        st.caption(view.note)
    else:
        st.caption("The prices behind this score are not cached any more, so there is no chart.")
        if st.button(f"Load the prices of {literal(chosen)}"):
            runtime.market.prices([chosen])
            st.rerun()
    made, measured = st.columns([5, 3], gap="medium")
    with made:
        parts = model.breakdown(score)
        st.subheader("How the score is made")
        if score.score is not None:
            st.plotly_chart(contribution_chart(parts), key="momentum_parts", alt=f"What makes the score of {chosen}")
        st.dataframe(
            parts,
            hide_index=True,
            placeholder="–",
            column_config={
                name: st.column_config.NumberColumn(look.label, format=look.format, help=look.help)
                for name, look in model.PARTS.items()
            }
            | {"component": "Part", "missing": "Why missing"},
            alt=f"Parts of the score of {chosen}",
        )
        st.download_button(
            "Parts as CSV",
            csv_of(parts.assign(ticker=chosen)),
            f"momentum-{chosen}.csv",
            icon=":material/download:",
            type="tertiary",
            on_click="ignore",
        )
    with measured:
        st.subheader("Published measures")
        measures = model.measure_table(score)
        st.dataframe(
            measures,
            hide_index=True,
            height="content",
            column_order=["Measure", "Value"],
            column_config={
                "Measure": st.column_config.TextColumn(help=model.MEANINGS),
                "Value": st.column_config.TextColumn(alignment="right"),
            },
            alt=f"Published measures of {chosen}",
        )
        st.download_button(
            "Measures as CSV",
            csv_of(measures.assign(Ticker=chosen)),
            f"measures-{chosen}.csv",
            icon=":material/download:",
            type="tertiary",
            on_click="ignore",
        )
st.caption("Scores describe past prices; they are not advice.")
