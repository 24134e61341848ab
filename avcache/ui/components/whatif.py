"""Another ttl, tried on the last reads."""

from __future__ import annotations

import time

import streamlit as st

from avcache.formats import format_seconds
from avcache.ui.charts.palette import colour_of
from avcache.ui.charts.whatif import what_if_curve
from avcache.ui.components.tables import export_buttons
from avcache.ui.resources import get_runtime, reads_by_namespace, replayed
from avcache.ui.whatif import FEWEST_READS, describe_replay, exported, what_if_table
from avcache.ui.words import literal

__all__ = ["what_if_section"]


def what_if_section(namespace: str | None) -> None:
    """Replay the reads of a namespace, at first of *namespace* or the most read one; nothing while it is shut."""
    with st.expander(
        "What if the time to live were another?",
        icon=":material/science:",
        key="expiry_whatif",
        on_change="rerun",
        bind="query-params",
    ) as section:
        if section.open:
            _section(namespace)


def _section(namespace: str | None) -> None:
    reads = reads_by_namespace()
    if not reads:
        st.caption("This process has not read anything yet. Open Momentum or Portfolio, or read through the library.")
        return
    names = [*([namespace] if namespace in reads else []), *(name for name in reads if name != namespace)]
    chosen = st.selectbox("Namespace to replay", names, key="expiry_whatif_namespace", bind="query-params", width=300)
    setting = get_runtime().cache.namespaces[chosen].ttl
    if reads.get(chosen, 0) < FEWEST_READS:
        st.caption(
            f"Only {reads.get(chosen, 0)} reads of {literal(chosen)} by this process: too few to say what another time "
            f"to live would do. From {FEWEST_READS} on it is told."
        )
        return
    found = replayed(chosen, setting)
    st.plotly_chart(
        what_if_curve(found, setting, colour_of(chosen)),
        key="expiry_whatif_chart",
        alt="Hit rate against the mean age of a hit, for several times to live",
    )
    st.dataframe(
        what_if_table(found, setting),
        hide_index=True,
        column_config={"TTL": st.column_config.TextColumn(pinned=True, width=150)},
        alt="Hit rate, age, loads and loading time for several times to live",
    )
    st.caption(
        literal(
            f"{describe_replay(found, time.time())} The setting is {format_seconds(setting)}; a record may ask for "
            "less. The first read of a key is a load, and takes what those of its key took."
        )
    )
    export_buttons("What if", lambda: exported(found), f"what-if-{chosen}")
