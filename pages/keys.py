"""What is in there, how old, what does it say?"""

from __future__ import annotations

from contextlib import suppress

import pandas as pd
import streamlit as st

from avcache.errors import InvalidInput
from avcache.ui.components.entry import open_entry
from avcache.ui.components.keys import key_pages
from avcache.ui.components.tables import export_buttons
from avcache.ui.keys import MOST_OFFERED, ORDERS, exported, ordered, patterns_of
from avcache.ui.resources import TICK, get_runtime
from avcache.ui.words import literal

keyspace = get_runtime().ops.keyspace
snapshot = keyspace.snapshot()
sizes = snapshot.namespaces
prefix = st.pills("Prefix", list(sizes), key="keys_prefix", bind="query-params", help="None chosen: all")
with st.container(horizontal=True, vertical_alignment="bottom"):
    find = st.text_input("Find", placeholder="AAPL, or *:A*", key="keys_find", bind="query-params", max_chars=200)
    order = st.selectbox("Sort", list(ORDERS), key="keys_order", bind="query-params", width=220)


# Of a large store the rows are searched once, not again and again.
@st.fragment(run_every=TICK if snapshot.is_exact and snapshot.took < 1 else None)
def rows() -> None:
    try:
        found = keyspace.find(*patterns_of(prefix, find))
    except InvalidInput as exc:
        st.error(literal(str(exc)))
        return
    if found.rows:
        key_pages(ordered(found.rows, order), is_exact=found.is_exact, done=found.done)
    else:
        nothing = "No key matches. Warm-up fills the cache; Momentum and Portfolio do so as they are read."
        st.caption(nothing if found.is_exact else "Not all keys could be looked at; none of those seen matches.")


def as_file() -> pd.DataFrame:
    with suppress(InvalidInput):  # the place of the table says what is wrong with the pattern
        return exported(ordered(keyspace.find(*patterns_of(prefix, find)).rows, order))
    return exported([])


def names() -> list[str]:
    """Keys to choose from: the first of those that are shown."""
    with suppress(InvalidInput):
        found = keyspace.find(*patterns_of(prefix, find)).rows[:MOST_OFFERED]
        return sorted(entry.key for entry in found if not entry.is_foreign)
    return []


rows()
if sizes:
    export_buttons("Keys", as_file, "keys")
chosen = st.selectbox(
    "Look inside",
    names(),
    index=None,
    key="keys_open",
    placeholder="Choose a key, or type one",
    bind="query-params",
    accept_new_options=True,
)
if chosen is not None:
    open_entry(chosen)
