"""Is the cache doing its job, and if not, where?"""

from __future__ import annotations

import streamlit as st

from avcache.ui import PAGES
from avcache.ui.components.access import may_act
from avcache.ui.components.tables import export_buttons
from avcache.ui.components.warmup import begin
from avcache.ui.overview import WINDOWS
from avcache.ui.resources import TICK, get_runtime, live_overview

window = st.segmented_control(
    "Window", list(WINDOWS), default="15 min", required=True, key="overview_window", bind="query-params"
)
st.caption("Counts of this process, refreshed every 2 s. What the console itself looks at is not counted.")


@st.fragment(run_every=TICK)
def live() -> None:
    model, figure = live_overview(WINDOWS[window])
    with st.grid(5, min_column_width=150):
        for tile in model.tiles:
            course = tile.course or [0.0]
            st.metric(tile.label, tile.value, chart_data=course, help=tile.help, border=True, height="stretch")
    st.subheader("Hit rate by namespace")
    if any(rate is not None for rates in model.rates.values() for rate in rates):
        st.plotly_chart(figure, key="overview_rates", alt="Hit rate by namespace over the window")
    else:
        st.caption(f"Nobody has read in the last {window}. Open Momentum or Portfolio, or read through the library.")
    st.subheader("Namespaces")
    if model.table.empty:
        st.caption("The cache is empty, and nothing was read yet.")
    else:
        st.dataframe(
            model.table,
            hide_index=True,
            column_config={"Namespace": st.column_config.TextColumn(pinned=True)},
            alt="Keys, size, reads and hit rates of each namespace",
        )
        st.caption(f"Hits, misses and mean load: last {window}. Keys and sizes: {model.exactness}.")
    if model.trouble:
        st.caption(" · ".join(f"{what} {number}" for what, number in model.trouble))


live()
export_buttons("Namespaces", lambda: live_overview(WINDOWS[window])[0].namespaces, "namespaces")
if get_runtime().ops.keyspace.snapshot().is_empty:
    universes = get_runtime().market.universes
    name, tickers = universes.default, universes.get(universes.default)
    st.write(f"The cache is empty. Warm it up with the {len(tickers)} tickers of “{name}” to see it work.")
    if may_act() and st.button("Warm the default universe", type="primary", icon=":material/local_fire_department:"):
        begin(tickers)
        st.switch_page(PAGES / "warmup.py")
