"""Scores being loaded: how far that is, and the way to stop it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import streamlit as st

from avcache.formats import counted
from avcache.market.scoring import DEFAULT_PROFILE
from avcache.ui.momentum.reading import load_scores
from avcache.ui.resources import get_runtime

__all__ = ["loading"]


def loading(
    tickers: Sequence[str],
    profile: str = DEFAULT_PROFILE,
    universe: Sequence[str] | None = None,
    *,
    key: str,
    on_stop: Callable[[], None] | None = None,
) -> Iterator[dict[str, str]]:
    """
    Load the scores of *tickers*; yields after every few why some of them could not be had.

    Args:
        key: Of the button that stops it, as a click on any would.
        on_stop: Called then, before the page is drawn anew.
    """
    place, what = st.empty(), counted(len(tickers), "ticker")
    with place.container(horizontal=True, vertical_alignment="bottom"):
        bar = st.progress(0.0, text=f"Loading {what}")
        st.button("Stop", icon=":material/stop:", key=key, on_click=on_stop)
    for done, failed in load_scores(get_runtime(), tickers, profile, universe):
        bar.progress(done / len(tickers), text=f"{done} of {what} loaded")
        yield failed
    place.empty()
