"""Where processes tell each other their minute totals: one hash per process and minute, and a set of processes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

from avcache.backends.wire import pairs_of, translated

__all__ = ["RedisTotals"]

_KEPT: Final = 50 * 3600
"""Seconds: two days, so that today can be held against yesterday, and what those who were away may still add."""

_BATCH: Final = 500


class _Wire(Protocol):
    """What is needed of `wire.Wire`."""

    def ask_all(self, commands: Sequence[Sequence[Any]]) -> list[Any]: ...

    def close(self) -> None: ...


class RedisTotals:
    """
    Keys below `<prefix>!t:`, all of which expire after 50 hours.

    Every method raises `BackendUnavailable` (no answer) or `BackendError` (refused).
    """

    def __init__(self, wire: _Wire, prefix: str) -> None:
        self._wire = wire
        self._prefix = f"{prefix}!t:"
        self._processes = f"{self._prefix}processes"

    def write(self, process: str, minutes: Mapping[int, Mapping[str, bytes]], now: float) -> None:
        """Put the totals of *minutes*, by namespace, in place of what is there, and note that *process* lives."""
        commands: list[Sequence[Any]] = []
        for minute, totals in minutes.items():
            name = self._name(process, minute)
            commands.append(("HSET", name, *(part for item in totals.items() for part in item)))
            commands.append(("EXPIRE", name, _KEPT))
        # Last: whoever sees a process alive after a minute's end may take that minute for complete.
        commands.append(("ZADD", self._processes, now, process))
        commands.append(("ZREMRANGEBYSCORE", self._processes, "-inf", now - _KEPT))
        commands.append(("EXPIRE", self._processes, _KEPT))
        self._ask("write totals", commands)

    def processes(self) -> dict[str, float]:
        """All processes of the last two days, and when each was last seen."""
        with translated("read totals"):
            (found,) = self._ask("read totals", [("ZRANGE", self._processes, 0, -1, "WITHSCORES")])
            return {process.decode(errors="replace"): float(seen) for process, seen in pairs_of(found)}

    def read(self, wanted: Sequence[tuple[str, int]]) -> list[dict[str, bytes]]:
        """The totals by namespace of each (process, minute), in their order; empty where nothing was written."""
        commands = [("HGETALL", self._name(process, minute)) for process, minute in wanted]
        with translated("read totals"):
            answers = [answer for some in _batches(commands) for answer in self._ask("read totals", some)]
            return [{name.decode(errors="replace"): raw for name, raw in pairs_of(answer)} for answer in answers]

    def close(self) -> None:
        """Release the connections; what was written stays."""
        self._wire.close()

    def _name(self, process: str, minute: int) -> str:
        return f"{self._prefix}{process}:{minute}"

    def _ask(self, action: str, commands: Sequence[Sequence[Any]]) -> list[Any]:
        with translated(action):
            answers = self._wire.ask_all(commands)
            for answer in answers:
                if isinstance(answer, Exception):
                    raise answer
        return answers


def _batches(commands: Sequence[Sequence[Any]]) -> Iterator[Sequence[Sequence[Any]]]:
    return (commands[start : start + _BATCH] for start in range(0, len(commands), _BATCH))
