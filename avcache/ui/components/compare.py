"""Several tickers side by side: their way over the same days, and their figures."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from avcache.formats import format_day
from avcache.ui.charts.momentum import compare_chart
from avcache.ui.components.missing import offer_tickers
from avcache.ui.components.tables import export_buttons
from avcache.ui.momentum.compare import exported_comparison, rebased, side_by_side
from avcache.ui.momentum.reading import CachedScores, read_beside, read_history
from avcache.ui.resources import get_runtime
from avcache.ui.words import literal

__all__ = ["comparison"]


def comparison(cached: CachedScores, tickers: Sequence[str], profile: str, span: str) -> None:
    """Compare *tickers* over *span*; one without cached prices is named, and spoils no other."""
    runtime = get_runtime()
    st.subheader(literal(" · ".join(tickers)))
    scores = read_beside(runtime, cached, tickers, profile)
    found = {ticker: read_history(runtime, ticker) for ticker in tickers}
    histories = {ticker: history for ticker, history in found.items() if history is not None}
    lines = rebased(histories, span)
    if len(lines) > 1:
        st.plotly_chart(compare_chart(lines), key="momentum_compared", alt=f"Returns of {', '.join(lines.columns)}")
        first = format_day(lines.index[0].date().isoformat())
        st.caption(f"Return since {first}, adjusted for splits and dividends.")
        without = [ticker for ticker in histories if ticker not in lines.columns]
        if without:
            st.caption(literal(f"No prices in this range: {', '.join(without)}."))
    elif histories:
        st.caption("These have no sessions in common in this range, so there are no lines.")
    lacking = [ticker for ticker in tickers if ticker not in histories or ticker not in scores]
    if lacking:
        offer_tickers("Prices or score are not cached.", lacking, profile, cached.tickers, key="momentum_load_compared")
    table = side_by_side(tickers, scores)
    if scores:
        st.dataframe(
            table,
            hide_index=True,
            height="content",
            column_config={"Figure": st.column_config.TextColumn("", pinned=True, width=150)}
            | {ticker: st.column_config.TextColumn(alignment="right") for ticker in tickers},
            alt=f"Figures of {', '.join(tickers)}",
        )
    with st.container(horizontal=True):
        if scores:
            export_buttons("Comparison", lambda: exported_comparison(scores), "comparison")
        if len(lines) > 1:
            export_buttons("Lines", lines.reset_index, "comparison-lines")
