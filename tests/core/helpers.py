"""A cache in memory with clocks that stand still, and what tests of it have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from avcache.backends.memory import MemoryBackend
from avcache.clock import ManualClock
from avcache.core.cache import Cache
from avcache.core.keys import DEFAULT_NAMESPACE, Namespace, Namespaces
from avcache.core.store import AccessObserver, CacheLimits

__all__ = ["Bench", "failing", "never"]


def _canonical(rest: str) -> str:
    """Upper case up to an @, as the runtime has it for tickers."""
    ticker, mark, suffix = rest.partition("@")
    return ticker.upper().replace(".", "-") + mark + suffix


class Bench:
    """
    A cache, its clock and its backend. Namespaces: `default` (100 s), `price` (10 s, stale for 20 s, upper case),
    `short` (10 s).
    """

    def __init__(
        self,
        *,
        jitter: float = 0.0,
        max_value_bytes: int = 2**20,
        max_ttl: float = 7 * 24 * 3600.0,
        load_wait: float = 30.0,
        failure_throttle: float = 0.0,
        randomness: Callable[[], float] = lambda: 0.0,
        observers: Sequence[AccessObserver] = (),
    ) -> None:
        self.clock = ManualClock()
        self.backend = MemoryBackend(clock=self.clock, wall=self.clock)
        self.cache = Cache(
            self.backend,
            Namespaces(
                Namespace(DEFAULT_NAMESPACE, 100.0),
                [Namespace("price", 10.0, 20.0, _canonical), Namespace("short", 10.0)],
            ),
            limits=CacheLimits(
                max_ttl=max_ttl,
                max_value_bytes=max_value_bytes,
                jitter=jitter,
                load_wait=load_wait,
                failure_throttle=failure_throttle,
            ),
            wall=self.clock,
            randomness=randomness,
            observers=observers,
        )

    def counts(self, namespace: str = "price") -> Mapping[str, float]:
        """The figures of *namespace* that are not 0, without the time that loads took."""
        counts = self.cache.stats().by_namespace.get(namespace)
        names = ("hits", "stale_hits", "misses", "loads", "load_failures", "coalesced", "refused", "foreign")
        return {name: getattr(counts, name) for name in names if counts is not None and getattr(counts, name)}


def never(*_keys: object) -> Any:
    """A load that nobody should ask for."""
    raise AssertionError("nothing should be loaded")


def failing(*_keys: object) -> Any:
    """A load that fails."""
    raise KeyError("the source is away")
