"""What will have to be loaded again, and when?"""

from __future__ import annotations

import streamlit as st

from avcache.formats import format_clock
from avcache.ops.forecast import forecast
from avcache.ui.charts.operate import due_load, expiry_histogram
from avcache.ui.charts.palette import colour_of
from avcache.ui.expiry import describe_cliffs, describe_due, expiry
from avcache.ui.resources import TICK, get_runtime
from avcache.ui.words import literal

keyspace = get_runtime().ops.keyspace
namespace = st.pills(
    "Namespace",
    list(keyspace.snapshot().namespaces),
    key="expiry_namespace",
    bind="query-params",
    help="None chosen: all",
)
measure = st.segmented_control(
    "Measure", ["Keys", "Bytes"], default="Keys", required=True, key="expiry_measure", bind="query-params"
)


@st.fragment(run_every=TICK)
def live() -> None:
    snapshot = keyspace.snapshot()
    model = expiry(snapshot.entries, namespace)
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
    shown, as_of = f"{model.fresh - model.later:,} fresh entries", format_clock(snapshot.taken_at)
    exact = "all keys" if snapshot.is_exact else f"the {len(snapshot.entries):,} keys that could be looked at"
    later = f" {model.later:,} more expire later than in an hour: choose their namespace." if model.later else ""
    st.caption(f"{shown} of {exact}, as of {as_of}.{later}")
    due = forecast(entry for entry in snapshot.entries if namespace in {None, entry.namespace})
    st.subheader("Next hour")
    st.plotly_chart(due_load(due, colour_of(namespace or "")), key="due_chart", alt="Seconds of loading by minute")
    st.caption(literal(f"{describe_due(due)} {describe_cliffs(due, snapshot.taken_at)}"))


live()
