"""Fill the cache ahead of demand: planned, the most read first, within a budget, with an outcome for each ticker."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Literal

from avcache.clock import Clock
from avcache.core.cache import Cache
from avcache.errors import InvalidInput, ProviderError
from avcache.formats import counted
from avcache.market.caching import ticker_of
from avcache.market.service import Market
from avcache.market.tickers import parse_tickers
from avcache.ops import coverage
from avcache.ops.audit import Audit
from avcache.ops.coverage import KINDS, Coverage, State
from avcache.ops.jobs import Job, JobRunning, Jobs, Run

__all__ = ["JobRunning", "Outcome", "Warmup", "WarmupJob", "WarmupPlan", "WarmupWork"]

logger = logging.getLogger(__name__)

_KIND: Final = "warm-up"
_WORKERS: Final = 4
_CHECKED_EVERY: Final = 0.2
_READ_EVERY: Final = 0.05
_MOST_RATE: Final = 1000.0
_MOST_SECONDS: Final = 24 * 3600.0
_POPULAR: Final = 5000

Result = Literal["loaded", "fresh", "failed"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one ticker: *loaded*, found *fresh*, or *failed* for a reason. *seconds* is what it took."""

    ticker: str
    result: Result
    seconds: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class WarmupPlan:
    """
    What a warm-up would do.

    Attributes:
        tickers: Those that have to be loaded, the most read first.
        covered: How many of those asked for need nothing. *absent*: of how many it is known that there are no prices.
        requests: To the provider, about one for each ticker whose prices are not fresh.
        seconds: About how long that takes; None where no load has been seen yet.
    """

    tickers: tuple[str, ...]
    covered: int
    absent: int
    requests: int
    seconds: float | None


class WarmupJob:
    """A warm-up as it is now, wherever it runs; every reader may ask, from any thread."""

    def __init__(self, job: Job, jobs: Jobs) -> None:
        self._jobs = jobs
        self._job = job
        self._read_at = 0.0

    @property
    def job(self) -> Job:
        """What is known by now, or was a moment ago; once it has ended, nothing more is asked."""
        if not self._job.is_ended and time.monotonic() - self._read_at >= _READ_EVERY:
            self._job = self._jobs.get(self._job.id) or self._job
            self._read_at = time.monotonic()
        return self._job

    @property
    def id(self) -> str:
        """By which it is known to all."""
        return self._job.id

    @property
    def tickers(self) -> tuple[str, ...]:
        """Those it was begun with, in the order they are loaded."""
        return tuple(self._job.what["tickers"])

    @property
    def kinds(self) -> tuple[str, ...]:
        """What is loaded of each."""
        return tuple(self._job.what["kinds"])

    @property
    def started_at(self) -> float:
        """Wall clock."""
        return self._job.created_at

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """What is known by now, in the order they were given in."""
        known = _outcomes(self.job)
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
        return not self.job.is_ended

    @property
    def is_paused(self) -> bool:
        """Whether it waits for somebody to let it go on."""
        return self.job.state == "paused"

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody stopped it."""
        job = self.job
        return job.state == "cancelled" or (not job.is_ended and self._jobs.wishes([job.id]) == ["cancel"])

    @property
    def seconds(self) -> float | None:
        """What it took; None while it goes on."""
        return self.job.seconds

    def cancel(self) -> None:
        """Load no further ticker; those under way are finished."""
        self._tell("cancel")

    def pause(self) -> None:
        """Load no further ticker for now."""
        self._tell("pause")

    def resume(self) -> None:
        """Go on."""
        self._tell("resume")

    def wait(self, timeout: float | None = None) -> bool:
        """Return whether the job ended within *timeout* seconds."""
        found = self._jobs.wait(self._job.id, timeout)
        self._job = found or self._job
        return self._job.is_ended

    def _tell(self, wish: Literal["pause", "resume", "cancel"]) -> None:
        with suppress(InvalidInput):  # it has ended meanwhile
            self._jobs.tell(self._job.id, wish)
        self._read_at = 0.0


class Warmup:
    """
    Plans warm-ups of one cache, and gives them in.

    Args:
        rate: Requests a second that the provider allows; None: any.
    """

    def __init__(self, cache: Cache, market: Market, jobs: Jobs, audit: Audit, *, rate: float | None = None) -> None:
        self._cache = cache
        self._market = market
        self._jobs = jobs
        self._audit = audit
        self._rate = rate

    @property
    def latest(self) -> WarmupJob | None:
        """The last one that was given in, in whichever process."""
        found = self._jobs.latest(_KIND, 1)
        return WarmupJob(found[0], self._jobs) if found else None

    def coverage(self, tickers: str | Sequence[str], kinds: Sequence[str] = KINDS) -> Coverage:
        """How each ticker stands, exact and without a scan. Raises `InvalidInput`."""
        return coverage.look(self._cache, self._market, tickers, kinds)

    def plan(self, tickers: str | Sequence[str], kinds: Sequence[str] = KINDS, *, ahead: bool = False) -> WarmupPlan:
        """
        Tell what a warm-up would load. *ahead*: what expires soon as well. Raises `InvalidInput`.
        """
        found = self.coverage(tickers, kinds)
        wanted = self._by_popularity([*found.gaps, *(found.expiring if ahead else ())])
        if not wanted:
            return WarmupPlan((), found.covered, len(found.reasons), 0, 0.0)
        looked = self._cache.peek_many([f"history:{ticker}" for ticker in wanted])
        is_due = [peek is None or peek.is_stale or (ahead and peek.is_expiring) for peek in looked]
        return WarmupPlan(
            tuple(wanted),
            found.covered,
            len(found.reasons),
            sum(is_due),
            self._seconds(len(wanted), sum(is_due), kinds),
        )

    def start(
        self,
        tickers: str | Sequence[str],
        kinds: Sequence[str] = KINDS,
        *,
        actor: str = "library",
        reason: str = "",
        ahead: bool = False,
        rate: float | None = None,
        seconds: float | None = None,
        schedule: Mapping[str, Any] | None = None,
    ) -> WarmupJob:
        """
        Begin to load what is not fresh, and return at once.

        Args:
            ahead: Load anew what expires soon, too.
            rate: Most tickers a second that are begun; None: as many as the provider allows.
            seconds: So long after its beginning no further ticker is begun, paused or not, in whichever process.
            schedule: Which run of which schedule this is.

        Raises:
            InvalidInput: Some of *tickers* are none, or a number is out of bounds; nothing was begun.
            JobRunning: Another warm-up is under way, in whichever process.
        """
        names = parse_tickers(tickers)
        coverage.check_kinds(self._market, kinds)
        _check("rate", rate, _MOST_RATE, "tickers a second")
        _check("seconds", seconds, _MOST_SECONDS, "seconds")
        what = {"tickers": self._by_popularity(names), "kinds": list(kinds), "ahead": ahead}
        job = self._jobs.submit(
            _KIND,
            what | {"rate": rate, "seconds": seconds} | ({} if schedule is None else {"schedule": dict(schedule)}),
            actor=actor,
            reason=reason,
            total=len(names),
            notes={"outcomes": {}},
            alone=True,
        )
        self._audit.record(
            actor, _KIND, " ".join(names), reason=reason, planned=len(names), job=job.id, at=job.created_at
        )
        return WarmupJob(job, self._jobs)

    def _by_popularity(self, tickers: Sequence[str]) -> list[str]:
        """The most read first, by this process; the others as they came."""
        reads: dict[str, int] = {}
        for key, number in self._cache.accesses.most_read(_POPULAR):
            ticker = ticker_of(key)
            reads[ticker] = reads.get(ticker, 0) + number
        return sorted(tickers, key=lambda ticker: -reads.get(ticker, 0))

    def _seconds(self, tickers: int, requests: int, kinds: Sequence[str]) -> float | None:
        counts = self._cache.counters.stats().by_namespace
        means = [counts[kind].mean_load_seconds for kind in kinds if kind in counts]
        known = [mean for mean in means if mean is not None]
        if not known:
            return None
        by_work = tickers * sum(known) / _WORKERS
        return max(by_work, requests / self._rate) if self._rate else by_work


class WarmupWork:
    """Loads tickers, a few at a time. *clock* measures."""

    kind = _KIND

    def __init__(self, cache: Cache, market: Market, audit: Audit, clock: Clock = time.monotonic) -> None:
        self._cache = cache
        self._market = market
        self._audit = audit
        self._clock = clock

    def run(self, run: Run) -> str:
        """See `Work`."""
        what, outcomes = run.job.what, _outcomes(run.job)
        waiting = [ticker for ticker in what["tickers"] if ticker not in outcomes]
        pace = _Pace(what.get("rate"), self._clock)
        ends = math.inf if what.get("seconds") is None else (run.job.began_at or run.wall()) + what["seconds"]
        under_way: set[Future[Outcome]] = set()
        pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="avcache-warmup")
        try:
            while waiting or under_way:
                run.check()
                if run.wall() >= ends:
                    waiting = []
                while waiting and len(under_way) < _WORKERS and pace.may_begin():
                    under_way.add(pool.submit(self._warm, waiting.pop(0), what["kinds"], ahead=bool(what["ahead"])))
                done, under_way = wait(under_way, _CHECKED_EVERY, FIRST_COMPLETED) if under_way else (set(), under_way)
                if not done and not under_way:
                    time.sleep(_CHECKED_EVERY / 4)
                self._note(run, outcomes, done)
        finally:
            pool.shutdown(wait=True)
            self._note(run, outcomes, under_way)
        return self._ended(run.job, outcomes)

    def cancelled(self, job: Job) -> str:
        """See `Work`."""
        return self._ended(job, _outcomes(job))

    def _note(self, run: Run, outcomes: dict[str, Outcome], done: set[Future[Outcome]]) -> None:
        if not done:
            return
        for future in done:
            outcome = future.result()
            outcomes[outcome.ticker] = outcome
        rows = {one.ticker: [one.result, one.seconds, one.reason] for one in outcomes.values()}
        run.tell(done=len(outcomes), notes={"outcomes": rows})

    def _ended(self, job: Job, outcomes: Mapping[str, Outcome]) -> str:
        cached = sum(outcome.result != "failed" for outcome in outcomes.values())
        total, failed, left = len(job.what["tickers"]), len(outcomes) - cached, job.total - len(outcomes)
        text = f"{cached} of {total} cached"
        text += f", {failed} failed" if failed else ""
        text += f", {left} not begun" if left else ""
        on = counted(total, "ticker")
        self._audit.record(job.actor, "warmed", on, planned=total, done=cached, result=text, job=job.id)
        return text

    def _warm(self, ticker: str, kinds: Sequence[str], *, ahead: bool) -> Outcome:
        begun, reason = self._clock(), ""
        result: Result = "fresh"
        try:
            for kind, state in zip(kinds, self._states(ticker, kinds), strict=True):
                if state != "fresh" and (ahead or state != "expiring"):
                    self._load(kind, ticker, ahead=ahead)
                    result = "loaded"
            if result == "loaded" and not coverage.COVERED.issuperset(self._states(ticker, kinds)):
                result, reason = "failed", "loaded, but not kept by the cache"
        except ProviderError as exc:
            result, reason = "failed", exc.detail
        except Exception:
            logger.exception("warmup.failed", extra={"ticker": ticker})
            result, reason = "failed", "an error of this program; see its log"
        return Outcome(ticker, result, self._clock() - begun, reason)

    def _states(self, ticker: str, kinds: Sequence[str]) -> tuple[State, ...]:
        (states,) = coverage.look(self._cache, self._market, [ticker], kinds).rows.values()
        return states

    def _load(self, kind: str, ticker: str, *, ahead: bool) -> None:
        stale: Literal["renew", "refuse"] = "renew" if ahead else "refuse"
        if kind == "momentum":
            self._market.score(ticker, stale=stale)
        else:
            self._market.price(ticker, stale=stale)


class _Pace:
    """How fast tickers may be begun."""

    def __init__(self, rate: float | None, clock: Clock) -> None:
        self._step = 0.0 if rate is None else 1 / rate
        self._clock = clock
        self._next = clock()

    def may_begin(self) -> bool:
        """Whether the next one may be begun now; if so it is."""
        now = self._clock()
        if now < self._next:
            return False
        self._next = now + self._step
        return True


def _outcomes(job: Job) -> dict[str, Outcome]:
    rows: Mapping[str, Any] = job.notes.get("outcomes", {})
    return {ticker: Outcome(ticker, *row) for ticker, row in rows.items()}


def _check(field: str, value: float | None, most: float, unit: str) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= most:
        raise InvalidInput(field, value, f"more than 0 and at most {most:,.0f} {unit}")
