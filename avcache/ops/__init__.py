"""What an operator may do: look at the keyspace, clear, warm up. No HTTP, no Streamlit."""

from __future__ import annotations

from avcache.core.cache import Cache
from avcache.market.service import Market
from avcache.ops.clearing import Clearing
from avcache.ops.keyspace import Keyspace
from avcache.ops.warmup import Warmup

__all__ = ["Ops"]


class Ops:
    """The operations on one cache, the same for pages, REST and whoever else comes."""

    def __init__(self, cache: Cache, market: Market) -> None:
        self.keyspace = Keyspace(cache)
        self.clearing = Clearing(cache)
        self.warmup = Warmup(cache, market)

    def close(self) -> None:
        """Stop what runs in the background."""
        self.warmup.close()
