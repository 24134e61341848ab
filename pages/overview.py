"""Is the cache doing its job, and if not, where?"""

from __future__ import annotations

import streamlit as st

from avcache.ui import PAGES
from avcache.ui.components.access import may_act
from avcache.ui.components.overview import current_pause, draw_below, draw_namespaces, draw_top, pause_button
from avcache.ui.components.strip import draw_strip, state_strip, strip_place
from avcache.ui.components.tables import export_buttons
from avcache.ui.components.warmup import begin
from avcache.ui.overview.look import WINDOWS
from avcache.ui.overview.tables import exported_namespaces, exported_workers
from avcache.ui.resources import TICK, LiveOverview, get_runtime, live_overview

with st.container(horizontal=True, vertical_alignment="bottom"):
    window = st.segmented_control(
        "Window", list(WINDOWS), default="15 min", required=True, key="overview_window", bind="query-params"
    )
    pause_button()
pause, place = current_pause(), strip_place()


def seen() -> LiveOverview:
    return live_overview(WINDOWS[window]) if pause is None else pause.seen[window]


was_empty = seen().model.is_empty
if was_empty:
    universes = get_runtime().market.universes
    name, tickers = universes.default, universes.get(universes.default)
    st.write(f"The cache is empty. Warm it up with the {len(tickers)} tickers of “{name}” to see it work.")
    if may_act() and st.button("Warm the default universe", type="primary", icon=":material/local_fire_department:"):
        begin(tickers)
        st.switch_page(PAGES / "warmup.py")


@st.fragment(run_every=TICK if pause is None else None)
def live() -> None:
    now_seen = seen()
    tick = f"{window} {now_seen.model.now}"
    if pause is None:
        with place:
            draw_strip(*now_seen.strip)
    draw_top(tick, now_seen)
    draw_namespaces(now_seen)
    draw_below(tick, now_seen)
    if pause is None and now_seen.model.is_empty != was_empty:
        st.rerun()


if pause is not None:  # the strip goes on
    with place:
        state_strip()
live()
with st.container(horizontal=True):
    export_buttons("Namespaces", lambda: exported_namespaces(seen().namespaces), "namespaces")
    export_buttons("Workers", lambda: exported_workers(seen().seen), "workers")
