"""Warm-ups by the clock: seen, added, begun now, paused, removed."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import pandas as pd
import streamlit as st

from avcache.errors import BackendError, CacheError, InvalidInput, SerializationError
from avcache.ops.coverage import KINDS
from avcache.ops.schedule import ScheduleView
from avcache.ui.components.access import ACTOR, is_unlocked
from avcache.ui.components.dialogs import note_dialog
from avcache.ui.components.tables import export_buttons
from avcache.ui.components.universe import OWN
from avcache.ui.components.warmup import begin
from avcache.ui.resources import get_runtime
from avcache.ui.schedules import (
    DEFAULT_CRON,
    DEFAULT_ZONE,
    POLICIES,
    describe_schedule,
    exported,
    in_words,
    next_runs,
    zones,
)
from avcache.ui.words import lines, literal, sentence

__all__ = ["schedules_section"]

_AGAIN = 10.0
_AWAY = "Redis is away: schedules are kept there, and can be neither read nor changed until it answers."
_UNREADABLE = "The schedules were written by another release: this one can neither read nor change them."


def schedules_section() -> None:
    """All schedules of this store, with what may be done about each."""
    st.subheader("Schedules")
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Add a schedule", icon=":material/add_alarm:", disabled=not is_unlocked(), key="schedule_add"):
            _add()
        if get_runtime().cache.state().name == "memory":
            st.caption("Kept on this machine, for this process alone.", width="content")
    _listed()
    if not isinstance(found := _all(), str) and found:
        export_buttons("Schedules", _file, "schedules")


def _all() -> list[ScheduleView] | str:
    """All of them, or why they cannot be read."""
    try:
        return get_runtime().ops.schedules.all()
    except (BackendError, SerializationError) as exc:
        return _why(exc)


def _why(exc: CacheError) -> str:
    if isinstance(exc, BackendError):
        return _AWAY
    return _UNREADABLE if isinstance(exc, SerializationError) else str(exc)


def _file() -> pd.DataFrame:
    found = _all()
    return exported([] if isinstance(found, str) else found)


@st.fragment(run_every=_AGAIN)
def _listed() -> None:
    views, now = _all(), time.time()
    if isinstance(views, str):
        st.warning(views, icon=":material/cloud_off:")
        return
    if not views:
        st.caption("None yet. One that runs before the market opens finds every score fresh when people come.")
    for view in views:
        with st.container(
            border=True, horizontal=True, vertical_alignment="center", key=f"schedule_{view.schedule.id}"
        ):
            what, how = describe_schedule(view, now)
            with st.container(width="stretch", gap="xxsmall"):
                st.markdown(f"**{literal(view.schedule.name)}**")
                st.caption(f"{literal(sentence(what))}  \n{literal(sentence(how))}")
            if is_unlocked():
                with st.container(horizontal=True, width="content"):
                    _buttons(view)


def _buttons(view: ScheduleView) -> None:
    schedule, ops = view.schedule, get_runtime().ops
    if st.button("Run now", icon=":material/play_arrow:", key=f"schedule_run_{schedule.id}"):
        _run_now(view)
    if schedule.is_paused:
        if st.button("Resume", icon=":material/resume:", key=f"schedule_resume_{schedule.id}"):
            _change("resume", schedule.name, lambda: ops.schedules.resume(schedule.id))
    elif st.button("Pause", icon=":material/pause:", key=f"schedule_pause_{schedule.id}"):
        _change("pause", schedule.name, lambda: ops.schedules.pause(schedule.id))
    if st.button("Remove", icon=":material/delete:", key=f"schedule_remove_{schedule.id}"):
        _remove(view)


def _run_now(view: ScheduleView) -> None:
    if not is_unlocked():
        return
    schedule, market = view.schedule, get_runtime().market
    try:
        tickers = schedule.tickers if schedule.universe is None else market.universes.get(schedule.universe)
    except InvalidInput as exc:  # the universe is gone by now
        st.toast(literal(str(exc)))
        return
    begin(tickers, schedule.kinds, ahead=True, reason=f"schedule {schedule.name}, by hand")
    st.rerun()


def _change(action: str, name: str, change: Callable[[], object]) -> None:
    """Do it, write down who did, and draw all of it anew; says why not where that fails."""
    if not is_unlocked():
        return
    try:
        change()
    except CacheError as exc:
        st.toast(literal(_why(exc)))
        return
    get_runtime().ops.audit.record(ACTOR, f"schedule {action}", name)
    st.rerun()


@st.dialog("Remove this schedule?", icon=":material/delete:", on_dismiss="rerun")
def _remove(view: ScheduleView) -> None:
    note_dialog()
    st.write(literal(f"“{view.schedule.name}” will not run any more. What it has loaded stays."))
    with st.container(horizontal=True):
        if st.button("Remove it", type="primary", key="schedule_removed"):
            _change("remove", view.schedule.name, lambda: get_runtime().ops.schedules.remove(view.schedule.id))
        if st.button("Keep it", key="schedule_kept"):
            st.rerun()


@st.dialog("Add a schedule", icon=":material/add_alarm:", width="medium", on_dismiss="rerun")
def _add() -> None:
    note_dialog()
    universes = get_runtime().market.universes
    name = st.text_input("Name", key="schedule_name", max_chars=80, placeholder="Before the open")
    chosen = st.selectbox("Universe", [*universes.names, OWN], key="schedule_universe")
    tickers = st.text_input("Tickers", key="schedule_tickers", placeholder="AAPL, NVDA") if chosen == OWN else ""
    kinds = st.pills("What", KINDS, selection_mode="multi", default=KINDS, key="schedule_kinds")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        cron = st.text_input(
            "When",
            DEFAULT_CRON,
            key="schedule_cron",
            help="Minute, hour, day of the month, month, weekday, as cron has them: `0 8 * * 1-5` is weekdays at 8.",
        )
        known = zones()
        at = known.index(DEFAULT_ZONE) if DEFAULT_ZONE in known else 0
        zone = st.selectbox("Time zone", known, at, key="schedule_zone")
    policy = st.segmented_control(
        "Runs that were missed",
        list(POLICIES),
        default="Catch up",
        required=True,
        key="schedule_policy",
        help="While nothing ran here: one run as soon as something does, or none.",
    )
    is_usable = _preview(cron, zone)
    if st.button("Add", type="primary", disabled=not (is_usable and name.strip() and kinds), key="schedule_added"):
        add = partial(
            get_runtime().ops.schedules.add,
            name,
            cron,
            zone,
            universe=None if chosen == OWN else chosen,
            tickers=tickers,
            kinds=kinds,
            policy=POLICIES[policy],
            by=ACTOR,
        )
        _try_to_add(name, add)


def _preview(cron: str, zone: str) -> bool:
    """The next runs, or what is wrong."""
    try:
        runs = next_runs(cron, zone, time.time())
    except InvalidInput as exc:
        st.error(literal(sentence(exc.allowed)), title="That is no time")
        return False
    st.caption(f"{literal(sentence(in_words(' '.join(cron.split()))))}. The next runs:  \n{lines(runs)}")
    return True


def _try_to_add(name: str, add: Callable[[], object]) -> None:
    """As `_change`, but the dialog stays open where something in it has to be mended."""
    if not is_unlocked():
        return
    try:
        add()
    except (BackendError, SerializationError) as exc:
        st.error(_why(exc))
        return
    except InvalidInput as exc:
        st.error(literal(sentence(exc.allowed)), title=literal(f"This {exc.field} cannot be used"))
        return
    get_runtime().ops.audit.record(ACTOR, "schedule add", name)
    st.rerun()
