"""What do I hold, how strong is it, what drives it?"""

from __future__ import annotations

import time

import streamlit as st

from avcache.ui.components.aging import aging_caption
from avcache.ui.components.holdings import analysed, ask_for_holdings
from avcache.ui.components.portfolio import portfolio_details, portfolio_totals, portfolio_warnings, positions
from avcache.ui.portfolio.analysis import freshness, portfolio_view
from avcache.ui.resources import get_runtime
from avcache.ui.words import literal

holdings = ask_for_holdings()
if not holdings:
    st.stop()
runtime = get_runtime()
analysis, entry = analysed(holdings)
source = runtime.market.label
view = portfolio_view(analysis, entry, source, time.time(), runtime.market.freshness)
portfolio_totals(view)
if entry is None:
    st.caption(literal(view.freshness))
else:
    aging_caption(entry, lambda aged, now: freshness(analysis, aged, source, now))
portfolio_warnings(view)
positions(analysis, view, holdings)
if not view.table.empty:
    portfolio_details(analysis)
st.caption("Scores describe past prices; they are not advice.")
