"""Who is missing, and what does filling it take?"""

from __future__ import annotations

import streamlit as st

from avcache.errors import InvalidInput
from avcache.market.universe import UNIVERSES
from avcache.ops.warmup import JobRunning
from avcache.ui.components import literal, may_act, state_column
from avcache.ui.resources import get_runtime
from avcache.ui.warmup import coverage_table, describe_coverage, outcome_table, progress_text

warmup = get_runtime().ops.warmup
OWN = "My tickers"

universe = st.segmented_control(
    "Universe", [*UNIVERSES, OWN], default=OWN, required=True, key="warmup_universe", bind="query-params"
)
tickers: str | tuple[str, ...] = UNIVERSES.get(universe, ())
if universe == OWN:
    tickers = st.text_area(
        "Tickers",
        placeholder="AAPL, NVDA, MSFT",
        key="warmup_tickers",
        bind="query-params",
        height=80,
        help="Separated by commas, spaces or lines; Ctrl+Enter to check them.",
    )


@st.fragment(run_every=0.5)
def progress() -> None:
    job = warmup.latest
    if job is None:
        return
    st.subheader("Latest run")
    share = len(job.outcomes) / len(job.tickers) if job.is_running else 1.0
    st.progress(share, text=progress_text(job))
    if job.is_running and not job.is_cancelled and st.button("Stop", icon=":material/stop:"):
        job.cancel()
    if job.outcomes:
        st.dataframe(
            outcome_table(job),
            hide_index=True,
            column_config={"Result": state_column()},
            alt="Outcome by ticker",
        )
    if st.session_state.get("warmup_seen") != (job.started_at, job.is_running):
        # The coverage above changes when a job begins or ends.
        st.session_state["warmup_seen"] = (job.started_at, job.is_running)
        st.rerun()


if tickers:
    try:
        coverage = warmup.coverage(tickers)
    except InvalidInput as exc:
        st.error(literal(str(exc)), title="Not all of these are tickers")
    else:
        failures = warmup.latest.failures if warmup.latest is not None else {}
        gaps = len(coverage.gaps)
        with st.container(horizontal=True, vertical_alignment="center"):
            running = warmup.latest is not None and warmup.latest.is_running
            label = f"Warm {gaps} {'ticker' if gaps == 1 else 'tickers'}" if gaps else "All fresh"
            if may_act() and st.button(label, type="primary", disabled=running or not gaps, key="warmup_start"):
                try:
                    warmup.start(coverage.gaps)
                except JobRunning as exc:
                    st.toast(literal(str(exc)))
                st.rerun()
            st.caption(describe_coverage(coverage), width="content")
        columns = {kind.capitalize(): state_column() for kind in coverage.kinds}
        st.dataframe(
            coverage_table(coverage, failures),
            hide_index=True,
            column_config=columns,
            alt="State of each ticker",
        )
else:
    st.caption("Name some tickers, or choose a universe, to see which of them are in the cache.")
progress()
