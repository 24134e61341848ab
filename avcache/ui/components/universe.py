"""Which tickers are meant: a universe, or the reader's own."""

from __future__ import annotations

from typing import Final

import streamlit as st

from avcache.ui.resources import get_runtime

__all__ = ["OWN", "choose_universe"]

OWN: Final = "My tickers"


def choose_universe(key: str, *, own_first: bool = False) -> tuple[str, ...] | None:
    """The tickers of the universe that is chosen, at first the reader's own or the first one; None for their own."""
    universes = get_runtime().market.universes
    options = [OWN, *universes.names] if own_first else [*universes.names, OWN]
    chosen = st.selectbox("Universe", options, key=key, bind="query-params", width=300)
    return None if chosen == OWN else universes.get(chosen)
