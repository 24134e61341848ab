"""What all sessions of this process share. Never changed from a page."""

from __future__ import annotations

import time
from typing import Final

import plotly.graph_objects as go
import streamlit as st

from avcache import runtime
from avcache.backends.base import State
from avcache.errors import BackendError
from avcache.ops.audit import MOST_ENTRIES, AuditEntry, Event
from avcache.ops.keyspace import KeyPage
from avcache.ops.whatif import WhatIf, what_if
from avcache.runtime import Runtime
from avcache.ui.charts.operate import hit_rates
from avcache.ui.overview import OverviewModel, overview
from avcache.ui.server.model import ServerModel, server_model
from avcache.ui.whatif import busiest, ttls_with

__all__ = [
    "SLOW_TICK",
    "TICK",
    "find_keys",
    "get_runtime",
    "live_overview",
    "live_server",
    "look_at_backend",
    "read_audit",
    "reads_by_namespace",
    "replayed",
]

TICK: Final = 2.0
"""Seconds between two looks of what is live."""

SLOW_TICK: Final = 5.0
"""The same of what changes slowly, or takes longer to look at."""

_DAY: Final = 86_400.0


@st.cache_resource(show_spinner=False)
def get_runtime() -> Runtime:
    """The runtime of this process: the one that REST uses, too."""
    return runtime.shared()


@st.cache_resource(show_spinner=False, ttl=1.5, max_entries=1)
def look_at_backend() -> State:
    """What serves right now, after one read that is not counted: once per tick, however many look."""
    cache = get_runtime().cache
    cache.peek("default:look")
    return cache.state()


@st.cache_resource(show_spinner=False, ttl=1.5, max_entries=8)
def live_overview(window: float) -> tuple[OverviewModel, go.Figure]:
    """The overview of the last *window* seconds: made once per tick for all sessions."""
    wired = get_runtime()
    model = overview(wired.cache.counters, wired.ops.keyspace.snapshot(), wired.cache.namespaces, window)
    return model, hit_rates(model)


@st.cache_resource(show_spinner=False, ttl=SLOW_TICK - 0.5, max_entries=1)
def live_server() -> ServerModel:
    """One look at the store and what the doctor finds: once per slow tick for all sessions."""
    wired = get_runtime()
    checkup, neighbours = wired.ops.checkup, wired.neighbours
    others = () if neighbours is None else neighbours.others()
    return server_model(checkup.view(), checkup.findings(), _events_of_a_day(), others)


def _events_of_a_day() -> list[Event] | None:
    try:
        return get_runtime().ops.audit.events(time.time() - _DAY)
    except BackendError:
        return None


@st.cache_resource(show_spinner=False, ttl=1.5, max_entries=1)
def read_audit() -> tuple[AuditEntry, ...]:
    """All that is written down of who did what, newest first. Raises `BackendError` if it cannot be read."""
    return tuple(get_runtime().ops.audit.latest(MOST_ENTRIES))


@st.cache_resource(show_spinner=False, ttl=1.5, max_entries=32)
def find_keys(patterns: tuple[str, ...]) -> KeyPage:
    """The keys of a small store that match the first of *patterns* that any matches: looked for once per tick."""
    return get_runtime().ops.keyspace.find(*patterns)


@st.cache_resource(show_spinner=False, ttl=5, max_entries=1)
def reads_by_namespace() -> dict[str, int]:
    """How many of the last reads of this process were of each namespace, the most read first."""
    return busiest(get_runtime().cache.accesses.columns())


@st.cache_resource(show_spinner="Replaying the last reads", ttl=30, max_entries=16)
def replayed(namespace: str, setting: float) -> WhatIf:
    """What other ttls than the *setting* (seconds) would have made of the last reads of *namespace*."""
    return what_if(get_runtime().cache.accesses.columns(), ttls_with(setting), namespace)
