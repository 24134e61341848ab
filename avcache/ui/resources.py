"""What all sessions of this process share. Never changed from a page."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Concatenate, Final, ParamSpec

import plotly.graph_objects as go
import pyarrow as pa
import streamlit as st
from streamlit.runtime import exists as is_served

from avcache import runtime
from avcache.backends.base import State
from avcache.ops.audit import MOST_ENTRIES, AuditEntry, Event
from avcache.ops.keyspace import KeyPage
from avcache.ops.whatif import WhatIf, what_if
from avcache.runtime import Runtime
from avcache.ui.charts.rates import hit_rates
from avcache.ui.overview.look import Look, events_since, look
from avcache.ui.overview.model import OverviewModel, overview
from avcache.ui.overview.tables import NamespaceRow, namespace_rows, namespace_table, worker_table
from avcache.ui.server.model import ServerModel, server_model
from avcache.ui.strip import Strip, strip
from avcache.ui.whatif import busiest, ttls_with

__all__ = [
    "SLOW_TICK",
    "TICK",
    "LiveOverview",
    "find_keys",
    "get_runtime",
    "live_overview",
    "live_server",
    "live_strip",
    "look_at_backend",
    "once_per_tick",
    "read_audit",
    "reads_by_namespace",
    "replayed",
]

P = ParamSpec("P")

TICK: Final = 2.0
"""Seconds between two looks of what is live."""

SLOW_TICK: Final = 5.0
"""The same of what changes slowly, or takes longer to look at."""

_FRESH: Final = 1.5
_EVENTS_FRESH: Final = 5.0
_DAY: Final = 86_400.0


@st.cache_resource(show_spinner=False)
def get_runtime() -> Runtime:
    """The runtime of this process: the one that REST uses, too."""
    return runtime.shared()


@st.cache_resource(show_spinner=False, ttl=_FRESH, max_entries=1)
def look_at_backend() -> State:
    """What serves right now, after one read that is not counted: once per tick, however many look."""
    cache = get_runtime().cache
    cache.peek("default:look")
    return cache.state()


@st.cache_resource(show_spinner=False, ttl=_FRESH, max_entries=1)
def live_strip() -> tuple[float, Strip]:
    """What the strip says, and since when (wall clock): made once per tick for all sessions."""
    now, market, activity = time.time(), get_runtime().market, get_runtime().ops.activity
    state = look_at_backend()
    workers = sum(worker.is_alive for worker in activity.workers(60)) if activity.is_all_processes else None
    minute = activity.window(60, with_earlier=False).total
    return now, strip(
        state, market.source, market.label, minute, now, paused_until=market.paused_until, workers=workers
    )


@dataclass(frozen=True, slots=True)
class LiveOverview:
    """
    The overview of one window at one moment, ready to be sent.

    Attributes:
        strip: What stands above the page at that moment.
    """

    seen: Look
    model: OverviewModel
    strip: tuple[float, Strip]
    figure: go.Figure
    namespaces: Sequence[NamespaceRow]
    namespace_table: pa.Table
    worker_table: pa.Table


@st.cache_resource(show_spinner=False, ttl=_FRESH, max_entries=8, refresh_mode="background")
def live_overview(window: float) -> LiveOverview:
    """
    The overview of the last *window* seconds: made once per tick for all sessions.

    Nobody waits for the next one while there is one that is less than 3 seconds old.
    """
    wired = get_runtime()
    seen = look(wired.ops, wired.cache.analytics.figures, window, time.time(), _events())
    model, namespaces = overview(seen), namespace_rows(seen, wired.cache.namespaces)
    return LiveOverview(
        seen,
        model,
        live_strip(),
        hit_rates(model),
        namespaces,
        namespace_table(namespaces),
        worker_table(seen),
    )


@st.cache_resource(show_spinner=False, ttl=_EVENTS_FRESH, max_entries=1)
def _events() -> list[Event] | None:
    return events_since(get_runtime().ops.audit, time.time() - _DAY)


def once_per_tick(draw: Callable[Concatenate[str, P], None]) -> Callable[Concatenate[str, P], None]:
    """
    Draw once for all sessions: the others are sent the same elements again, which takes a fraction of the time.

    *draw* takes first what tells one tick from another, and then arguments that are the same for all who look at that
    tick; the names of those begin with an underscore. No widget may be among the elements.
    """
    shared = st.cache_resource(show_spinner=False, ttl=60, max_entries=16)(draw)

    @functools.wraps(draw)
    def drawn(tick: str, /, *args: P.args, **kwargs: P.kwargs) -> None:
        # Without a server, as in tests, Streamlit keeps no elements that could be sent again.
        (shared if is_served() else draw)(tick, *args, **kwargs)

    return drawn


@st.cache_resource(show_spinner=False, ttl=SLOW_TICK - 0.5, max_entries=1)
def live_server() -> ServerModel:
    """One look at the store and what the doctor finds: once per slow tick for all sessions."""
    wired = get_runtime()
    checkup, neighbours = wired.ops.checkup, wired.neighbours
    others = () if neighbours is None else neighbours.others()
    return server_model(checkup.view(), checkup.findings(), _events(), others)


@st.cache_resource(show_spinner=False, ttl=_FRESH, max_entries=1)
def read_audit() -> tuple[AuditEntry, ...]:
    """All that is written down of who did what, newest first. Raises `BackendError` if it cannot be read."""
    return tuple(get_runtime().ops.audit.latest(MOST_ENTRIES))


@st.cache_resource(show_spinner=False, ttl=_FRESH, max_entries=32)
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
