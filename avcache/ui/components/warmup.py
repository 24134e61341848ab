"""A warm-up: begun, watched, stopped."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from avcache.ops.coverage import Coverage
from avcache.ops.warmup import JobRunning, WarmupJob
from avcache.ui.components.access import ACTOR, is_unlocked, may_act
from avcache.ui.components.tables import export_buttons, state_column
from avcache.ui.resources import get_runtime
from avcache.ui.warmup import exported, outcome_table, progress_text
from avcache.ui.words import counted, literal

__all__ = ["begin", "latest_run", "stage", "start_button"]

Stage = tuple[float, bool] | None

_BUTTON_HEIGHT = 40


def start_button(coverage: Coverage) -> None:
    """Load what is stale or missing."""
    warmup = get_runtime().ops.warmup
    gaps = len(coverage.gaps)
    running = warmup.latest is not None and warmup.latest.is_running
    is_all = coverage.covered == len(coverage.rows)
    label = f"Warm {counted(gaps, 'ticker')}" if gaps else "All fresh" if is_all else "Nothing to warm"
    if may_act() and st.button(label, type="primary", disabled=running or not gaps, key="warmup_start"):
        begin(coverage.gaps)
        st.rerun()


def begin(tickers: Sequence[str]) -> None:
    """Start a warm-up; says so where another one runs already."""
    try:
        get_runtime().ops.warmup.start(tickers, actor=ACTOR)
    except JobRunning as exc:
        st.toast(literal(str(exc)))


def stage() -> Stage:
    """Which warm-up is the latest, by its beginning, and whether it runs; None if there was none."""
    job = get_runtime().ops.warmup.latest
    return None if job is None else (job.started_at, job.is_running)


def latest_run(drawn: Stage) -> None:
    """The latest warm-up, whoever began it; the whole page is drawn again when it is not at the stage of *drawn*."""
    _watch(drawn)
    job = get_runtime().ops.warmup.latest
    if job is not None and not job.is_running:
        export_buttons("Outcomes", lambda: exported(job), "warmup")


def _buttons(job: WarmupJob) -> None:
    is_ending, is_paused = job.is_cancelled, job.is_paused
    if is_paused and st.button("Go on", icon=":material/play_arrow:", disabled=is_ending):
        job.resume()
    if not is_paused and st.button("Pause", icon=":material/pause:", disabled=is_ending):
        job.pause()
    if st.button("Stop", icon=":material/stop:", disabled=is_ending):
        job.cancel()


@st.fragment(run_every=0.5)
def _watch(drawn: Stage) -> None:
    job = get_runtime().ops.warmup.latest
    if job is None:
        return
    st.subheader("Latest run")
    is_running = job.is_running
    # As high as the button, so that the table below stays where it is when the job ends.
    with st.container(horizontal=True, vertical_alignment="bottom", height=_BUTTON_HEIGHT, border=False):
        st.progress(len(job.outcomes) / len(job.tickers) if is_running else 1.0, text=progress_text(job))
        if is_running and is_unlocked():
            _buttons(job)
    st.dataframe(
        outcome_table(job),
        hide_index=True,
        column_config={
            "Result": state_column(),
            "Took": st.column_config.TextColumn(width="small"),
            "Reason": st.column_config.TextColumn(width=520),
        },
        alt="Outcome by ticker",
    )
    if drawn != (job.started_at, is_running):
        st.rerun()
