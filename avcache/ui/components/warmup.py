"""A warm-up: begun, watched, stopped."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from avcache.errors import CacheError
from avcache.formats import counted, format_clock
from avcache.ops.coverage import KINDS, Coverage
from avcache.ops.warmup import WarmupJob, WarmupPlan
from avcache.ui.charts.coverage import coverage_map
from avcache.ui.components.access import ACTOR, is_unlocked
from avcache.ui.components.dialogs import is_dialog_open, tell_after_rerun
from avcache.ui.components.tables import export_buttons, state_column
from avcache.ui.resources import get_runtime
from avcache.ui.warmup import (
    coverage_table,
    describe_coverage,
    describe_plan,
    exported,
    legend,
    outcome_table,
    progress_text,
    states_shown,
    tickers_in,
)
from avcache.ui.words import literal

__all__ = ["Wanted", "begin", "budget", "coverage_now", "latest_run", "stage", "upload"]

Stage = tuple[float, bool] | None

_BUTTON_HEIGHT = 40
_LOOKED_EVERY = 5.0
_FEW = 10
_MOST_MAPPED = 120


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be warmed, and how: *rate* tickers a second at most, and none begun after *seconds*; None: any."""

    tickers: tuple[str, ...]
    kinds: tuple[str, ...]
    ahead: bool = False
    rate: float | None = None
    seconds: float | None = None


def upload() -> None:
    """A file of tickers, which go where they can be seen: into the text above."""

    def fill_in() -> None:
        file = st.session_state["warmup_file"]
        if file is not None:
            st.session_state["warmup_tickers"] = tickers_in(file.getvalue().decode("utf-8-sig", errors="replace"))

    with st.popover("From a file", icon=":material/upload_file:"):
        st.file_uploader(
            "Tickers, in the first column",
            type=["csv", "txt"],
            key="warmup_file",
            on_change=fill_in,
            max_upload_size=1,
        )


def budget() -> tuple[float | None, float | None]:
    """Most tickers a second, and most seconds; None where there is no bound."""
    with st.expander("Budget", icon=":material/speed:"), st.container(horizontal=True):
        rate = st.number_input(
            "Tickers a second, at most",
            min_value=0.0,
            max_value=100.0,
            step=0.5,
            format="%.1f",
            key="warmup_rate",
            bind="query-params",
            width=220,
            help="0: as many as the provider allows.",
        )
        minutes = st.number_input(
            "Minutes, at most",
            min_value=0,
            max_value=720,
            step=5,
            key="warmup_minutes",
            bind="query-params",
            width=220,
            help="After so many no further ticker is begun. 0: no limit.",
        )
    return (rate or None), (minutes * 60.0 or None)


@st.fragment(run_every=_LOOKED_EVERY)
def coverage_now(wanted: Wanted) -> None:
    """Who is missing, what filling it takes, and the button to do so."""
    runtime = get_runtime()
    warmup, now = runtime.ops.warmup, time.time()
    coverage = warmup.coverage(wanted.tickers, wanted.kinds)
    plan = warmup.plan(wanted.tickers, wanted.kinds, ahead=wanted.ahead)
    failures = warmup.latest.failures if warmup.latest is not None else {}
    with st.container(horizontal=True, vertical_alignment="center"):
        _start_button(coverage, plan, wanted)
        provider_rate = runtime.settings.avcache_yahoo_rate if runtime.market.source == "yahoo" else None
        text = describe_plan(plan, provider_rate=provider_rate, rate=wanted.rate, seconds=wanted.seconds)
        st.caption(f"{describe_coverage(coverage)} · {text}", width="content")
    states = states_shown(coverage, failures)
    st.caption(legend(list(states.values())))
    if _FEW < len(states) <= _MOST_MAPPED:
        st.plotly_chart(coverage_map(coverage.kinds, states), key="warmup_map", alt="State of each ticker, as a map")
    st.dataframe(
        coverage_table(coverage, failures),
        hide_index=True,
        column_config={
            "Ticker": st.column_config.TextColumn(pinned=True, width=90),
            **{kind.capitalize(): state_column() for kind in coverage.kinds},
            "Why": st.column_config.TextColumn(width=520),
        },
        alt="State of each ticker",
    )
    st.caption(f"Exact, as of {format_clock(now)}.")


def _start_button(coverage: Coverage, plan: WarmupPlan, wanted: Wanted) -> None:
    """Load what is stale or missing, and what expires soon if that is wanted."""
    if not is_unlocked():
        return
    latest = get_runtime().ops.warmup.latest
    number, is_all = len(plan.tickers), coverage.covered == len(coverage.rows)
    label = f"Warm {counted(number, 'ticker')}" if number else "All fresh" if is_all else "Nothing to warm"
    is_running = latest is not None and latest.is_running
    if st.button(label, type="primary", disabled=is_running or not number, key="warmup_start"):
        begin(plan.tickers, wanted.kinds, ahead=wanted.ahead, rate=wanted.rate, seconds=wanted.seconds)
        st.rerun()


def begin(
    tickers: Sequence[str],
    kinds: Sequence[str] = KINDS,
    *,
    ahead: bool = False,
    rate: float | None = None,
    seconds: float | None = None,
    reason: str = "",
) -> None:
    """Start a warm-up; the next run says so where another one runs already, or something is not usable."""
    if not is_unlocked():
        return
    warmup = get_runtime().ops.warmup
    try:
        warmup.start(tickers, kinds, actor=ACTOR, reason=reason, ahead=ahead, rate=rate, seconds=seconds)
    except CacheError as exc:
        tell_after_rerun(literal(str(exc)))


def stage() -> Stage:
    """Which warm-up is the latest, by its beginning, and whether it runs; None if there was none."""
    job = get_runtime().ops.warmup.latest
    return None if job is None else (job.started_at, job.is_running)


def latest_run(drawn: Stage) -> None:
    """The latest warm-up, whoever began it; the whole page is drawn again when it is not at the stage of *drawn*."""
    _watch(drawn)
    job = get_runtime().ops.warmup.latest
    if job is not None and not job.is_running:
        with st.container(horizontal=True, vertical_alignment="center"):
            _retry_button(job)
            export_buttons("Outcomes", lambda: exported(job), "warmup")


def _retry_button(job: WarmupJob) -> None:
    failed = list(job.failures)
    if failed and is_unlocked() and st.button(f"Retry the {len(failed)} failed", icon=":material/replay:"):
        begin(failed, job.kinds)
        st.rerun()


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
    if drawn != (job.started_at, is_running) and not is_dialog_open():
        st.rerun()
