"""What will have to be loaded again, and when?"""

from __future__ import annotations

import time

import streamlit as st

from avcache.ops.forecast import forecast
from avcache.ui.charts.operate import due_load, expiry_histogram
from avcache.ui.charts.palette import colour_of
from avcache.ui.components.expiry import expiry_tiles
from avcache.ui.components.whatif import what_if_section
from avcache.ui.expiry import describe_cliffs, describe_due, describe_shown, expiry
from avcache.ui.resources import TICK, get_runtime
from avcache.ui.states import describe_exactness
from avcache.ui.words import literal

keyspace = get_runtime().ops.keyspace
names = list(keyspace.snapshot().namespaces)
namespace = st.pills(
    "Namespace",
    names,
    format_func=literal,
    key="expiry_namespace",
    bind="query-params",
    help="None chosen: all",
)
measure = st.segmented_control(
    "Measure", ["Keys", "Bytes"], default="Keys", required=True, key="expiry_measure", bind="query-params"
)


@st.fragment(run_every=TICK)
def live() -> None:
    snapshot, now = keyspace.snapshot(), time.time()
    if snapshot.namespaces.keys() - set(names):  # one that has gone stays a choice
        st.rerun()
    age = max(0.0, now - snapshot.taken_at)
    model = expiry(snapshot, namespace, age=age)
    expiry_tiles(model)
    if not model.fresh:
        nothing = "Nothing fresh is in the cache. Warm-up fills it."
        st.caption(nothing if snapshot.is_exact else "Not all keys could be looked at; none of those seen is fresh.")
        return
    if model.fresh > model.later:
        st.plotly_chart(
            expiry_histogram(model, by_size=measure == "Bytes"),
            key="expiry_chart",
            alt="Time left of the fresh entries",
        )
    st.caption(literal(f"{describe_shown(model)}. Figures: {describe_exactness(snapshot, now)}."))
    due = forecast(snapshot, namespace, age=age)
    st.subheader("Next hour")
    if any(due.load_seconds):
        st.plotly_chart(due_load(due, colour_of(namespace or "")), key="due_chart", alt="Seconds of loading by minute")
    st.caption(literal(f"{describe_due(due)} {describe_cliffs(due, now)}"))


live()
what_if_section(namespace)
