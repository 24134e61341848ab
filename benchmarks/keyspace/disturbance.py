"""What another client of the server feels of a sweep, and of a clear; and whether a clear keeps its word."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from avcache.ops.clearing import cleared_keys
from avcache.ops.jobs import Job
from avcache.runtime import Runtime
from benchmarks.keyspace.fill import PREFIX, fill_prefix
from benchmarks.keyspace.neighbour import Neighbour, neighbour
from benchmarks.keyspace.stage import Stage, check, median_row
from benchmarks.measure import Samples
from benchmarks.report import Bar, Row, duration, none_row
from benchmarks.stores import raw_client

__all__ = ["clear_rows", "sweep_rows"]

_ROUNDS = 3
_IDLE, _CLEARING = 5.0, 8.0
_WINDOW, _WINDOWS = 2.0, 9
_MORE = Bar(0.0015)
_CLEARED = "fundamentals"


class _Windows:
    """The *go_on* of a sweep: lets it run for a while, holds it up for as long, and so on, until that was enough."""

    def __init__(self, other: Neighbour) -> None:
        self._other = other
        self._until: float | None = None
        self.idle: list[float] = []
        self.busy: list[float] = []

    def __call__(self, done: float) -> bool:  # noqa: ARG002 - a sweep tells how far it is
        if self._until is not None and time.monotonic() >= self._until:
            self.busy.append(self._other.slow())
            self.idle.append(self._other.idle(_WINDOW))
            self._until = None
        if self._until is None and self.goes_on:
            self._other.begin(_WINDOW)
            self._until = time.monotonic() + _WINDOW
        return self.goes_on

    @property
    def goes_on(self) -> bool:
        return len(self.busy) < _WINDOWS


def sweep_rows(stage: Stage) -> Iterator[Row]:
    """A sweep as the leading process does it."""
    with neighbour(stage.url) as other, stage.runtime() as runtime:
        windows = _Windows(other)
        while windows.goes_on:
            runtime.ops.keyspace.sweep(windows)
    yield _felt(f"a sweep ({_WINDOWS} × {_WINDOW:g} s)", windows.idle, windows.busy)
    found = stage.sweep()
    check(found.keys == stage.filled.keys, f"a count of {stage.filled.keys:,}, not {found.keys:,}")
    yield Row(f"a sweep of {found.keys:,} keys takes", duration(found.took), "its count is exact", "", "")


@dataclass(slots=True)
class _Cleared:
    """Seconds, by run; *old* is how many values were read that must not be, *wrong* how many counts were."""

    in_force: list[float] = field(default_factory=list)
    swept: list[float] = field(default_factory=list)
    cancelled: list[float] = field(default_factory=list)
    idle: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    old: int = 0
    wrong: int = 0


def clear_rows(stage: Stage) -> Iterator[Row]:
    """A tenth of the store is cleared, several times, and put back; and a clear that is cancelled half way."""
    found, keys = _Cleared(), stage.filled.prefixes[_CLEARED]
    _put_back(stage)  # all of it is fresh then
    with neighbour(stage.url) as other:
        for _ in range(_ROUNDS):
            _clear(stage, other, found)
            _cancel(stage, found)
    what = f"clear {keys:,} of {stage.filled.keys:,} keys"
    in_force = f"{_ROUNDS} × {keys:,} reads; in force after {Samples(tuple(found.in_force)).text(duration)}"
    yield none_row(f"{what}: old values read by another runtime from then on", found.old, in_force)
    yield median_row(f"{what}: swept after", Samples(tuple(found.swept)), Bar(10.0))
    yield median_row(f"{what}: cancelled while it sweeps, after", Samples(tuple(found.cancelled)), Bar(1.0))
    yield none_row("counts that are not exact", found.wrong, f"{_ROUNDS} full clears, {_ROUNDS} cancelled ones")
    yield _felt(f"a clear of {keys:,}", found.idle, found.busy)


def _clear(stage: Stage, other: Neighbour, found: _Cleared) -> None:
    stage.keep_sweep()
    with stage.runtime() as runtime, stage.runtime() as reader:
        check(_readable(stage, reader) == stage.filled.prefixes[_CLEARED], "hits before the clear")
        runtime.ops.clearing.plan(f"{_CLEARED}:*")
        found.idle.append(other.idle(_IDLE))
        other.begin(_CLEARING)
        begun = time.perf_counter()
        job = runtime.ops.clearing.start(f"{_CLEARED}:*", actor="bench")
        found.in_force.append(time.perf_counter() - begun)
        ended = _ended(runtime, job)
        until = time.monotonic()
        found.swept.append(time.perf_counter() - begun)
        found.busy.append(other.slow(until))
        found.old += _readable(stage, reader)
    found.wrong += cleared_keys(ended) != stage.filled.prefixes[_CLEARED] or _left(stage) > 0
    _put_back(stage)


def _cancel(stage: Stage, found: _Cleared) -> None:
    stage.keep_sweep()
    with stage.runtime() as runtime, stage.runtime() as reader:
        job = runtime.ops.clearing.start(f"{_CLEARED}:*", actor="bench")
        found.old += _readable(stage, reader, 1_000)
        _wait_for(lambda: (runtime.ops.jobs.get(job.id) or job).done > stage.filled.prefixes[_CLEARED] // 5)
        begun = time.perf_counter()
        ended = runtime.ops.clearing.undo(job.id, actor="bench")
        found.cancelled.append(time.perf_counter() - begun)
        left = _left(stage)
        check(_readable(stage, reader) == left, "that what was not swept answers again")
    found.wrong += cleared_keys(ended) + left != stage.filled.prefixes[_CLEARED]
    _put_back(stage)


def _ended(runtime: Runtime, job: Job) -> Job:
    ended = runtime.ops.jobs.wait(job.id, timeout=60)
    if ended is None or ended.state != "done":
        raise ValueError(f"wanted: the end of a clear, not {ended}")
    return ended


def _wait_for(is_so: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + 60
    while not is_so():
        check(time.monotonic() < give_up_at, "progress of a clear")
        time.sleep(0.05)


def _readable(stage: Stage, runtime: Runtime, number: int | None = None) -> int:
    """How many of what is cleared answer a read."""
    names, batch = stage.filled.names(_CLEARED, number), 500
    starts = range(0, len(names), batch)
    return sum(len(runtime.cache.get_many(names[start : start + batch])) for start in starts)


def _left(stage: Stage) -> int:
    """How many of them are still on the server, as somebody else counts them."""
    with raw_client(stage.url) as client:
        client.client_setname("fill")
        return len(set(client.scan_iter(f"{PREFIX}{_CLEARED}:*", count=1000)))


def _put_back(stage: Stage) -> None:
    with stage.runtime() as runtime:
        runtime.cache.get("none:none")  # brings the version, which new entries carry
        fill_prefix(stage.filled, _CLEARED, runtime)


def _felt(what: str, idle: list[float], busy: list[float]) -> Row:
    more = Samples(tuple(mine - its for mine, its in zip(busy, idle, strict=True)))
    beside = f"p99 {Samples(tuple(busy)).text(duration)}; idle {Samples(tuple(idle)).text(duration)}"
    value = f"{_signed(more.median)} ({_signed(min(more.values))}–{_signed(max(more.values))})"
    return Row(
        f"another client's GET during {what}: p99 over idle", value, beside, str(_MORE), _MORE.verdict(more.median)
    )


def _signed(seconds: float) -> str:
    return f"{'-' if seconds < 0 else '+'}{duration(abs(seconds))}"
