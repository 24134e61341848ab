"""The cache libraries side by side, each reduced to what a row needs: put one value, get it back."""

from __future__ import annotations

import pickle  # noqa: TID251 - what the peers do: measured here, with bytes that this process wrote
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import aiocache
import cachebox
import cachetools
import cashews
import django.conf
import django.core.cache
import pyarrow as pa
import redis
from aiocache.serializers import PickleSerializer

from benchmarks.data import TTL
from benchmarks.measure import finish
from benchmarks.stores import dogpile_region, own

__all__ = ["Peer", "aiocache_client", "in_process", "on_redis", "over_raw_get"]

_MAX_ENTRIES = 10_000


@dataclass(frozen=True, slots=True)
class Peer:
    """One library, ready to use; *put* and *get* may have to be awaited."""

    name: str
    put: Callable[[str, Any], object]
    get: Callable[[str], object]


@contextmanager
def in_process() -> Iterator[list[Peer]]:
    """Memory of this process, safe among threads."""
    with ExitStack() as stack:
        cache = stack.enter_context(own()).cache
        region, box = dogpile_region(), cachebox.TTLCache(_MAX_ENTRIES, TTL)
        coroutine_cache = cashews.Cache()
        coroutine_cache.setup("mem://")
        yield [
            Peer("avcache", lambda key, value: cache.set(key, value, ttl=TTL), cache.get),
            Peer("dogpile", region.set, region.get),
            _cachetools(),
            Peer("cachebox (no counters)", box.insert, box.get),
            Peer("cashews", lambda key, value: coroutine_cache.set(key, value, expire=TTL), coroutine_cache.get),
        ]
        finish(coroutine_cache.close())


@contextmanager
def on_redis(url: str) -> Iterator[list[Peer]]:
    """The same server for all, each in a database of its own."""
    with ExitStack() as stack:
        cache = stack.enter_context(own(url)).cache
        region = dogpile_region(_database(url, 1))
        coroutine_cache = cashews.Cache()
        coroutine_cache.setup(_database(url, 2), client_side=False)
        aio = aiocache_client(url, 3)
        django_cache = _django(_database(url, 4))
        yield [
            Peer("avcache", lambda key, value: cache.set(key, value, ttl=TTL), cache.get),
            Peer("django-redis", lambda key, value: django_cache.set(key, value, TTL), django_cache.get),
            Peer("dogpile", region.set, region.get),
            Peer("cashews", lambda key, value: coroutine_cache.set(key, value, expire=TTL), coroutine_cache.get),
            Peer("aiocache", lambda key, value: aio.set(key, value, ttl=TTL), aio.get),
        ]
        finish(coroutine_cache.close())
        finish(aio.close())
        django_cache.close()


def over_raw_get(client: redis.Redis) -> list[Peer]:
    """By hand: pickle and Arrow IPC (frames only) over redis-py."""
    ttl = int(TTL)
    return [
        Peer(
            "pickle over GET",
            lambda key, value: client.set(f"pickle:{key}", pickle.dumps(value, 5), ex=ttl),
            lambda key: pickle.loads(_bytes(client.get(f"pickle:{key}"))),  # noqa: S301 - our own bytes
        ),
        Peer(
            "Arrow IPC over GET",
            lambda key, value: client.set(f"arrow:{key}", _to_arrow(value), ex=ttl),
            lambda key: pa.ipc.open_stream(_bytes(client.get(f"arrow:{key}"))).read_pandas(),
        ),
    ]


def _cachetools() -> Peer:
    kept: Any = cachetools.TTLCache(_MAX_ENTRIES, TTL)
    lock = threading.RLock()

    def put(key: str, value: object) -> None:
        with lock:
            kept[key] = value

    def get(key: str) -> object:
        with lock:
            return kept.get(key)

    return Peer("cachetools + RLock", put, get)


def aiocache_client(url: str, database: int) -> Any:
    """aiocache on the Redis at *url*, with its usual pickle."""
    host, _, port = url.removeprefix("redis://").partition("/")[0].partition(":")
    return aiocache.RedisCache(endpoint=host, port=int(port), db=database, serializer=PickleSerializer())


def _django(url: str) -> Any:
    if not django.conf.settings.configured:
        django.conf.settings.configure(
            CACHES={"default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": url}}
        )
    return django.core.cache.caches["default"]


def _database(url: str, number: int) -> str:
    return f"{url.rpartition('/')[0]}/{number}"


def _to_arrow(frame: Any) -> bytes:
    batch = pa.RecordBatch.from_pandas(frame)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    out: bytes = sink.getvalue().to_pybytes()
    return out


def _bytes(found: object) -> bytes:
    if not isinstance(found, bytes):
        raise TypeError(f"bytes were expected, {type(found).__name__} was found")
    return found
