"""A hit, in process and from Redis, through `get` and through `@cached`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import cachetools
import cashews
import msgspec
import redis

from avcache import cached
from benchmarks.data import PRICE, PRICE_KEY, SCORE, SCORE_KEY, TTL, is_same
from benchmarks.frame import FRAME, FRAME_BYTES, FRAME_KEY
from benchmarks.measure import REMOTE_ROUNDS, Contender, finish, race, reading
from benchmarks.peers import Peer, in_process, on_redis, over_raw_get
from benchmarks.report import OWN, Bar, Row, race_row, times
from benchmarks.stores import dogpile_region, own, raw_client

__all__ = ["rows"]

_FLOOR = "raw GET"
Decorate = Callable[[Callable[..., object]], Any]


def rows(url: str) -> Iterator[Row]:
    with in_process() as peers:
        yield _in_process("hit in process, float", peers, PRICE_KEY, PRICE, Bar(700e-9, 400e-9))
        yield _in_process("hit in process, dict of 300 B", peers, SCORE_KEY, SCORE, Bar(1.5e-6, 1e-6))
    yield from _decorated()
    with raw_client(url) as client, on_redis(url) as peers:
        packed, blank = msgspec.msgpack.encode(SCORE), b"\xab" * FRAME_BYTES
        scores = [_raw(client, packed), *(_filled(peer, SCORE_KEY, SCORE) for peer in peers)]
        yield _from_redis("hit from Redis, dict of 300 B", scores, Bar(1.25, 1.1, times))
        by_hand = over_raw_get(client)
        frames = [_raw(client, blank), *(_filled(peer, FRAME_KEY, FRAME) for peer in [*peers, *by_hand])]
        yield _from_redis("hit from Redis, 250 × 6 frame", frames, Bar(2.0, 1.7, times))


def _in_process(what: str, peers: list[Peer], key: str, value: object, bar: Bar) -> Row:
    return race_row(what, race([_filled(peer, key, value) for peer in peers]), bar)


def _from_redis(what: str, contenders: list[Contender], bar: Bar) -> Row:
    return race_row(what, race(contenders, rounds=REMOTE_ROUNDS), bar, floor=_FLOOR)


def _raw(client: redis.Redis, data: bytes) -> Contender:
    key = f"floor:{len(data)}"
    client.set(key, data, ex=int(TTL))
    return reading(_FLOOR, client.get, key, data)


def _filled(peer: Peer, key: str, value: object) -> Contender:
    finish(peer.put(key, value))
    return reading(peer.name, peer.get, key, value)


def _decorated() -> Iterator[Row]:
    with own() as runtime:
        decorators: dict[str, Decorate] = {
            OWN: cached(ttl=TTL, cache=runtime.cache),
            "dogpile": dogpile_region().cache_on_arguments(),
            "cachetools + RLock": _with_cachetools,
        }
        coroutine_cache = cashews.Cache()
        coroutine_cache.setup("mem://")
        for what, make in (("(ticker)", _of_one), ("(ticker, days=250)", _of_two)):
            counts = dict.fromkeys([*decorators, "cashews"], 0)
            contenders = [_calling(name, decorate(make(name, counts)), counts) for name, decorate in decorators.items()]
            awaited = coroutine_cache(ttl=TTL)(_as_coroutine(make("cashews", counts)))
            contenders.append(_calling("cashews", awaited, counts))
            yield race_row(f"`@cached` hit in process, {what}", race(contenders), Bar(4e-6, 2e-6))
        finish(coroutine_cache.close())


def _with_cachetools(function: Callable[..., object]) -> Any:
    return cachetools.cached(cachetools.TTLCache(1000, TTL), lock=threading.RLock())(function)


def _calling(name: str, function: Callable[[str], object], counts: dict[str, int]) -> Contender:
    """A hit is the right value, of a function that was run once."""
    return Contender(name, function, "AAPL", lambda: is_same(finish(function("AAPL")), PRICE) and counts[name] == 1)


def _of_one(name: str, counts: dict[str, int]) -> Callable[[str], object]:
    def price(ticker: str) -> float:  # noqa: ARG001 - is part of the key
        counts[name] += 1
        return PRICE

    return price


def _of_two(name: str, counts: dict[str, int]) -> Callable[[str], object]:
    def price_of_days(ticker: str, days: int = 250) -> float:  # noqa: ARG001 - are part of the key
        counts[name] += 1
        return PRICE

    return price_of_days


def _as_coroutine(function: Callable[[str], object]) -> Callable[..., Any]:
    """The same function for a library of coroutines, with the signature that its keys are made of."""
    if function.__name__ == "price":

        async def price(ticker: str) -> object:
            return function(ticker)

        return price

    async def price_of_days(ticker: str, days: int = 250) -> object:  # noqa: ARG001 - is part of the key
        return function(ticker)

    return price_of_days
