"""500 scores at once, read and written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
import redis

from avcache.runtime import Runtime
from benchmarks.data import BATCH, TTL, is_same
from benchmarks.measure import REMOTE_ROUNDS, Contender, finish, race, reading
from benchmarks.peers import aiocache_client
from benchmarks.report import OWN, Bar, Row, race_row, times
from benchmarks.stores import dogpile_region, own, raw_client

__all__ = ["rows"]

_MGET, _PIPELINE = "raw MGET", "raw pipeline"
_PACKED = {f"floor:{key}": msgspec.msgpack.encode(value) for key, value in BATCH.items()}


def rows(url: str) -> Iterator[Row]:
    aio, region = aiocache_client(url, 5), dogpile_region(url)
    for_dogpile = {f"dogpile:{key}": value for key, value in BATCH.items()}
    finish(aio.multi_set(list(BATCH.items()), ttl=TTL))
    region.set_multi(for_dogpile)
    with raw_client(url) as client, own(url) as runtime:
        writers = [_raw_writer(client), _own_writer(runtime)]
        found = race(writers, rounds=REMOTE_ROUNDS)
        readers = [
            reading(_MGET, client.mget, list(_PACKED), list(_PACKED.values())),
            reading(OWN, runtime.cache.get_many, list(BATCH), BATCH),
            reading("aiocache", aio.multi_get, list(BATCH), list(BATCH.values())),
            reading("dogpile", region.get_multi, list(for_dogpile), list(BATCH.values())),
        ]
        bar = Bar(3.0, 2.1, times)
        yield race_row("get_many of 500 scores", race(readers, rounds=REMOTE_ROUNDS), bar, floor=_MGET)
        yield race_row("set_many of 500 scores, with TTL", found, Bar(1.0, unit=times), floor=_PIPELINE)
    finish(aio.close())


def _own_writer(runtime: Runtime) -> Contender:
    def write(items: Mapping[str, object]) -> None:
        runtime.cache.set_many(items, ttl=TTL)

    def writes() -> bool:
        runtime.cache.clear("*")
        write(BATCH)
        return is_same(runtime.cache.get_many(list(BATCH)), BATCH)

    return Contender(OWN, write, BATCH, writes)


def _raw_writer(client: redis.Redis) -> Contender:
    def write(items: Mapping[str, bytes]) -> None:
        pipe = client.pipeline(transaction=False)
        for key, data in items.items():
            pipe.set(key, data, ex=int(TTL))
        pipe.execute()

    def writes() -> bool:
        client.delete(*_PACKED)
        write(_PACKED)
        return is_same(client.mget(list(_PACKED)), list(_PACKED.values()))

    return Contender(_PIPELINE, write, _PACKED, writes)
