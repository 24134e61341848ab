"""Entries in a table, a page of them at a time."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from avcache.core.peek import Peek
from avcache.formats import format_percent
from avcache.ui.components.tables import state_column
from avcache.ui.keys import PAGE_ROWS, key_table

__all__ = ["key_pages"]


def key_pages(entries: Sequence[Peek], *, is_exact: bool, done: float = 1.0) -> None:
    """Show *entries* in their order; *is_exact*: there are no others, else they are of a share *done* of the store."""
    table = st.container()
    with st.container(horizontal=True, vertical_alignment="center"):
        pages = -(-len(entries) // PAGE_ROWS)
        # Below the table: it stays where it is when one key more makes a second page.
        page = st.pagination(pages, key="keys_page", bind="query-params") if pages > 1 else 1
        first = (page - 1) * PAGE_ROWS
        shown = entries[first : first + PAGE_ROWS]
        searched = f"; {format_percent(done, 0)} of the store was searched" if done < 1 else ""
        total = f"{len(entries):,}, exact" if is_exact else f"the first {len(entries):,} found{searched}"
        st.caption(f"{first + 1:,}–{first + len(shown):,} of {total}", width="content")
    table.dataframe(
        key_table(shown),
        hide_index=True,
        column_config={
            "Key": st.column_config.TextColumn(pinned=True),
            "State": state_column(),
            "Left": st.column_config.ProgressColumn("", format=" ", min_value=0, max_value=100, width="small"),
        },
        alt="Keys with their age, remaining time, size and state",
    )
