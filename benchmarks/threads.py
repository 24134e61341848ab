"""Reads a second of 32 threads: on Redis, on raw redis-py, and from memory while Redis is away."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence

import msgspec

from benchmarks.data import SCORE, SCORE_KEY, TTL
from benchmarks.measure import Contender, Samples, reading, rotated, sweep
from benchmarks.report import OWN, Bar, Row, rate, times
from benchmarks.stores import own, raw_client
from tests.servers import RealServer

__all__ = ["rows"]

_THREADS = 32
_ROUNDS = 9
_RAW, _AWAY = "raw GET", "Redis away"
_CALLS = {OWN: 100, _RAW: 100, _AWAY: 600}
"""Of each thread in a round."""


def rows(url: str) -> Iterator[Row]:
    with RealServer() as hanging, own(hanging.url) as away, own(url) as on_redis, raw_client(url) as client:
        hanging.pause()
        packed = msgspec.msgpack.encode(SCORE)
        client.set("floor:" + SCORE_KEY, packed, ex=int(TTL))
        for runtime in (away, on_redis):
            runtime.cache.set(SCORE_KEY, SCORE, ttl=TTL)
        rates = _rates(
            [
                reading(OWN, on_redis.cache.get, SCORE_KEY, SCORE),
                reading(_RAW, client.get, "floor:" + SCORE_KEY, packed),
                reading(_AWAY, away.cache.get, SCORE_KEY, SCORE),
            ]
        )
    ratio, bar = rates[OWN].over(rates[_RAW]), Bar(0.8, unit=times, at_least=True)
    yield Row(
        f"{_THREADS} threads on Redis",
        rates[OWN].text(rate),
        f"{times(ratio.median)} {_RAW} ({times(min(ratio.values))}–{times(max(ratio.values))})",
        str(bar),
        bar.verdict(ratio.median),
        f"{_RAW} {rates[_RAW].text(rate)}",
    )
    bar = Bar(100_000, unit=rate, at_least=True)
    value = rates[_AWAY]
    yield Row(f"{_THREADS} threads while Redis is away", value.text(rate), "", str(bar), bar.verdict(value.median))


def _rates(contenders: Sequence[Contender]) -> dict[str, Samples]:
    rates: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    for contender in contenders:
        _rate(contender)  # every thread's connection is there
    for turn in range(_ROUNDS):
        for contender in rotated(contenders, turn):
            rates[contender.name].append(_rate(contender))
    return {name: Samples(tuple(found)) for name, found in rates.items()}


def _rate(contender: Contender) -> float:
    """Calls a second of all threads together; what it answers is checked before and after."""
    calls = _CALLS[contender.name]
    start = threading.Barrier(_THREADS + 1)

    def work() -> None:
        start.wait()
        sweep(contender.call, contender.argument, calls)

    is_right = contender.check()
    threads = [threading.Thread(target=work) for _ in range(_THREADS)]
    for thread in threads:
        thread.start()
    start.wait()
    begun = time.perf_counter()
    for thread in threads:
        thread.join()
    taken = time.perf_counter() - begun
    if not is_right or not contender.check():
        raise ValueError(f"{contender.name}: a wrong answer")
    return _THREADS * calls / taken
