"""`demo`: a team of analysts at work on a running cache, until somebody stops it."""

from __future__ import annotations

import math
import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Final, Protocol

import typer
from rich.live import Live
from rich.text import Text

from avcache import runtime
from avcache.cli.exits import Busy
from avcache.cli.output import console, note, plain, print_facts, print_json
from avcache.cli.place import CONSOLE, Json, Place, Url, connected, place_of, tickers_of, universes
from avcache.cli.traffic import KINDS, Kind, Read, Team
from avcache.errors import ProviderError
from avcache.formats import format_age, format_count, format_percent
from avcache.runtime import Runtime

__all__ = ["demo"]

_MOST_ANALYSTS: Final = 10_000
_REFRESHES: Final = 4
_MOST_WAIT: Final = 0.5
"""Seconds between two looks at the time to stop."""


class Worker(Protocol):
    """Does what the traffic says, and tells how it goes."""

    def read(self, read: Read) -> None:
        """Do one read."""

    def figures(self) -> dict[str, object]:
        """What came of all of them, in plain values."""

    def line(self) -> str:
        """The same in one line."""


def demo(
    *,
    seconds: Annotated[float, typer.Option(min=0.1, help="Stop after so many; without it by Ctrl-C.")] = math.inf,
    analysts: Annotated[int, typer.Option(min=1, max=_MOST_ANALYSTS, help="12 read 67 times a minute.")] = 12,
    universe: Annotated[str | None, typer.Option(help="What they watch; else the first universe.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed sends the same reads.")] = None,
    url: Url = CONSOLE,
    json: Json = False,
) -> None:
    """Analysts at work: realistic traffic, and its hit rates."""
    team = Team(tickers_of([universe or universes().default]), analysts)
    worker = _worker(team, url)
    begun = time.monotonic()
    with suppress(KeyboardInterrupt):  # the way to end it
        _work(team, worker, random.Random(seed), begun + seconds)  # noqa: S311 - no secret
    figures = {"seconds": round(time.monotonic() - begun, 1), **worker.figures()}
    if json:
        print_json(figures)
    else:
        print_facts({name: _shown(value) for name, value in figures.items()})


def _worker(team: Team, url: str) -> Worker:
    wired = runtime.shared()
    if wired.settings.redis_enabled:
        return Analysts(team, connected(wired))
    place = place_of(url)
    place.info()  # whether anybody is there
    note(
        "Without a Redis the cache is the console's own, and over REST it can only be warmed up: tickers are warmed as "
        "they are asked for. Its hit rates move with a Redis (REDIS_ENABLED=true), or by its pages."
    )
    return Warmers(team, place)


def _work(team: Team, worker: Worker, chance: random.Random, until: float) -> None:
    begun = time.monotonic()
    with Live(console=console(is_error=True), refresh_per_second=_REFRESHES, transient=True) as live:
        for read in team.reads(chance):
            while (left := min(begun + read.at, until) - time.monotonic()) > 0:
                time.sleep(min(left, _MOST_WAIT))
            if time.monotonic() >= until:
                return
            worker.read(read)
            if live.console.is_terminal:
                said = f"{format_age(time.monotonic() - begun)}  {plain(worker.line())}"
                live.update(Text(said, overflow="ellipsis", no_wrap=True))


class Analysts:
    """Reads through the market of this process, on the server that all share."""

    def __init__(self, team: Team, wired: Runtime) -> None:
        market, self._cache = wired.market, wired.cache
        self._team = team
        self._reads = self._failed = 0
        self._ask: dict[Kind, Callable[[int], object]] = {
            "price": lambda item: market.price(team.tickers[item]),
            "momentum": lambda item: market.score(team.tickers[item]),
            "portfolio": lambda item: market.portfolio(team.holdings(item)),
        }

    def read(self, read: Read) -> None:
        self._reads += 1
        try:
            self._ask[read.kind](read.item)
        except ProviderError:
            self._failed += 1

    def figures(self) -> dict[str, object]:
        return {
            "reads": self._reads,
            "failed": self._failed,
            **{f"hit rate {kind}": self._hit_rate(kind) for kind in KINDS},
        }

    def line(self) -> str:
        rates = "  ".join(f"{kind} {format_percent(self._hit_rate(kind))}" for kind in KINDS)
        failed = f"  {format_count(self._failed)} failed" if self._failed else ""
        away = "  (the server is away: memory serves)" if self._cache.state().is_degraded else ""
        return f"{format_count(self._reads)} reads  hit rates: {rates}{failed}{away}"

    def _hit_rate(self, kind: Kind) -> float | None:
        counts = self._cache.counters.stats().by_namespace.get(kind)
        return None if counts is None else counts.hit_rate


class Warmers:
    """Has a console load what the team asks for."""

    def __init__(self, team: Team, place: Place) -> None:
        self._team = team
        self._place = place
        self._outcomes: Counter[str] = Counter()
        self._busy = 0
        self._cached = set[str]()

    def read(self, read: Read) -> None:
        if read.kind == "portfolio":  # REST has none
            return
        try:
            for outcome in self._place.warm([self._team.tickers[read.item]]):
                self._outcomes[outcome.result] += 1
                if outcome.result != "failed":
                    self._cached.add(outcome.ticker)
        except Busy:  # with another warm-up
            self._busy += 1

    def figures(self) -> dict[str, object]:
        return {
            "warm-ups": self._outcomes.total(),
            "failed": self._outcomes["failed"],
            "refused": self._busy,
            "tickers cached": len(self._cached),
        }

    def line(self) -> str:
        return "  ".join(f"{name} {_shown(value)}" for name, value in self.figures().items())


def _shown(value: object) -> str:
    if value is None:
        return "–"
    return format_percent(value) if isinstance(value, float) and value <= 1 else f"{value:,}"
