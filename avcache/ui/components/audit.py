"""Entries of the audit in a table, a page of them at a time, and one of them in full."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from avcache.errors import BackendError
from avcache.formats import format_clock
from avcache.ops.audit import AuditEntry
from avcache.ui import PAGES
from avcache.ui.audit import PAGE_ROWS, audit_table, describe_job, how_much, page_of, reason_of
from avcache.ui.components.tables import choose_page, moment_column
from avcache.ui.resources import get_runtime
from avcache.ui.words import literal

__all__ = ["audit_pages", "entry_details"]

_TITLES = {"clear": "Clear", "warmup": "Warm-up"}


def audit_pages(entries: Sequence[AuditEntry]) -> AuditEntry | None:
    """Show a page of *entries*, of which there is one at least; returns the one that is selected."""
    table = st.container()
    shown = choose_page(entries, PAGE_ROWS, "audit_page", f"{len(entries):,}. Choose a row to see it in full.")
    picked = table.dataframe(
        audit_table(shown),
        hide_index=True,
        # Rows are selected by their number: when others stand there, nothing is.
        key=f"audit_rows_{shown[0].at}_{shown[-1].at}",
        on_select="rerun",
        selection_mode="single-row",
        column_config={
            "When": moment_column(explained="Local time; in a file UTC"),
            "On": st.column_config.TextColumn(width=160),
            "Reason": st.column_config.TextColumn(width=110),
            "Result": st.column_config.TextColumn(width="large"),
        },
        alt="Acts with when, who, what, how much, why and what came of it",
    )
    rows = picked["selection"]["rows"]
    return shown[rows[0]] if rows else None


def entry_details(entry: AuditEntry) -> None:
    """*entry* in full, and the way to the job behind it."""
    with st.container(border=True):
        st.write(literal(f"{format_clock(entry.at, 0)} · {entry.actor} · {entry.action}"))
        st.code(entry.object, language=None, wrap_lines=True)
        for what, text in (("How much", how_much(entry)), ("Reason", reason_of(entry)), ("Result", entry.result)):
            if text:
                st.write(literal(f"{what}: {text}"))
        if entry.job is not None:
            _job(entry.job)


def _job(job_id: str) -> None:
    try:
        job = get_runtime().ops.jobs.get(job_id)
    except BackendError:
        job = None
    st.caption(literal(describe_job(job)))
    page = page_of(job)
    if page is not None:
        st.page_link(PAGES / f"{page}.py", label=f"See on {_TITLES[page]}", icon=":material/arrow_forward:", help="")
