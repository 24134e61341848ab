"""What a clear would drop, and what loading it again would cost: counted, or reckoned where that takes too long."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from avcache.clock import Clock
from avcache.core.cache import Cache
from avcache.core.entry import check_tags
from avcache.core.peek import Peek
from avcache.ops.keyspace import peek_found
from avcache.ops.snapshot import band

__all__ = ["ClearPlan", "Planner"]

_SAMPLES: Final = 20
_BUDGET: Final = 2.0


@dataclass(frozen=True, slots=True)
class ClearPlan:
    """
    What a clear of *pattern* would drop; of all that carries *tag*, if that is given (*pattern* is empty then).

    Attributes:
        keys: How many keys match; *is_exact* says whether all were seen, else it is reckoned, and lies between *low*
            and *high* in 95 of 100 cases (while Redis is away: *low* at least).
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
    low: int
    high: int
    tag: str | None = None

    @property
    def target(self) -> str:
        """What is cleared, in one word: the pattern, or the tag."""
        return self.pattern if self.tag is None else self.tag


class Planner:
    """Looks, without touching anything. *clock* measures."""

    def __init__(self, cache: Cache, clock: Clock = time.monotonic) -> None:
        self._cache = cache
        self._clock = clock

    def of_pattern(self, pattern: str, budget: float = _BUDGET) -> ClearPlan:
        """Every key that matches; past *budget* seconds reckoned from the part that was seen. Raises `InvalidInput`."""
        return self._planned(self._cache.namespaces.pattern(pattern).text, None, budget)

    def of_tag(self, tag: str, budget: float = _BUDGET) -> ClearPlan:
        """Every entry that carries *tag*, as `of_pattern`."""
        (label,) = check_tags([tag])
        return self._planned("", label, budget)

    def _planned(self, pattern: str, tag: str | None, budget: float) -> ClearPlan:
        # Keys lie in a store as their hashes fall: what comes first is as good a sample as any.
        found, share = self._seen(pattern or "*", tag, budget)
        known = [peek.load_seconds for peek in found if peek.load_seconds is not None]
        keys = round(len(found) / share)
        low, high = band(keys, share)
        return ClearPlan(
            pattern,
            keys,
            is_exact=share >= 1 and not self._cache.state().is_degraded,  # while Redis is away, only memory was seen
            size=round(sum(peek.size for peek in found) / share),
            refill_seconds=sum(known) / share if known else None,
            samples=tuple(sorted(peek.key for peek in found)[:_SAMPLES]),
            low=max(low, len(found)),
            high=high,
            tag=tag,
        )

    def _seen(self, pattern: str, tag: str | None, budget: float) -> tuple[list[Peek], float]:
        """What is ours, matches and carries *tag*, each once; and how much of the store was passed, above 0 to 1."""
        deadline, cursor, found = self._clock() + budget, "", dict[str, Peek]()
        while True:
            page = self._cache.scan(pattern, cursor, budget=budget)
            for peek in peek_found(self._cache, [key for key in page.keys if key not in found]):
                if not peek.is_foreign and (tag is None or tag in peek.tags):  # foreign: not ours to drop
                    found[peek.key] = peek
            cursor = page.cursor
            if not cursor:
                return list(found.values()), 1.0
            if self._clock() > deadline:
                return list(found.values()), page.done
