"""What Overview shows, and how it is paused."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st

from avcache.formats import format_clock, format_count
from avcache.ui import PAGES
from avcache.ui.charts.palette import MOST_APART
from avcache.ui.overview.look import WINDOWS
from avcache.ui.overview.model import Tile, Trouble
from avcache.ui.resources import LiveOverview, live_overview, once_per_tick
from avcache.ui.words import literal

__all__ = ["Pause", "current_pause", "draw_below", "draw_namespaces", "draw_top", "pause_button"]

_PAUSE = "overview_pause"


@dataclass(frozen=True, slots=True)
class Pause:
    """When this session was paused (wall clock), and what it saw then, by window."""

    at: float
    seen: Mapping[str, LiveOverview]


def current_pause() -> Pause | None:
    """What this session looks at while it is paused."""
    found = st.session_state.get(_PAUSE)
    return found if isinstance(found, Pause) else None


def pause_button() -> None:
    """Stop the ticking of this session, or let it go on."""
    pause = current_pause()
    if pause is None:
        st.button("Pause", icon=":material/pause:", key="overview_stop", on_click=_stop)
        return
    st.button("Go on", icon=":material/play_arrow:", key="overview_go", on_click=_go_on)
    st.caption(f"paused at {format_clock(pause.at)}", width="content")


def _stop() -> None:
    seen = {label: live_overview(seconds) for label, seconds in WINDOWS.items()}
    st.session_state[_PAUSE] = Pause(time.time(), seen)


def _go_on() -> None:
    st.session_state.pop(_PAUSE, None)


@once_per_tick
def draw_top(tick: str, _seen: LiveOverview) -> None:  # noqa: ARG001 - tells what was drawn before from this
    """Whose figures, the tiles and the hit rates over time."""
    model = _seen.model
    st.caption(literal(model.whose))
    with st.grid(4, min_column_width=150):
        for tile in model.tiles:
            _metric(tile)
    marks = "" if model.marks is not None else " · what was cleared or warmed cannot be read now"
    most = f" · the {MOST_APART} most read of {len(model.rates)}" if len(model.rates) > MOST_APART else ""
    st.markdown(f"### Hit rate by namespace{most}{marks}")
    if model.rates:
        st.plotly_chart(_seen.figure, key="overview_rates", alt="Hit rate by namespace over the window, with events")
    else:
        st.caption("Nobody has read yet. Open Momentum or Portfolio, or read through the library.")


def _metric(tile: Tile) -> None:
    is_compared = tile.change is not None
    st.metric(
        tile.label,
        tile.value,
        delta=tile.change or tile.note,
        delta_color="normal" if is_compared else "off",
        delta_arrow="auto" if is_compared else "off",
        delta_description=tile.note if is_compared else None,
        chart_data=tile.course or [0.0],
        help=tile.help,
        border=True,
        height="stretch",
    )


def draw_namespaces(seen: LiveOverview) -> None:
    """The table of namespaces; who selects a row goes to its keys."""
    told = f"Keys and sizes: {seen.model.exactness}. Loads and miss cost: of the window. Select a row for its keys."
    st.markdown(f"### Namespaces\n:small[:gray[{literal(told)}]]")
    if not seen.namespaces:
        held = "The cache is empty" if seen.model.is_empty else "Nothing of the cache could be seen"
        st.caption(f"{held}, and nothing was read yet.")
        return
    chosen = st.dataframe(
        seen.namespace_table,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="overview_namespaces",
        placeholder="–",
        column_config=_NAMESPACE_COLUMNS,
        alt="Keys, size, hit rates and cost of each namespace",
    )
    rows = chosen["selection"]["rows"]
    if rows and rows[0] < len(seen.namespaces):
        st.switch_page(PAGES / "keys.py", query_params={"keys_prefix": seen.namespaces[rows[0]].namespace})


_NAMESPACE_COLUMNS = {
    "Namespace": st.column_config.TextColumn(pinned=True),
    "Keys": st.column_config.NumberColumn(format="localized"),
    "Size": st.column_config.TextColumn(alignment="right"),
    **{
        label: st.column_config.NumberColumn(
            label if at else f"Hit rate {label}", format="%.1f %%", help=f"Hit rate of the last {label}"
        )
        for at, label in enumerate(WINDOWS)
    },
    "Load p50 / p95": st.column_config.TextColumn(
        alignment="right", help="Half of the loads in the window took p50 or less, 95 % took p95 or less"
    ),
    "Miss cost": st.column_config.NumberColumn(
        format="%.1f s/h", help="Seconds of loading that misses cost in an hour, at the pace of the window"
    ),
    "TTL": st.column_config.TextColumn(alignment="right"),
}


@once_per_tick
def draw_below(tick: str, _seen: LiveOverview) -> None:  # noqa: ARG001 - as above
    """Trouble, and the workers."""
    _trouble(_seen.model.trouble)
    st.markdown("### Workers")
    st.dataframe(
        _seen.worker_table,
        hide_index=True,
        placeholder="–",
        column_config=_WORKER_COLUMNS,
        alt="Hit rate, requests and loads of each worker",
    )


_WORKER_COLUMNS = {
    "Worker": st.column_config.TextColumn(pinned=True, help="Host and process number"),
    "State": st.column_config.MultiselectColumn(options=["alive", "gone"], color=["green", "gray"], width="small"),
    "Hit rate": st.column_config.NumberColumn(format="%.1f %%"),
    "Requests": st.column_config.NumberColumn(format="localized"),
    "Loads": st.column_config.NumberColumn(format="localized"),
    "Last seen": st.column_config.TextColumn(alignment="right"),
}


def _trouble(found: tuple[Trouble, ...]) -> None:
    linked = [trouble for trouble in found if trouble.number and trouble.page]
    told = literal(" · ".join(_counted(trouble) for trouble in found if trouble not in linked))
    if not linked:
        st.caption(f"**Trouble** {told}")
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption("**Trouble**", width="content")
        for trouble in linked:
            label, query = literal(_counted(trouble)), dict(trouble.query or {})
            st.page_link(PAGES / f"{trouble.page}.py", label=label, icon=":material/arrow_outward:", query_params=query)
        st.caption(told, width="content")


def _counted(trouble: Trouble) -> str:
    return f"{trouble.what} {format_count(trouble.number)}"
