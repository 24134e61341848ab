"""What the cache holds of some tickers: read to be shown, loaded only on request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from avcache.backends.base import MISS
from avcache.core.peek import Peek
from avcache.errors import ProviderError
from avcache.market.freshness import Session
from avcache.market.provider import PriceHistory
from avcache.market.scoring import DEFAULT_PROFILE, Score
from avcache.runtime import Runtime

__all__ = [
    "CachedScores",
    "lacking_scores",
    "load_history",
    "load_scores",
    "read_beside",
    "read_cached",
    "read_history",
]

_TREND_ROWS: Final = 126
_MOST_TRENDS: Final = 100
_BATCH: Final = 4


@dataclass(frozen=True, slots=True, eq=False)
class CachedScores:
    """
    What the cache holds of some tickers; none of it was loaded to be shown.

    *entries* has the age of each of *scores*; *trends* the adjusted closes of six months, where the history
    is cached, of the 100 strongest; *missing* the tickers without a score, in the order asked for; *sessions* what the
    price behind each score is by the hours of its exchange, where these are known.
    """

    scores: Mapping[str, Score]
    entries: Mapping[str, Peek]
    trends: Mapping[str, list[float]]
    missing: tuple[str, ...]
    sessions: Mapping[str, Session | None] = field(default_factory=dict)

    @property
    def tickers(self) -> tuple[str, ...]:
        """All that were asked for: the universe in which the profile `factor` places them."""
        return (*self.scores, *self.missing)


def read_cached(runtime: Runtime, tickers: Sequence[str], profile: str = DEFAULT_PROFILE) -> CachedScores:
    """Read those scores of *tickers* that are cached, each counted as a read. Loads nothing that is not there."""
    entries, scores = _scores(runtime, tickers, profile, tickers)
    session = runtime.market.freshness.session
    sessions = {
        ticker: session(score.as_of, is_complete=score.bar_complete, zone=score.zone)
        for ticker, score in scores.items()
    }
    missing = tuple(ticker for ticker in tickers if ticker not in scores)
    return CachedScores(scores, entries, _trends(runtime, scores), missing, sessions)


def read_beside(runtime: Runtime, cached: CachedScores, tickers: Sequence[str], profile: str) -> dict[str, Score]:
    """Those scores of *tickers* that are cached: of *cached*, or else read now, in the same universe."""
    others = [ticker for ticker in tickers if ticker not in cached.tickers]
    read = _scores(runtime, others, profile, cached.tickers)[1] if others else {}
    known = {**cached.scores, **read}
    return {ticker: known[ticker] for ticker in tickers if ticker in known}


def read_history(runtime: Runtime, ticker: str) -> PriceHistory | None:
    """Return the prices of *ticker* if they are cached, counted as a read."""
    if not _with_history(runtime, [ticker]):
        return None
    try:
        return runtime.market.history(ticker)
    except ProviderError:  # it has expired since the look, and could not be loaded
        return None


def lacking_scores(runtime: Runtime, tickers: Sequence[str]) -> tuple[str, ...]:
    """Those of *tickers* whose score is not cached. Counts nothing."""
    kept = runtime.market.kept_scores(tickers)
    return tuple(ticker for ticker in tickers if ticker not in kept)


def load_history(runtime: Runtime, ticker: str) -> str | None:
    """Load the prices of *ticker*; say why that was not possible."""
    try:
        runtime.market.history(ticker)
    except ProviderError as exc:
        return _why(exc)
    return None


def load_scores(
    runtime: Runtime, tickers: Sequence[str], profile: str = DEFAULT_PROFILE, universe: Sequence[str] | None = None
) -> Iterator[tuple[int, dict[str, str]]]:
    """
    Load the scores of *tickers* a few at a time; yield how many are done and what failed by then.

    Args:
        universe: Among which tickers the profile `factor` places them; None: *tickers*.
    """
    failed: dict[str, str] = {}
    members = tuple(tickers if universe is None else universe)
    for start in range(0, len(tickers), _BATCH):
        batch = tickers[start : start + _BATCH]
        for ticker, found in runtime.market.scores(batch, profile=profile, universe=members).items():
            if isinstance(found, ProviderError):
                failed[ticker] = _why(found)
        yield min(start + _BATCH, len(tickers)), dict(failed)


def _scores(
    runtime: Runtime, tickers: Sequence[str], profile: str, universe: Sequence[str]
) -> tuple[dict[str, Peek], dict[str, Score]]:
    entries = runtime.market.kept_scores(tickers, profile=profile, universe=universe)
    found = runtime.market.scores(tuple(entries), profile=profile, universe=universe) if entries else {}
    # One that has expired since the look may be an error, if it could not be loaded.
    return entries, {ticker: score for ticker, score in found.items() if not isinstance(score, ProviderError)}


def _why(error: ProviderError) -> str:
    return f"{error.reason.replace('_', ' ')}: {error.detail}"


def _trends(runtime: Runtime, scores: Mapping[str, Score]) -> dict[str, list[float]]:
    strongest = sorted(scores, key=lambda ticker: -(scores[ticker].composite_score or 0.0))[:_MOST_TRENDS]
    trends: dict[str, list[float]] = {}
    for ticker in _with_history(runtime, strongest):
        record = runtime.cache.peek_value(f"history:{ticker}")
        if record is not MISS:
            trends[ticker] = record["prices"]["adj_close"].dropna().tail(_TREND_ROWS).tolist()
    return trends


def _with_history(runtime: Runtime, tickers: Sequence[str]) -> list[str]:
    """Those whose cached history reads are answered from: one of another source would be a miss."""
    source = runtime.market.sources["history"]
    looked = runtime.cache.peek_many([f"history:{ticker}" for ticker in tickers])
    return [
        ticker
        for ticker, entry in zip(tickers, looked, strict=True)
        if entry is not None and not entry.is_foreign and not entry.is_absent and entry.source == source
    ]
