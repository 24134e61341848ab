"""A server with which all is well, as the page is given it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from avcache.backends.base import State
from avcache.backends.facts import SlowCommand
from avcache.ops.doctor import Finding, Severity
from avcache.ops.server import Clients, Keys, Latency, Memory, Persistence, ServerView

__all__ = ["NOW", "finding", "slow", "view"]

NOW: Final = 1_700_000_000.0

_WELL: Final = ServerView(
    "valkey",
    State("valkey", since=NOW - 90),
    NOW,
    version="8.0.1",
    role="primary",
    uptime=7200.0,
    operations_per_second=412.0,
    memory=Memory(12_300_000, max_bytes=100_000_000, is_limited=True, policy="allkeys-lru", fragmentation=1.2),
    clients=Clients(12, blocked=0, most=10_000, rejected=3),
    persistence=Persistence(720.0, rdb_status="ok", aof_on=False, aof_status="ok"),
    keys=Keys(1250, expiring=1250, elsewhere=30, other_databases=2, evicted=4, expired=99),
    latency=Latency(median_ms=0.2, max_ms=0.5),
    slow_log=(),
    slow_microseconds=10_000,
)


def view(**changes: Any) -> ServerView:
    """A view in which all is well, but for *changes*."""
    return replace(_WELL, **changes)


def finding(severity: Severity, **changes: Any) -> Finding:
    return replace(Finding("rule", severity, "What.", ("evidence",), "Why.", "Step."), **changes)


def slow(*arguments: str, is_ours: bool = True, is_cut: bool = False) -> SlowCommand:
    return SlowCommand(NOW, 12_345, "GET", arguments, is_cut, "10.0.0.1:5000 worker", is_ours)
