"""Is the server set up for a cache, and does it keep up?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from avcache.formats import format_bytes, format_count, format_percent, format_seconds
from avcache.ops.doctor.facts import DoctorFacts
from avcache.ops.doctor.finding import ALONE, Action, Finding
from avcache.ops.doctor.rising import risen
from avcache.ops.server import ServerView

__all__ = ["RULES"]

_GOOD_POLICIES: Final = frozenset({"allkeys-lru", "allkeys-lfu"})
_NEARLY_FULL: Final = 0.9
_SLOW_MS: Final = 20.0
_MEGABYTE: Final = 2**20
_LEAST_BITS: Final = 8
_OPEN: Final = Action("open", "server")


def _no_maxmemory(facts: DoctorFacts) -> Iterator[Finding]:
    view = _server(facts)
    if view is None or view.memory.is_limited is not False:
        return
    used, cli = view.memory.used_bytes, facts.settings.cli
    yield Finding(
        "no_maxmemory",
        "warning",
        "The server has no memory limit.",
        ("maxmemory: 0", f"used: {'not known' if used is None else format_bytes(used)}"),
        "It grows until the system ends it, and all that it holds is gone at once.",
        f"{cli} CONFIG SET maxmemory {_suggested(used)}mb and {cli} CONFIG SET maxmemory-policy allkeys-lru "
        f"{ALONE}; {cli} CONFIG REWRITE keeps both.",
        _OPEN,
    )


def _policy(facts: DoctorFacts) -> Iterator[Finding]:
    # Without a limit nothing ever goes for room; `no_maxmemory` names the policy as well.
    view = _server(facts)
    if view is None or not view.memory.is_limited or view.memory.policy in (None, *_GOOD_POLICIES):
        return
    is_refusing = view.memory.policy == "noeviction"
    elsewhere = view.keys.elsewhere
    evidence = [f"maxmemory-policy: {view.memory.policy}"]
    if elsewhere:
        evidence.append(f"keys in other databases, which could go as well: {format_count(elsewhere)}")
    yield Finding(
        "policy",
        "warning" if is_refusing else "advice",
        f"What goes for room is decided by {view.memory.policy}, which does not suit a cache.",
        tuple(evidence),
        "When it is full, writes are refused."
        if is_refusing
        else "When it is full, it may drop what is read most, or find nothing that it may drop.",
        f"{facts.settings.cli} CONFIG SET maxmemory-policy allkeys-lru {ALONE}.",
        _OPEN,
    )


def _nearly_full(facts: DoctorFacts) -> Iterator[Finding]:
    view = _server(facts)
    share = view.memory.share if view else None
    if view is None or share is None or share <= _NEARLY_FULL:
        return
    used, most = view.memory.used_bytes, view.memory.max_bytes
    is_refusing = view.memory.policy == "noeviction"
    yield Finding(
        "nearly_full",
        "problem" if is_refusing else "advice",
        f"The server's memory is {format_percent(share, 0)} full.",
        (
            f"{format_bytes(used or 0)} of {format_bytes(most or 0)}",
            f"maxmemory-policy: {view.memory.policy or 'not known'}",
        ),
        "Under this policy the next writes are refused." if is_refusing else "New entries push out older ones.",
        f"{facts.settings.cli} CONFIG SET maxmemory {_suggested(most)}mb, "
        "or see on Overview which namespace takes the most.",
        _OPEN,
    )


def _evictions(facts: DoctorFacts) -> Iterator[Finding]:
    view = _server(facts)
    # That something went at some time is what a limit is for; what matters is that it goes on.
    if view is None or facts.earlier is None or facts.earlier.keys.evicted is None:
        return
    evicted, span = risen(facts, lambda one: one.keys.evicted)
    if not evicted:
        return
    limit = view.memory.max_bytes
    yield Finding(
        "evictions",
        "warning",
        "The server drops entries to make room.",
        (f"{format_count(evicted)} keys {span}", f"limit: {'not known' if limit is None else format_bytes(limit)}"),
        "What went has to be loaded again, though its time was not over.",
        f"{facts.settings.cli} CONFIG SET maxmemory {_suggested(limit)}mb, "
        "or lower the ttl of the namespace that takes the most.",
        _OPEN,
    )


def _slow_server(facts: DoctorFacts) -> Iterator[Finding]:
    view = _server(facts)
    if view is None or view.latency is None or view.latency.median_ms <= _SLOW_MS:
        return
    slowest = max(view.slow_log or (), key=lambda line: line.microseconds, default=None)
    evidence = [
        f"PING median: {format_seconds(view.latency.median_ms / 1000)}",
        f"longest: {format_seconds(view.latency.max_ms / 1000)}",
    ]
    if slowest is not None:
        evidence.append(f"slowest command logged: {slowest.command}, {format_seconds(slowest.microseconds / 1e6)}")
    yield Finding(
        "slow_server",
        "warning",
        "The server takes long to answer.",
        tuple(evidence),
        "Every read of the cache waits as long, whatever it finds.",
        f"{facts.settings.cli} --latency shows whether it is the way there; {facts.settings.cli} SLOWLOG GET 10 "
        "which commands hold it up.",
        _OPEN,
    )


def _rejected(facts: DoctorFacts) -> Iterator[Finding]:
    view = _server(facts)
    rejected, span = risen(facts, lambda one: one.clients.rejected)
    if view is None or not rejected:
        return
    connected, most = view.clients.connected, view.clients.most
    evidence = [f"{format_count(rejected)} rejected {span}"]
    if connected is not None and most is not None:
        evidence.append(f"{format_count(connected)} of {format_count(most)} clients connected")
    yield Finding(
        "rejected_connections",
        "warning",
        "The server rejected connections: there were too many.",
        tuple(evidence),
        "A worker that cannot connect serves from its own memory.",
        f"{facts.settings.cli} CONFIG SET maxclients {2 * (most or 10_000)}, or lower REDIS_MAX_CONNECTIONS.",
        _OPEN,
    )


def _server(facts: DoctorFacts) -> ServerView | None:
    return facts.server if facts.server is not None and facts.server.kind != "memory" else None


def _suggested(size: int | None) -> int:
    """At least twice *size*, in the MB of a server: a power of two, 256 or more."""
    megabytes = -(-2 * (size or 0) // _MEGABYTE)
    return 1 << max(_LEAST_BITS, (megabytes - 1).bit_length())


RULES: Final[tuple[Callable[[DoctorFacts], Iterator[Finding]], ...]] = (
    _nearly_full,
    _policy,
    _no_maxmemory,
    _evictions,
    _rejected,
    _slow_server,
)
