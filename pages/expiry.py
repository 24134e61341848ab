"""What will have to be loaded again, and when?"""

from __future__ import annotations

import time

import streamlit as st

from avcache.ops.forecast import forecast
from avcache.ui.charts.operate import due_load, expiry_histogram
from avcache.ui.charts.palette import colour_of
from avcache.ui.components.whatif import what_if_section
from avcache.ui.expiry import describe_cliffs, describe_due, expiry
from avcache.ui.resources import TICK, get_runtime
from avcache.ui.states import describe_exactness
from avcache.ui.words import literal

keyspace = get_runtime().ops.keyspace
namespace = st.pills(
    "Namespace",
    list(keyspace.snapshot().namespaces),
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
    age = max(0.0, now - snapshot.taken_at)
    model = expiry(snapshot, namespace, age=age)
    with st.grid(4, min_column_width=170):
        st.metric("Next to expire", model.next_text, border=True, help="Minutes and seconds until then.")
        st.metric("Within 5 minutes", model.soon_text, border=True, help="Keys that lose their freshness.")
        st.metric("To load them again", model.refill_text, border=True, help="What loading them took last time.")
        st.metric(
            "Stale",
            f"{model.stale:,}",
            border=True,
            help="Past their ttl: served while they are loaded again.",
        )
    if not model.fresh:
        nothing = "Nothing fresh is in the cache. Warm-up fills it."
        st.caption(nothing if snapshot.is_exact else "Not all keys could be looked at; none of those seen is fresh.")
        return
    st.plotly_chart(
        expiry_histogram(model, by_size=measure == "Bytes"),
        key="expiry_chart",
        alt="Time left of the fresh entries",
    )
    shown = f"{model.fresh - model.later:,} fresh entries"
    later = f" {model.later:,} more expire later than in an hour: choose their namespace." if model.later else ""
    st.caption(f"{shown}, {describe_exactness(snapshot, now)}.{later}")
    due = forecast(snapshot, namespace, age=age)
    st.subheader("Next hour")
    st.plotly_chart(due_load(due, colour_of(namespace or "")), key="due_chart", alt="Seconds of loading by minute")
    st.caption(literal(f"{describe_due(due)} {describe_cliffs(due, now)}"))


live()
what_if_section(namespace)
