"""What grows older while somebody looks at it."""

from __future__ import annotations

import time
from collections.abc import Callable

import streamlit as st

from avcache.core.peek import Peek
from avcache.ui.resources import TICK
from avcache.ui.states import aged
from avcache.ui.words import literal

__all__ = ["aging_caption"]


def aging_caption(entry: Peek, describe: Callable[[Peek, float], str]) -> None:
    """A caption about *entry*, whose age runs on: *describe* is given the entry as it is now, and the time."""
    drawn_at = time.time()

    @st.fragment(run_every=TICK)
    def live() -> None:
        now = time.time()
        st.caption(literal(describe(aged(entry, now - drawn_at), now)))

    live()
