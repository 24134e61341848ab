"""Who did what, and what came of it?"""

from __future__ import annotations

import time

import streamlit as st

from avcache.errors import BackendError
from avcache.ui import PAGES
from avcache.ui.audit import SINCE, chosen, describe_extent, exported, names_of
from avcache.ui.components.audit import audit_pages, entry_details
from avcache.ui.components.tables import export_buttons
from avcache.ui.resources import get_runtime, look_at_backend, read_audit
from avcache.ui.words import literal

try:
    entries = read_audit()
except BackendError:
    st.error("The audit could not be read: the store refuses. Server says why, and what to do.", title="No answer")
    st.page_link(PAGES / "server.py")
    st.stop()
actors, actions = names_of(entries)
since = st.segmented_control("Since", list(SINCE), default="All", required=True, key="audit_since", bind="query-params")
with st.grid(3, min_column_width=165):
    actor = st.selectbox("Who", actors, index=None, key="audit_actor", placeholder="Anybody", bind="query-params")
    action = st.selectbox("Action", actions, index=None, key="audit_action", placeholder="Any", bind="query-params")
    text = st.text_input("Find", placeholder="price:*, a reason, a job", key="audit_find", bind="query-params")

now = time.time()
found = chosen(entries, now, since=since, actor=actor, action=action, text=text)
picked = audit_pages(found) if found else None
if picked is not None:
    entry_details(picked)
if entries and not found:
    st.caption("No entry matches. Take one of the conditions away.")
if not entries:
    st.write("Nothing is written down yet. Clears, warm-ups and outages of the server will be.")
st.caption(literal(describe_extent(entries, look_at_backend(), now, is_shared=get_runtime().ops.board.is_shared)))
export_buttons("Entries", lambda: exported(found), "audit")
