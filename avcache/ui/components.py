"""Streamlit pieces that more than one page uses."""

from __future__ import annotations

import datetime as dt
import hmac
import pprint
import re
import time
from typing import Any, Final

import pandas as pd
import streamlit as st

from avcache.backends.base import MISS
from avcache.ui.keys import describe
from avcache.ui.resources import get_runtime
from avcache.ui.states import STATE_COLOURS
from avcache.ui.strip import strip

__all__ = ["TICK", "literal", "may_act", "open_entry", "state_column", "state_strip", "taken_at"]

TICK: Final = 2.0
"""Seconds between two looks of what is live."""

_SHOWN_ROWS = 100
_SHOWN_CHARACTERS = 20_000

_ACTIVE = re.compile(r"([\\`*_{}\[\]()#+\-.!|~<>:$&])")


def literal(text: str) -> str:
    """*text* for a place that reads Markdown, with nothing in it taken as markup."""
    return _ACTIVE.sub(r"\\\1", text)


@st.fragment(run_every=TICK)
def state_strip() -> None:
    """One row above every page; a second one while something is wrong."""
    runtime = get_runtime()
    now = time.time()
    provider = runtime.provider.current()
    model = strip(runtime.cache.state(), provider.name, provider.label, runtime.cache.stats(60).total, now)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        for badge in (model.backend, model.source):
            st.badge(literal(badge.text), icon=badge.icon, color=badge.colour, help=badge.help)
        st.caption(f"{model.hit_rate} · {dt.datetime.now().astimezone():%H:%M:%S}", width="content")
    if model.trouble:
        st.warning(literal(model.trouble), icon=":material/warning:")


def taken_at(moment: float) -> str:
    """When a figure was taken, in the time of this machine."""
    return f"{dt.datetime.fromtimestamp(moment).astimezone():%H:%M:%S}"


def may_act() -> bool:
    """
    Whether this session may change something; asks for the token where one is set.

    Ask again at the time of the act: the token may have changed since the page was drawn.
    """
    token = get_runtime().settings.avcache_api_token
    if token is None:
        return True
    given = str(st.session_state.get("access_token", ""))
    if hmac.compare_digest(given.encode(), token.get_secret_value().encode()):
        return True
    with st.form("access"):
        st.text_input("Access token", type="password", key="access_entry", help="The value of AVCACHE_API_TOKEN")
        if st.form_submit_button("Unlock", icon=":material/lock_open:"):
            st.session_state["access_token"] = st.session_state["access_entry"]
            st.rerun()
    st.caption("Looking is free; whatever changes the cache needs the token.")
    return False


def state_column(label: str | None = None) -> Any:
    """A table column whose cells are lists of one state, shown as coloured badges."""
    return st.column_config.MultiselectColumn(
        label, options=list(STATE_COLOURS), color=list(STATE_COLOURS.values()), width="small"
    )


def open_entry(key: str) -> None:
    """Show one entry: what is known of it, its value as data and never as markup, and the way to drop it."""
    cache = get_runtime().cache
    entry = cache.peek(key)
    if entry is None:
        st.caption("This key is not in the cache any more.")
        return
    with st.container(border=True):
        st.markdown(f"**{literal(entry.key)}**")
        st.caption(literal(describe(entry)))
        if not entry.is_foreign:
            _show_value(cache.peek_value(key))
        if may_act() and st.button("Delete this key", icon=":material/delete:", key="open_delete"):
            cache.delete(key)
            st.toast(f"Deleted {literal(key)}")
            st.rerun()


def _show_value(value: object) -> None:
    frames = [part for part in _parts(value) if isinstance(part, pd.DataFrame)]
    for frame in frames:
        st.dataframe(frame.tail(_SHOWN_ROWS), alt="The last rows of a table in this value")
        if len(frame) > _SHOWN_ROWS:
            st.caption(f"The last {_SHOWN_ROWS} of {len(frame):,} rows.")
    if value is MISS:
        st.caption("The value cannot be read.")
    elif not isinstance(value, pd.DataFrame):
        st.code(
            pprint.pformat(_without_frames(value), width=100, sort_dicts=False)[:_SHOWN_CHARACTERS],
            language=None,
        )


def _parts(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, list | tuple) else [value]


def _without_frames(value: object) -> object:
    if isinstance(value, dict):
        return {name: _without_frames(part) for name, part in value.items()}
    return "<the table above>" if isinstance(value, pd.DataFrame) else value
