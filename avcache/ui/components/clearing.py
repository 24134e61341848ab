"""The last question before something is cleared, and what becomes of it."""

from __future__ import annotations

import time

import streamlit as st

from avcache.errors import CacheError
from avcache.ops.clearing import UNDO_SECONDS, ClearPlan
from avcache.ops.jobs import Job
from avcache.ui.clear import TYPE_TO_CONFIRM, describe_job, exported, history
from avcache.ui.components.access import ACTOR, is_unlocked, may_act
from avcache.ui.components.tables import export_buttons
from avcache.ui.resources import get_runtime
from avcache.ui.words import counted, literal

__all__ = ["clears_under_way", "confirm_clear", "past_clears"]

_WATCHED_EVERY = 0.5
_KIND = "clear"


@st.dialog("Clear the cache?", icon=":material/delete_sweep:")
def confirm_clear(plan: ClearPlan) -> None:
    """Ask, and clear; the job is the page's to watch."""
    keys = counted(plan.keys, "key") if plan.is_exact else "All keys"
    st.write(
        f"{keys} matching the pattern below will not be read any more, at once and by no process. "
        f"They are dropped in {UNDO_SECONDS / 60:.0f} minutes; until then it can be undone."
    )
    st.code(plan.pattern, language=None)
    typed = plan.pattern
    if plan.keys >= TYPE_TO_CONFIRM or not plan.is_exact:
        typed = st.text_input("Type the pattern to confirm", key="clear_typed")
    reason = st.text_input("Reason", key="clear_reason", max_chars=200, placeholder="Optional, for the record")
    with st.container(horizontal=True):
        if st.button("Clear now", type="primary", disabled=typed != plan.pattern) and may_act():
            _start(plan, reason)
        if st.button("Keep them"):
            st.rerun()


def _start(plan: ClearPlan, reason: str) -> None:
    try:
        get_runtime().ops.clearing.start(plan.pattern, actor=ACTOR, reason=reason, plan=plan, undo_seconds=UNDO_SECONDS)
    except CacheError as exc:
        st.error(literal(str(exc)), title="Nothing was cleared")
        return
    st.session_state.pop("clear_planned", None)
    st.rerun()


@st.fragment(run_every=_WATCHED_EVERY)
def clears_under_way() -> None:
    """Every clear that has not ended, whoever began it, and the ways to undo, pause or hasten it."""
    ops, now = get_runtime().ops, time.time()
    under_way = [job for job in ops.jobs.open() if job.kind == _KIND]
    for job in under_way:
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.write(literal(describe_job(job, now)))
            if job.state in {"running", "paused"} and job.total:
                st.progress(min(1.0, job.done / job.total))
            if is_unlocked():
                _buttons(job)
    seen = [job.id for job in under_way]
    if st.session_state.setdefault("clear_seen", seen) != seen:
        st.session_state["clear_seen"] = seen
        st.rerun()


def _buttons(job: Job) -> None:
    ops = get_runtime().ops
    if st.button("Undo", icon=":material/undo:", key=f"clear_undo_{job.id}"):
        try:
            ended = ops.clearing.undo(job.id, actor=ACTOR)
            st.toast(literal(f"{ended.what['pattern']}: {ended.result}"))
        except CacheError as exc:
            st.toast(literal(str(exc)))
    if job.state == "waiting" and st.button("Drop now", icon=":material/delete:", key=f"clear_now_{job.id}"):
        ops.jobs.tell(job.id, "resume")
    if job.state == "running" and st.button("Pause", icon=":material/pause:", key=f"clear_pause_{job.id}"):
        ops.jobs.tell(job.id, "pause")
    if job.state == "paused" and st.button("Go on", icon=":material/play_arrow:", key=f"clear_resume_{job.id}"):
        ops.jobs.tell(job.id, "resume")


def past_clears() -> None:
    """The last clears, whoever did them."""
    jobs = [job for job in get_runtime().ops.jobs.latest(_KIND, 50) if job.is_ended]
    if not jobs:
        return
    st.subheader("History")
    st.dataframe(
        history(jobs),
        hide_index=True,
        column_config={
            "Pattern": st.column_config.TextColumn(pinned=True),
            "Result": st.column_config.TextColumn(width=320),
        },
        alt="Clears with who, what, how much and why",
    )
    export_buttons("History", lambda: exported(jobs), "clears")
