"""`Market`: prices, scores and portfolios, every one of them through the cache."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import pandas as pd

from avcache.clock import Clock
from avcache.errors import ProviderError
from avcache.market import portfolio as portfolios
from avcache.market import price as prices
from avcache.market import scoring
from avcache.market.caching import Cache, StalePolicy, read
from avcache.market.portfolio import PortfolioAnalysis
from avcache.market.price import Price
from avcache.market.provider import PriceHistory, PriceProvider, validate
from avcache.market.scoring import Score
from avcache.market.tickers import parse_holdings, parse_ticker, parse_tickers, portfolio_key

__all__ = ["Market", "Price"]

logger = logging.getLogger(__name__)

T = TypeVar("T")
_PASSING: Final = frozenset({"rate_limited", "timeout", "upstream_error"})


class Market:
    """
    Prices and what is computed from them, of one provider.

    One fetch of `history:T` feeds `price:T`, `momentum:T` and every portfolio. Each call uses one provider
    from start to end, even if an `AutoProvider` switches meanwhile.
    """

    def __init__(self, cache: Cache, provider: PriceProvider, clock: Clock = time.time, workers: int = 4) -> None:
        """*clock* stamps results (epoch seconds); *workers* tickers are loaded at a time."""
        self._cache = cache
        self._provider = provider
        self._clock = clock
        self._workers = workers

    @property
    def source(self) -> str:
        """The name of the provider in use."""
        return self._provider.current().name

    @property
    def label(self) -> str:
        """What to tell people about the provider in use."""
        return self._provider.current().label

    @property
    def benchmark(self) -> str:
        """The ticker that stands for the market."""
        return self._provider.current().benchmark

    @property
    def score_source(self) -> str:
        """Under which source scores are kept now: provider, profile and benchmark. Those of another are a miss."""
        return self._reader().score_source

    def history(self, ticker: str) -> PriceHistory:
        """
        Return the daily prices of *ticker*.

        Raises:
            InvalidInput: *ticker* is none.
            ProviderError: There are no prices.
        """
        return self._reader().history(parse_ticker(ticker))

    def price(self, ticker: str, *, stale: StalePolicy = "serve") -> Price:
        """Return the last price of *ticker*; raises as `history`. *stale*: what to do with one past its ttl."""
        return self._reader().price(parse_ticker(ticker), stale)

    def score(self, ticker: str, *, stale: StalePolicy = "serve") -> Score:
        """Return the momentum score of *ticker*; raises as `history`. *stale*: what to do with one past its ttl."""
        return self._reader().score(parse_ticker(ticker), stale)

    def prices(self, tickers: str | Sequence[str]) -> dict[str, Price | ProviderError]:
        """
        Return the price of each ticker, or why there is none, in the order given.

        Raises:
            InvalidInput: *tickers* holds something that is no ticker.
        """
        return self._each(self._reader().price, parse_tickers(tickers))

    def scores(self, tickers: str | Sequence[str]) -> dict[str, Score | ProviderError]:
        """Return the score of each ticker, or why there is none; order and errors as `prices`."""
        return self._each(self._reader().score, parse_tickers(tickers))

    def portfolio(self, holdings: Mapping[str, float] | str) -> PortfolioAnalysis:
        """
        Return the analysis of *holdings* (a mapping ticker -> shares, or pasted lines).

        Positions without a price are listed in `missing`. An analysis that lacks one for a passing reason,
        such as a rate limit, is returned but not kept.

        Raises:
            InvalidInput: *holdings* is not understood.
        """
        reader, held = self._reader(), parse_holdings(holdings)
        try:
            return read(
                self._cache,
                portfolio_key(held),
                lambda: self._analyze(reader, held),
                portfolios.from_record,
                source=reader.score_source,
                tags=tuple(sorted(held)),
            )
        except _IncompleteError as exc:
            return portfolios.from_record(exc.record)

    def analyze_portfolio(self, holdings: Mapping[str, float] | str) -> tuple[pd.DataFrame, float, float | None]:
        """
        Return (table, total value, plain mean score) of *holdings*; see `PortfolioAnalysis`.

        The mean is None if no position has data enough for a score.

        Raises:
            InvalidInput: *holdings* is not understood.
            ProviderError: `no_data`: no position can be priced.
        """
        found = self.portfolio(holdings)
        if found.table.empty:
            reasons = "; ".join(f"{ticker}: {reason}" for ticker, reason in found.missing.items())
            raise ProviderError("portfolio", "no_data", f"no position can be priced ({reasons})")
        return found.table, found.total_value, found.average_score

    def _reader(self) -> _Reader:
        return _Reader(self._cache, self._provider.current(), self._clock)

    def _each(self, read: Callable[[str], T], tickers: Sequence[str]) -> dict[str, T | ProviderError]:
        def outcome(ticker: str) -> T | ProviderError:
            try:
                return read(ticker)
            except ProviderError as exc:
                return exc

        if len(tickers) == 1:
            return {tickers[0]: outcome(tickers[0])}
        # A pool per call: one caller who waits for slow tickers never holds up another whose are cached.
        with ThreadPoolExecutor(min(self._workers, len(tickers)), "avcache-market") as pool:
            return dict(zip(tickers, pool.map(outcome, tickers), strict=True))

    def _analyze(self, reader: _Reader, held: Mapping[str, float]) -> dict[str, Any]:
        found = self._each(reader.position, sorted(held))
        failed = {ticker: pair for ticker, pair in found.items() if isinstance(pair, ProviderError)}
        analysis = portfolios.analyze(
            held,
            {ticker: pair if isinstance(pair, ProviderError) else pair[0] for ticker, pair in found.items()},
            {ticker: pair if isinstance(pair, ProviderError) else pair[1] for ticker, pair in found.items()},
            source=reader.provider.name,
            computed_at=self._clock(),
        )
        record = portfolios.to_record(analysis)
        passing = next((error for error in failed.values() if error.reason in _PASSING), None)
        if passing is not None:
            raise _IncompleteError(passing, record)
        return record


@dataclass(frozen=True, slots=True)
class _Reader:
    """The cache, read for one operation on one provider."""

    cache: Cache
    provider: PriceProvider
    clock: Clock

    @property
    def score_source(self) -> str:
        return f"{self.provider.name}/{scoring.PROFILE}/{self.provider.benchmark}"

    def history(self, ticker: str, stale: StalePolicy = "serve") -> PriceHistory:
        return read(
            self.cache,
            f"history:{ticker}",
            lambda: self._load_history(ticker),
            _history_of,
            source=self.provider.name,
            tags=(ticker,),
            stale=stale,
        )

    def price(self, ticker: str, stale: StalePolicy = "serve") -> Price:
        return read(
            self.cache,
            f"price:{ticker}",
            lambda: prices.to_record(prices.last_price(self.input_history(ticker, stale))),
            prices.from_record,
            source=self.provider.name,
            tags=(ticker,),
            stale=stale,
        )

    def score(self, ticker: str, stale: StalePolicy = "serve") -> Score:
        return read(
            self.cache,
            f"momentum:{ticker}",
            lambda: scoring.to_record(self._compute_score(ticker, stale)),
            scoring.from_record,
            source=self.score_source,
            tags=(ticker,),
            stale=stale,
        )

    def input_history(self, ticker: str, stale: StalePolicy) -> PriceHistory:
        """The history to compute from: a result kept as fresh is not made of stale prices while others can be had."""
        return self.history(ticker, "refuse" if stale == "refuse" else "on_error")

    def position(self, ticker: str) -> tuple[Price, Score]:
        return self.price(ticker), self.score(ticker)

    def _load_history(self, ticker: str) -> dict[str, Any]:
        history = self.provider.history(ticker)
        validate(history)
        return {"ticker": history.ticker, "currency": history.currency, "prices": history.prices}

    def _compute_score(self, ticker: str, stale: StalePolicy) -> Score:
        history, unavailable = self.input_history(ticker, stale), dict[str, str]()

        def optional(part: str, read: Callable[[], T]) -> T | None:
            """None where the input of *part* cannot be had: the score says so by its coverage, and why."""
            try:
                return read()
            except ProviderError as exc:
                unavailable[part] = f"{exc.reason.replace('_', ' ')}: {exc.detail}"
                logger.info("score.part_missing", extra={"part": part, "ticker": exc.ticker, "reason": exc.reason})
                return None

        benchmark = optional("relative", lambda: self.input_history(self.provider.benchmark, stale))
        fundamentals = optional("fundamental", lambda: self._fundamentals(ticker))
        return scoring.score(
            history,
            benchmark,
            fundamentals,
            source=self.provider.name,
            computed_at=self.clock(),
            unavailable=unavailable,
        )

    def _fundamentals(self, ticker: str) -> dict[str, float] | None:
        return self.cache.get_or_load(
            f"fundamentals:{ticker}", lambda: self.provider.fundamentals(ticker), source=self.provider.name
        )


def _history_of(record: dict[str, Any]) -> PriceHistory:
    # Copy-on-write: a shallow copy shares memory, yet no caller can change the cached frame through it.
    return PriceHistory(record["ticker"], record["prices"].copy(deep=False), record["currency"])


class _IncompleteError(ProviderError):
    """Carries the analysis past the cache: a position is missing that may be there in a minute."""

    def __init__(self, cause: ProviderError, record: dict[str, Any]) -> None:
        super().__init__(cause.ticker, cause.reason, cause.detail)
        self.record = record
