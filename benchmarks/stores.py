"""avcache, redis-py and dogpile, ready to use; apart from the other peers, so that a worker starts fast."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
from dogpile.cache import make_region
from redis.backoff import NoBackoff
from redis.retry import Retry

from avcache.runtime import Runtime, from_environment
from benchmarks.data import TTL

__all__ = ["dogpile_region", "own", "raw_client"]

_TIMEOUT = 0.25


def raw_client(url: str) -> redis.Redis:
    """redis-py as it comes, with timeouts and without retries: as avcache asks, so that both wait alike."""
    return redis.Redis.from_url(
        url, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT, retry=Retry(NoBackoff(), 0)
    )


@contextmanager
def own(url: str = "", prefix: str = "bench:", **settings: str) -> Iterator[Runtime]:
    """A runtime of avcache: on the Redis at *url*, else in memory."""
    where = {"REDIS_ENABLED": "true", "REDIS_URL": url, "REDIS_PREFIX": prefix} if url else {}
    runtime = from_environment({"AVCACHE_PROVIDER": "sample", **where, **settings})
    try:
        yield runtime
    finally:
        runtime.close()


def dogpile_region(url: str = "", **arguments: object) -> Any:
    """A region on the Redis at *url*, else in memory."""
    kind = "dogpile.cache.redis" if url else "dogpile.cache.memory"
    given = {"url": url, "thread_local_lock": False, "socket_timeout": _TIMEOUT, **arguments} if url else {}
    return make_region().configure(kind, expiration_time=TTL, arguments=given)
