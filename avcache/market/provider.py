"""The seam to a source of prices, and what every source must deliver."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Protocol, TypeVar

import msgspec
import pandas as pd

from avcache.errors import ProviderError
from avcache.formats import counted

__all__ = [
    "AROUND_THE_CLOCK",
    "COLUMNS",
    "Day",
    "Figures",
    "PriceHistory",
    "PriceProvider",
    "each",
    "source_of",
    "validate",
]

T = TypeVar("T")

AROUND_THE_CLOCK = "around the clock"
"""The zone of what trades when exchanges are closed: futures, currencies, coins."""

COLUMNS = ("open", "high", "low", "close", "adj_close", "volume")
_FEWEST_ROWS = 2
_LARGEST_JUMP = 100

Day = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])\Z")]
"""An ISO date; in a record that is read from a cache, nothing else passes for one."""

Figures = dict[str, float | str]
"""Fundamentals by Yahoo's names: finite numbers (`forwardPE`, `yield`…) and words (`quoteType`…)."""


@dataclass(frozen=True, slots=True, eq=False)
class PriceHistory:
    """
    The daily prices of one ticker.

    `prices`: one row per session, ascending, index `date` (unique, no zone), float64 columns
    `open high low close adj_close volume`, NaN where the source has none. Prices are in `currency` (None if
    the source does not say); `adj_close` is adjusted for splits and dividends. Treat the frame as
    read-only.

    Attributes:
        fetched_at: When the source was asked, epoch seconds; 0 if it does not matter (a file that never changes).
        is_complete: Whether the last session had ended by then; if not, its bar still changes.
        last_split: The ISO date of the newest split in `prices`, None if there is none.
        zone: The time zone of its exchange, such as "America/New_York", or `AROUND_THE_CLOCK`; None if the source does
            not say.
    """

    ticker: str
    prices: pd.DataFrame
    currency: str | None
    fetched_at: float = 0.0
    is_complete: bool = True
    last_split: str | None = None
    zone: str | None = None

    @property
    def as_of(self) -> str:
        """The ISO date of the last session."""
        return str(self.prices.index[-1].date().isoformat())


class PriceProvider(Protocol):
    """A source of prices. All methods may be called from several threads."""

    @property
    def name(self) -> str:
        """One word; entries of different sources never mix in the cache."""

    @property
    def benchmark(self) -> str:
        """The ticker of this source that stands for the market."""

    @property
    def label(self) -> str:
        """A short text for people, such as "Yahoo live"."""

    def current(self) -> PriceProvider:
        """Return the provider to use for one whole operation, so that no operation mixes two sources."""

    def histories(self, tickers: Sequence[str]) -> dict[str, PriceHistory | ProviderError]:
        """
        Return about five years of prices of each of *tickers*, or why there are none; never raises for one of them.

        The reason of an error is its outcome: `unknown` only if the source itself says that there is no such ticker.
        """

    def fundamentals(self, tickers: Sequence[str]) -> dict[str, Figures | ProviderError]:
        """Return what is known of each of *tickers* besides its prices (nothing, maybe), or why no answer was had."""


def source_of(provider: PriceProvider) -> str:
    """
    Return under which source the prices of *provider* are kept: its name, unless it has an `edition`, whose prices must
    not mix with those of its others.
    """
    edition: str = getattr(provider, "edition", provider.name)
    return edition


def each(tickers: Iterable[str], fetch: Callable[[str], T]) -> dict[str, T | ProviderError]:
    """What *fetch* brings for each of *tickers*, one after the other."""
    found: dict[str, T | ProviderError] = {}
    for ticker in tickers:
        try:
            found[ticker] = fetch(ticker)
        except ProviderError as exc:
            found[ticker] = exc
    return found


def validate(history: PriceHistory, previous: PriceHistory | None = None) -> None:
    """
    Refuse a *history* that must not be cached.

    Args:
        previous: What is cached of the same ticker, if anything is.

    Raises:
        ProviderError: `no_data` for fewer than 2 rows; `upstream_error` for dates that do not increase, an adjusted
            close of 0 or less, a last close that is not finite and more than 0, or one a hundred times that of
            *previous* (or a hundredth) in the same currency without a split in between.
    """
    ticker, prices = history.ticker, history.prices
    if len(prices) < _FEWEST_ROWS:
        raise ProviderError(ticker, "no_data", f"{counted(len(prices), 'session')}, at least {_FEWEST_ROWS} needed")
    if not (prices.index.is_monotonic_increasing and prices.index.is_unique):
        raise ProviderError(ticker, "upstream_error", "the session dates do not increase")
    last = float(prices["close"].iloc[-1])
    if not (math.isfinite(last) and last > 0):
        raise ProviderError(ticker, "upstream_error", f"the last close is {last}")
    if (prices["adj_close"] <= 0).any():
        raise ProviderError(ticker, "upstream_error", "there are adjusted closes of 0 or less")
    if previous is not None and previous.currency == history.currency and _jumped(history, previous):
        before = float(previous.prices["close"].iloc[-1])
        raise ProviderError(ticker, "upstream_error", f"the close went from {before:g} to {last:g} without a split")


def _jumped(history: PriceHistory, previous: PriceHistory) -> bool:
    before, last = float(previous.prices["close"].iloc[-1]), float(history.prices["close"].iloc[-1])
    has_split = history.last_split is not None and history.last_split > previous.as_of
    return not has_split and not 1 / _LARGEST_JUMP < last / before < _LARGEST_JUMP
