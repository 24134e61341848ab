"""The store as an operator sees it: what it is, how full, how quick, and what it would not tell. Counts no read."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from avcache.backends.base import State
from avcache.backends.facts import FactsReader, ServerFacts, SlowCommand, kind_of, version_of
from avcache.clock import Clock
from avcache.core.cache import Cache
from avcache.errors import BackendError
from avcache.ops.faults import fault_of

__all__ = ["Clients", "Keys", "Latency", "Memory", "MemoryLimits", "Persistence", "ServerView", "look"]

_ROLES: Final = {"master": "primary", "slave": "replica"}


@dataclass(frozen=True, slots=True)
class MemoryLimits:
    """How much the store inside the process may hold."""

    entries: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Memory:
    """
    Attributes:
        used_bytes: What the store takes by its own count.
        max_bytes: Its limit; None where there is none, or it is not known: see *is_limited*.
        is_limited: Whether there is a limit.
        policy: What goes for room, in Redis' words (`allkeys-lru`, `noeviction`, …).
        fragmentation: What the operating system gave, as a multiple of what is used; high and harmless while that is
            a few MB.
    """

    used_bytes: int | None = None
    max_bytes: int | None = None
    is_limited: bool | None = None
    policy: str | None = None
    fragmentation: float | None = None

    @property
    def share(self) -> float | None:
        """How full it is, 0..1; None without a limit."""
        return self.used_bytes / self.max_bytes if self.max_bytes and self.used_bytes is not None else None


@dataclass(frozen=True, slots=True)
class Clients:
    """*rejected* counts connections that were one too many, since the server started."""

    connected: int | None = None
    blocked: int | None = None
    most: int | None = None
    rejected: int | None = None


@dataclass(frozen=True, slots=True)
class Persistence:
    """
    Attributes:
        rdb_age: Seconds since the last snapshot was saved, or since the start if none was.
        rdb_status: `ok` or `err`, of the last attempt.
        aof_on: Whether each write is appended to a file.
        aof_status: `ok` or `err`, of the last append.
    """

    rdb_age: float | None = None
    rdb_status: str | None = None
    aof_on: bool | None = None
    aof_status: str | None = None


@dataclass(frozen=True, slots=True)
class Keys:
    """
    Attributes:
        number: Keys of our database, whoever wrote them; of the store in memory, its entries.
        is_exact: Otherwise *number* is the most there can be: some may have expired.
        expiring: How many of them have a ttl.
        most: How many there may be, where that is limited.
        elsewhere: Keys of the other databases, and in how many *other_databases* they are.
        evicted: Keys that made room for others, since the server started.
        expired: Keys whose ttl passed, likewise.
        stale_percent: The server's estimate of keys whose ttl has passed, but which still take room.
    """

    number: int | None = None
    is_exact: bool = True
    expiring: int | None = None
    most: int | None = None
    elsewhere: int | None = None
    other_databases: int | None = None
    evicted: int | None = None
    expired: int | None = None
    stale_percent: float | None = None


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds of up to five PINGs, there and back."""

    median_ms: float
    max_ms: float


@dataclass(frozen=True, slots=True)
class ServerView:
    """
    One look at the store. Whatever is not known is None: it is away, it would not tell, or it has no such figure.

    Attributes:
        taken_at: When, wall clock.
        error: Why it does not answer, or refuses writes, in words.
        run_id: Another one is another run: it was restarted, or a failover took place.
        uptime: Seconds since it started.
        operations_per_second: By the server's own count, all clients together.
        slow_log: The latest first, at most 32. Its texts may come from other applications.
        slow_microseconds: From how long on a command is in the slow log; negative: none is.
        notes: What this user may not ask, a sentence each.
    """

    kind: Literal["memory", "redis", "valkey"]
    state: State
    taken_at: float
    error: str | None = None
    version: str | None = None
    role: str | None = None
    run_id: str | None = None
    uptime: float | None = None
    operations_per_second: float | None = None
    memory: Memory = Memory()
    clients: Clients = Clients()
    persistence: Persistence = Persistence()
    keys: Keys = Keys()
    latency: Latency | None = None
    slow_log: tuple[SlowCommand, ...] | None = None
    slow_microseconds: int | None = None
    notes: tuple[str, ...] = ()


def look(
    cache: Cache, server: FactsReader | None = None, *, limits: MemoryLimits | None = None, wall: Clock = time.time
) -> ServerView:
    """
    Look at the store of *cache*; never raises for it, and never waits for one that is known to be away.

    A server is asked in a round trip or two, and five short ones that are measured.

    Args:
        server: Asks the server; None where there is none.
        limits: Those of the store in memory.
    """
    state, now = cache.state(), wall()
    if state.name == "memory":
        return _inside(cache, state, now, limits)
    if server is None or state.is_degraded:
        return _away(server, state, now, state.error)
    try:
        told = server.read()
    except BackendError as exc:  # it went away just now: the cache will find out with its next read
        return _away(server, state, now, f"{type(exc.__cause__ or exc).__name__}: {exc}")
    return _described(told, state, now)


def _inside(cache: Cache, state: State, now: float, limits: MemoryLimits | None) -> ServerView:
    info = cache.info()
    return ServerView(
        "memory",
        state,
        now,
        memory=Memory(
            info.memory_bytes,
            max_bytes=limits.bytes if limits else None,
            is_limited=True,
            policy="allkeys-lru",
        ),
        keys=Keys(
            info.keys,
            is_exact=info.exact,
            expiring=info.keys,
            most=limits.entries if limits else None,
            evicted=info.evictions,
        ),
    )


def _away(server: FactsReader | None, state: State, now: float, error: str | None) -> ServerView:
    known = server.last_known() if server else {}
    words = fault_of(error).words if error else None
    return ServerView(kind_of(known), state, now, error=words, version=version_of(known))


def _described(told: ServerFacts, state: State, now: float) -> ServerView:
    info = _Info(told.info or {})
    role = info.text("role")
    return ServerView(
        told.kind,
        state,
        now,
        error=fault_of(state.error).words if state.error else None,
        version=version_of(told.info or {}),
        role=_ROLES.get(role, role) if role else None,
        run_id=info.text("run_id"),
        uptime=info.number("uptime_in_seconds"),
        operations_per_second=info.number("instantaneous_ops_per_sec"),
        memory=_memory(info, told.config),
        clients=_clients(info),
        persistence=_persistence(info, now),
        keys=_keys(info, told),
        latency=_latency(told.pings),
        slow_log=told.slow_log,
        slow_microseconds=_Info(told.config).whole("slowlog-log-slower-than"),
        notes=tuple(f"{command} is refused: {fault_of(error).words}." for command, error in told.refused.items()),
    )


class _Info:
    """Figures by name; None for one that is missing, or is no figure."""

    def __init__(self, told: Mapping[str, str]) -> None:
        self._told = told

    def text(self, name: str) -> str | None:
        return self._told.get(name)

    def number(self, name: str) -> float | None:
        try:
            return float(self._told[name])
        except (KeyError, ValueError):
            return None

    def whole(self, name: str) -> int | None:
        found = self.number(name)
        return None if found is None else int(found)


def _memory(info: _Info, config: Mapping[str, str]) -> Memory:
    limit = info.whole("maxmemory")
    if limit is None:
        limit = _Info(config).whole("maxmemory")
    return Memory(
        info.whole("used_memory"),
        max_bytes=limit or None,
        is_limited=None if limit is None else limit > 0,
        policy=info.text("maxmemory_policy") or config.get("maxmemory-policy"),
        fragmentation=info.number("mem_fragmentation_ratio"),
    )


def _clients(info: _Info) -> Clients:
    return Clients(
        info.whole("connected_clients"),
        blocked=info.whole("blocked_clients"),
        most=info.whole("maxclients"),
        rejected=info.whole("rejected_connections"),
    )


def _persistence(info: _Info, now: float) -> Persistence:
    saved_at, microseconds = info.number("rdb_last_save_time"), info.number("server_time_usec")
    # By its own clock, where it tells the time: ours may be another.
    today = now if microseconds is None else microseconds / 1e6
    is_on = info.whole("aof_enabled")
    return Persistence(
        None if saved_at is None else max(0.0, today - saved_at),
        rdb_status=info.text("rdb_last_bgsave_status"),
        aof_on=None if is_on is None else is_on == 1,
        aof_status=info.text("aof_last_write_status"),
    )


def _keys(info: _Info, told: ServerFacts) -> Keys:
    if told.info is None:
        return Keys()
    # An empty database has no line.
    databases = {name: _database(told.info[name]) for name in told.info if name[:2] == "db" and name[2:].isdecimal()}
    ours = databases.pop(f"db{told.database}", _database(""))
    return Keys(
        ours.whole("keys") or 0,
        expiring=ours.whole("expires") or 0,
        elsewhere=sum(other.whole("keys") or 0 for other in databases.values()),
        other_databases=len(databases),
        evicted=info.whole("evicted_keys"),
        expired=info.whole("expired_keys"),
        stale_percent=info.number("expired_stale_perc"),
    )


def _database(line: str) -> _Info:
    """`keys=3,expires=2,avg_ttl=0` by name."""
    return _Info(dict(part.split("=", 1) for part in line.split(",") if "=" in part))


def _latency(pings: Sequence[float]) -> Latency | None:
    return Latency(statistics.median(pings) * 1000, max(pings) * 1000) if pings else None
