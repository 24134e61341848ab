"""Caches on servers of the tests' own, and who can ask those servers about themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from avcache.backends.barriers import Barriers
from avcache.backends.memory import MemoryBackend
from avcache.backends.redis import RedisBackend, connect
from avcache.backends.redis_facts import RedisFacts
from avcache.backends.resilient import ResilientBackend
from avcache.core.cache import Cache
from avcache.core.keys import DEFAULT_NAMESPACE, Namespace, Namespaces
from avcache.ops.server import ServerView, look

__all__ = ["PREFIX", "Store", "memory_cache", "store_on"]

PREFIX = "avctest:"
_RULES = Namespaces(Namespace(DEFAULT_NAMESPACE, 3600.0), [Namespace("price", 300.0, 600.0)])


@dataclass(frozen=True)
class Store:
    """A cache on a server, with its way to ask that server."""

    cache: Cache
    facts: RedisFacts

    def look(self) -> ServerView:
        return look(self.cache, self.facts)


@contextmanager
def store_on(url: str, *, password: str | None = None, timeout: float = 1.0, probe: float = 0.05) -> Iterator[Store]:
    """A cache that uses the server at *url*, and memory while that is away."""
    barriers = Barriers()
    client = connect(url, timeout=timeout, max_connections=20, password=password)
    primary = RedisBackend(client, PREFIX, barriers=barriers)
    backend = ResilientBackend(primary, MemoryBackend(barriers=barriers), probe_interval=probe)
    cache = Cache(backend, _RULES)
    backend.start()
    try:
        yield Store(cache, RedisFacts(primary.wire, PREFIX))
    finally:
        cache.close()


def memory_cache(*, max_entries: int = 100, max_bytes: int = 2**20) -> Cache:
    """A cache inside this process."""
    return Cache(MemoryBackend(max_entries=max_entries, max_bytes=max_bytes), _RULES)
