"""One process of a stampede: told whom to ask for what, by how many threads and when."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from avcache.runtime import Runtime
from benchmarks.report import OWN
from benchmarks.rush import Loader, rush
from benchmarks.stores import dogpile_region, own
from benchmarks.workers import answer, orders

__all__ = ["DOGPILE", "Ask", "askers", "asking"]

DOGPILE = "dogpile"
Ask = Callable[[str, Loader], object]
_TTL = 60.0


def asking(runtime: Runtime) -> Ask:
    """Get or load, with no old value to help out."""
    return lambda key, load: runtime.cache.get_or_load(key, load, ttl=_TTL, stale_ttl=0)


@contextmanager
def askers(url: str) -> Iterator[dict[str, Ask]]:
    """Who can be asked, by name; on the Redis at *url* dogpile uses the lock that all processes share."""
    region = dogpile_region(url, distributed_lock=True)
    with own(url) as runtime:
        yield {OWN: asking(runtime), DOGPILE: lambda key, load: region.get_or_create(f"dogpile:{key}", load)}


def main(url: str) -> None:
    with askers(url) as asks:
        for ask in asks.values():
            ask("momentum:READY", Loader())  # imports and connections are no part of the wait
        answer("ready")
        for order in orders():
            load = Loader()
            waits = rush(functools.partial(asks[order["who"]], order["key"], load), order["callers"], order["at"])
            answer({"waits": waits, "loads": load.loads})


if __name__ == "__main__":
    main(sys.argv[1])
