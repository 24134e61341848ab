"""What grows older while somebody looks at it, and is shown anew when something newer is there."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import streamlit as st

from avcache.core.peek import Peek
from avcache.ui.components.dialogs import is_dialog_open
from avcache.ui.resources import TICK, get_runtime
from avcache.ui.states import aged, is_replaced
from avcache.ui.words import literal

__all__ = ["aging_caption", "aging_captions"]


def aging_caption(entry: Peek, describe: Callable[[Peek, float], str]) -> None:
    """A caption about *entry*, whose age runs on: *describe* is given the entry as it is now, and the time."""
    aging_captions([entry], lambda entries, now: describe(entries[0], now))


def aging_captions(entries: Sequence[Peek], describe: Callable[[Sequence[Peek], float], str]) -> None:
    """
    The same about several at once.

    As soon as one that is stale was loaded again, by whomever, the page is drawn anew. To look for that is no read: a
    page that is left open loads nothing.
    """
    drawn_at = time.time()

    @st.fragment(run_every=TICK)
    def live() -> None:
        now = time.time()
        shown = [aged(entry, now - drawn_at) for entry in entries]
        stale = [entry for entry in shown if entry.is_stale]
        is_replaced_now = stale and is_replaced(stale, get_runtime().cache.peek_many([entry.key for entry in stale]))
        if is_replaced_now and not is_dialog_open():
            st.rerun()
        st.caption(literal(describe(shown, now)), width="content")

    live()
