"""Prices from a folder of files, one per ticker: for people with data of their own."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from avcache.clock import Clock
from avcache.errors import ConfigError, ProviderError
from avcache.formats import counted
from avcache.market.price_file import PriceFile, read_prices
from avcache.market.provider import Figures, PriceHistory, each
from avcache.market.tickers import shortened, ticker_or_none

__all__ = ["CsvProvider"]

_SUFFIXES = {".csv", ".parquet"}
_MOST_BYTES = 50_000_000
_SETTLED: Final = 2.0
"""Seconds after which a change gets a new modification time on every file system (FAT counts in twos)."""


class CsvProvider:
    """
    The prices in the files `<TICKER>.csv` and `<TICKER>.parquet` of *folder*; every call reads its files anew.

    Columns go by their headings, whatever their case, with spaces, underscores or dashes: date (datetime,
    timestamp, time, or the first column without a heading), open, high, low, close, adj close (adjusted, adjusted
    close), volume. A date and one of close and adj close are needed. CSV is UTF-8, separated by commas. A ticker in
    two files is an error: none of them is known to be the newer. Sub-folders and links out of the folder are ignored.

    Args:
        currency: That of all prices, such as "USD".
        clock: Wall-clock time.

    Raises:
        ConfigError: *folder* cannot be read.
    """

    name = "csv"

    def __init__(self, folder: Path, currency: str | None = None, *, clock: Clock = time.time) -> None:
        self._folder = folder
        self._currency = currency
        self._clock = clock
        try:
            self._listing = _list(folder, clock())
        except (OSError, ValueError, RuntimeError) as exc:  # a path may hold a zero byte, or links in a circle
            why = getattr(exc, "strerror", None) or str(exc)
            raise ConfigError(
                f"AVCACHE_CSV_DIR={shortened(str(folder), 200)!r}: {why}; "
                "a folder is allowed that exists, can be read, and holds files such as AAPL.csv or MSFT.parquet"
            ) from exc
        self._last_day: tuple[object, str] | None = None

    @property
    def benchmark(self) -> str:
        """`^GSPC` if the folder has it, else `SPY`."""
        return "^GSPC" if "^GSPC" in self._known().files else "SPY"

    @property
    def label(self) -> str:
        """E.g. "Own prices, 12 tickers, last day 2024-05-03"; the day is that of the benchmark, if there is one."""
        count = len(self._known().files)
        last_day = self._last_day_of(self.benchmark)
        return f"Own prices, {counted(count, 'ticker')}" + (f", last day {last_day}" if last_day else "")

    @property
    def tickers(self) -> tuple[str, ...]:
        """Those there is a file for, sorted."""
        return tuple(sorted(self._known().files))

    def current(self) -> CsvProvider:
        """Return this provider."""
        return self

    def history(self, ticker: str) -> PriceHistory:
        """
        Return the last ten years of the file of *ticker*; the frame is the caller's own.

        Raises:
            ProviderError: `unknown`: there is no such file; `no_data`: no row has a close; `upstream_error`: the file
                is broken. Names the file, without its folder.
        """
        fetched_at = self._clock()
        file = self._load(ticker)
        return PriceHistory(file.ticker, read_prices(file), self._currency, fetched_at)

    def histories(self, tickers: Sequence[str]) -> dict[str, PriceHistory | ProviderError]:
        """Return the prices of each of *tickers*, or why there are none."""
        return each(tickers, self.history)

    def fundamentals(self, tickers: Sequence[str]) -> dict[str, Figures | ProviderError]:
        """Return nothing for each: the files hold prices only."""
        return {ticker: {} for ticker in tickers}

    def _load(self, ticker: str) -> PriceFile:
        try:
            listing = self._listed()
        except (OSError, RuntimeError) as exc:
            raise ProviderError(shortened(ticker), "upstream_error", "AVCACHE_CSV_DIR cannot be read now") from exc
        known = ticker_or_none(ticker)
        names = listing.files.get(known, ()) if known else ()
        if known is None or not names:
            total = len(listing.files)
            raise ProviderError(shortened(ticker), "unknown", f"no file among the {total} tickers of AVCACHE_CSV_DIR")
        if len(names) > 1:
            raise ProviderError(known, "upstream_error", f"{', '.join(names)}: one file per ticker is allowed")
        return PriceFile(known, names[0], _content(known, listing.root, names[0]))

    def _listed(self) -> _Listing:
        """The files that are there now; the folder is read only if it changed, or changed a moment before the last."""
        listing = self._listing
        if not listing.is_settled or _stamp(self._folder) != listing.stamp:
            listing = self._listing = _list(self._folder, self._clock())
        return listing

    def _known(self) -> _Listing:
        """The files that are there now, or were when the folder could last be read."""
        try:
            return self._listed()
        except (OSError, RuntimeError):
            return self._listing

    def _last_day_of(self, ticker: str) -> str | None:
        listing = self._known()
        try:
            found = (listing.root / listing.files[ticker][0]).stat()
            stamp = (ticker, found.st_ino, found.st_size, found.st_mtime_ns)
            if self._last_day is None or self._last_day[0] != stamp:
                self._last_day = (stamp, self.history(ticker).as_of)
        except (KeyError, OSError, ProviderError):
            return None
        return self._last_day[1]


@dataclass(frozen=True, slots=True)
class _Listing:
    """What a folder held: by ticker the names of its files, which lie in *root*."""

    root: Path
    stamp: tuple[int, ...]
    files: Mapping[str, tuple[str, ...]]
    is_settled: bool


def _stamp(folder: Path) -> tuple[int, ...]:
    found = folder.stat()
    return found.st_dev, found.st_ino, found.st_mtime_ns


def _list(folder: Path, now: float) -> _Listing:
    # The stamp first: what changes from here on is seen the next time.
    stamp = _stamp(folder)
    root = folder.resolve(strict=True)
    files: dict[str, tuple[str, ...]] = {}
    with os.scandir(root) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            ticker = _ticker_of(entry, root)
            if ticker is not None:
                files[ticker] = (*files.get(ticker, ()), entry.name)
    return _Listing(root, stamp, files, is_settled=now - stamp[-1] / 1e9 > _SETTLED)


def _ticker_of(entry: os.DirEntry[str], root: Path) -> str | None:
    stem, suffix = os.path.splitext(entry.name)  # noqa: PTH122 - most entries of a large folder need no Path
    if suffix.lower() not in _SUFFIXES:
        return None
    ticker = ticker_or_none(stem)
    return ticker if ticker and _real_file(root, entry.name) else None


def _real_file(root: Path, name: str) -> Path | None:
    """The file behind *name*, None if that is no file, or lies elsewhere."""
    try:
        real = (root / name).resolve(strict=True)
        return real if real.is_relative_to(root) and real.is_file() else None
    except (OSError, RuntimeError):
        return None


def _content(ticker: str, root: Path, name: str) -> bytes:
    # Again, since a link may have been put in its place.
    path = _real_file(root, name)
    if path is None:
        raise ProviderError(ticker, "upstream_error", f"{name}: no longer a file of the folder")
    try:
        with path.open("rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
    except OSError as exc:
        raise ProviderError(ticker, "upstream_error", f"{name}: cannot be read: {exc.strerror}") from exc
    if len(content) > _MOST_BYTES:
        raise ProviderError(ticker, "upstream_error", f"{name}: larger than {_MOST_BYTES // 1_000_000} MB")
    return content
