"""What Expiry says first."""

from __future__ import annotations

import streamlit as st

from avcache.ui.expiry import ExpiryModel

__all__ = ["expiry_tiles"]


def expiry_tiles(model: ExpiryModel) -> None:
    """When the next entry loses its freshness, how many soon do, and what that costs."""
    with st.grid(4, min_column_width=170):
        st.metric("Next to expire", model.next_text, border=True, help="Minutes and seconds until then.")
        st.metric("Within 5 minutes", model.soon_text, border=True, help="Keys that lose their freshness.")
        st.metric("To load them again", model.refill_text, border=True, help="What loading them took last time.")
        st.metric("Stale", f"{model.stale:,}", border=True, help="Past their ttl: served while they are loaded again.")
