"""The details of one score: how strong it is, its prices, how it is made, its published measures."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from avcache.formats import counted
from avcache.market.scoring import Score
from avcache.ui import PAGES
from avcache.ui.charts.momentum import contribution_chart, price_chart
from avcache.ui.components.aging import aging_caption
from avcache.ui.components.missing import offer_tickers
from avcache.ui.components.tables import export_buttons, number_columns
from avcache.ui.export import dated
from avcache.ui.momentum.prices import price_view
from avcache.ui.momentum.reading import CachedScores, read_history
from avcache.ui.momentum.score import (
    MEANINGS,
    PARTS,
    breakdown,
    exported_measures,
    freshness,
    measure_table,
    standing_among,
    strength,
)
from avcache.ui.resources import get_runtime
from avcache.ui.words import literal

__all__ = ["parts_table", "score_details"]


def score_details(cached: CachedScores, ticker: str, span: str) -> None:
    """Everything about one of the *cached* scores; *span* is what the chart shows."""
    score, session = cached.scores[ticker], cached.sessions.get(ticker)
    source = get_runtime().market.label
    st.subheader(literal(f"{ticker} {strength(score)}"))
    entry = cached.entries[ticker]
    aging_caption(entry, lambda aged, now: freshness(score, aged, source, now, session))
    st.page_link(
        PAGES / "keys.py",
        label="Its entry, to reload or delete it",
        icon=":material/key:",
        query_params={"keys_open": entry.key},
    )
    _prices(score, cached.tickers, span)
    made, measured = st.columns([5, 4], gap="medium")
    with made:
        _parts(score)
    with measured:
        _measures(score, cached)


def _prices(score: Score, universe: Sequence[str], span: str) -> None:
    runtime, ticker = get_runtime(), score.ticker
    benchmark = score.benchmark or runtime.market.benchmark
    history, market = read_history(runtime, ticker), read_history(runtime, benchmark)
    lacking = [name for name, found in ((ticker, history), (benchmark, market)) if found is None]
    if history is not None:
        is_log = st.toggle("Log scale", key="momentum_log", bind="query-params")
        view = price_view(history, span, market if benchmark != ticker else None)
        st.plotly_chart(
            price_chart(view, is_log=is_log),
            key="momentum_prices",
            alt=f"Prices of {ticker} with averages, RSI and strength relative to {benchmark}",
        )
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(literal(view.note), width="content")
            export_buttons("Prices", lambda: view.frame.reset_index().assign(ticker=ticker), f"prices-{ticker}")
    if lacking:
        offer_tickers(
            "Some prices are not cached any more.", lacking, score.profile, universe, key="momentum_load_prices"
        )


def _parts(score: Score) -> None:
    parts = breakdown(score)
    st.subheader("How the score is made")
    if score.score is not None:
        st.plotly_chart(contribution_chart(parts), key="momentum_parts", alt=f"What makes the score of {score.ticker}")
    parts_table(parts, score.ticker)
    export_buttons(
        "Parts",
        lambda: dated(parts.assign(ticker=score.ticker), score.as_of, score.computed_at),
        f"momentum-{score.ticker}",
    )


def parts_table(parts: pd.DataFrame, ticker: str) -> None:
    """How a score is made (rows of `breakdown`)."""
    st.dataframe(
        parts,
        hide_index=True,
        placeholder="–",
        column_config=number_columns(PARTS) | {"component": "Part", "missing": "Why missing"},
        alt=f"Parts of the score of {ticker}",
    )


def _measures(score: Score, cached: CachedScores) -> None:
    standing = standing_among(cached.scores, score.ticker)
    measures = measure_table(score, standing)
    st.subheader("Published measures")
    st.dataframe(
        measures,
        hide_index=True,
        height="content",
        placeholder="–",
        column_order=["Measure", "Value", "Percentile"] if standing else ["Measure", "Value"],
        column_config={
            "Measure": st.column_config.TextColumn(help=MEANINGS),
            "Value": st.column_config.TextColumn(alignment="right"),
            "Percentile": st.column_config.ProgressColumn(
                format="%d %%",
                min_value=0,
                max_value=100,
                width=110,
                help="Share of the cached scores that is at most as high; high is not always good",
            ),
        },
        alt=f"Published measures of {score.ticker}",
    )
    among = f"Percentiles among {counted(len(cached.scores), 'cached score')}."
    st.caption(among if standing else "Percentiles need ten cached scores.")
    export_buttons(
        "Measures",
        lambda: exported_measures(score, standing),
        f"measures-{score.ticker}",
    )
