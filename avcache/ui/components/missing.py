"""What is not cached: which, and the way to load it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from avcache.market.scoring import DEFAULT_PROFILE
from avcache.ui import PAGES
from avcache.ui.components.access import is_unlocked, may_act
from avcache.ui.components.loading import loading
from avcache.ui.momentum.reading import load_history
from avcache.ui.resources import get_runtime
from avcache.ui.words import lines, literal, named

__all__ = ["offer_scores", "offer_tickers"]

_FAILED = "momentum_failed"


def offer_scores(missing: Sequence[str], profile: str, universe: Sequence[str]) -> None:
    """Name the tickers without a cached score, load them on request, and say why one could not be loaded."""
    st.caption(f"Not cached: {literal(named(missing))}")
    with st.container(horizontal=True, vertical_alignment="center"):
        if may_act() and st.button("Load the missing scores", type="primary", icon=":material/download:"):
            _load(missing, profile, universe)
            st.rerun()
        if profile == DEFAULT_PROFILE:  # the only one that warm-ups load
            st.page_link(PAGES / "warmup.py", label="Warm-up", icon=":material/local_fire_department:")
    _say_what_failed(missing)


def offer_tickers(what: str, lacking: Sequence[str], profile: str, universe: Sequence[str], *, key: str) -> None:
    """The same for scores and prices of a few tickers; *what* says what is not there."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(literal(what), width="content")
        label = f"Load {named(lacking)}"
        needed = None if is_unlocked() else "Needs the access token, which Warm-up asks for"
        asked = st.button(literal(label), key=key, icon=":material/download:", disabled=needed is not None, help=needed)
        if asked and is_unlocked():
            with st.spinner(literal(label)):
                _load(lacking, profile, universe)
                failed = {ticker: load_history(get_runtime(), ticker) for ticker in lacking}
                st.session_state[_FAILED] |= {ticker: why for ticker, why in failed.items() if why}
            st.rerun()
    _say_what_failed(lacking)


def _load(missing: Sequence[str], profile: str, universe: Sequence[str]) -> None:
    for failed in loading(missing, profile, universe, key="momentum_stop"):
        st.session_state[_FAILED] = failed


def _say_what_failed(missing: Sequence[str]) -> None:
    failed = st.session_state.get(_FAILED, {})
    reasons = [f"{ticker} ({failed[ticker]})" for ticker in missing if ticker in failed]
    if reasons:
        st.warning(lines(reasons), title="Could not be loaded", icon=":material/warning:")
