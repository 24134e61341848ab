"""How long a server was busy with one command: on the clock, as it says itself, and by the time on its processor."""

from __future__ import annotations

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
        longest: Seconds of the longest one, by command or script; those that took less than 0.5 ms are not known.
        numbers: How many took more than the bar.
    """

    url: str
    longest: dict[str, float] = field(default_factory=dict)
    seen: int = 0
    late: int = 0

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
        if not self.longest:
            return
        ordered = sorted(self.longest.items(), key=lambda one: -one[1])
        what = "longest single command on the clock, of all of the above"
        others = ", ".join(f"{name} {duration(seconds)}" for name, seconds in ordered[:_SHOWN])
        beside = f"{self.late} of the {self.seen:,} above 0.5 ms took longer than the bar; {others}"
        yield Row(what, duration(ordered[0][1]), "", str(_BAR), _BAR.verdict(ordered[0][1]), beside)

    def _add(self, command: bytes, seconds: float, client: object) -> None:
        words = command.split(b" ", 2)
        name = words[0].decode(errors="replace").upper()
        if client in _NOT_OURS or name in {"CONFIG", "SLOWLOG", "INFO"}:
            return
        if name == "EVALSHA":
            name = _SCRIPTS.get(words[1], name)
        self.seen += 1
        self.late += seconds > _BAR.limit
        self.longest[name] = max(seconds, self.longest.get(name, 0.0))


def busiest_row(pid: int, runtime: Runtime, names: Sequence[str]) -> Iterator[Row]:
    """
    What each single command takes the processor of server *pid*, with all that belongs to it: reading, answering.

    None where the system does not tell. On the clock a pause of the machine counts, too.
    """
    clock = Path(f"/proc/{pid}/schedstat")
    if not clock.exists():
        return
    found = {name: list(_busy(clock, steps)) for name, steps in _steps(runtime, names).items()}
    longest = {name: max(seconds) for name, seconds in found.items()}
    beside = ", ".join(f"{name} {duration(seconds)} ({len(found[name]):,} times)" for name, seconds in longest.items())
    most = max(longest.values())
    yield Row(
        "longest single command, processor time of the server",
        duration(most),
        "",
        str(_BAR),
        _BAR.verdict(most),
        beside,
    )


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
