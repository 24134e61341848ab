"""The strip above every page."""

from __future__ import annotations

import time

import streamlit as st

from avcache.formats import format_clock
from avcache.ui.resources import TICK, get_runtime, look_at_backend
from avcache.ui.strip import strip
from avcache.ui.words import literal

__all__ = ["state_strip"]


@st.fragment(run_every=TICK)
def state_strip() -> None:
    """One row above every page; a second one while something is wrong."""
    runtime = get_runtime()
    now = time.time()
    market, last_minute = runtime.market, runtime.cache.stats(60).total
    model = strip(look_at_backend(), market.source, market.label, last_minute, now, paused_until=market.paused_until)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        for badge in (model.backend, model.source):
            st.badge(literal(badge.text), icon=badge.icon, color=badge.colour, help=badge.help)
        st.caption(f"{model.hit_rate} · {format_clock(now)}", width="content")
    if model.trouble:
        st.warning(literal(model.trouble), icon=":material/warning:")
