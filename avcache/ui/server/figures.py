"""The figures of the store. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from avcache.formats import format_bytes, format_count, format_percent, format_seconds
from avcache.ops.server import ServerView
from avcache.ui.server.health import name_of

__all__ = ["Figure", "figures"]

_DASH: Final = "–"
_NO_SAVE: Final = 5.0
"""Seconds by which the start and a save "then" may lie apart, where nothing was ever saved."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: a dash where it is not known; *about* is a short line below it."""

    label: str
    value: str
    about: str
    help: str


def figures(view: ServerView, other_workers: Sequence[int] | None = ()) -> tuple[Figure, ...]:
    """
    What is known of the store; nothing while it does not answer.

    Args:
        other_workers: Processes with a store in memory of their own; None where that cannot be known.
    """
    if view.kind == "memory":
        return _of_memory(view, other_workers)
    if view.state.is_degraded or view.latency is None:  # it was not asked, or did not answer
        return ()
    return (_memory(view), _keys(view), _room(view), _clients(view), _ping(view), _load(view), _saved(view), _up(view))


def _of_memory(view: ServerView, others: Sequence[int] | None) -> tuple[Figure, ...]:
    keys, memory = view.keys, view.memory
    number = f"{'' if keys.is_exact else '≤ '}{_count(keys.number)}"
    share = keys.number / keys.most if keys.number is not None and keys.most else None
    limit = f"{format_percent(share, 0)} of {format_count(keys.most)}" if keys.most else "limit not known"
    shared = {None: _DASH, 0: "none"}.get(None if others is None else len(others), _count(len(others or ())))
    return (
        Figure(
            "Entries", number, limit, "At most CACHE_MEMORY_MAX_ENTRIES; ≤: those that have expired are not sorted out."
        ),
        Figure("Memory", _bytes(memory.used_bytes), _limit(view), "At most CACHE_MEMORY_MAX_BYTES."),
        Figure("Evicted", _count(keys.evicted), "to make room", "Least recently used entries, since the start."),
        Figure(
            "Other processes",
            shared,
            "cannot be known here" if others is None else "each with its own" if others else "this is the only one",
            "Processes with the same log folder. What one clears stays in the others.",
        ),
    )


def _memory(view: ServerView) -> Figure:
    memory = view.memory
    policy = memory.policy or "not known"
    system = "" if memory.fragmentation is None else f" The system gave {memory.fragmentation:.1f} times of that."
    return Figure(
        "Memory", _bytes(memory.used_bytes), _limit(view), f"Of the whole server. What goes for room: {policy}.{system}"
    )


def _limit(view: ServerView) -> str:
    memory = view.memory
    if memory.is_limited is False:
        return "no limit"
    if memory.max_bytes is None:
        return "limit not known"
    share = "" if memory.share is None else f"{format_percent(memory.share, 0)} of "
    return f"{share}{format_bytes(memory.max_bytes)}"


def _keys(view: ServerView) -> Figure:
    keys = view.keys
    elsewhere = "" if keys.elsewhere is None else f"{format_count(keys.elsewhere)} in other databases"
    expiring = f" {_count(keys.expiring)} of them have a ttl."
    return Figure("Keys", _count(keys.number), elsewhere, f"Of this cache's database, whoever wrote them.{expiring}")


def _room(view: ServerView) -> Figure:
    expired = f"{_count(view.keys.expired)} expired"
    return Figure("Evicted", _count(view.keys.evicted), expired, "Dropped for room, and by age, since its start.")


def _clients(view: ServerView) -> Figure:
    clients = view.clients
    about = f"{_count(clients.blocked)} blocked · {_count(clients.rejected)} rejected"
    limit = f"At most {_count(clients.most)}, of all applications. Rejected: since its start."
    return Figure("Clients", _count(clients.connected), about, limit)


def _ping(view: ServerView) -> Figure:
    latency = view.latency
    value = _DASH if latency is None else format_seconds(latency.median_ms / 1000)
    longest = "" if latency is None else f"longest {format_seconds(latency.max_ms / 1000)}"
    return Figure("PING", value, longest, "There and back from this process: median of up to five.")


def _load(view: ServerView) -> Figure:
    rate = view.operations_per_second
    value = _DASH if rate is None else f"{format_count(rate)}/s"
    return Figure("Operations", value, "of all clients", "By its own count, this moment.")


def _saved(view: ServerView) -> Figure:
    saved = view.persistence
    is_never = saved.rdb_age is not None and view.uptime is not None and saved.rdb_age >= view.uptime - _NO_SAVE
    value = "not yet" if is_never else _DASH if saved.rdb_age is None else f"{format_seconds(saved.rdb_age)} ago"
    parts = ["last attempt failed"] if saved.rdb_status == "err" else []
    if saved.aof_on is not None:
        failing = ", failing" if saved.aof_on and saved.aof_status == "err" else ""
        parts.append(f"AOF {'on' if saved.aof_on else 'off'}{failing}")
    return Figure(
        "Saved to disk",
        value,
        " · ".join(parts),
        "Its last snapshot (RDB) since its start; AOF: each write goes to a file. A cache need not be saved.",
    )


def _up(view: ServerView) -> Figure:
    about = " · ".join(filter(None, (name_of(view), view.role)))
    return Figure("Up for", format_seconds(view.uptime), about, "Since it started; then its counts began anew.")


def _count(number: int | None) -> str:
    return _DASH if number is None else format_count(number)


def _bytes(number: int | None) -> str:
    return _DASH if number is None else format_bytes(number)
