"""What the REST API answers. Field names are those of the original documentation; additions are marked as such."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from pydantic import BaseModel, Field, RootModel

from avcache.formats import format_bytes

if TYPE_CHECKING:
    from avcache.core.cache import Cache
    from avcache.ops import clear_plan, coverage, doctor
    from avcache.ops.keyspace import Keyspace

__all__ = [
    "ClearPlan",
    "Cleared",
    "Coverage",
    "Diagnosis",
    "Finding",
    "Info",
    "Keys",
    "NamespaceStats",
    "Problem",
    "Stats",
    "TotalStats",
    "WarmedUp",
]


class Info(BaseModel):
    """The store in figures."""

    cache_type: str = Field(description="redis, valkey or memory", examples=["redis"])
    redis_version: str | None = Field(description="Version of the server; null in memory")
    total_keys: int = Field(description="Keys of this application")
    memory_usage: str | None = Field(
        description="Memory of the whole server, or of the entries in this process; null if unknown",
        examples=["1.2 MB"],
    )
    connected_clients: int | None = Field(description="Clients of the server; null in memory")
    is_redis: bool = Field(description="Entries are on a server (Redis or Valkey)")
    is_memory: bool = Field(description="Entries are in this process")
    memory_bytes: int | None = Field(description="Added: the same as memory_usage, in bytes")
    exact: bool = Field(
        description="Added: false if not all were counted: there may be more in Redis, and in memory some have expired"
    )
    state: str = Field(description="Added: redis, valkey, memory, degraded or recovering")
    degraded_since: float | None = Field(description="Added: since when memory serves for Redis, epoch seconds")
    error: str | None = Field(description="Added: why")
    pending: int = Field(description="Added: invalidations that wait for Redis")

    @classmethod
    def of(cls, cache: Cache, keyspace: Keyspace) -> Self:
        """The store of *cache*; with too many keys to be counted now, their number as the sweep or a sample has it."""
        found, state = cache.info(), cache.state()
        if not found.exact and not state.is_degraded:
            snapshot = keyspace.snapshot(max_age=5)
            found = replace(found, keys=max(found.keys, snapshot.keys), exact=snapshot.is_exact)
        return cls(
            cache_type=found.kind,
            redis_version=found.version,
            total_keys=found.keys,
            memory_usage=None if found.memory_bytes is None else format_bytes(found.memory_bytes),
            connected_clients=found.clients,
            is_redis=found.kind != "memory",
            is_memory=found.kind == "memory",
            memory_bytes=found.memory_bytes,
            exact=found.exact,
            state=state.name,
            degraded_since=state.since if state.is_degraded else None,
            error=state.error,
            pending=state.pending,
        )


class Keys(BaseModel):
    """A page of keys."""

    pattern: str
    count: int = Field(description="How many are in `keys`")
    keys: list[str]
    truncated: bool = Field(description="Added: there are more; ask again with `cursor`")
    cursor: str | None = Field(description="Added: where to go on; null at the end")
    exact: bool = Field(description="Added: `count` is the number of all keys that match")


class NamespaceStats(BaseModel):
    """One namespace."""

    count: int
    sample_keys: list[str] = Field(max_length=5)


class TotalStats(BaseModel):
    """All namespaces."""

    count: int
    exact: bool = Field(description="Added: false if these are the keys seen in the time allowed")


class Stats(RootModel[dict[str, NamespaceStats | TotalStats]]):
    """By namespace (`price`, `momentum`, `portfolio`, and whatever else exists), and `total`."""


class ClearPlan(BaseModel):
    """What a clear would drop."""

    pattern: str
    keys: int
    exact: bool = Field(description="All keys were seen; else their number lies between low and high, 95 times in 100")
    low: int
    high: int
    size_bytes: int
    refill_seconds: float | None = Field(description="What loading them took; null where no entry knows")
    sample_keys: list[str] = Field(max_length=20)

    @classmethod
    def of(cls, found: clear_plan.ClearPlan) -> Self:
        return cls(
            pattern=found.pattern,
            keys=found.keys,
            exact=found.is_exact,
            low=found.low,
            high=found.high,
            size_bytes=found.size,
            refill_seconds=found.refill_seconds,
            sample_keys=list(found.samples),
        )


class Coverage(BaseModel):
    """How tickers stand in each kind."""

    kinds: list[str]
    states: dict[str, list[str]] = Field(description="By ticker: fresh, expiring, stale, missing or failed")
    reasons: dict[str, str] = Field(description="By ticker, why it failed")
    covered: int = Field(description="How many tickers are fresh in every kind")

    @classmethod
    def of(cls, found: coverage.Coverage) -> Self:
        return cls(
            kinds=list(found.kinds),
            states={ticker: list(states) for ticker, states in found.rows.items()},
            reasons=dict(found.reasons),
            covered=found.covered,
        )


class Finding(BaseModel, from_attributes=True):
    """Something that deserves attention."""

    rule: str
    severity: str = Field(description="problem, warning or advice")
    what: str
    evidence: list[str]
    why: str
    step: str = Field(description="What mends it")


class Diagnosis(BaseModel):
    """What the doctor finds, most severe first."""

    findings: list[Finding]

    @classmethod
    def of(cls, found: Iterable[doctor.Finding]) -> Self:
        return cls(findings=[Finding.model_validate(one) for one in found])


class Cleared(BaseModel):
    """What a clear dropped."""

    message: str
    pattern: str
    keys_cleared: int
    pending: bool = Field(description="Added: Redis is away; the rest goes before it is read again")


class WarmedUp(BaseModel):
    """What a warm-up brought."""

    message: str
    tickers_processed: int
    successfully_cached: int
    tickers: list[str]
    failures: dict[str, str] = Field(description="Why, by ticker")


class Fault(BaseModel):
    """One thing wrong with a request."""

    parameter: str
    message: str


class Problem(BaseModel):
    """Why a request was not served (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[Fault] = []
