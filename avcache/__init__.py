"""
avcache: a shared cache for prices, momentum scores and portfolios.

    from avcache import cache, cached

    cache.set("price:AAPL", 175.5, ttl=300)

Importing this package opens no socket, reads no environment and starts no thread; the process-wide `cache` is built
from the environment on its first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from avcache.decorators import cache_momentum, cache_portfolio, cache_price, cached, invalidate_cache

if TYPE_CHECKING:
    from avcache.core.cache import Cache

__all__ = ["cache", "cache_momentum", "cache_portfolio", "cache_price", "cached", "invalidate_cache"]
__version__ = "0.1.0"


class _SharedCache:
    """Stands for the cache of the process until somebody uses it."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # a look at what this is (by copy, inspect, doctest) is no use of it
            raise AttributeError(name)
        from avcache import runtime  # noqa: PLC0415 - built on first use, never on import

        return getattr(runtime.shared().cache, name)

    def __repr__(self) -> str:
        return "<the cache of this process>"


cache = cast("Cache", _SharedCache())
