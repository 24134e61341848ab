"""Clear what matches a pattern, after saying what that is and what it will cost to fill again."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from avcache.backends.base import Cleared
from avcache.clock import Clock
from avcache.core.cache import Cache
from avcache.ops.keyspace import peek_found

__all__ = ["ClearPlan", "Clearing"]

logger = logging.getLogger(__name__)

_SAMPLES = 20
_BUDGET = 2.0


@dataclass(frozen=True, slots=True)
class ClearPlan:
    """
    What a clear of *pattern* would drop.

    Attributes:
        keys: How many keys match; *is_exact* says whether all were seen, else it is at least so many.
        size: Their bytes in the store.
        refill_seconds: What loading them took, together; None where no entry knows.
        samples: Up to 20 of the keys.
    """

    pattern: str
    keys: int
    is_exact: bool
    size: int
    refill_seconds: float | None
    samples: tuple[str, ...]


class Clearing:
    """Plans and carries out clears."""

    def __init__(self, cache: Cache, clock: Clock = time.monotonic) -> None:
        self._cache = cache
        self._clock = clock

    def plan(self, pattern: str) -> ClearPlan:
        """Look, without touching anything. Raises `InvalidInput` for what is no pattern."""
        meant = self._cache.namespaces.pattern(pattern).text
        deadline, cursor, seen = self._clock() + _BUDGET, "", set[str]()
        size, refill = 0, list[float]()
        while True:
            page = self._cache.scan(meant, cursor)
            fresh = [key for key in page.keys if key not in seen]
            for peek in peek_found(self._cache, fresh):
                if peek.is_foreign:  # not ours to drop
                    continue
                seen.add(peek.key)
                size += peek.size
                refill += [] if peek.load_seconds is None else [peek.load_seconds]
            cursor = page.cursor
            if not cursor or self._clock() > deadline:
                break
        total = sum(refill) if refill else None
        # While Redis is away, only memory was seen.
        is_exact = not cursor and not self._cache.state().is_degraded
        return ClearPlan(meant, len(seen), is_exact, size, total, tuple(sorted(seen)[:_SAMPLES]))

    def clear(self, pattern: str) -> Cleared:
        """Drop every key that matches and return exactly how many went."""
        cleared = self._cache.clear(pattern)
        logger.info("ops.clear", extra={"pattern": pattern, "cleared": int(cleared), "pending": cleared.pending})
        return cleared
