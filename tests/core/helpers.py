"""A cache in memory with clocks that stand still, and what tests of it have in common."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from avcache.backends.memory import MemoryBackend
from avcache.clock import ManualClock
from avcache.core.cache import Cache
from avcache.core.keys import DEFAULT_NAMESPACE, Namespace, Namespaces
from avcache.core.store import AccessObserver, CacheLimits

__all__ = ["Bench", "Gate", "failing", "never", "together", "until"]

T = TypeVar("T")


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


def together(number: int, work: Callable[[int], T]) -> list[T]:
    """The results of *work* by *number* threads that begin at the same moment."""
    start = threading.Barrier(number)

    def begin(index: int) -> T:
        start.wait(10)
        return work(index)

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(begin, range(number)))


def until(is_so: Callable[[], object], patience: float = 5.0) -> None:
    """Wait for what a thread in the background brings about."""
    give_up_at = time.monotonic() + patience
    while not is_so():
        assert time.monotonic() < give_up_at, "it did not happen"
        time.sleep(0.002)


class Gate:
    """A load that waits to be let through; it takes keys or none."""

    def __init__(self, value: object = "loaded") -> None:
        self.calls = 0
        self.began = threading.Event()
        self.release = threading.Event()
        self._value = value

    def __call__(self, keys: Sequence[str] = ()) -> Any:
        self.calls += 1
        self.began.set()
        assert self.release.wait(10)
        if isinstance(self._value, BaseException):
            raise self._value
        return dict.fromkeys(keys, self._value) if keys else self._value

    async def later(self, keys: Sequence[str] = ()) -> Any:
        return await asyncio.to_thread(self, keys)


def never(*_keys: object) -> Any:
    """A load that nobody should ask for."""
    raise AssertionError("nothing should be loaded")


def failing(*_keys: object) -> Any:
    """A load that fails."""
    raise KeyError("the source is away")
