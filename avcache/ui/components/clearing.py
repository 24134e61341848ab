"""What is to be cleared, the last question before it, and what becomes of it."""

from __future__ import annotations

import time
from typing import Literal

import streamlit as st

from avcache.errors import CacheError
from avcache.formats import counted, format_clock
from avcache.market.tickers import parse_ticker
from avcache.ops.clear_plan import ClearPlan
from avcache.ops.clearing import UNDO_SECONDS
from avcache.ops.jobs import Job
from avcache.ui.clear import describe_job, describe_plan, exported, history, must_type
from avcache.ui.components.access import ACTOR, is_unlocked, may_act
from avcache.ui.components.dialogs import is_dialog_open, note_dialog
from avcache.ui.components.tables import export_buttons
from avcache.ui.resources import get_runtime
from avcache.ui.words import literal

__all__ = ["ask_what", "clears_under_way", "past_clears", "plan_of", "show_plan"]

_WATCHED_EVERY = 0.5
_KIND = "clear"
_MANY_SAMPLES = 8


def ask_what(way: str) -> str | None:
    """What is to be cleared, in one of the `WAYS`; None until a preview is asked for."""
    with st.form("clear_form"):
        if way == "Namespace":
            names = list(get_runtime().ops.keyspace.snapshot().namespaces)
            given = st.selectbox(
                "Namespace",
                names,
                index=None,
                key="clear_namespace",
                bind="query-params",
                placeholder="Choose one" if names else "The cache is empty",
            )
        elif way == "Ticker":
            given = st.text_input(
                "Ticker",
                placeholder="AAPL",
                key="clear_ticker",
                bind="query-params",
                max_chars=40,
                help="Goes with all that rests on it: prices, scores, universes, and portfolios that hold it.",
            )
        else:
            given = st.text_input(
                "Pattern",
                placeholder="momentum:*",
                key="clear_pattern",
                bind="query-params",
                help="`*` stands for any text, `?` for one character; `price:AAPL` is that one key.",
            )
        asked = st.form_submit_button("Preview", icon=":material/visibility:")
    return (given or "").strip() if asked else None


def plan_of(way: str, what: str) -> ClearPlan:
    """What clearing *what* would drop. Raises `InvalidInput`."""
    clearing = get_runtime().ops.clearing
    if way == "Ticker":
        return clearing.plan_tag(parse_ticker(what))
    return clearing.plan(f"{what}:*" if way == "Namespace" else what)


def show_plan(plan: ClearPlan, planned_at: float) -> None:
    """What would go, how sure that is, and the button to do it."""
    with st.container(border=True):
        what = plan.pattern if plan.tag is None else f"All that rests on {plan.tag}"
        st.write(literal(f"{what}: {describe_plan(plan)}"))
        st.caption(f"As of {format_clock(planned_at, time.time())}. Nothing has been dropped.")
        if not plan.keys and plan.is_exact:
            st.caption("Nothing matches, so there is nothing to clear.")
            return
        if plan.samples:
            shown = len(plan.samples)
            st.caption("What would go:" if shown == plan.keys else f"{shown} of them:")
            st.code("\n".join(plan.samples), language=None, height=190 if shown > _MANY_SAMPLES else "content")
        label = f"Clear {counted(plan.keys, 'key')}" if plan.is_exact else "Clear all that match"
        if may_act() and st.button(label, type="primary", icon=":material/delete:", key="clear_confirm"):
            confirm_clear(plan)


@st.dialog("Clear the cache?", icon=":material/delete_sweep:", on_dismiss="rerun")
def confirm_clear(plan: ClearPlan) -> None:
    """Ask, and clear; the job is the page's to watch."""
    note_dialog()
    keys = counted(plan.keys, "key") if plan.is_exact else "All keys"
    which = "matching the pattern below" if plan.tag is None else "resting on the ticker below"
    st.write(
        f"{keys} {which} will not be read any more, at once and by no process. "
        f"They are dropped in {UNDO_SECONDS / 60:.0f} minutes; until then it can be undone."
    )
    st.code(plan.target, language=None)
    typed, name = plan.target, "pattern" if plan.tag is None else "ticker"
    if must_type(plan):
        typed = st.text_input(f"Type the {name} to confirm", key="clear_typed").strip()
    reason = st.text_input("Reason", key="clear_reason", max_chars=200, placeholder="Optional, for the record")
    with st.container(horizontal=True):
        # Never disabled: what is typed is known here only when the field is left, which the click itself may do.
        is_asked = st.button("Clear now", type="primary")
        if st.button("Keep them"):
            st.rerun()
    if is_asked and typed != plan.target:
        st.error(f"Type the {name} as it stands above. Nothing was cleared.")
    elif is_asked and may_act():
        _start(plan, reason)


def _start(plan: ClearPlan, reason: str) -> None:
    clearing = get_runtime().ops.clearing
    try:
        if plan.tag is None:
            clearing.start(plan.pattern, actor=ACTOR, reason=reason, plan=plan, undo_seconds=UNDO_SECONDS)
        else:
            clearing.start_tag(plan.tag, actor=ACTOR, reason=reason, plan=plan, undo_seconds=UNDO_SECONDS)
    except CacheError as exc:
        st.error(literal(str(exc)), title="Nothing was cleared")
        return
    st.session_state.pop("clear_plan", None)
    st.rerun()


@st.fragment(run_every=_WATCHED_EVERY)
def clears_under_way() -> None:
    """Every clear that has not ended, whoever began it, and the ways to undo, pause or hasten it."""
    ops, now = get_runtime().ops, time.time()
    under_way = [job for job in ops.jobs.open() if job.kind == _KIND]
    for job in under_way:
        with st.container(border=True):
            st.write(literal(describe_job(job, now)))
            if job.state in {"running", "paused"} and job.total:
                st.progress(min(1.0, job.done / job.total))
            if is_unlocked():
                with st.container(horizontal=True):
                    _buttons(job)
    seen = [job.id for job in under_way]
    if st.session_state.setdefault("clear_seen", seen) != seen and not is_dialog_open():
        st.session_state["clear_seen"] = seen
        st.rerun()


def _buttons(job: Job) -> None:
    ops = get_runtime().ops
    label, icon = ("Undo", ":material/undo:") if job.state == "waiting" else ("Cancel", ":material/close:")
    if st.button(label, icon=icon, key=f"clear_undo_{job.id}", help="What was not dropped yet is read again."):
        try:
            ended = ops.clearing.undo(job.id, actor=ACTOR)
            st.toast(literal(describe_job(ended, time.time())))
        except CacheError as exc:
            st.toast(literal(str(exc)))
    if job.state == "waiting" and st.button("Drop now", icon=":material/delete:", key=f"clear_now_{job.id}"):
        _tell(job, "resume")
    if job.state == "running" and st.button("Pause", icon=":material/pause:", key=f"clear_pause_{job.id}"):
        _tell(job, "pause")
    if job.state == "paused" and st.button("Go on", icon=":material/play_arrow:", key=f"clear_resume_{job.id}"):
        _tell(job, "resume")


def _tell(job: Job, wish: Literal["pause", "resume"]) -> None:
    try:
        get_runtime().ops.jobs.tell(job.id, wish)
    except CacheError as exc:  # it has ended meanwhile
        st.toast(literal(str(exc)))


def past_clears() -> None:
    """The last clears, whoever did them."""
    jobs = [job for job in get_runtime().ops.jobs.latest(_KIND, 50) if job.is_ended]
    if not jobs:
        return
    st.subheader("History")
    st.dataframe(
        history(jobs, time.time()),
        hide_index=True,
        column_config={
            "What": st.column_config.TextColumn(pinned=True, width=160),
            "Planned": st.column_config.NumberColumn(format="localized"),
            "Cleared": st.column_config.NumberColumn(format="localized"),
            "Reason": st.column_config.TextColumn(width=200),
            "Result": st.column_config.TextColumn(width=320),
        },
        alt="Clears with who, what, how much and why",
    )
    export_buttons("History", lambda: exported(jobs), "clears")
