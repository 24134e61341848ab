"""Another client of the same server: a process that asks for one value every millisecond."""

from __future__ import annotations

import gc
import random
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import redis

from benchmarks.workers import Worker, answer, orders, started

__all__ = ["NAME", "Neighbour", "neighbour"]

NAME = "neighbour"
_EVERY = 0.001
_VALUES = 100
_SIZE = 220
_TIMEOUT = 5.0


class Neighbour:
    """The near end of it."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def begin(self, seconds: float) -> None:
        """Ask for *seconds* from now on."""
        self._worker.tell(seconds)

    def slow(self, until: float | None = None) -> float:
        """
        Once it is through: the 99th percentile of its waits, seconds from when each answer was due to be asked for.

        Args:
            until: Only of those that were due before this moment of the monotonic clock.
        """
        told = self._worker.hear()
        waits: list[float] = told["waits"]
        asked = len(waits) if until is None else max(2, int((until - told["begun"]) / _EVERY))
        return statistics.quantiles(waits[:asked], n=100)[-1]

    def idle(self, seconds: float) -> float:
        """`slow`, with nothing going on."""
        self.begin(seconds)
        return self.slow()


@contextmanager
def neighbour(url: str) -> Iterator[Neighbour]:
    """One that is connected, and has asked before."""
    with started(1, __name__, url) as workers:
        made = Neighbour(workers[0])
        made.idle(0.5)
        yield made


def main(url: str) -> None:
    gc.disable()
    keys = [f"{NAME}:{number}" for number in range(_VALUES)]
    with redis.Redis.from_url(url, socket_timeout=_TIMEOUT) as client:
        client.client_setname(NAME)
        for key in keys:
            client.set(key, b"n" * _SIZE, ex=3600)
        for seconds in orders():
            begun = time.monotonic()
            waits = []
            for turn in range(round(seconds / _EVERY)):
                due = begun + turn * _EVERY
                # Who comes late asks at once: the time until then counts, too.
                time.sleep(max(0.0, due - time.monotonic()))
                client.get(random.choice(keys))  # noqa: S311 - no secret
                waits.append(time.monotonic() - due)
            answer({"begun": begun, "waits": waits})


if __name__ == "__main__":
    main(sys.argv[1])
