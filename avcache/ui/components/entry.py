"""One entry, looked into."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from avcache.backends.base import MISS
from avcache.errors import InvalidInput
from avcache.ui.components.access import may_act
from avcache.ui.components.aging import aging_caption
from avcache.ui.entry import SHOWN_ROWS, describe, tables_in, text_of
from avcache.ui.resources import get_runtime
from avcache.ui.words import literal

__all__ = ["open_entry"]


def open_entry(key: str) -> None:
    """Show one entry: what is known of it, its value as data and never as markup, and the way to drop it."""
    cache = get_runtime().cache
    try:
        entry = cache.peek(key)
    except InvalidInput as exc:  # it was typed
        st.error(literal(str(exc)))
        return
    if entry is None:
        st.caption("This key is not in the cache any more.")
        return
    with st.container(border=True):
        st.markdown(f"**{literal(entry.key)}**")
        aging_caption(entry, lambda aged, _now: describe(aged))
        if not entry.is_foreign:
            _show_value(cache.peek_value(key))
        if may_act() and st.button("Delete this key", icon=":material/delete:", key="open_delete"):
            cache.delete(key)
            st.toast(f"Deleted {literal(key)}")
            st.rerun()


def _show_value(value: object) -> None:
    if value is MISS:
        st.caption("The value cannot be read.")
        return
    for table in tables_in(value):
        st.dataframe(table.tail(SHOWN_ROWS), alt="The last rows of a table in this value")
        if len(table) > SHOWN_ROWS:
            st.caption(f"The last {SHOWN_ROWS} of {len(table):,} rows.")
    if not isinstance(value, pd.DataFrame):
        st.code(text_of(value), language=None)
