"""What is in there, how old, what does it say?"""

from __future__ import annotations

import streamlit as st

from avcache.errors import InvalidInput
from avcache.ui.components import TICK, literal, open_entry, state_column
from avcache.ui.keys import ORDERS, PAGE_ROWS, key_table, ordered, patterns_of
from avcache.ui.resources import get_runtime

keyspace = get_runtime().ops.keyspace
sizes = keyspace.snapshot().namespaces
prefix = st.pills("Prefix", list(sizes), key="keys_prefix", bind="query-params", help="None chosen: all")
with st.container(horizontal=True, vertical_alignment="bottom"):
    find = st.text_input("Find", placeholder="AAPL, or *:A*", key="keys_find", bind="query-params", max_chars=200)
    order = st.selectbox("Sort", list(ORDERS), key="keys_order", bind="query-params", width=220)


@st.fragment(run_every=TICK)
def rows() -> None:
    try:
        found = keyspace.find(*patterns_of(prefix, find))
    except InvalidInput as exc:
        st.error(literal(str(exc)))
        return
    if not found.rows:
        st.caption("No key matches. Warm-up fills the cache; Momentum and Portfolio do so as they are read.")
        return
    entries = ordered(found.rows, order)
    pages = -(-len(entries) // PAGE_ROWS)
    page = st.pagination(pages, key="keys_page") if pages > 1 else 1
    shown = entries[(page - 1) * PAGE_ROWS : page * PAGE_ROWS]
    st.dataframe(
        key_table(shown),
        hide_index=True,
        column_config={
            "Key": st.column_config.TextColumn(pinned=True),
            "State": state_column(),
            "Left": st.column_config.ProgressColumn("", format=" ", min_value=0, max_value=100, width="small"),
        },
        alt="Keys with their age, remaining time, size and state",
    )
    first = (page - 1) * PAGE_ROWS + 1
    total = f"of {len(entries):,}, exact" if found.is_exact else f"of the first {len(entries):,} found, there are more"
    st.caption(f"{first:,}–{first + len(shown) - 1:,} {total}")


rows()
names = [entry.key for entry in ordered(keyspace.find("*").rows, "Name")]
chosen = st.selectbox(
    "Look inside", names, index=None, key="keys_open", placeholder="Choose a key", bind="query-params"
)
if chosen is not None:
    open_entry(chosen)
