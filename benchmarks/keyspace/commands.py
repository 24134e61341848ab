"""How long a server was busy with one command: on the clock, as it says itself, and by the time on its processor."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from avcache.backends import scripts
from avcache.backends.pattern import Pattern
from avcache.backends.walk import BATCH
from avcache.runtime import Runtime
from benchmarks.keyspace.neighbour import NAME
from benchmarks.report import Bar, Row, duration
from benchmarks.stores import raw_client

__all__ = ["Commands", "busiest_row"]

_FROM_MICROSECONDS = 500
_MOST = 200_000
_NOT_OURS = {NAME.encode(), NAME, b"fill", "fill", b"watch", "watch"}
_BAR = Bar(0.005)
_SHOWN = 6
_SCRIPTS = {
    script.sha.encode(): name
    for name in scripts.__all__
    if isinstance(script := getattr(scripts, name), scripts.Script)
}


@dataclass(slots=True)
class Commands:
    """
    Attributes:
        seen: Seconds of each, by command or script; of those that took less than 0.5 ms nothing is known.
    """

    url: str
    seen: dict[str, list[float]] = field(default_factory=dict)

    def watch(self) -> None:
        """From now on the server writes down what takes it more than 0.5 ms."""
        with raw_client(self.url) as client:
            client.config_set("slowlog-max-len", _MOST)
            client.config_set("slowlog-log-slower-than", _FROM_MICROSECONDS)
            client.slowlog_reset()

    def collect(self) -> None:
        """Take over what it wrote."""
        with raw_client(self.url) as client:
            client.client_setname("watch")
            client.connection_pool.connection_kwargs["socket_timeout"] = 30
            client.config_set("slowlog-log-slower-than", -1)
            for told in client.slowlog_get(_MOST):
                self._add(told["command"], told["duration"] / 1e6, told.get("client_name"))
            client.slowlog_reset()
            client.config_set("slowlog-log-slower-than", _FROM_MICROSECONDS)

    def rows(self) -> Iterator[Row]:
        """One, if anything was seen."""
        if not self.seen:
            return
        longest = sorted(((max(seconds), name) for name, seconds in self.seen.items()), reverse=True)
        told = ", ".join(f"{name} {duration(seconds)}" for seconds, name in longest[:_SHOWN])
        beside = f"of those above 0.5 ms {_late([one for found in self.seen.values() for one in found])}; {told}"
        most = longest[0][0]
        what = "longest single command on the clock, of all of the above"
        yield Row(what, duration(most), "", str(_BAR), _BAR.verdict(most), beside)

    def _add(self, command: bytes, seconds: float, client: object) -> None:
        words = command.split(b" ", 2)
        name = words[0].decode(errors="replace").upper()
        if client in _NOT_OURS or name in {"CONFIG", "SLOWLOG", "INFO"}:
            return
        if name == "EVALSHA":
            name = _SCRIPTS.get(words[1], name)
        self.seen.setdefault(name, []).append(seconds)


def busiest_row(pid: int, runtime: Runtime, names: Sequence[str]) -> Iterator[Row]:
    """
    What each single command takes the processor of server *pid*, with all that belongs to it: reading, answering.

    None where the system does not tell. On the clock a pause of the machine counts, too.
    """
    clock = Path(f"/proc/{pid}/schedstat")
    if not clock.exists():
        return
    found = {name: list(_busy(clock, steps)) for name, steps in _steps(runtime, names).items()}
    seen = [seconds for one in found.values() for seconds in one]
    told = ", ".join(f"{name} {duration(statistics.median(one))}–{duration(max(one))}" for name, one in found.items())
    beside = f"{_late(seen)}; median–longest: {told}"
    most = max(seen)
    what = "longest single command, processor time of the server"
    yield Row(what, duration(most), "", str(_BAR), _BAR.verdict(most), beside)


def _late(seconds: Sequence[float]) -> str:
    late = sum(one > _BAR.limit for one in seconds)
    return f"{late:,} of {len(seconds):,} took longer than the bar"


def _steps(runtime: Runtime, names: Sequence[str]) -> Mapping[str, Iterable[object]]:
    """Step by step, one command each; of a clear's sweep a SCAN and what it found."""
    backend, prefix = runtime.cache.backend, names[0].partition(":")[0]
    batches = range(0, len(names), BATCH)
    return {
        "step of a sample": backend.survey(fair=True),
        "step of a sweep": backend.survey(),
        "look at 200 names": (runtime.cache.peek_many(names[start : start + BATCH]) for start in batches),
        "step of a search": _searched(runtime),
        "step of a clear": backend.sweep(Pattern(f"{prefix}:*"), 0),
    }


def _searched(runtime: Runtime) -> Iterator[object]:
    cursor = ""
    while True:
        page = runtime.cache.scan("*:T00012?", cursor, 1, 0.0)
        yield page
        cursor = page.cursor
        if not cursor:
            return


def _busy(clock: Path, steps: Iterable[object]) -> Iterator[float]:
    """Seconds of the processor between one step and the next."""
    before = _on_processor(clock)
    for _ in steps:
        after = _on_processor(clock)
        yield after - before
        before = after


def _on_processor(clock: Path) -> float:
    return int(clock.read_text().split()[0]) / 1e9
