"""The strip above every page."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from avcache.formats import format_clock
from avcache.ui.resources import TICK, live_strip, once_per_tick
from avcache.ui.strip import Badge, Strip
from avcache.ui.words import literal

__all__ = ["TICKS_ITSELF", "draw_strip", "keep_strip_place", "state_strip", "strip_place"]

TICKS_ITSELF: Final = "Overview"
"""The page that draws the strip together with its own figures: two fragments cost a session nearly twice as much."""

_place: Final[ContextVar[DeltaGenerator | None]] = ContextVar("strip_place", default=None)


def keep_strip_place() -> None:
    """Here the strip will be, whoever draws it."""
    _place.set(st.container())


def strip_place() -> DeltaGenerator:
    """Where the strip goes on this page."""
    return _place.get() or st.container()


@st.fragment(run_every=TICK)
def state_strip() -> None:
    """One row above every page; a second one while something is wrong. With a tick of its own."""
    draw_strip(*live_strip())


def draw_strip(at: float, model: Strip) -> None:
    """The strip, once; *at* that moment (wall clock)."""
    _draw(format_clock(at), model)


@once_per_tick
def _draw(clock: str, _model: Strip) -> None:
    badges = " ".join(map(_badge, (_model.backend, _model.source)))
    # One element instead of four, for what is sent to every session every two seconds.
    st.markdown(
        f"{badges} :small[:gray[{literal(f'{_model.hit_rate} · {clock}')}]]",
        help=f"{literal(_model.backend.help)}\n\n{literal(_model.source.help)}",
    )
    if _model.trouble:
        st.warning(literal(_model.trouble), icon=":material/warning:")


def _badge(badge: Badge) -> str:
    return f":{badge.colour}-badge[{badge.icon} {literal(badge.text)}]"
