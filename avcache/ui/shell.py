"""What is around every page: its frame, the navigation, the state strip and the title."""

from __future__ import annotations

import streamlit as st

from avcache.ui import ICON, PAGES
from avcache.ui.components.dialogs import begin_run
from avcache.ui.components.strip import TICKS_ITSELF, keep_strip_place, state_strip, strip_place

st.set_page_config(page_title="avcache", page_icon=str(ICON), layout="wide", initial_sidebar_state=220)

page = st.navigation(
    {
        "Operate": [
            st.Page(
                PAGES / "overview.py",
                title="Overview",
                icon=":material/monitoring:",
                default=True,
                help="Is the cache doing its job, and if not, where? Live hits, misses and loads by namespace.",
            ),
            st.Page(
                PAGES / "keys.py",
                title="Keys",
                icon=":material/key:",
                help="What is in the cache, how old it is and what it says. Browse by prefix.",
            ),
            st.Page(
                PAGES / "expiry.py",
                title="Expiry",
                icon=":material/hourglass_bottom:",
                help="What will have to be loaded again, and when.",
            ),
            st.Page(
                PAGES / "clear.py",
                title="Clear",
                icon=":material/delete_sweep:",
                help="Drop what matches a pattern, after seeing what that is.",
            ),
            st.Page(
                PAGES / "warmup.py",
                title="Warm-up",
                icon=":material/local_fire_department:",
                help="Load tickers ahead of demand, with progress and an outcome for each.",
            ),
            st.Page(
                PAGES / "server.py",
                title="Server",
                icon=":material/dns:",
                help="Is the store well, how full and how quick is it, and what should be mended?",
            ),
            st.Page(
                PAGES / "audit.py",
                title="Audit",
                icon=":material/history:",
                help="Who did what, when, why, and what came of it.",
            ),
        ],
        "Analyse": [
            st.Page(
                PAGES / "momentum.py",
                title="Momentum",
                icon=":material/trending_up:",
                help="Who is strong, how sure are we, how fresh is it? Ranking and the breakdown of one score.",
            ),
            st.Page(
                PAGES / "portfolio.py",
                title="Portfolio",
                icon=":material/pie_chart:",
                help="Value, score and weights of your holdings.",
            ),
        ],
    }
)
begin_run()
keep_strip_place()
if page.title != TICKS_ITSELF:
    with strip_place():
        state_strip()
st.title(page.title)
page.run()
