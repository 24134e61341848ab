"""What exactly will go, and what will it cost?"""

from __future__ import annotations

import time

import streamlit as st

from avcache.errors import InvalidInput
from avcache.ui.clear import WAYS
from avcache.ui.components.clearing import ask_what, clears_under_way, past_clears, plan_of, show_plan
from avcache.ui.words import literal

_EXAMPLES = {"Namespace": "Choose a namespace first", "Pattern": "Name a pattern first, such as momentum:*"}

way = st.segmented_control(
    "What to clear", WAYS, default="Pattern", required=True, key="clear_way", bind="query-params"
)
asked = ask_what(way)
if asked is not None:
    st.session_state.pop("clear_plan", None)
    if asked:
        try:
            st.session_state["clear_plan"] = (way, plan_of(way, asked), time.time())
        except InvalidInput as exc:
            st.error(literal(str(exc)), title=f"That is no {way.lower()}")
    else:
        st.error(literal(_EXAMPLES.get(way, "Name a ticker first, such as AAPL")))

planned_way, plan, planned_at = st.session_state.get("clear_plan", (None, None, 0.0))
if plan is not None and planned_way == way:
    show_plan(plan, planned_at)
elif asked is None:
    st.caption("Nothing is dropped before you have seen what it is.")
clears_under_way()
past_clears()
