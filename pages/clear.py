"""What exactly will go, and what will it cost?"""

from __future__ import annotations

import time

import streamlit as st

from avcache.errors import InvalidInput
from avcache.ops.clearing import ClearPlan
from avcache.ui.clear import TYPE_TO_CONFIRM, describe_plan, describe_result, noun
from avcache.ui.components import literal, may_act
from avcache.ui.resources import get_runtime

clearing = get_runtime().ops.clearing


@st.dialog("Clear the cache?", icon=":material/delete_sweep:")
def confirm(plan: ClearPlan) -> None:
    st.write(f"{noun(plan.keys)} matching the pattern below will be dropped. What is asked for again is loaded again.")
    st.code(plan.pattern, language=None)
    typed = plan.pattern
    if plan.keys >= TYPE_TO_CONFIRM or not plan.is_exact:
        typed = st.text_input("Type the pattern to confirm", key="clear_typed")
    with st.container(horizontal=True):
        if st.button("Clear now", type="primary", disabled=typed != plan.pattern) and may_act():
            begun = time.monotonic()
            with st.spinner("Clearing"):
                cleared = clearing.clear(plan.pattern)
            st.session_state["clear_result"] = describe_result(cleared, time.monotonic() - begun)
            del st.session_state["clear_planned"]
            st.rerun()
        if st.button("Keep them"):
            st.rerun()


with st.form("clear_form"):
    pattern = st.text_input(
        "Pattern",
        placeholder="momentum:*",
        key="clear_pattern",
        bind="query-params",
        help="`*` stands for any text, `?` for one character; `price:AAPL` is that one key.",
    )
    if st.form_submit_button("Preview", icon=":material/visibility:"):
        st.session_state["clear_planned"] = pattern.strip()
        st.session_state.pop("clear_result", None)

planned = st.session_state.get("clear_planned")
if planned is not None:
    try:
        plan = clearing.plan(planned)
    except InvalidInput as exc:
        st.error(literal(str(exc)), title="That is no pattern")
    else:
        st.write(literal(describe_plan(plan)))
        if plan.keys:
            st.caption("What would go:" if len(plan.samples) == plan.keys else f"The first {len(plan.samples)}:")
            st.code("\n".join(plan.samples), language=None)
            if may_act() and st.button(f"Clear {noun(plan.keys)}", type="primary", icon=":material/delete:"):
                confirm(plan)
        else:
            st.caption("Nothing matches, so there is nothing to clear.")
result = st.session_state.get("clear_result")
if result is not None:
    st.success(literal(result), icon=":material/check_circle:")
elif planned is None:
    st.caption("Nothing is dropped before you have seen what it is.")
