"""Which tickers are read most, among the last accesses of this process. Pure."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from avcache.core.accesses import HIT, LOAD, MISSED, STALE, Columns
from avcache.errors import InvalidInput
from avcache.market.caching import ticker_of

__all__ = ["MOST_TICKERS", "NAMESPACES", "TickerActivity", "TopTickers", "top_tickers"]

NAMESPACES: Final = frozenset({"price", "history", "momentum", "fundamentals"})
"""Those whose keys name a ticker, up to an @."""

MOST_TICKERS: Final = 1000

_Ints = npt.NDArray[np.integer[Any]]
_KINDS = 4
_UNNAMED = ""


@dataclass(frozen=True, slots=True)
class TickerActivity:
    """
    What became of the reads of one ticker, in all namespaces that know it.

    Attributes:
        hit_rate: Share of reads answered from the cache, 0 to 1.
        load_seconds: Time spent in *loads*, together.
    """

    ticker: str
    reads: int
    hit_rate: float
    loads: int
    load_seconds: float


@dataclass(frozen=True, slots=True)
class TopTickers:
    """
    The most read tickers of one process.

    Attributes:
        rows: Most read first; equals by name.
        reads: Of all tickers, shown or not, and of keys without a name.
        unnamed_reads: Of keys whose names the ring had no room for; no row has them.
        since: When the first of these reads and loads was, wall clock; None without any.
        pid: Whose they are: this process alone, however many share the store.
    """

    rows: tuple[TickerActivity, ...]
    reads: int
    unnamed_reads: int
    since: float | None
    pid: int


def top_tickers(columns: Columns, number: int, since: float | None = None) -> TopTickers:
    """
    Add up the accesses in *columns* from *since* on (wall clock; None: all), and return the *number* most read tickers.

    Raises:
        InvalidInput: *number* is none from 1 to 1000.
    """
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= MOST_TICKERS:
        raise InvalidInput("number", number, f"a whole number from 1 to {MOST_TICKERS}")
    rows = _rows(columns, since)
    keys, known = pd.factorize(columns.keys[rows])
    tickers: dict[str, int] = {_UNNAMED: 0}
    of_row = np.fromiter(_places(known.tolist(), columns.names, tickers), np.int64, known.size)[keys]
    kinds = columns.kinds[rows]
    counts = np.bincount(of_row * _KINDS + kinds, minlength=len(tickers) * _KINDS).reshape(-1, _KINDS)
    is_load = kinds == LOAD
    seconds = np.bincount(of_row[is_load], columns.seconds[rows][is_load], len(tickers))
    reads = counts[:, [HIT, STALE, MISSED]].sum(axis=1)
    best = _most(reads.tolist(), tickers, number)
    return TopTickers(
        rows=tuple(_activity(ticker, counts[place], float(seconds[place])) for ticker, place in best),
        reads=int(reads.sum()),
        unnamed_reads=int(reads[0]),
        since=float(columns.at[rows].min()) if rows.size else None,
        pid=os.getpid(),
    )


def _rows(columns: Columns, since: float | None) -> _Ints:
    """Which accesses count."""
    is_wanted = np.array([name in NAMESPACES for name in columns.namespace_names], np.bool_)[columns.namespaces]
    if since is not None:
        is_wanted &= columns.at >= since
    return np.flatnonzero(is_wanted)


def _places(keys: Iterable[int], names: Mapping[int, str], tickers: dict[str, int]) -> Iterator[int]:
    """The place of each key's ticker in *tickers*, which takes in those that it does not have."""
    for key in keys:
        ticker = ticker_of(names.get(key, _UNNAMED))
        yield tickers.setdefault(ticker, len(tickers))


def _most(reads: Sequence[int], tickers: Mapping[str, int], number: int) -> list[tuple[str, int]]:
    """The most read of *tickers*, with their places."""
    ranked = nsmallest(number, ((-reads[place], ticker) for ticker, place in tickers.items() if place and reads[place]))
    return [(ticker, tickers[ticker]) for _, ticker in ranked]


def _activity(ticker: str, counts: _Ints, load_seconds: float) -> TickerActivity:
    answered, reads = int(counts[HIT] + counts[STALE]), int(counts[HIT] + counts[STALE] + counts[MISSED])
    return TickerActivity(ticker, reads, answered / reads, int(counts[LOAD]), load_seconds)
