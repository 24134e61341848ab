"""What the cache holds of some tickers: read to be shown, loaded only on request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from avcache.backends.base import MISS
from avcache.core.peek import Peek
from avcache.errors import ProviderError
from avcache.market.provider import PriceHistory
from avcache.market.scoring import Score
from avcache.runtime import Runtime

__all__ = ["MOST_TICKERS", "CachedScores", "load_scores", "read_cached", "read_history"]

MOST_TICKERS: Final = 100
"""So many are ranked at a time."""

_TREND_ROWS = 126
_BATCH = 4


@dataclass(frozen=True, slots=True, eq=False)
class CachedScores:
    """
    What the cache holds of some tickers; none of it was loaded to be shown.

    *entries* has the age of each of *scores*; *trends* the adjusted closes of six months, where the history
    is cached; *missing* the tickers without a score, in the order asked for.
    """

    scores: Mapping[str, Score]
    entries: Mapping[str, Peek]
    trends: Mapping[str, list[float]]
    missing: tuple[str, ...]


def read_cached(runtime: Runtime, tickers: Sequence[str]) -> CachedScores:
    """Read those scores of *tickers* that are cached, each counted as a read. Loads nothing that is not there."""
    market, cache = runtime.market, runtime.cache
    entries = _present(runtime, "momentum", tickers, market.sources["momentum"])
    scores: dict[str, Score] = {}
    for ticker in entries:
        try:
            scores[ticker] = market.score(ticker)
        except ProviderError:  # it has expired since the look, and could not be loaded
            continue
    trends: dict[str, list[float]] = {}
    for ticker in _present(runtime, "history", tuple(scores), market.sources["history"]):
        record = cache.peek_value(f"history:{ticker}")
        if record is not MISS:
            trends[ticker] = record["prices"]["adj_close"].dropna().tail(_TREND_ROWS).tolist()
    missing = tuple(ticker for ticker in tickers if ticker not in scores)
    return CachedScores(scores, entries, trends, missing)


def read_history(runtime: Runtime, ticker: str) -> PriceHistory | None:
    """Return the prices of *ticker* if they are cached, counted as a read."""
    if not _present(runtime, "history", [ticker], runtime.market.sources["history"]):
        return None
    try:
        return runtime.market.history(ticker)
    except ProviderError:  # as above: expired since the look
        return None


def load_scores(runtime: Runtime, tickers: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Load the scores of *tickers* a few at a time; yield how many are done and what failed by then."""
    failed: dict[str, str] = {}
    for start in range(0, len(tickers), _BATCH):
        for ticker, found in runtime.market.scores(tickers[start : start + _BATCH]).items():
            if isinstance(found, ProviderError):
                failed[ticker] = f"{found.reason.replace('_', ' ')}: {found.detail}"
        yield min(start + _BATCH, len(tickers)), dict(failed)


def _present(runtime: Runtime, namespace: str, tickers: Sequence[str], source: str) -> dict[str, Peek]:
    """The entries from which reads of *tickers* are answered: one of another source would be a miss."""
    looked = runtime.cache.peek_many([f"{namespace}:{ticker}" for ticker in tickers])
    return {
        ticker: entry
        for ticker, entry in zip(tickers, looked, strict=True)
        if entry is not None and not entry.is_foreign and entry.source == source
    }
