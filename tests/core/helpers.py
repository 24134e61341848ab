"""A cache in memory with clocks that stand still, and what tests of it have in common."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from avcache.backends.memory import MemoryBackend
from avcache.clock import ManualClock
from avcache.core.cache import Cache
from avcache.core.keys import DEFAULT_NAMESPACE, Namespace, Namespaces
from avcache.core.store import AccessObserver, CacheLimits

__all__ = ["Bench", "Held", "exit_code_within", "failing", "leases", "never"]


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


class Held:
    """A load that waits to be let go, and counts how often it ran."""

    def __init__(self, *values: Any) -> None:
        self.values = list(values)
        self.calls = 0
        self.began = threading.Event()
        self.go_on = threading.Event()

    def __call__(self) -> Any:
        self.calls += 1
        value = self.values.pop(0)
        self.began.set()
        assert self.go_on.wait(10)
        return value


def leases(cache: Cache) -> list[str]:
    """The leases in Redis, after one that nobody holds any more would have ended."""
    time.sleep(1.3)
    client: Any = cache.backend._primary._client  # type: ignore[attr-defined]
    return [name.decode() for name in client.scan_iter("*!load:*")]


def exit_code_within(child: int, seconds: float) -> int | None:
    """What a forked process ended with; None if it had to be killed."""
    give_up_at = time.monotonic() + seconds
    while time.monotonic() < give_up_at:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None
