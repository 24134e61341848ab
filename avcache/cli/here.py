"""A cache on a server, through the operations of this process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from avcache.cli.exits import Failed
from avcache.cli.place import Dropped, Found, KeyRow, Keys, Plan, Sizes, Stand, Standing, Warmed
from avcache.core.peek import Peek
from avcache.formats import format_bytes
from avcache.runtime import Runtime

__all__ = ["Here"]

_ACTOR: Final = "command line"
_POLL: Final = 0.1
_LAST_TICKERS: Final = 30.0
_DAY: Final = 24 * 3600.0


class Here:
    """A `Place` whose store this process reaches itself."""

    def __init__(self, wired: Runtime) -> None:
        self._cache = wired.cache
        self._ops = wired.ops

    def info(self) -> Mapping[str, object]:
        found, state = self._cache.info(), self._cache.state()
        return {
            "cache_type": found.kind,
            "redis_version": found.version,
            "total_keys": found.keys,
            "memory_usage": None if found.memory_bytes is None else format_bytes(found.memory_bytes),
            "connected_clients": found.clients,
            "is_redis": found.kind != "memory",
            "is_memory": found.kind == "memory",
            "memory_bytes": found.memory_bytes,
            "exact": found.exact,
            "state": state.name,
            "degraded_since": state.since if state.is_degraded else None,
            "error": state.error,
            "pending": state.pending,
        }

    def keys(self, pattern: str, limit: int) -> Keys:
        page = self._ops.keyspace.find(pattern)
        return Keys(tuple(map(_row, page.rows[:limit])), len(page.rows), page.is_exact)

    def sizes(self) -> tuple[list[Sizes], bool]:
        snapshot = self._ops.keyspace.snapshot(max_age=0)
        counted = self._cache.analytics.figures.stats(_DAY).by_namespace
        found = snapshot.namespaces
        rows = [
            Sizes(
                name,
                keys=found[name].keys if name in found else 0,
                stale=found[name].stale if name in found else 0,
                size=found[name].size if name in found else 0,
                hit_rate=counted[name].hit_rate if name in counted else None,
                samples=(found[name].samples or found[name].foreign_samples) if name in found else (),
            )
            for name in sorted({*found, *counted})
        ]
        return rows, snapshot.is_exact

    def plan(self, pattern: str) -> Plan:
        found = self._ops.clearing.plan(pattern)
        return Plan(found.pattern, found.keys, found.is_exact, found.size, found.refill_seconds, found.samples)

    def clear(self, pattern: str, reason: str) -> Dropped:
        cleared = self._ops.clearing.clear(pattern, actor=_ACTOR, reason=reason)
        if cleared.pending:
            # What is pending is remembered by the process that accepted it, and this one is about to end.
            raise Failed("the server went away: it was not told of all of this; run it again when it is back")
        return Dropped(int(cleared), is_pending=False)

    def warm(self, tickers: Sequence[str]) -> Iterator[Warmed]:
        job, told = self._ops.warmup.start(tickers, actor=_ACTOR), set[str]()
        try:
            is_over = False
            while not is_over:
                is_over = job.wait(_POLL)
                for outcome in job.outcomes:
                    if outcome.ticker not in told:
                        told.add(outcome.ticker)
                        yield Warmed(outcome.ticker, outcome.result, outcome.seconds, outcome.reason)
        finally:
            if job.is_running:
                job.cancel()
                job.wait(_LAST_TICKERS)

    def coverage(self, tickers: Sequence[str]) -> Standing:
        found = self._ops.warmup.coverage(tickers)
        rows = tuple(Stand(ticker, states, found.reasons.get(ticker, "")) for ticker, states in found.rows.items())
        return Standing(found.kinds, rows, found.covered)

    def findings(self) -> list[Found]:
        return [
            Found(one.severity, one.what, tuple(one.evidence), one.why, one.step)
            for one in self._ops.checkup.findings()
        ]


def _row(peek: Peek) -> KeyRow:
    if peek.is_foreign:
        return KeyRow(peek.key, size=peek.size, state="foreign")
    state = "nothing there" if peek.is_absent else "stale" if peek.is_stale else "fresh"
    return KeyRow(peek.key, peek.age, peek.ttl_left, peek.size, state)
