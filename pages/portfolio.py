"""What do I hold, how strong is it, what drives it?"""

from __future__ import annotations

import time

import streamlit as st

from avcache.errors import InvalidInput
from avcache.market.tickers import parse_holdings, portfolio_key
from avcache.ui import portfolio as model
from avcache.ui.charts.analyse import weight_chart
from avcache.ui.components import literal
from avcache.ui.export import csv_of
from avcache.ui.momentum import sentence
from avcache.ui.resources import get_runtime

runtime = get_runtime()


def fill_in() -> None:
    st.session_state["portfolio_holdings"] = model.EXAMPLE


with st.form("portfolio_form"):
    text = st.text_area(
        "Holdings",
        placeholder=model.EXAMPLE,
        height=140,
        max_chars=20_000,
        key="portfolio_holdings",
        persist_state="session",
    )
    st.caption("One position per line: ticker, then shares. Pasted lines and CSV are understood.")
    with st.container(horizontal=True):
        asked = st.form_submit_button("Analyse", type="primary", icon=":material/calculate:")
        st.form_submit_button("Use the example", on_click=fill_in, type="tertiary")
if asked:
    try:
        st.session_state["portfolio_analysed"] = parse_holdings(text)
        st.session_state["portfolio_error"] = None
    except InvalidInput as exc:
        st.session_state["portfolio_error"] = exc.allowed
holdings = st.session_state.get("portfolio_analysed")
if error := st.session_state.get("portfolio_error"):
    st.error(literal(sentence(error)), title="These holdings were not analysed")
    if holdings:
        st.caption("Below are the holdings analysed before.")
elif not holdings:
    st.caption("Paste what you hold, such as “AAPL 100”, and analyse it: value, scores and what drives them.")
if not holdings:
    st.stop()

with st.spinner(f"Analysing {len(holdings)} positions"):
    analysis = runtime.market.portfolio(holdings)
view = model.portfolio_view(analysis, runtime.cache.peek(portfolio_key(holdings)), runtime.market.label, time.time())
with st.grid(4, min_column_width=150):
    st.metric("Total value", view.total_value, border=True)
    st.metric("Average score", view.average_score, border=True, help="Plain mean of the scored positions.")
    st.metric("Weighted score", view.weighted_score, border=True, help="Weighted by value.")
    st.metric("Positions priced", view.positions, border=True, help="The others count in no total and no mean.")
st.caption(literal(view.freshness))
if view.missing:
    st.warning("  \n".join(map(literal, view.missing)), title="Left out", icon=":material/warning:")
if not view.table.empty:
    st.subheader("Positions")
    st.dataframe(
        view.table,
        hide_index=True,
        placeholder="–",
        column_config={
            name: st.column_config.NumberColumn(look.label, format=look.format, help=look.help)
            for name, look in view.numbers.items()
        }
        | {
            "ticker": st.column_config.TextColumn("Ticker", pinned=True),
            "score": st.column_config.ProgressColumn("Score", format="%.1f", min_value=0, max_value=10),
            "rating": "Rating",
            "as_of": st.column_config.DateColumn("As of", format="D MMM YYYY"),
        },
        alt="Positions with weight, value, score and returns",
    )
st.download_button(
    "Positions as CSV",
    csv_of(model.exported(analysis, holdings)),
    "portfolio.csv",
    icon=":material/download:",
    type="tertiary",
    on_click="ignore",
)
if not view.table.empty:
    st.subheader("Weights")
    weights = view.table.set_index("ticker")["weight_percent"]
    st.plotly_chart(weight_chart(weights), key="portfolio_weights", alt="Share of each position in the value")
st.caption("Scores describe past prices; they are not advice.")
