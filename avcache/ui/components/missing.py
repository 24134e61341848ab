"""Scores that are not cached: which, and the way to load them."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from avcache.ui import PAGES
from avcache.ui.components.access import may_act
from avcache.ui.momentum.reading import load_scores
from avcache.ui.resources import get_runtime
from avcache.ui.words import lines, literal, named

__all__ = ["offer_to_load"]


def offer_to_load(missing: Sequence[str]) -> None:
    """Name the tickers without a cached score, load them on request, and say why one could not be loaded."""
    st.caption(f"Not cached: {literal(named(missing))}")
    with st.container(horizontal=True, vertical_alignment="center"):
        if may_act() and st.button("Load the missing scores", type="primary", icon=":material/download:"):
            _load(missing)
            st.rerun()
        st.page_link(PAGES / "warmup.py", label="Warm-up", icon=":material/local_fire_department:")
    failed = st.session_state.get("momentum_failed", {})
    reasons = [f"{ticker} ({failed[ticker]})" for ticker in missing if ticker in failed]
    if reasons:
        st.warning(lines(reasons), title="Could not be loaded", icon=":material/warning:")


def _load(missing: Sequence[str]) -> None:
    bar = st.progress(0.0, text="Loading")
    for done, failed in load_scores(get_runtime(), missing):
        st.session_state["momentum_failed"] = failed
        bar.progress(done / len(missing), text=f"{done} of {len(missing)} scores")
