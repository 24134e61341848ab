"""What a clear would drop, and what loading it again would cost: counted, or reckoned where that takes too long."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from avcache.clock import Clock
from avcache.core.cache import Cache
from avcache.core.entry import check_tags
from avcache.core.peek import Peek
from avcache.ops.keyspace import Keyspace, peek_found
from avcache.ops.snapshot import Snapshot

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

    def __init__(self, cache: Cache, keyspace: Keyspace, clock: Clock = time.monotonic) -> None:
        self._cache = cache
        self._keyspace = keyspace
        self._clock = clock

    def of_pattern(self, pattern: str, budget: float = _BUDGET) -> ClearPlan:
        """Every key that matches, if *budget* seconds suffice to see them all. Raises `InvalidInput`."""
        meant = self._cache.namespaces.pattern(pattern).text
        found, share = self._seen(meant, None, budget)
        return self._reckoned(meant) if share < 1 else self._counted(meant, found)

    def of_tag(self, tag: str, budget: float = _BUDGET) -> ClearPlan:
        """Every entry that carries *tag*, as `of_pattern`; past *budget* reckoned from the part that was seen."""
        (label,) = check_tags([tag])
        found, share = self._seen("*", label, budget)
        plan = replace(self._counted("", found), tag=label)
        if share >= 1:
            return plan
        keys = max(len(found), round(len(found) / share)) if share else len(found)
        # Keys lie in a store as their hashes fall: what came first is as good a sample as any.
        low, high = Snapshot({}, 0.0, share).band(keys) if share else (len(found), len(found))
        whole = None if plan.refill_seconds is None or not share else plan.refill_seconds / share
        size = round(plan.size / share) if share else plan.size
        low = max(low, len(found))
        return replace(plan, keys=keys, is_exact=False, size=size, refill_seconds=whole, low=low, high=max(low, high))

    def _seen(self, pattern: str, tag: str | None, budget: float) -> tuple[list[Peek], float]:
        """What is ours, matches and carries *tag*, each once; and how much of the store was passed, 0 to 1."""
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
                return list(found.values()), min(page.done, 0.999)

    def _counted(self, pattern: str, found: Sequence[Peek]) -> ClearPlan:
        is_exact = not self._cache.state().is_degraded  # while Redis is away, only memory was seen
        known = [peek.load_seconds for peek in found if peek.load_seconds is not None]
        samples = sorted(peek.key for peek in found)[:_SAMPLES]
        size, keys = sum(peek.size for peek in found), len(found)
        return ClearPlan(pattern, keys, is_exact, size, sum(known) if known else None, tuple(samples), keys, keys)

    def _reckoned(self, pattern: str) -> ClearPlan:
        meant = self._cache.namespaces.pattern(pattern)
        found = self._keyspace.reckon(meant)
        ours = {name: one for name, one in found.namespaces.items() if one.keys > one.foreign}
        keys = sum(one.keys - one.foreign for one in ours.values())
        low, high = found.band(keys)
        samples = sorted(key for one in ours.values() for key in one.samples)
        return ClearPlan(
            meant.text,
            keys,
            found.is_exact,
            sum(one.size for one in ours.values()),
            _refill(found),
            tuple(samples[:_SAMPLES]),
            low,
            high,
        )


def _refill(found: Snapshot) -> float | None:
    known = [one for one in found.namespaces.values() if one.mean_load_seconds is not None]
    return sum(one.load_seconds for one in known) if known else None
