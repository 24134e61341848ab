"""The last question before something is cleared."""

from __future__ import annotations

import time

import streamlit as st

from avcache.ops.clearing import ClearPlan
from avcache.ui.clear import TYPE_TO_CONFIRM, describe_result
from avcache.ui.components.access import may_act
from avcache.ui.resources import get_runtime
from avcache.ui.words import counted

__all__ = ["confirm_clear"]


@st.dialog("Clear the cache?", icon=":material/delete_sweep:")
def confirm_clear(plan: ClearPlan) -> None:
    """Ask, clear, and leave the result in the session as `clear_result`."""
    keys = counted(plan.keys, "key") if plan.is_exact else "All keys"
    st.write(f"{keys} matching the pattern below will be dropped. What is asked for again is loaded again.")
    st.code(plan.pattern, language=None)
    typed = plan.pattern
    if plan.keys >= TYPE_TO_CONFIRM or not plan.is_exact:
        typed = st.text_input("Type the pattern to confirm", key="clear_typed")
    with st.container(horizontal=True):
        if st.button("Clear now", type="primary", disabled=typed != plan.pattern) and may_act():
            begun = time.monotonic()
            with st.spinner("Clearing"):
                cleared = get_runtime().ops.clearing.clear(plan.pattern)
            st.session_state["clear_result"] = describe_result(cleared, time.monotonic() - begun)
            del st.session_state["clear_planned"]
            st.rerun()
        if st.button("Keep them"):
            st.rerun()
