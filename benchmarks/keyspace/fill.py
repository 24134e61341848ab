"""A store of any size, with entries as the cache itself writes them, in twenty prefixes of very different size."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from avcache.core import serializers
from avcache.core.entry import Head, encode
from avcache.runtime import Runtime
from benchmarks.stores import own, raw_client

__all__ = ["KEYS", "PREFIX", "Filled", "fill", "fill_prefix"]

KEYS = 1_000_000
PREFIX = "bench:"

_SHARES = (20, 15, 12, 10, 8, 7, 6, 5, 4, 3, 2.5, 2, 1.5, 1, 0.9, 0.8, 0.6, 0.4, 0.2, 0.1)
_MARKET = ("price", "history", "momentum", "fundamentals")
_NAMES = (*_MARKET, *(f"kind{number:02}" for number in range(len(_MARKET), len(_SHARES))))
_SHORTEST, _LONGEST = 60, 240
_HUGE, _HUGE_VALUES = 200_000, 50
_TTLS = (900.0, 7200.0)
_AGES = (0.0, 500.0)
_STALE = 3600.0
_BATCH = 2_000


@dataclass(frozen=True, slots=True)
class Filled:
    """
    Attributes:
        prefixes: How many keys lie in each, the largest first.
        sources: Under which source the market keeps what it can read.
    """

    url: str
    prefixes: Mapping[str, int]
    sources: Mapping[str, str]

    @property
    def keys(self) -> int:
        """In all prefixes together."""
        return sum(self.prefixes.values())

    def names(self, prefix: str, number: int | None = None) -> list[str]:
        """The keys of *prefix*, or the first *number* of them."""
        most = self.prefixes[prefix]
        return [_name(prefix, at) for at in range(most if number is None else min(number, most))]


def fill(url: str, keys: int = KEYS) -> Filled:
    """Put about *keys* entries into an empty server, the same whenever it is called."""
    prefixes = {name: round(keys * share / 100) for name, share in zip(_NAMES, _SHARES, strict=True)}
    with own(url, PREFIX) as runtime:
        filled = Filled(url, prefixes, runtime.market.sources)
        # The first invalidation makes the table of barriers: entries from before it would not be trusted.
        runtime.cache.clear("none:*", sweep=False)
        for prefix in prefixes:
            fill_prefix(filled, prefix, runtime)
    return filled


def fill_prefix(filled: Filled, prefix: str, runtime: Runtime) -> None:
    """Put all entries of *prefix* there, as if written now."""
    version = runtime.cache.backend.barriers.newest
    with raw_client(filled.url) as client:
        client.client_setname("fill")
        pipe = client.pipeline(transaction=False)
        for at, (name, data, ttl) in enumerate(_entries(filled, prefix, version), 1):
            pipe.set(PREFIX + name, data, px=int((ttl + _STALE) * 1000))
            if at % _BATCH == 0:
                pipe.execute()
        pipe.execute()
    _check(filled, prefix, runtime)


def _entries(filled: Filled, prefix: str, version: int) -> Iterator[tuple[str, bytes, float]]:
    chance, now, source = random.Random(prefix), time.time(), filled.sources.get(prefix, "bench")  # noqa: S311 - no secret
    payloads = [serializers.dumps("x" * length) for length in range(_SHORTEST, _LONGEST + 1)]
    huge = set(range(0, filled.prefixes[prefix], max(1, filled.keys // _HUGE_VALUES)))
    for at in range(filled.prefixes[prefix]):
        name, ttl = _name(prefix, at), chance.uniform(*_TTLS)
        head = Head(
            name,
            now - chance.uniform(*_AGES),
            now + ttl,
            chance.lognormvariate(-1, 1),
            source=source,
            version=version,
        )
        payload = serializers.dumps("x" * _HUGE) if at in huge else chance.choice(payloads)
        yield name, encode(head, payload), ttl


def _name(prefix: str, at: int) -> str:
    return f"{prefix}:T{at:06}"


def _check(filled: Filled, prefix: str, runtime: Runtime) -> None:
    """What was put there is what the cache reads."""
    names = filled.names(prefix, 100)
    if len(runtime.cache.get_many(names)) != len(names):
        raise ValueError(f"wanted: {len(names)} hits in {prefix}")
