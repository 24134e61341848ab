"""Who is missing, and what does filling it take?"""

from __future__ import annotations

import streamlit as st

from avcache.errors import InvalidInput
from avcache.market.tickers import parse_tickers
from avcache.ops.coverage import KINDS
from avcache.ui.components.access import may_act
from avcache.ui.components.schedules import schedules_section
from avcache.ui.components.tables import export_buttons
from avcache.ui.components.universe import choose_universe
from avcache.ui.components.warmup import Wanted, budget, coverage_now, latest_run, stage, upload
from avcache.ui.resources import get_runtime
from avcache.ui.warmup import coverage_exported
from avcache.ui.words import literal, sentence

drawn = stage()  # before the coverage is looked at: what changes in between is drawn again
with st.container(horizontal=True, vertical_alignment="bottom"):
    tickers: str | tuple[str, ...] | None = choose_universe("warmup_universe", own_first=True)
    kinds = st.pills(
        "What", KINDS, selection_mode="multi", default=KINDS, key="warmup_kinds", bind="query-params", width="content"
    )
    ahead = st.checkbox("Also what expires soon", key="warmup_ahead", bind="query-params")
if tickers is None:
    tickers = st.text_area(
        "Tickers",
        placeholder="AAPL, NVDA, MSFT",
        key="warmup_tickers",
        bind="query-params",
        height=80,
        help="Separated by commas, spaces or lines; Ctrl+Enter to check them.",
    )
    upload()
rate, seconds = budget()
may_act()
if not tickers:
    st.caption("Name some tickers, or choose a universe, to see which of them are in the cache.")
elif not kinds:
    st.caption("Choose prices, scores (momentum), or both.")
else:
    try:
        wanted = Wanted(parse_tickers(tickers), tuple(kinds), ahead, rate, seconds)
    except InvalidInput as exc:
        st.error(literal(sentence(exc.allowed)), title="Not all of these are tickers")
    else:
        coverage_now(wanted)
        export_buttons(
            "Coverage",
            lambda: coverage_exported(get_runtime().ops.warmup.coverage(wanted.tickers, wanted.kinds)),
            "coverage",
        )
latest_run(drawn)
schedules_section()
