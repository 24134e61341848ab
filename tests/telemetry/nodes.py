"""Processes that tell each other what they count, in one test process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from avcache.clock import ManualClock
from avcache.core.counters import Counters
from avcache.errors import BackendUnavailable
from avcache.telemetry.flusher import Flusher
from avcache.telemetry.totals import Totals, TotalsStore

__all__ = ["NOW", "Breakable", "InMemory", "Node"]

NOW = 1_700_000_040.0
"""The beginning of a minute."""


class Breakable:
    """A store that can be away, and counts what it is asked."""

    def __init__(self, store: TotalsStore) -> None:
        self._store = store
        self.is_down = False
        self.loses_answers = False
        self.asked = 0
        self.wanted = 0

    def _ask(self) -> None:
        self.asked += 1
        if self.is_down:
            raise BackendUnavailable("down for the test")

    def write(self, process: str, minutes: Mapping[int, Mapping[str, bytes]], now: float) -> None:
        self._ask()
        self._store.write(process, minutes, now)
        if self.loses_answers:
            raise BackendUnavailable("written, but nobody knows")

    def processes(self) -> dict[str, float]:
        self._ask()
        return self._store.processes()

    def read(self, wanted: Sequence[tuple[str, int]]) -> list[dict[str, bytes]]:
        self.wanted += len(wanted)
        return self._store.read(wanted)


class InMemory:
    """A store of this test alone, for what needs no server."""

    def __init__(self) -> None:
        self.minutes: dict[tuple[str, int], dict[str, bytes]] = {}
        self.seen: dict[str, float] = {}

    def write(self, process: str, minutes: Mapping[int, Mapping[str, bytes]], now: float) -> None:
        for minute, totals in minutes.items():
            self.minutes.setdefault((process, minute), {}).update(totals)
        self.seen[process] = now

    def processes(self) -> dict[str, float]:
        return dict(self.seen)

    def read(self, wanted: Sequence[tuple[str, int]]) -> list[dict[str, bytes]]:
        return [dict(self.minutes.get(one, {})) for one in wanted]


class Node:
    """One process: its counters, and what it says and sees of the others."""

    def __init__(self, store: TotalsStore, clock: ManualClock) -> None:
        self.clock = clock
        self.store = Breakable(store)
        self.counters = Counters(clock)
        self.flusher = Flusher(self.counters, self.store, clock=clock)
        self.totals = Totals(self.counters, self.store, lambda: self.flusher.process, clock=clock)

    def count(self, hits: int = 1, namespace: str = "price") -> None:
        self.counters.roll(self.clock())
        self.counters.of(namespace).hits += hits

    def look(self) -> Totals:
        """The totals, read anew: none of the last second."""
        self.totals = Totals(self.counters, self.store, lambda: self.flusher.process, clock=self.clock)
        return self.totals
