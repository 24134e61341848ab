"""Many callers, one missing or stale key, a loader of 200 ms: how often it runs, and how long the unluckiest waits."""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import redis

from avcache.runtime import Runtime
from benchmarks.data import SCORE, TTL
from benchmarks.measure import Samples, rotated
from benchmarks.report import OWN, Bar, Row, duration, times
from benchmarks.rush import LOAD_SECONDS, Loader, rush, soon
from benchmarks.stampede_worker import DOGPILE, Ask, askers, asking
from benchmarks.stores import dogpile_region, own, raw_client
from benchmarks.workers import Worker, started

__all__ = ["rows"]

_ROUNDS = 9
_CALLERS = 64
_PROCESSES = 32
_WORKER_LEAD = 0.15
_SOFT_TTL = 0.05
_READY = "momentum:READY"
_keys = (f"momentum:S{number}" for number in itertools.count())


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one stampede: how many loads there were, and the longest wait in seconds."""

    loads: int
    longest: float


Stampede = Callable[[str], Outcome]


def rows(url: str) -> Iterator[Row]:
    yield from _of_one_process(url)
    yield from _past_ttl(url)
    with started(_PROCESSES, "benchmarks.stampede_worker", url) as workers:
        for worker in workers:
            worker.hear()  # that it is ready
        yield _of_processes("4 processes × 16 threads", workers[:4], 16, Bar(0.3))
        yield _of_processes(f"{_PROCESSES} processes", workers, 1, Bar(0.6))


def _of_one_process(url: str) -> Iterator[Row]:
    region = dogpile_region()
    with own() as runtime, askers(url) as on_redis:
        in_memory: dict[str, Ask] = {OWN: asking(runtime), DOGPILE: region.get_or_create}
        for where, asks in (("memory", in_memory), ("Redis", on_redis)):
            contenders = {who: functools.partial(_of_threads, ask) for who, ask in asks.items()}
            yield _row(f"stampede, {_CALLERS} threads, {where}", contenders, Bar(0.23))


def _past_ttl(url: str) -> Iterator[Row]:
    """Callers of a stale value; on Redis beside as many threads with one raw GET each, which is the least there is."""
    what = f"past its ttl, within its stale time, {_CALLERS} threads"
    with own() as in_memory, own(url) as on_redis, raw_client(url) as client:
        client.set(_READY, msgspec.msgpack.encode(SCORE), ex=int(TTL))
        yield _row(f"{what}, memory", {OWN: functools.partial(_of_stale, in_memory)}, Bar(0.005))
        contenders = {
            OWN: functools.partial(_of_stale, on_redis),
            "64 raw GETs": functools.partial(_of_raw_gets, client),
        }
        yield _row(f"{what}, Redis", contenders, Bar(0.005))


def _of_processes(what: str, workers: Sequence[Worker], callers: int, bar: Bar) -> Row:
    contenders = {who: functools.partial(_of_workers, workers, who, callers) for who in (OWN, DOGPILE)}
    return _row(f"stampede, {what}, Redis", contenders, bar)


def _row(what: str, contenders: Mapping[str, Stampede], bar: Bar) -> Row:
    """Every round each contender once, with a key of its own; the worst count of loads, the median of longest waits."""
    outcomes: dict[str, list[Outcome]] = {name: [] for name in contenders}
    for turn in range(_ROUNDS):
        for name in rotated(list(contenders), turn):
            outcomes[name].append(contenders[name](next(_keys)))
    waits = {name: Samples(tuple(outcome.longest for outcome in found)) for name, found in outcomes.items()}
    loads = {name: max(outcome.loads for outcome in found) for name, found in outcomes.items()}
    texts = {name: _loads(loads[name]) + waits[name].text(duration) for name in contenders}
    peers = [name for name in contenders if name != OWN]
    ratio = f"{times(waits[OWN].over(waits[peers[0]]).median)} {peers[0]}" if peers else ""
    met = bar.verdict(waits[OWN].median) if loads[OWN] == 1 else "**no**"
    return Row(what, texts[OWN], ratio, f"1 load, {bar}", met, ", ".join(f"{name} {texts[name]}" for name in peers))


def _loads(number: int) -> str:
    return f"{number} load{'s' if number > 1 else ''}, " if number else ""


def _of_threads(ask: Ask, key: str) -> Outcome:
    load = Loader()
    waits = rush(lambda: ask(key, load), _CALLERS, soon())
    return Outcome(load.loads, max(waits))


def _of_stale(runtime: Runtime, key: str) -> Outcome:
    cache = runtime.cache
    cache.set(_READY, SCORE, ttl=TTL)
    rush(lambda: cache.get(_READY), _CALLERS, soon())  # connections are there
    cache.get_or_load(key, Loader(), ttl=_SOFT_TTL, stale_ttl=TTL)
    time.sleep(_SOFT_TTL)
    load = Loader()
    waits = rush(lambda: cache.get_or_load(key, load, ttl=TTL, stale_ttl=TTL), _CALLERS, soon())
    time.sleep(LOAD_SECONDS * 1.5)  # for a reload in the background
    return Outcome(load.loads, max(waits))


def _of_raw_gets(client: redis.Redis, _key: str) -> Outcome:
    def call() -> object:
        found = client.get(_READY)
        return msgspec.msgpack.decode(found) if isinstance(found, bytes) else None

    rush(call, _CALLERS, soon())
    return Outcome(0, max(rush(call, _CALLERS, soon())))


def _of_workers(workers: Sequence[Worker], who: str, callers: int, key: str) -> Outcome:
    order = {"who": who, "key": key, "callers": callers, "at": soon(_WORKER_LEAD)}
    for worker in workers:
        worker.tell(order)
    answers = [worker.hear() for worker in workers]
    return Outcome(sum(found["loads"] for found in answers), max(max(found["waits"]) for found in answers))
