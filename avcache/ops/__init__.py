"""What an operator may do: look at the keyspace, clear, warm up. No HTTP, no Streamlit."""

from __future__ import annotations

import time
from collections.abc import Callable

from avcache.backends.board import Board
from avcache.clock import Clock
from avcache.core.cache import Cache
from avcache.market.service import Market
from avcache.ops.audit import Audit
from avcache.ops.clearing import Clearing, ClearWork
from avcache.ops.jobs import Jobs, Worker
from avcache.ops.keyspace import Keyspace
from avcache.ops.outages import Outages
from avcache.ops.warmup import Warmup, WarmupWork

__all__ = ["Ops"]


class Ops:
    """
    The operations on one cache, the same for pages, REST, command line and whoever else comes.

    Args:
        board: What the processes on one store tell each other.
        rate: Requests a second that the provider of prices allows; None: any.
        wall: Dates all of it.
    """

    def __init__(
        self, cache: Cache, market: Market, board: Board, *, rate: float | None = None, wall: Clock = time.time
    ) -> None:
        self.board = board
        self.audit = Audit(board, wall)
        self.outages = Outages(cache.state, self.audit, wall)
        self.jobs = Jobs(board, wall)
        self.keyspace = Keyspace(cache, board, wall=wall)
        self.clearing = Clearing(cache, self.keyspace, self.jobs, self.audit, wall=wall)
        self.warmup = Warmup(cache, market, self.jobs, self.audit, rate=rate)
        self.worker = Worker(
            board,
            self.jobs,
            [ClearWork(cache, self.keyspace, self.audit), WarmupWork(cache, market, self.audit)],
            [self.keyspace],
            watch=self.outages.tick,
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
