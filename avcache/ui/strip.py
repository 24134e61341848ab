"""The strip above every page: what serves, where prices come from, how well it goes. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from avcache.backends.base import State
from avcache.core.counters import Counts
from avcache.formats import counted, format_clock, format_count, format_percent
from avcache.ops.activity import Tally
from avcache.ops.faults import fault_of

__all__ = ["RECOVERING", "STORES", "Badge", "Colour", "Strip", "strip"]

Colour = Literal["green", "orange", "red", "gray"]

STORES: Final = {"redis": "Redis", "valkey": "Valkey", "memory": "Memory"}
"""What the kinds of a store are called."""


@dataclass(frozen=True, slots=True)
class Badge:
    """A short text whose colour says a state."""

    text: str
    colour: Colour
    icon: str
    help: str


RECOVERING: Final = Badge(
    "Recovering", "orange", ":material/sync:", "Redis is back; what waits is written to it first."
)


@dataclass(frozen=True, slots=True)
class Strip:
    """*trouble* is there only while Redis is wanted and memory serves, or while Redis refuses what is written."""

    backend: Badge
    source: Badge
    hit_rate: str
    trouble: str | None


def strip(
    state: State,
    source: str,
    source_label: str,
    last_minute: Counts | Tally,
    now: float,
    *,
    paused_until: float | None = None,
    workers: int | None = None,
) -> Strip:
    """
    *source* is the provider's name, *now* a wall-clock reading; until *paused_until* the provider is asked nothing,
    having refused a request. *workers*: how many processes share the store; None: it is that of this one alone.
    """
    badge = _source(source, source_label) if paused_until is None else _paused(source_label, paused_until, now)
    return Strip(_backend(state, workers), badge, _hit_rate(last_minute), _trouble(state, now))


def _backend(state: State, workers: int | None) -> Badge:
    if state.name == "memory":
        return Badge("Memory", "green", ":material/memory:", "Entries live in this process and go with it.")
    if state.name == "recovering":
        return RECOVERING
    if state.is_degraded:
        return Badge("Degraded", "orange", ":material/warning:", "Redis does not answer; memory serves instead.")
    if state.error is not None:
        text = f"{STORES[state.name]} refuses writes"
        return Badge(text, "orange", ":material/edit_off:", "What is cached is served; nothing new is kept.")
    shared = "" if workers is None else f" · {counted(workers, 'worker')}"
    return Badge(f"{STORES[state.name]}{shared}", "green", ":material/database:", "Entries are shared by all workers.")


def _source(source: str, label: str) -> Badge:
    if source == "sample":
        return Badge(label, "orange", ":material/history:", "Bundled real prices, for tests and demonstration only.")
    if source == "csv":
        return Badge(label, "gray", ":material/folder_open:", "Prices come from files, and are as old as those.")
    return Badge(label, "green", ":material/show_chart:", "Prices come from the live source.")


def _paused(label: str, until: float, now: float) -> Badge:
    text = f"{label}, refusing until {format_clock(until, now)}"
    return Badge(
        text, "orange", ":material/pause:", "It refuses requests; until then what is cached is served, however old."
    )


def _hit_rate(last_minute: Counts | Tally) -> str:
    if not last_minute.requests:
        return "no reads in the last minute"
    return f"hit rate 1 min {format_percent(last_minute.hit_rate)} of {format_count(last_minute.requests)}"


def _trouble(state: State, now: float) -> str | None:
    waiting = f" · {format_count(state.pending)} invalidations waiting" if state.pending else ""
    # In words: the error itself, with its address, is in the log.
    reason = fault_of(state.error or "").words
    if state.is_degraded:
        since = format_clock(state.since, now)
        return f"Degraded since {since} ({reason}) · serving from memory, entries live 60 s at most{waiting}"
    return f"Writes are refused ({reason}) · nothing new is kept{waiting}" if state.error else None
