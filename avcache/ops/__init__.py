"""What an operator may do: look at the keyspace, clear, warm up. No HTTP, no Streamlit."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from avcache.backends.board import Board
from avcache.backends.facts import FactsReader
from avcache.clock import Clock
from avcache.core.cache import Cache
from avcache.market.service import Market
from avcache.ops import server
from avcache.ops.activity import Activity
from avcache.ops.audit import Audit
from avcache.ops.checkup import Checkup
from avcache.ops.clearing import Clearing, ClearWork
from avcache.ops.doctor import SettingFacts
from avcache.ops.jobs import Jobs, Worker
from avcache.ops.keyspace import Keyspace
from avcache.ops.outages import Outages
from avcache.ops.saved import SavedPortfolios
from avcache.ops.scheduled import ScheduledWarmups
from avcache.ops.schedules import Schedules
from avcache.ops.server import MemoryLimits
from avcache.ops.warmup import Warmup, WarmupWork
from avcache.telemetry.totals import Totals

__all__ = ["Ops"]


class Ops:
    """
    The operations on one cache, the same for pages, REST, command line and whoever else comes.

    Args:
        board: What the processes on one store tell each other; serves within the process while the store is away.
        shared: The same, but raises while the store is away.
        facts: Asks the server about itself; None where there is none.
        limits: Of the store in memory.
        other_workers: Processes with a store in memory of their own, None where that cannot be known.
        totals: What all processes on one store have counted; None where there is one alone.
        rate: Requests a second that the provider of prices allows; None: any.
        wall: Dates all of it.
    """

    def __init__(
        self,
        cache: Cache,
        market: Market,
        board: Board,
        shared: Board | None = None,
        *,
        facts: FactsReader | None = None,
        limits: MemoryLimits | None = None,
        other_workers: Callable[[], Sequence[int] | None] | None = None,
        settings: SettingFacts | None = None,
        totals: Totals | None = None,
        rate: float | None = None,
        wall: Clock = time.time,
    ) -> None:
        self.board = board
        self.audit = Audit(board, wall)
        self.outages = Outages(cache.state, self.audit, wall)
        self.jobs = Jobs(board, wall)
        self.keyspace = Keyspace(cache, board, wall=wall)
        self.clearing = Clearing(cache, self.keyspace, self.jobs, self.audit, wall=wall)
        self.activity = Activity(cache, totals, wall)
        self.warmup = Warmup(cache, market, self.jobs, self.audit, rate=rate)
        self.schedules = Schedules(
            board if shared is None else shared, wall, known_universe=lambda name: name in market.universes.names
        )
        self.saved = SavedPortfolios(board if shared is None else shared, wall)
        self.checkup = Checkup(
            cache,
            self.keyspace,
            self.outages,
            lambda: server.look(cache, facts, limits=limits, wall=wall),
            other_workers=other_workers or (lambda: ()),
            settings=settings or SettingFacts(),
            wall=wall,
        )
        scheduled = ScheduledWarmups(self.schedules, self.warmup, lambda: market.universes, wall)
        self.worker = Worker(
            board,
            self.jobs,
            [ClearWork(cache, self.keyspace, self.audit), WarmupWork(cache, market, self.audit)],
            [self.keyspace, scheduled],
            watch=self.outages.tick,
            on_ended=scheduled.ended,
            is_away=lambda: cache.state().is_degraded,
            wall=wall,
        )

    def start(self) -> None:
        """Begin the background work; without it, it begins with the first job."""
        self.worker.start()

    def close(self) -> None:
        """Stop what runs in the background; a job that is not done goes on in another process, or with the next."""
        self.worker.stop()
        end: Callable[[], None] | None = getattr(self.board, "close", None)
        if end is not None:
            end()
