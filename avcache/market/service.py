"""`Market`: prices, scores and portfolios, every one of them through the cache."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping, Sequence
from typing import Final

import pandas as pd

from avcache.clock import Clock
from avcache.core.peek import Peek
from avcache.errors import InvalidInput, ProviderError
from avcache.market import scoring
from avcache.market.caching import Cache, StalePolicy
from avcache.market.freshness import Freshness
from avcache.market.holdings import Holding, parse_holdings
from avcache.market.portfolio import PortfolioAnalysis, category_table
from avcache.market.price import Price
from avcache.market.provider import PriceHistory, PriceProvider
from avcache.market.reader import Reader
from avcache.market.scoring import COMPOSITES, DEFAULT_PROFILE, FACTOR, Score
from avcache.market.scoring.cross_section import percentiles, risk_adjusted
from avcache.market.scoring.profiles import parse_profile
from avcache.market.tickers import parse_ticker, parse_tickers
from avcache.market.universe import Universes, load_universes

__all__ = ["Market", "Price"]

_CANDIDATE_LEAST: Final = 70.0
_MOST_CANDIDATES: Final = 5


class Market:
    """
    Prices and what is computed from them, of one provider.

    One fetch of `history:T` feeds `price:T`, `momentum:T` and every portfolio. Each call uses one provider
    from start to end, even if an `AutoProvider` switches meanwhile. Whatever is wrong with an argument is said
    (`InvalidInput`) before anything is fetched.
    """

    def __init__(
        self,
        cache: Cache,
        provider: PriceProvider,
        clock: Clock = time.time,
        *,
        freshness: Freshness | None = None,
        universes: Universes | None = None,
    ) -> None:
        """*clock* stamps results (epoch seconds), unless *freshness* has its own."""
        self._cache = cache
        self._provider = provider
        self.freshness = freshness or Freshness(clock)
        self.universes = universes or load_universes()

    @property
    def source(self) -> str:
        """The name of the provider in use."""
        return self._provider.current().name

    @property
    def label(self) -> str:
        """What to tell people about the provider in use."""
        return self._provider.current().label

    @property
    def paused_until(self) -> float | None:
        """Until when the provider is asked nothing, having refused a request: epoch seconds; None if it is asked."""
        until: float | None = getattr(self._provider.current(), "paused_until", None)
        return until

    @property
    def benchmark(self) -> str:
        """The ticker that stands for the market."""
        return self._provider.current().benchmark

    @property
    def sources(self) -> Mapping[str, str]:
        """Under which source each kind is kept of a ticker now: the provider or its edition; of scores, more."""
        reader = self._reader()
        prices = dict.fromkeys(("price", "history", "fundamentals"), reader.source)
        return {**prices, "momentum": reader.score_source}

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
        return self._reader(stale).price(parse_ticker(ticker))

    def prices(self, tickers: str | Sequence[str]) -> dict[str, Price | ProviderError]:
        """
        Return the price of each ticker, or why there is none, in the order given.

        Raises:
            InvalidInput: *tickers* holds something that is no ticker.
        """
        return self._reader().prices(parse_tickers(tickers))

    def score(
        self,
        ticker: str,
        *,
        profile: str = DEFAULT_PROFILE,
        universe: str | Sequence[str] | None = None,
        stale: StalePolicy = "serve",
    ) -> Score:
        """
        Return the momentum score of *ticker*; raises as `history`.

        Args:
            profile: `alphavelocity`, `alphavelocity-legacy`, `alphavelocity-v1` or `factor`.
            universe: Among which tickers `factor` places it: a name or a list; None: the first universe.
            stale: What to do with one past its ttl.
        """
        return self._reader(stale, profile, universe).score(parse_ticker(ticker))

    def scores(
        self,
        tickers: str | Sequence[str],
        *,
        profile: str = DEFAULT_PROFILE,
        universe: str | Sequence[str] | None = None,
        stale: StalePolicy = "serve",
    ) -> dict[str, Score | ProviderError]:
        """Return the score of each ticker, or why there is none; order and errors as `prices`, the rest as `score`."""
        return self._reader(stale, profile, universe).scores(parse_tickers(tickers))

    def kept_scores(
        self,
        tickers: str | Sequence[str],
        *,
        profile: str = DEFAULT_PROFILE,
        universe: str | Sequence[str] | None = None,
    ) -> dict[str, Peek]:
        """Look at the cached scores from which `scores` would answer. Loads nothing, and counts nothing."""
        return self._reader(profile=profile, universe=universe).kept_scores(parse_tickers(tickers))

    def score_as_of(self, ticker: str, day: dt.date, *, profile: str = DEFAULT_PROFILE) -> Score:
        """
        Return the score of *ticker* as it was at the end of *day*, computed anew from the prices of today cut there.

        Fundamentals are those of now. Not kept.

        Raises:
            InvalidInput: *profile* is `factor`, which needs a universe.
            ProviderError: `no_data`: there is no session by then.
        """
        if not isinstance(day, dt.date):
            raise InvalidInput("day", day, "a date")
        if parse_profile(profile) == FACTOR:
            raise InvalidInput("profile", profile, f"one of {', '.join(COMPOSITES)}, as of a day in the past")
        name, reader = parse_ticker(ticker), self._reader(profile=profile)
        subjects, failed = reader.subjects([name])
        if failed:
            raise failed[name]
        made = scoring.scores(
            subjects,
            source=reader.provider.name,
            computed_at=self.freshness.clock(),
            profile=COMPOSITES[profile],
            as_of=day,
        )
        if name not in made:
            raise ProviderError(name, "no_data", f"no session by {day.isoformat()}")
        return made[name]

    def measures(self, universe: str | Sequence[str] | None = None) -> pd.DataFrame:
        """
        Return the published measures of a universe (a name or tickers; None: the first).

        One row per ticker that has prices, columns as in `scoring.measures.MEASURES` and the two of
        `cross_section.risk_adjusted`; NaN where one cannot be computed.
        """
        table = self._reader(profile=FACTOR, universe=universe).universe().now
        return table.join(risk_adjusted(table))

    def percentiles(self, ticker: str, universe: str | Sequence[str] | None = None) -> dict[str, float]:
        """Return the share of a universe that is at most as high as *ticker* in each measure; nothing of no member."""
        name, table = parse_ticker(ticker), self.measures(universe)
        return percentiles(table, name) if name in table.index else {}

    def portfolio(self, holdings: Mapping[str, float | Holding] | str) -> PortfolioAnalysis:
        """
        Return the analysis of *holdings* (a mapping ticker -> shares or `Holding`, pasted lines, or CSV).

        Positions without a price are listed in `missing`. An analysis that lacks one for a passing reason,
        such as a rate limit, is kept for a minute only.

        Raises:
            InvalidInput: *holdings* is not understood.
        """
        return self._reader().portfolio(parse_holdings(holdings))

    def analyze_portfolio(
        self, holdings: Mapping[str, float | Holding] | str
    ) -> tuple[pd.DataFrame, float, float | None]:
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

    def categories(self, analysis: PortfolioAnalysis) -> pd.DataFrame:
        """Return what is held in each category against its target; see `category_table`."""
        return category_table(analysis.table, self.universes.categories)

    def candidates(self, analysis: PortfolioAnalysis) -> dict[str, list[Score]]:
        """
        Return, by category that lacks something, its strongest tickers that are not held: five at most, from a
        composite of 70 on. Of what is cached; loads nothing and counts nothing.
        """
        table = self.categories(analysis)
        names = set(table["category"][table["gap"] > 0])
        held, reader = set(analysis.table["ticker"]), self._reader()
        lacking = [category for category in self.universes.categories if category.name in names]
        wanted = {ticker for category in lacking for ticker in category.tickers} - held
        known = reader.cached_scores(sorted(wanted))
        return {category.name: _strongest(known, category.tickers) for category in lacking}

    def invalidate(self, ticker: str) -> int:
        """
        Drop all that rests on *ticker*: its prices, its scores, every universe and portfolio that holds it; of the
        benchmark, all that is held against it. Returns how many entries that were.
        """
        return self._cache.flush_tag(parse_ticker(ticker))

    def _reader(
        self,
        stale: StalePolicy = "serve",
        profile: str = DEFAULT_PROFILE,
        universe: str | Sequence[str] | None = None,
    ) -> Reader:
        name = parse_profile(profile)
        members = self._members(universe) if name == FACTOR else ()
        return Reader(
            self._cache, self._provider.current(), self.freshness, stale=stale, profile=name, universe=members
        )

    def _members(self, universe: str | Sequence[str] | None) -> tuple[str, ...]:
        if universe is None or isinstance(universe, str):
            return self.universes.get(universe or self.universes.default)
        return parse_tickers(universe, "universe")


def _strongest(known: Mapping[str, Score], tickers: Sequence[str]) -> list[Score]:
    strong = [
        known[ticker]
        for ticker in tickers
        if ticker in known and (known[ticker].composite_score or 0) >= _CANDIDATE_LEAST
    ]
    return sorted(strong, key=lambda score: (-(score.composite_score or 0), score.ticker))[:_MOST_CANDIDATES]
