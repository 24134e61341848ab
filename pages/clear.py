"""What exactly will go, and what will it cost?"""

from __future__ import annotations

import streamlit as st

from avcache.errors import InvalidInput
from avcache.ops.clearing import ClearPlan
from avcache.ui.clear import describe_plan
from avcache.ui.components.access import may_act
from avcache.ui.components.clearing import clears_under_way, confirm_clear, past_clears
from avcache.ui.resources import get_runtime
from avcache.ui.words import counted, literal


def show(plan: ClearPlan) -> None:
    st.write(literal(describe_plan(plan)))
    if not plan.keys and plan.is_exact:
        st.caption("Nothing matches, so there is nothing to clear.")
        return
    if plan.keys:
        st.caption("What would go:" if len(plan.samples) == plan.keys else f"The first {len(plan.samples)}:")
        st.code("\n".join(plan.samples), language=None)
    label = f"Clear {counted(plan.keys, 'key')}" if plan.is_exact else "Clear all that match"
    if may_act() and st.button(label, type="primary", icon=":material/delete:"):
        confirm_clear(plan)


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

planned = st.session_state.get("clear_planned")
if planned:
    try:
        show(get_runtime().ops.clearing.plan(planned))
    except InvalidInput as exc:
        st.error(literal(str(exc)), title="That is no pattern")
elif planned is not None:
    st.error(literal("Name a pattern first, such as momentum:*"))
else:
    st.caption("Nothing is dropped before you have seen what it is.")
clears_under_way()
past_clears()
