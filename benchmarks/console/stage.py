"""A console of our own on a real server, with as many keys as are wanted, and somebody who reads."""

from __future__ import annotations

import random
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from avcache.runtime import Runtime
from benchmarks.keyspace.fill import PREFIX, fill
from benchmarks.stores import own
from tests.servers import ConsoleServer, RealServer

__all__ = ["Stage", "staged"]

_READS_PER_SECOND = 20.0


class Stage:
    """A console that runs, and the server behind it."""

    def __init__(self, console: ConsoleServer, url: str) -> None:
        self.port = console.port
        self.pid = console.pid
        self.url = url


@contextmanager
def staged(keys: int) -> Iterator[Stage]:
    """A console on a store of *keys* entries and the bundled tickers, read by another process' worth of callers."""
    with tempfile.TemporaryDirectory(prefix="avcbench-") as folder, RealServer() as server:
        env = {"REDIS_ENABLED": "true", "REDIS_URL": server.url, "REDIS_PREFIX": PREFIX}
        fill(server.url, keys)
        with own(server.url, PREFIX) as runtime:
            runtime.ops.warmup.start(runtime.market.universes.get(runtime.market.universes.default)).wait(60)
            with ConsoleServer(Path(folder), env) as console, _reading(runtime):
                yield Stage(console, server.url)


@contextmanager
def _reading(runtime: Runtime) -> Iterator[None]:
    """Somebody reads all the time: a console on which nothing happens has nothing to draw."""
    done = threading.Event()
    reader = threading.Thread(target=_read, args=(runtime, done), name="reader", daemon=True)
    runtime.start()  # so that it tells the console what it reads
    reader.start()
    try:
        yield
    finally:
        done.set()
        reader.join()


def _read(runtime: Runtime, done: threading.Event) -> None:
    chance = random.Random(7)  # noqa: S311 - no secret
    tickers = runtime.market.universes.get(runtime.market.universes.default)
    while not done.wait(1 / _READS_PER_SECOND):
        runtime.market.price(chance.choice(tickers))
        runtime.cache.get_or_load(f"draft:{chance.randrange(500)}", time.time, ttl=20)
