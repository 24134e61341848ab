"""One operation on one provider: what is kept of each ticker, and how it is loaded."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from typing import Final

from avcache.core.peek import Peek
from avcache.errors import ProviderError
from avcache.market import portfolio as portfolios
from avcache.market import price as prices
from avcache.market import records, scoring
from avcache.market.caching import (
    FRESH_FOR,
    PROVISIONAL,
    STRICT,
    UNREADABLE,
    Cache,
    Kind,
    Record,
    StalePolicy,
    core_policy,
    fresh_for,
    read_many,
    read_one,
)
from avcache.market.freshness import Freshness
from avcache.market.holdings import Holding, portfolio_key
from avcache.market.portfolio import PortfolioAnalysis
from avcache.market.portfolio.positions import Position
from avcache.market.price import Price
from avcache.market.provider import Figures, PriceHistory, PriceProvider, source_of, validate
from avcache.market.scoring import COMPOSITES, DEFAULT_PROFILE, FACTOR, Score, Subject
from avcache.market.scoring.components import is_bond_fund
from avcache.market.scoring.factor import CrossSection, cross_section, factor_scores

__all__ = ["Reader"]

logger = logging.getLogger(__name__)

_PASSING: Final = frozenset({"rate_limited", "timeout", "upstream_error"})
_STRIKES_TTL: Final = 48 * 3600.0
_BOND_BENCHMARK: Final = "AGG"
_PEGS: Final = ("pegRatio", "trailingPegRatio")
_PARTLY_TTL: Final = 6 * 3600.0
_SAMPLE: Final = "sample"
_LIVE: Final = "provider:live"
"""Names the live provider whose prices are in this cache, for as long as any may be."""


class Reader:
    """
    The cache, read for one operation on one provider.

    Args:
        stale: What to do with what is past its ttl. What is loaded is computed from inputs that are fresh; from stale
            ones if those cannot be had, unless *stale* is `refuse`.
        profile: By which scores are computed.
        universe: The tickers among which the profile `factor` places one.
    """

    def __init__(
        self,
        cache: Cache,
        provider: PriceProvider,
        freshness: Freshness,
        *,
        stale: StalePolicy = "serve",
        profile: str = DEFAULT_PROFILE,
        universe: Sequence[str] = (),
    ) -> None:
        self.provider = provider
        self.source = source_of(provider)
        self._cache = cache
        self._freshness = freshness
        self._stale = stale
        self._inputs: StalePolicy = stale if stale in STRICT else "on_error"
        self._profile = profile
        self._universe = tuple(sorted(set(universe)))
        self._failed: dict[str, ProviderError] = {}

    @property
    def score_source(self) -> str:
        """Under which source scores are kept: provider, profile and benchmark, and the universe where it matters."""
        source = f"{self.source}/{self._profile}/{self.provider.benchmark}"
        return f"{source}/{self._universe_id}" if self._profile == FACTOR else source

    def history(self, ticker: str) -> PriceHistory:
        """Return the prices of *ticker*. Raises `ProviderError`, as all of these do."""
        return read_one(self._cache, self._histories, ticker, self._stale)

    def histories(self, tickers: Sequence[str]) -> dict[str, PriceHistory | ProviderError]:
        """`history` of several, or why there is none."""
        return read_many(self._cache, self._histories, tickers, self._stale)

    def price(self, ticker: str) -> Price:
        """Return the last price of *ticker*."""
        return read_one(self._cache, self._prices, ticker, self._stale)

    def prices(self, tickers: Sequence[str]) -> dict[str, Price | ProviderError]:
        """`price` of several."""
        return read_many(self._cache, self._prices, tickers, self._stale)

    def score(self, ticker: str) -> Score:
        """Return the score of *ticker*."""
        return read_one(self._cache, self._scores, ticker, self._stale)

    def scores(self, tickers: Sequence[str]) -> dict[str, Score | ProviderError]:
        """`score` of several."""
        return read_many(self._cache, self._scores, tickers, self._stale)

    def kept_scores(self, tickers: Sequence[str]) -> dict[str, Peek]:
        """Look at the scores that reads are answered from, fresh or stale. Loads nothing, and is not counted."""
        looked = self._cache.peek_many([self._scores.key(ticker) for ticker in tickers])
        return {
            ticker: entry
            for ticker, entry in zip(tickers, looked, strict=True)
            if entry is not None and not entry.is_foreign and entry.source == self.score_source
        }

    def cached_scores(self, tickers: Sequence[str]) -> dict[str, Score]:
        """Return the scores that are cached, fresh or stale. Loads nothing, and is not counted."""
        found: dict[str, Score] = {}
        for ticker in self.kept_scores(tickers):
            with suppress(*UNREADABLE):  # it is gone by now, or another version wrote it
                found[ticker] = scoring.from_record(self._cache.peek_value(self._scores.key(ticker)))
        return found

    def subjects(self, tickers: Sequence[str]) -> tuple[list[Subject], dict[str, ProviderError]]:
        """Return all that is known of *tickers*, and why there is nothing of some."""
        found = read_many(self._cache, self._histories, tickers, self._inputs)
        failed = {ticker: error for ticker, error in found.items() if isinstance(error, ProviderError)}
        known = [history for history in found.values() if not isinstance(history, ProviderError)]
        figures = self._figures_of([history.ticker for history in known])
        benchmarks = self._benchmarks({self._benchmark_of(figures[history.ticker]) for history in known})
        return [self._subject(history, figures[history.ticker], benchmarks) for history in known], failed

    def universe(self) -> CrossSection:
        """Return the measures of all tickers of the universe."""
        return CrossSection(self._universe_record(self._stale)["tables"])

    def portfolio(self, holdings: Mapping[str, Holding]) -> PortfolioAnalysis:
        """Return the analysis of *holdings*."""
        record: Record = self._cache.get_or_load(
            portfolio_key(holdings),
            lambda: self._load_portfolio(holdings),
            ttl=fresh_for,
            source=self.score_source,
            tags=tuple(sorted({*holdings, self.provider.benchmark})),
            stale=core_policy(self._stale),
        )
        return portfolios.from_record(record)

    @cached_property
    def _histories(self) -> Kind[PriceHistory]:
        return Kind("history", self._load_histories, records.to_history, self.source, absent_ttl=self._nothing_ttl)

    @cached_property
    def _prices(self) -> Kind[Price]:
        return Kind("price", self._load_prices, prices.from_record, self.source)

    @cached_property
    def _fundamentals(self) -> Kind[tuple[Figures, float]]:
        return Kind("fundamentals", self._load_fundamentals, records.to_figures, self.source)

    @cached_property
    def _scores(self) -> Kind[Score]:
        suffix = "" if self._profile == DEFAULT_PROFILE else f"@{self._profile}"
        return Kind(
            "momentum",
            self._load_scores,
            scoring.from_record,
            self.score_source,
            suffix=suffix,
            tags=(self.provider.benchmark,),
        )

    @cached_property
    def _universe_id(self) -> str:
        return hashlib.blake2b(" ".join(self._universe).encode(), digest_size=6).hexdigest()

    def _load_histories(self, tickers: list[str]) -> dict[str, Record | ProviderError]:
        # What has failed within this operation fails again in it, instead of being waited for once more.
        found: dict[str, Record | ProviderError] = {
            ticker: self._failed[ticker] for ticker in tickers if ticker in self._failed
        }
        wanted = [ticker for ticker in tickers if ticker not in found]
        if wanted:
            found |= self._fetched(wanted)
            self._failed |= {ticker: error for ticker, error in found.items() if isinstance(error, ProviderError)}
        return found

    def _fetched(self, tickers: list[str]) -> dict[str, Record | ProviderError]:
        live = self._cache.peek_value(_LIVE)
        if self.provider.name == _SAMPLE and isinstance(live, str):
            detail = f"this cache holds prices of {live}, which those of the sample must not replace"
            return {ticker: ProviderError(ticker, "upstream_error", detail) for ticker in tickers}
        found = {ticker: self._checked(outcome) for ticker, outcome in self.provider.histories(tickers).items()}
        if self.provider.name not in {_SAMPLE, live} and any(isinstance(outcome, dict) for outcome in found.values()):
            self._cache.set(_LIVE, self.provider.name, self._freshness.longest)
        return found

    def _checked(self, found: PriceHistory | ProviderError) -> Record | ProviderError:
        if isinstance(found, ProviderError):
            return found
        try:
            validate(found, self._previous(found.ticker))
        except ProviderError as exc:
            return exc
        return records.of_history(found) | {FRESH_FOR: self._freshness.of_history(found)}

    def _previous(self, ticker: str) -> PriceHistory | None:
        """What is cached of *ticker* from the same source, however old."""
        key = self._histories.key(ticker)
        (entry,) = self._cache.peek_many([key])
        if entry is None or entry.is_foreign or entry.source != self.source:
            return None
        try:
            return records.to_history(self._cache.peek_value(key))
        except UNREADABLE:  # gone by now, or written by another version
            return None

    def _nothing_ttl(self, error: ProviderError) -> float | None:
        """How long it is kept that there is nothing: what was unknown again and again, ever longer."""
        if error.reason == "no_data":
            return self._freshness.of_no_data()
        if error.reason != "unknown":
            return None
        key = f"unknown:{error.ticker}"
        before = self._cache.peek_value(key)
        times = before if isinstance(before, int) else 0
        self._cache.set(key, times + 1, min(_STRIKES_TTL, self._freshness.longest), tags=(error.ticker,))
        return self._freshness.of_nothing(times)

    def _load_prices(self, tickers: list[str]) -> dict[str, Record | ProviderError]:
        found = read_many(self._cache, self._histories, tickers, self._inputs)
        return {ticker: self._price_record(history) for ticker, history in found.items()}

    def _price_record(self, history: PriceHistory | ProviderError) -> Record | ProviderError:
        if isinstance(history, ProviderError):
            return history
        return prices.to_record(prices.last_price(history)) | {
            FRESH_FOR: self._freshness.of_price(history),
            PROVISIONAL: self._freshness.is_stale(history),
        }

    def _load_fundamentals(self, tickers: list[str]) -> dict[str, Record | ProviderError]:
        now = self._freshness.clock()
        return {
            ticker: found if isinstance(found, ProviderError) else self._figures_record(found, now)
            for ticker, found in self.provider.fundamentals(tickers).items()
        }

    def _figures_record(self, figures: Figures, now: float) -> Record:
        record: Record = {"figures": figures, "fetched_at": now}
        # A source that answers in part may do so for a moment, or for good: ask again, but not soon.
        has_both = "forwardPE" in figures and not figures.keys().isdisjoint(_PEGS)
        return record if has_both or not figures else record | {FRESH_FOR: min(_PARTLY_TTL, self._freshness.longest)}

    def _load_scores(self, tickers: list[str]) -> dict[str, Record | ProviderError]:
        subjects, failed = self.subjects(tickers)
        found: dict[str, Record | ProviderError] = dict(failed)
        try:
            made, is_partial = self._compute(subjects)
        except ProviderError as exc:
            detail = f"its universe cannot be had ({exc})"
            return found | {
                ticker: ProviderError(ticker, exc.reason, detail) for ticker in tickers if ticker not in failed
            }
        for subject in subjects:
            ticker = subject.history.ticker
            if ticker in made:
                found[ticker] = self._score_record(subject, made[ticker], is_partial=is_partial)
            else:
                found[ticker] = ProviderError(ticker, "no_data", "no session with an adjusted close")
        return found

    def _compute(self, subjects: Sequence[Subject]) -> tuple[dict[str, Score], bool]:
        """The scores of *subjects*, and whether what they are held against is provisional."""
        source, now = self.provider.name, self._freshness.clock()
        if not subjects:
            return {}, False
        if self._profile != FACTOR:
            return scoring.scores(subjects, source=source, computed_at=now, profile=COMPOSITES[self._profile]), False
        record = self._universe_record(self._inputs)
        made = factor_scores(subjects, CrossSection(record["tables"]), source=source, computed_at=now)
        return self._with_default_scores(made), bool(record[PROVISIONAL])

    def _with_default_scores(self, made: dict[str, Score]) -> dict[str, Score]:
        """*made*, with the scores of the default profile in place of those whose universe is too small."""
        small = {ticker: score.note for ticker, score in made.items() if score.note}
        if not small:
            return made
        reader = Reader(self._cache, self.provider, self._freshness, stale=self._inputs)
        found = reader.scores(sorted(small))
        return made | {
            ticker: replace(score, note=small[ticker])
            for ticker, score in found.items()
            if not isinstance(score, ProviderError)
        }

    def _score_record(self, subject: Subject, score: Score, *, is_partial: bool) -> Record:
        used = [history for history in (subject.history, subject.benchmark) if history is not None]
        is_partial = is_partial or score.is_provisional or _lacks_for_now(subject)
        ttl = self._freshness.of_result("momentum", used, is_partial=is_partial)
        is_provisional = is_partial or any(map(self._freshness.is_stale, used))
        return scoring.to_record(score) | {FRESH_FOR: ttl, PROVISIONAL: is_provisional}

    def _figures_of(self, tickers: Sequence[str]) -> dict[str, tuple[Figures, float] | ProviderError]:
        if self._profile == FACTOR:  # it is made of prices alone
            return {ticker: ({}, 0.0) for ticker in tickers}
        return read_many(self._cache, self._fundamentals, tickers, self._inputs)

    def _benchmark_of(self, figures: tuple[Figures, float] | ProviderError) -> str:
        if not isinstance(figures, ProviderError) and is_bond_fund(figures[0]):
            return _BOND_BENCHMARK
        return self.provider.benchmark

    def _benchmarks(self, names: set[str]) -> dict[str, PriceHistory | ProviderError]:
        return read_many(self._cache, self._histories, sorted(names), self._inputs)

    def _subject(
        self,
        history: PriceHistory,
        figures: tuple[Figures, float] | ProviderError,
        benchmarks: Mapping[str, PriceHistory | ProviderError],
    ) -> Subject:
        """What is known of one ticker; where an input cannot be had, the score says so by its coverage, and why."""
        benchmark, unavailable = benchmarks[self._benchmark_of(figures)], dict[str, str]()
        if isinstance(benchmark, ProviderError):
            unavailable["relative"] = _said(benchmark)
        if isinstance(figures, ProviderError):
            unavailable["fundamental"] = _said(figures)
        known, fetched_at = (None, None) if isinstance(figures, ProviderError) else figures
        market = None if isinstance(benchmark, ProviderError) else benchmark
        return Subject(history, market, known, fetched_at if known else None, unavailable)

    def _universe_record(self, stale: StalePolicy) -> Record:
        record: Record = self._cache.get_or_load(
            f"universe:{self._universe_id}",
            self._load_universe,
            ttl=fresh_for,
            source=f"{self.source}/{self.provider.benchmark}",
            tags=tuple({*self._universe, self.provider.benchmark}),
            stale=core_policy(stale),
        )
        return record

    def _load_universe(self) -> Record:
        subjects, failed = self.subjects(self._universe)
        if not subjects:
            raise next(iter(failed.values()))
        is_partial = any(error.reason in _PASSING for error in failed.values()) or any(map(_lacks_for_now, subjects))
        used = [subject.history for subject in subjects]
        used += [subject.benchmark for subject in subjects[:1] if subject.benchmark is not None]
        return {
            "tables": dict(cross_section(subjects).tables),
            FRESH_FOR: self._freshness.of_result("momentum", used, is_partial=is_partial),
            PROVISIONAL: is_partial or any(map(self._freshness.is_stale, used)),
        }

    def _load_portfolio(self, holdings: Mapping[str, Holding]) -> Record:
        found = self._positions(holdings)
        (benchmark,) = self._benchmarks({self.provider.benchmark}).values()
        analysis = portfolios.analyze(
            found,
            benchmark=None if isinstance(benchmark, ProviderError) else benchmark,
            source=self.provider.name,
            computed_at=self._freshness.clock(),
        )
        positions = [position for position in found.values() if not isinstance(position, ProviderError)]
        errors = [error for error in (*found.values(), benchmark) if isinstance(error, ProviderError)]
        is_partial = any(error.reason in _PASSING for error in errors) or any(
            position.price.is_provisional or position.score.is_provisional for position in positions
        )
        used = [position.history for position in positions]
        used += [] if isinstance(benchmark, ProviderError) else [benchmark]
        ttl = self._freshness.of_result("portfolio", used, is_partial=is_partial)
        return portfolios.to_record(analysis) | {FRESH_FOR: ttl}

    def _positions(self, holdings: Mapping[str, Holding]) -> dict[str, Position | ProviderError]:
        tickers = sorted(holdings)
        found_prices = read_many(self._cache, self._prices, tickers, self._inputs)
        found_scores = read_many(self._cache, self._scores, tickers, self._inputs)
        histories = read_many(self._cache, self._histories, tickers, self._inputs)
        found: dict[str, Position | ProviderError] = {}
        for ticker, holding in holdings.items():
            price, score, history = found_prices[ticker], found_scores[ticker], histories[ticker]
            if isinstance(price, ProviderError):
                found[ticker] = price
            elif isinstance(score, ProviderError):
                found[ticker] = score
            elif isinstance(history, ProviderError):
                found[ticker] = history
            else:
                is_stale = self._freshness.is_stale(history)
                found[ticker] = Position(holding, price, score, history, is_stale=is_stale)
        return found


def _lacks_for_now(subject: Subject) -> bool:
    """Whether an input of *subject* cannot be had for a reason that passes."""
    return any(reason.partition(":")[0].replace(" ", "_") in _PASSING for reason in subject.unavailable.values())


def _said(error: ProviderError) -> str:
    logger.info("score.part_missing", extra={"ticker": error.ticker, "reason": error.reason})
    return f"{error.reason.replace('_', ' ')}: {error.detail}"
