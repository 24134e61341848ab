"""The operations on a cache whose wall clock stands still until it is told to advance."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from avcache import runtime
from avcache.backends.board import Board, MemoryBoard
from avcache.clock import ManualClock
from avcache.config import Settings
from avcache.core.cache import Cache
from avcache.core.store import CacheLimits
from avcache.market.provider import PriceProvider
from avcache.market.service import Market
from avcache.ops import Ops
from tests.market.doubles import MemoryProvider
from tests.threads import until

__all__ = ["Graph", "wait_until"]


class Graph:
    """Wired as the runtime does it, around *provider*; close it."""

    def __init__(
        self,
        provider: PriceProvider | None = None,
        clock: ManualClock | None = None,
        board: Board | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.clock = clock or ManualClock()
        read = Settings.from_env(settings or {})
        wired = runtime.build(read)
        self.cache = Cache(
            wired.cache.backend,
            wired.cache.namespaces,
            limits=CacheLimits(max_value_bytes=read.cache_max_value_bytes),
            wall=self.clock,
            randomness=lambda: 0.0,
        )
        self.market = Market(self.cache, provider or MemoryProvider({}), self.clock)
        self.ops = Ops(self.cache, self.market, board or MemoryBoard(), wall=self.clock)

    def close(self) -> None:
        self.ops.close()
        self.cache.close()


def wait_until(holds: Callable[[], bool]) -> None:
    """Return once it holds; fail if it does not within ten seconds."""
    until(holds, patience=10.0)
