"""What the doctor looks at: plain values, each of which may be missing."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qs, urlsplit

from avcache.backends.base import State
from avcache.core.counters import Counts, Figures
from avcache.ops.forecast import Cliff
from avcache.ops.server import ServerView

if TYPE_CHECKING:
    from avcache.config import Settings

__all__ = ["HOUR", "DoctorFacts", "NamespaceFacts", "SettingFacts", "hour_and_yesterday"]

HOUR = 3600.0
_DAY = 24 * HOUR


@dataclass(frozen=True, slots=True)
class NamespaceFacts:
    """
    What one namespace takes of the store.

    Attributes:
        no_ttl: Of its keys, those that never expire.
        foreign: Of its keys, those that are no entries of ours.
        biggest: Its largest keys and their bytes, the largest first.
    """

    name: str
    keys: int
    bytes: int
    no_ttl: int = 0
    foreign: int = 0
    biggest: Sequence[tuple[str, int]] = ()


@dataclass(frozen=True, slots=True)
class SettingFacts:
    """
    Attributes:
        prefix: What every key of ours begins with.
        cli: How a person reaches our database from a shell; never with a password.
        max_value_bytes: Larger values are not kept.
    """

    prefix: str = "alphavelocity:"
    cli: str = "redis-cli"
    max_value_bytes: int | None = None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """What of *settings* matters here."""
        return cls(settings.redis_prefix, _cli(settings.redis_address), settings.cache_max_value_bytes)


@dataclass(frozen=True, slots=True)
class DoctorFacts:
    """
    Attributes:
        now: Wall clock.
        server: A look at the store.
        earlier: One of some minutes ago: what only grows is compared with it.
        other_workers: Other processes with a cache in memory of their own; None where that cannot be known.
        outages: When each outage began, wall clock.
        namespaces: What there is in the store.
        cliffs: What expires together, the highest first.
        hour: What was read in the last hour, by namespace.
        yesterday: The same of the same hour a day before.
    """

    state: State
    now: float
    server: ServerView | None = None
    earlier: ServerView | None = None
    other_workers: Sequence[int] | None = None
    outages: Sequence[float] = ()
    namespaces: Sequence[NamespaceFacts] = ()
    cliffs: Sequence[Cliff] = ()
    hour: Mapping[str, Counts] = field(default_factory=dict)
    yesterday: Mapping[str, Counts] = field(default_factory=dict)
    settings: SettingFacts = field(default_factory=SettingFacts)


def hour_and_yesterday(figures: Figures, now: float) -> tuple[Mapping[str, Counts], Mapping[str, Counts]]:
    """The counts of the last hour and of the same hour a day before, by namespace; nothing of a time not counted."""
    yesterday = figures.between(now - _DAY - HOUR, now - _DAY)
    return figures.stats(HOUR).by_namespace, {} if yesterday is None else yesterday.by_namespace


def _cli(address: str) -> str:
    parts = urlsplit(address)
    options = ["redis-cli"]
    database = parse_qs(parts.query).get("db", [""])[0]
    if parts.scheme == "unix":
        options += ["-s", parts.path]
    elif parts.scheme in ("redis", "rediss"):
        options += ["-h", parts.hostname or "localhost", "-p", str(parts.port or 6379)]
        options += ["--tls"] if parts.scheme == "rediss" else []
        database = database or parts.path.strip("/")
    return shlex.join([*options, "-n", database] if database not in ("", "0") else options)
