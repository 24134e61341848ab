"""Bundled real prices: 25 US stocks and ^GSPC, 2018-01-02 .. 2022-12-28, no network."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from importlib import resources

import pandas as pd

from avcache.errors import ProviderError
from avcache.market.provider import COLUMNS, Figures, PriceHistory, each

__all__ = ["SampleProvider"]


class SampleProvider:
    """The prices of `market/data/prices_daily.parquet`: see the README there; not for investment."""

    name = "sample"
    benchmark = "^GSPC"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loaded: dict[str, pd.DataFrame] | None = None

    @property
    def label(self) -> str:
        """E.g. "Sample prices, last day 2022-12-28"."""
        last_day = max(frame.index[-1] for frame in self._frames().values())
        return f"Sample prices, last day {last_day:%Y-%m-%d}"

    @property
    def tickers(self) -> tuple[str, ...]:
        """The stocks, sorted, without the benchmark."""
        return tuple(sorted(self._frames().keys() - {self.benchmark}))

    def current(self) -> SampleProvider:
        """Return this provider."""
        return self

    def history(self, ticker: str) -> PriceHistory:
        """
        Return the prices of *ticker* in US dollars; the frame is the caller's own.

        Raises:
            ProviderError: `unknown`: *ticker* is not in the sample.
        """
        frames = self._frames()
        if ticker not in frames:
            raise ProviderError(ticker, "unknown", f"not among the {len(self.tickers)} stocks of the sample")
        return PriceHistory(ticker, frames[ticker].copy(), "USD")

    def histories(self, tickers: Sequence[str]) -> dict[str, PriceHistory | ProviderError]:
        """Return the prices of each of *tickers*, or that it is `unknown`."""
        return each(tickers, self.history)

    def fundamentals(self, tickers: Sequence[str]) -> dict[str, Figures | ProviderError]:
        """Return nothing for each: the sample holds prices only."""
        return {ticker: {} for ticker in tickers}

    def _frames(self) -> dict[str, pd.DataFrame]:
        with self._lock:
            if self._loaded is None:
                self._loaded = _read()
            return self._loaded


def _read() -> dict[str, pd.DataFrame]:
    source = resources.files("avcache.market") / "data" / "prices_daily.parquet"
    with resources.as_file(source) as path:
        table = pd.read_parquet(path)
    return {
        str(ticker): rows.set_index(pd.DatetimeIndex(rows["date"], name="date").as_unit("ns"))[list(COLUMNS)]
        .astype("float64")
        .sort_index()
        for ticker, rows in table.groupby("ticker", observed=True)
    }
