"""Who may act: everybody, or those who have the token."""

from __future__ import annotations

import hmac

import streamlit as st

from avcache.ui.resources import get_runtime

__all__ = ["ACTOR", "is_unlocked", "may_act"]

ACTOR = "console"
"""Who acts, as the record of it says."""


def is_unlocked() -> bool:
    """
    Whether this session may change something.

    Ask at the time of the act: the token may have changed since the page was drawn.
    """
    token = get_runtime().settings.avcache_api_token
    given = str(st.session_state.get("access_token", ""))
    return token is None or hmac.compare_digest(given.encode(), token.get_secret_value().encode())


def may_act() -> bool:
    """`is_unlocked`, and if not so a form that asks for the token; once on a page."""
    if is_unlocked():
        return True
    with st.form("access"):
        st.text_input("Access token", type="password", key="access_entry", help="The value of AVCACHE_API_TOKEN")
        if st.form_submit_button("Unlock", icon=":material/lock_open:"):
            st.session_state["access_token"] = st.session_state["access_entry"]
            if is_unlocked():
                st.rerun()
            st.error("That is not the token.")
    st.caption("Clearing, deleting, warming and saved portfolios need the token.")
    return False
