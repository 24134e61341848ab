"""Facts to examine, with one thing wrong at a time."""

from __future__ import annotations

from typing import Any, Final, Literal

from avcache.backends.base import State, StateName
from avcache.ops.doctor import DoctorFacts, Finding, examine
from avcache.ops.server import Clients, Keys, Latency, Memory, ServerView

__all__ = ["NOW", "facts", "find", "rules", "server", "state"]

NOW: Final = 1_700_000_000.0

_WELL: Final[dict[str, Any]] = {
    "memory": Memory(10_000_000, max_bytes=100_000_000, is_limited=True, policy="allkeys-lru"),
    "keys": Keys(100, expiring=100, elsewhere=0, other_databases=0, evicted=0),
    "clients": Clients(5, blocked=0, most=10_000, rejected=0),
    "latency": Latency(median_ms=0.2, max_ms=0.5),
    "slow_log": (),
}


def state(name: StateName = "valkey", error: str | None = None, pending: int = 0) -> State:
    return State(name, since=NOW - 90, error=error, pending=pending)


def server(kind: Literal["redis", "valkey", "memory"] = "valkey", **changes: Any) -> ServerView:
    """A server with which all is well, but for *changes*."""
    taken_at = changes.pop("taken_at", NOW)
    return ServerView(kind, state(kind), taken_at, **{**_WELL, **changes})


def facts(**changes: Any) -> DoctorFacts:
    """Facts in which all is well, but for *changes*."""
    return DoctorFacts(**{"state": state(), "now": NOW, "server": server(), **changes})


def rules(examined: DoctorFacts) -> list[str]:
    return [finding.rule for finding in examine(examined)]


def find(examined: DoctorFacts, rule: str) -> Finding:
    """The one finding of *rule*."""
    (found,) = [finding for finding in examine(examined) if finding.rule == rule]
    return found
