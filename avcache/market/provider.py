"""The seam to a source of prices, and what every source must deliver."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import pandas as pd

from avcache.errors import ProviderError

__all__ = ["COLUMNS", "PriceHistory", "PriceProvider", "validate"]

COLUMNS = ("open", "high", "low", "close", "adj_close", "volume")
_FEWEST_ROWS = 2


@dataclass(frozen=True, slots=True, eq=False)
class PriceHistory:
    """
    The daily prices of one ticker.

    `prices`: one row per session, ascending, index `date` (unique, no zone), float64 columns
    `open high low close adj_close volume`, NaN where the source has none. Prices are in `currency` (None if
    the source does not say); `adj_close` is adjusted for splits and dividends. Treat the frame as
    read-only.
    """

    ticker: str
    prices: pd.DataFrame
    currency: str | None


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

    def history(self, ticker: str) -> PriceHistory:
        """
        Return the prices of *ticker*, about five years.

        Raises:
            ProviderError: There are none; its `reason` says why.
        """

    def fundamentals(self, ticker: str) -> dict[str, float] | None:
        """
        Return what is known of `forwardPE`, `pegRatio`, `trailingPegRatio` (finite numbers); None if
        nothing is.

        Raises:
            ProviderError: The source gave no usable answer.
        """


def validate(history: PriceHistory) -> None:
    """
    Refuse a *history* that must not be cached.

    Raises:
        ProviderError: `no_data` for fewer than 2 rows; `upstream_error` for dates that do not increase or a
            last close that is not finite and more than 0.
    """
    prices = history.prices
    if len(prices) < _FEWEST_ROWS:
        raise ProviderError(history.ticker, "no_data", f"{len(prices)} sessions, at least {_FEWEST_ROWS} needed")
    if not (prices.index.is_monotonic_increasing and prices.index.is_unique):
        raise ProviderError(history.ticker, "upstream_error", "the session dates do not increase")
    last = float(prices["close"].iloc[-1])
    if not (math.isfinite(last) and last > 0):
        raise ProviderError(history.ticker, "upstream_error", f"the last close is {last}")
