"""Who is missing, and what does filling it take?"""

from __future__ import annotations

import streamlit as st

from avcache.errors import InvalidInput
from avcache.ui.components.tables import state_column
from avcache.ui.components.universe import choose_universe
from avcache.ui.components.warmup import latest_run, stage, start_button
from avcache.ui.resources import get_runtime
from avcache.ui.warmup import coverage_table, describe_coverage
from avcache.ui.words import literal, sentence


def show(tickers: str | tuple[str, ...]) -> None:
    warmup = get_runtime().ops.warmup
    try:
        coverage = warmup.coverage(tickers)
    except InvalidInput as exc:
        st.error(literal(sentence(exc.allowed)), title="Not all of these are tickers")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        start_button(coverage)
        st.caption(describe_coverage(coverage), width="content")
    st.dataframe(
        coverage_table(coverage, warmup.latest.failures if warmup.latest is not None else {}),
        hide_index=True,
        column_config={
            **{kind.capitalize(): state_column() for kind in coverage.kinds},
            "Why": st.column_config.TextColumn(width=520),
        },
        alt="State of each ticker",
    )


drawn = stage()  # before the coverage is looked at: what changes in between is drawn again
tickers: str | tuple[str, ...] | None = choose_universe("warmup_universe", own_first=True)
if tickers is None:
    tickers = st.text_area(
        "Tickers",
        placeholder="AAPL, NVDA, MSFT",
        key="warmup_tickers",
        bind="query-params",
        height=80,
        help="Separated by commas, spaces or lines; Ctrl+Enter to check them.",
    )
if tickers:
    show(tickers)
else:
    st.caption("Name some tickers, or choose a universe, to see which of them are in the cache.")
latest_run(drawn)
