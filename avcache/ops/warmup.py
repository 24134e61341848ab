"""Fill the cache ahead of demand: one job at a time, with progress, an outcome for each ticker, and a way to stop."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from avcache.clock import Clock
from avcache.core.cache import Cache
from avcache.errors import CacheError, ProviderError
from avcache.market.service import Market
from avcache.market.tickers import parse_tickers
from avcache.ops import coverage
from avcache.ops.coverage import COVERED, KINDS, Coverage

__all__ = ["JobRunning", "Outcome", "Warmup", "WarmupJob"]

logger = logging.getLogger(__name__)

_WORKERS = 4

Result = Literal["loaded", "fresh", "failed"]


class JobRunning(CacheError):
    """A warm-up is under way; there is one at a time."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one ticker: *loaded*, found *fresh*, or *failed* for a reason. *seconds* is what it took."""

    ticker: str
    result: Result
    seconds: float
    reason: str = ""


class WarmupJob:
    """A warm-up under way or done; every reader may ask, from any thread."""

    def __init__(self, tickers: tuple[str, ...], kinds: tuple[str, ...], started_at: float) -> None:
        self.tickers = tickers
        self.kinds = kinds
        self.started_at = started_at
        self.seconds: float | None = None
        self._outcomes: dict[str, Outcome] = {}
        self._cancelled = threading.Event()
        self._finished = threading.Event()

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """What is known by now, in the order asked for."""
        known = dict(self._outcomes)
        return tuple(known[ticker] for ticker in self.tickers if ticker in known)

    @property
    def cached(self) -> int:
        """How many tickers are in the cache now."""
        return sum(outcome.result != "failed" for outcome in self.outcomes)

    @property
    def failures(self) -> dict[str, str]:
        """Why, by ticker."""
        return {outcome.ticker: outcome.reason for outcome in self.outcomes if outcome.result == "failed"}

    @property
    def is_running(self) -> bool:
        """Whether tickers are still to be loaded."""
        return not self._finished.is_set()

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody stopped it."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Load no further ticker; those under way are finished."""
        self._cancelled.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Return whether the job ended within *timeout* seconds."""
        return self._finished.wait(timeout)

    def note(self, outcome: Outcome) -> None:
        """Add what became of one ticker."""
        self._outcomes[outcome.ticker] = outcome

    def finish(self, seconds: float) -> None:
        """Say that nothing more comes."""
        self.seconds = seconds
        self._finished.set()


class Warmup:
    """Runs warm-ups of one cache. *clock* measures, *wall* dates."""

    def __init__(self, cache: Cache, market: Market, clock: Clock = time.monotonic, wall: Clock = time.time) -> None:
        self._cache = cache
        self._market = market
        self._clock = clock
        self._wall = wall
        self._mutex = threading.Lock()
        self.latest: WarmupJob | None = None

    def coverage(self, tickers: str | Sequence[str], kinds: Sequence[str] = KINDS) -> Coverage:
        """How each ticker stands, exact and without a scan. Raises `InvalidInput`."""
        return coverage.look(self._cache, self._market, tickers, kinds)

    def start(self, tickers: str | Sequence[str], kinds: Sequence[str] = KINDS) -> WarmupJob:
        """
        Begin to load what is not fresh, and return at once.

        Raises:
            InvalidInput: Some of *tickers* are none; nothing was begun.
            JobRunning: Another warm-up is under way.
        """
        job = WarmupJob(parse_tickers(tickers), tuple(kinds), self._wall())
        with self._mutex:
            if self.latest is not None and self.latest.is_running:
                done, total = len(self.latest.outcomes), len(self.latest.tickers)
                raise JobRunning(f"a warm-up of {total} tickers is under way ({done} done)")
            self.latest = job
        try:
            threading.Thread(target=self._run, args=(job,), name="avcache-warmup", daemon=True).start()
        except RuntimeError:  # no thread to be had: a job that never ends would block all others
            job.finish(0.0)
            raise
        return job

    def close(self) -> None:
        """Stop a job that runs, after the tickers under way."""
        if self.latest is not None:
            self.latest.cancel()
            self.latest.wait(timeout=5)

    def _run(self, job: WarmupJob) -> None:
        begun = self._clock()
        try:
            with ThreadPoolExecutor(_WORKERS, thread_name_prefix="avcache-warmup") as pool:
                for outcome in pool.map(lambda ticker: self._warm(job, ticker), job.tickers):
                    if outcome is not None:
                        logger.debug("warmup.ticker", extra={"ticker": outcome.ticker, "result": outcome.result})
        finally:
            job.finish(self._clock() - begun)
        logger.info("ops.warmup", extra={"tickers": len(job.tickers), "cached": job.cached})

    def _warm(self, job: WarmupJob, ticker: str) -> Outcome | None:
        if job.is_cancelled:
            return None
        begun, reason = self._clock(), ""
        result: Result = "fresh"
        try:
            (states,) = self.coverage([ticker], job.kinds).rows.values()
            for kind, state in zip(job.kinds, states, strict=True):
                if state not in COVERED:
                    self._load(kind, ticker)
                    result = "loaded"
            if result == "loaded" and self.coverage([ticker], job.kinds).gaps:
                result, reason = "failed", "loaded, but not kept by the cache"
        except ProviderError as exc:
            result, reason = "failed", exc.detail
        except Exception:
            logger.exception("warmup.failed", extra={"ticker": ticker})
            result, reason = "failed", "an error of this program; see its log"
        outcome = Outcome(ticker, result, self._clock() - begun, reason)
        job.note(outcome)
        return outcome

    def _load(self, kind: str, ticker: str) -> None:
        if kind == "price":
            self._market.price(ticker, stale="refuse")
        else:
            self._market.score(ticker, stale="refuse")
