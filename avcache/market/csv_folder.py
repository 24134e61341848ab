"""Prices from a folder of files, one per ticker: for people with data of their own."""

from __future__ import annotations

import csv
import io
import math
import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from avcache.clock import Clock
from avcache.errors import ConfigError, FailureReason, ProviderError
from avcache.market.provider import COLUMNS, Figures, PriceHistory, each
from avcache.market.tickers import shortened, ticker_or_none

if TYPE_CHECKING:
    from _csv import Reader

__all__ = ["CsvProvider"]

_SUFFIXES = {".csv", ".parquet"}
_MOST_BYTES = 50_000_000
_MOST_ROWS = 100_000
"""Four hundred years of sessions; a few kilobytes of Parquet can say they are a billion rows."""
_MOST_SESSIONS = 10 * 260
"""Ten years: more than any measure looks back, and what the cache still takes."""
_MOST_NAMED = 12
_SHOWN_CHARACTERS = 40
_SETTLED: Final = 2.0
"""Seconds after which a change gets a new modification time on every file system (FAT counts in twos)."""

_DATE_WORDS = ("date", "datetime", "timestamp", "time")
_UNNAMED = {"", "unnamed:0", "indexlevel0"}
"""How pandas writes an index without a name: to CSV, twice to CSV, to Parquet (spaces and underscores taken out)."""
_NUMBER_WORDS: Mapping[str, set[str]] = {
    **{name: {name} for name in ("open", "high", "low", "close", "volume")},
    "adj_close": {"adjclose", "adjusted", "adjustedclose"},
}
_BLANKS = {"", "-", "na", "n/a", "#n/a", "nan", "null", "none"}
# Groups of three only: 101,5 is a decimal comma, and must not become 1015.
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")
_TIME_OF_DAY = re.compile(r"[T ]\d{1,2}:\d{2}.*$")
_FORMATS = (
    *("%Y/%m/%d", "%Y.%m.%d", "%d %b %Y", "%d-%b-%Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y"),
    *("%m/%d/%Y", "%d/%m/%Y", "%m-%d-%Y", "%d-%m-%Y", "%d.%m.%Y"),
)
_YEARS = range(1800, 2200)


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
        return f"Own prices, {count} ticker{'' if count == 1 else 's'}" + (f", last day {last_day}" if last_day else "")

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
        table = _parquet_table(file) if file.name.lower().endswith(".parquet") else _csv_table(file)
        return PriceHistory(file.ticker, _frame(table), self._currency, fetched_at)

    def histories(self, tickers: Sequence[str]) -> dict[str, PriceHistory | ProviderError]:
        """Return the prices of each of *tickers*, or why there are none."""
        return each(tickers, self.history)

    def fundamentals(self, tickers: Sequence[str]) -> dict[str, Figures | ProviderError]:
        """Return nothing for each: the files hold prices only."""
        return {ticker: {} for ticker in tickers}

    def _load(self, ticker: str) -> _File:
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
        return _File(known, names[0], _content(known, listing.root, names[0]))

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


@dataclass(frozen=True, slots=True)
class _File:
    ticker: str
    name: str
    content: bytes

    def error(self, detail: str, reason: FailureReason = "upstream_error") -> ProviderError:
        return ProviderError(self.ticker, reason, f"{self.name}: {detail}")


@dataclass(frozen=True, slots=True)
class _Table:
    """The cells of a file by what they are (`date`, or one of COLUMNS), and the numbers of their lines (*unit*)."""

    file: _File
    columns: Mapping[str, Sequence[object]]
    lines: Sequence[int]
    unit: str

    def error(self, row: int, detail: str) -> ProviderError:
        return self.file.error(f"{self.unit} {self.lines[row]}: {detail}")


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


def _csv_table(file: _File) -> _Table:
    try:
        text = file.content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise file.error("not UTF-8; allowed is UTF-8 text, separated by commas") from exc
    # Strict: a quote that is never closed would swallow all lines after it.
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        return _table_of(file, reader)
    except csv.Error as exc:
        raise file.error(f"line {reader.line_num}: {exc}; allowed is UTF-8 text, separated by commas") from exc


def _table_of(file: _File, reader: Reader) -> _Table:
    headings = next(reader, [])
    if not headings:
        raise file.error("empty; allowed is a line of headings, then one line per day", "no_data")
    places = _places(file, headings)
    rows: list[list[str]] = []
    lines: list[int] = []
    for cells in reader:
        if not any(map(str.strip, cells)):
            continue
        # Such as a thousands separator without quotes, after which every number stands in the wrong column.
        if any(map(str.strip, cells[len(headings) :])):
            raise file.error(f"line {reader.line_num}: {len(cells)} cells, but {len(headings)} headings")
        rows.append(cells + [""] * (len(headings) - len(cells)))
        lines.append(reader.line_num)
        if len(rows) > _MOST_ROWS:
            raise _too_long(file)
    columns = {role: [cells[place] for cells in rows] for role, place in places.items()}
    return _Table(file, columns, lines, "line")


def _parquet_table(file: _File) -> _Table:
    import pyarrow as pa  # noqa: PLC0415 - loads on first use
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        source = pq.ParquetFile(io.BytesIO(file.content))
        if source.metadata.num_rows > _MOST_ROWS:
            raise _too_long(file)
        headings = [str(name) for name in source.schema_arrow.names]
        places = _places(file, headings)
        found = source.read(columns=[headings[place] for place in places.values()])
        columns = {role: found.column(headings[place]).to_pylist() for role, place in places.items()}
    except (pa.ArrowException, OSError, ValueError, OverflowError) as exc:
        raise file.error("cannot be read; allowed is a Parquet file with one row per day") from exc
    return _Table(file, columns, range(1, found.num_rows + 1), "row")


def _too_long(file: _File) -> ProviderError:
    return file.error(f"more than {_MOST_ROWS:,} rows; allowed is one per day")


def _places(file: _File, headings: Sequence[str]) -> dict[str, int]:
    """Where each known column stands, `date` and one of `close` and `adj_close` for certain."""
    words = [re.sub(r"[\s_-]+", "", heading).casefold() for heading in headings]
    found = {role: [i for i, word in enumerate(words) if word in known] for role, known in _NUMBER_WORDS.items()}
    named = (word for word in _DATE_WORDS if word in words)
    unnamed = (word for word in words if word in _UNNAMED)
    date_word = next(named, None)
    if date_word is not None:
        found["date"] = [i for i, word in enumerate(words) if word == date_word]
    else:
        found["date"] = [words.index(word) for word in unnamed][:1]
    for role, places in found.items():
        if len(places) > 1:
            raise file.error(f"{len(places)} columns for {role}: {_named([headings[i] for i in places])}; allowed is 1")
    if not found["date"]:
        raise file.error(f"no date column among {_named(headings)}; allowed headings are {', '.join(_DATE_WORDS)}")
    if not found["close"] and not found["adj_close"]:
        raise file.error(f"no close column among {_named(headings)}; allowed headings are close and adj close")
    return {role: places[0] for role, places in found.items() if places}


def _named(headings: Sequence[str]) -> str:
    names = ", ".join(_shown(heading) for heading in headings[:_MOST_NAMED])
    more = len(headings) - _MOST_NAMED
    return names + (f" and {more} more" if more > 0 else "")


def _shown(cell: object) -> str:
    return repr(shortened(str(cell), _SHOWN_CHARACTERS))


def _frame(table: _Table) -> pd.DataFrame:
    """
    The prices of *table* as `PriceHistory` wants them: rows with a close only, ascending.

    Raises:
        ProviderError: `no_data`: no row has a close; `upstream_error`: a cell is not what it should be, or a day
            stands there twice.
    """
    days = _days(table)
    cells = {role: _numbers(table, role) for role in table.columns if role != "date"}
    cells.setdefault("close", cells.get("adj_close", []))
    cells.setdefault("adj_close", cells["close"])
    index = pd.DatetimeIndex(np.array(days, dtype="datetime64[D]").astype("datetime64[ns]"), name="date")
    frame = pd.DataFrame(cells, index=index, columns=list(COLUMNS), dtype="float64")
    frame = frame[frame["close"].notna()].sort_index().tail(_MOST_SESSIONS)
    if frame.empty:
        raise table.file.error(f"none of its {len(days)} rows has a close; at least one is needed", "no_data")
    if not frame["volume"].any():
        frame["volume"] = np.nan
    return frame


def _numbers(table: _Table, role: str) -> list[float]:
    numbers = []
    for row, cell in enumerate(table.columns[role]):
        try:
            numbers.append(_number(cell))
        except (ValueError, OverflowError) as exc:
            allowed = "allowed are 1234.5, 1,234.5 in quotes, or nothing"
            raise table.error(row, f"{role} {_shown(cell)} is no number; {allowed}") from exc
    return numbers


def _number(cell: object) -> float:
    """*cell* as a number, NaN if nothing is there; raises ValueError or OverflowError if it is none."""
    if cell is None:
        return math.nan
    if isinstance(cell, str):
        return _written_number(cell.strip())
    if isinstance(cell, bool) or not isinstance(cell, int | float | Decimal):
        raise ValueError
    return _not_infinite(float(cell))


def _written_number(text: str) -> float:
    if text.lower() in _BLANKS:
        return math.nan
    return _not_infinite(float(text.replace(",", "") if _THOUSANDS.fullmatch(text) else text))


def _not_infinite(number: float) -> float:
    if math.isinf(number):
        raise ValueError
    return number


def _days(table: _Table) -> list[date]:
    """The day of each row, all different: as written, whatever its zone."""
    cells = table.columns["date"]
    readings = [[_iso_day(cell) for cell in cells]]
    if None in readings[0]:
        readings += _written_days(cells)
    complete = [days for days in ([day for day in reading if day] for reading in readings) if len(days) == len(cells)]
    if not complete:
        closest = max(readings, key=lambda reading: len(reading) - reading.count(None))
        row = closest.index(None)
        raise table.error(row, f"date {_shown(cells[row])} is none; allowed are dates such as 2024-05-03")
    for other in complete[1:]:
        row = next((i for i, (one, two) in enumerate(zip(complete[0], other, strict=True)) if one != two), -1)
        if row >= 0:
            raise table.error(row, f"date {_shown(cells[row])} may be {complete[0][row]} or {other[row]}; write one")
    _refuse_repetition(table, complete[0])
    return complete[0]


def _iso_day(cell: object) -> date | None:
    try:
        moment = datetime.fromisoformat(cell.strip()) if isinstance(cell, str) else cell
        day = moment.date() if isinstance(moment, datetime) else moment  # the date of NaT is a ValueError
    except ValueError:
        return None
    return day if isinstance(day, date) and day.year in _YEARS else None


def _written_days(cells: Sequence[object]) -> list[list[date | None]]:
    """*cells* as each of _FORMATS reads them: a file keeps to one, so its other lines tell what 03/05/2024 is."""
    texts = [_TIME_OF_DAY.sub("", cell.strip()) if isinstance(cell, str) else "" for cell in cells]
    return [
        [_iso_day(day) for day in pd.to_datetime(pd.Series(texts), format=form, errors="coerce")] for form in _FORMATS
    ]


def _refuse_repetition(table: _Table, days: Sequence[date]) -> None:
    seen: set[date] = set()
    for row, day in enumerate(days):
        if day in seen:
            raise table.error(row, f"{day} stands there twice; allowed is one row per day")
        seen.add(day)
