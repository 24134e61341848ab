"""What do I hold, how strong is it, what drives it?"""

from __future__ import annotations

import time

import streamlit as st

from avcache.market.holdings import portfolio_key
from avcache.ui.components.aging import aging_caption
from avcache.ui.components.holdings import ask_for_holdings
from avcache.ui.components.portfolio import portfolio_details
from avcache.ui.components.tables import day_column, export_buttons, number_columns, rating_column, score_column
from avcache.ui.portfolio import exported, freshness, portfolio_view
from avcache.ui.resources import get_runtime
from avcache.ui.words import lines, literal

holdings = ask_for_holdings()
if not holdings:
    st.stop()
runtime = get_runtime()
with st.spinner(f"Analysing {len(holdings)} positions"):
    analysis = runtime.market.portfolio(holdings)
entry, source = runtime.cache.peek(portfolio_key(holdings)), runtime.market.label
view = portfolio_view(analysis, entry, source, time.time())
with st.grid(4 if view.profit is None else 5, min_column_width=140):
    st.metric("Total value", view.total_value, border=True)
    if view.profit is not None:
        money, share = view.profit
        st.metric(f"Profit, {share}", money, border=True, help="Of the positions with a cost basis.")
    st.metric("Average score", view.average_score, border=True, help="Plain mean of the scored positions.")
    st.metric("Weighted score", view.weighted_score, border=True, help="Weighted by value.")
    st.metric("Positions priced", view.positions, border=True, help="The others count in no total and no mean.")
if entry is None:
    st.caption(literal(view.freshness))
else:
    aging_caption(entry, lambda aged, now: freshness(analysis, aged, source, now))
if view.missing:
    st.warning(lines(view.missing), title="Left out", icon=":material/warning:")
if not view.table.empty:
    st.subheader("Positions")
    st.dataframe(
        view.table,
        hide_index=True,
        placeholder="–",
        column_config=number_columns(view.numbers)
        | {
            "ticker": st.column_config.TextColumn("Ticker", pinned=True),
            "score": score_column(),
            "rating": rating_column(),
            "as_of": day_column("As of"),
        },
        alt="Positions with weight, value, score and returns",
    )
export_buttons("Positions", lambda: exported(analysis, holdings), "portfolio")
if not view.table.empty:
    portfolio_details(analysis, view)
st.caption("Scores describe past prices; they are not advice.")
