"""What is in there, how old, what does it say?"""

from __future__ import annotations

import streamlit as st

from avcache.errors import InvalidInput
from avcache.ui.components.entry import open_entry
from avcache.ui.components.keys import all_tickers, choose_prefix, found_keys, live_rows, searched_rows
from avcache.ui.components.tables import export_buttons
from avcache.ui.key_search import known_names
from avcache.ui.keys import MOST_OFFERED, ORDERS, exported, patterns_of
from avcache.ui.resources import get_runtime
from avcache.ui.words import literal

snapshot = get_runtime().ops.keyspace.snapshot()
prefix = choose_prefix(snapshot)
with st.container(horizontal=True, vertical_alignment="bottom"):
    find = st.text_input("Find", placeholder="AAPL, or *:A*", key="keys_find", bind="query-params", max_chars=200)
    order = st.selectbox("Sort", list(ORDERS), key="keys_order", bind="query-params", width=220)

st.session_state["keys_opened"] = st.session_state.get("keys_open")  # a row picked later is another one
patterns = patterns_of(prefix, find)
is_small = snapshot.is_exact and snapshot.took < 1
offered: list[str] = []
try:
    for pattern in patterns:  # in a fragment, what is wrong with one could not be said in words
        get_runtime().cache.namespaces.pattern(pattern)
    if is_small:
        live_rows(patterns, order)
    else:
        searched_rows(patterns, known_names(prefix, find, snapshot, all_tickers()), order)
    found = found_keys(patterns, order, is_small=is_small)
    offered = sorted(entry.key for entry in found[:MOST_OFFERED] if not entry.is_foreign)
    export_buttons("Keys", lambda: exported(found_keys(patterns, order, is_small=is_small)), "keys")
except InvalidInput as exc:
    st.error(literal(str(exc)), title="That is no pattern")
chosen = st.selectbox(
    "Look inside",
    offered,
    index=None,
    key="keys_open",
    placeholder="Pick a row above, or type a key",
    bind="query-params",
    accept_new_options=True,
)
if chosen is not None:
    open_entry(chosen)
