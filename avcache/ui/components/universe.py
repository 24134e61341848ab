"""Which tickers are meant: a universe, or the reader's own."""

from __future__ import annotations

from typing import Final

import streamlit as st

from avcache.market.universe import UNIVERSES

__all__ = ["OWN", "choose_universe"]

OWN: Final = "My tickers"


def choose_universe(key: str, default: str = next(iter(UNIVERSES))) -> tuple[str, ...] | None:
    """The tickers of the universe that is chosen; None for the reader's own."""
    chosen = st.segmented_control(
        "Universe", [*UNIVERSES, OWN], default=default, required=True, key=key, bind="query-params"
    )
    return UNIVERSES.get(chosen)
