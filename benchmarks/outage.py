"""A server that hangs and comes back: what a read costs meanwhile, how soon Redis is used again, what is then seen."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from avcache.runtime import Runtime
from benchmarks.data import SCORE, SCORE_KEY, TTL, is_same
from benchmarks.measure import Samples
from benchmarks.report import Bar, Row, duration
from benchmarks.stores import own
from tests.servers import RealServer

__all__ = ["rows"]

_OUTAGES = 3
_READERS = 3
_FOLLOWING = 500
_KEYS = 1_000
_PATIENCE = 20.0
_CLEARED = [f"price:C{number}" for number in range(_KEYS)]
_SET = [f"price:S{number}" for number in range(_KEYS)]
_OLD, _NEW = 1.0, 2.0


@dataclass(slots=True)
class Found:
    """Seconds, by runtime and outage; *slow* is the 99th percentile of the 500 reads that followed the first."""

    first: list[float] = field(default_factory=list)
    slow: list[float] = field(default_factory=list)
    longest: float = 0.0
    back: list[float] = field(default_factory=list)
    old: int = 0


def rows(_url: str) -> Iterator[Row]:
    found = Found()
    with RealServer() as server:
        for _ in range(_OUTAGES):
            _live_through(server, found)
    runtimes = f"{_OUTAGES} outages, {_READERS} runtimes"
    yield _row(f"Redis hangs: first read ({runtimes})", found.first, Bar(0.3))
    longest = f"longest of {_OUTAGES * _READERS * _FOLLOWING:,}: {duration(found.longest)}"
    yield _row(f"Redis hangs: 99 % of the {_FOLLOWING} reads after it", found.slow, Bar(0.001), longest)
    yield _row("Redis answers again: used again after", found.back, Bar(3.0))
    what = f"old values seen then, after {_KEYS:,} clears and {_KEYS:,} sets meanwhile"
    yield Row(what, f"{found.old}", "", "0", "**no**" if found.old else "yes", f"{_OUTAGES} outages, 2 readers")


def _row(what: str, seconds: Sequence[float], bar: Bar, beside: str = "") -> Row:
    samples = Samples(tuple(seconds))
    return Row(what, samples.text(duration), "", str(bar), bar.verdict(samples.median), beside)


def _live_through(server: RealServer, found: Found) -> None:
    """One outage, met by three runtimes that read and one that writes; a fifth reads what the writer wrote."""
    with ExitStack() as stack:
        readers = [stack.enter_context(own(server.url, f"bench{number}:")) for number in range(_READERS)]
        writer, witness = (stack.enter_context(own(server.url)) for _ in range(2))
        for reader in readers:
            reader.cache.set(SCORE_KEY, SCORE, ttl=TTL)
            _check(is_same(reader.cache.get(SCORE_KEY), SCORE), "a hit before the outage")
        writer.cache.set_many(dict.fromkeys(_CLEARED + _SET, _OLD), ttl=TTL)
        _check(_count_old(witness) == len(_CLEARED + _SET), "all values before the outage")

        server.pause()
        try:
            for reader in readers:
                _read(reader, found)
            _change(writer)
        finally:
            server.resume()
        found.back += _seconds_until_back([*readers, writer])
        found.old += _count_old(writer) + _count_old(witness)


def _read(reader: Runtime, found: Found) -> None:
    found.first.append(_timed_get(reader))
    reader.cache.set(SCORE_KEY, SCORE, ttl=TTL)
    following = [_timed_get(reader) for _ in range(_FOLLOWING)]
    found.slow.append(statistics.quantiles(following, n=100)[-1])
    found.longest = max(found.longest, *following)
    _check(is_same(reader.cache.get(SCORE_KEY), SCORE), "a hit in memory")


def _change(writer: Runtime) -> None:
    for key in _CLEARED:
        writer.cache.clear(key)
    for key in _SET:
        writer.cache.set(key, _NEW, ttl=TTL)
    _check(not _count_old(writer), "no old value during the outage")


def _seconds_until_back(runtimes: Sequence[Runtime]) -> list[float]:
    begun, waiting, taken = time.monotonic(), list(runtimes), list[float]()
    while waiting:
        time.sleep(0.005)
        passed = time.monotonic() - begun
        _check(passed < _PATIENCE, "Redis in use again")
        for runtime in [runtime for runtime in waiting if runtime.cache.state().name in {"redis", "valkey"}]:
            waiting.remove(runtime)
            taken.append(passed)
    return taken


def _count_old(runtime: Runtime) -> int:
    return list(runtime.cache.get_many(_CLEARED + _SET).values()).count(_OLD)


def _timed_get(runtime: Runtime) -> float:
    begun = time.perf_counter()
    runtime.cache.get(SCORE_KEY)
    return time.perf_counter() - begun


def _check(is_so: bool, wanted: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not is_so:
        raise ValueError(f"wanted: {wanted}")
