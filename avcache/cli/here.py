"""A cache on a server, through the operations of this process."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Final

from avcache.api.schemas import ClearPlan, Coverage, Diagnosis, Finding, Info
from avcache.backends.base import Cleared
from avcache.cli.exits import Failed
from avcache.cli.place import KeyRow, Keys, Sizes, Warmed
from avcache.core.peek import Peek
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
        return Info.of(self._cache, self._ops.keyspace).model_dump()

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

    def plan(self, pattern: str) -> ClearPlan:
        return ClearPlan.of(self._ops.clearing.plan(pattern))

    def clear(self, pattern: str, reason: str) -> Cleared:
        cleared = self._ops.clearing.clear(pattern, actor=_ACTOR, reason=reason)
        if cleared.pending:
            # What is pending is remembered by the process that accepted it, and this one is about to end.
            raise Failed("the server went away: it was not told of all of this; run it again when it is back")
        return cleared

    def warm(self, tickers: Sequence[str]) -> Generator[Warmed]:
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

    def coverage(self, tickers: Sequence[str]) -> Coverage:
        return Coverage.of(self._ops.warmup.coverage(tickers))

    def findings(self) -> list[Finding]:
        return Diagnosis.of(self._ops.checkup.findings()).findings


def _row(peek: Peek) -> KeyRow:
    if peek.is_foreign:
        return KeyRow(peek.key, size=peek.size, state="foreign")
    state = "nothing there" if peek.is_absent else "stale" if peek.is_stale else "fresh"
    return KeyRow(peek.key, peek.age, peek.ttl_left, peek.size, state)
