"""The prices in one file, CSV or Parquet, whatever its headings and dates look like."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from avcache.errors import FailureReason, ProviderError
from avcache.market.provider import COLUMNS
from avcache.market.tickers import shortened

if TYPE_CHECKING:
    from _csv import Reader

__all__ = ["PriceFile", "read_prices"]

_MOST_ROWS = 100_000
"""Four hundred years of sessions; a few kilobytes of Parquet can say they are a billion rows."""
_MOST_SESSIONS = 10 * 260
"""Ten years: more than any measure looks back, and what the cache still takes."""
_MOST_NAMED = 12
_SHOWN_CHARACTERS = 40

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


@dataclass(frozen=True, slots=True)
class PriceFile:
    """What lies in the file *name*, with the prices of *ticker*."""

    ticker: str
    name: str
    content: bytes

    def error(self, detail: str, reason: FailureReason = "upstream_error") -> ProviderError:
        return ProviderError(self.ticker, reason, f"{self.name}: {detail}")


def read_prices(file: PriceFile) -> pd.DataFrame:
    """
    Return the prices in *file*, of the last ten years, as `PriceHistory` wants them.

    Raises:
        ProviderError: `no_data`: no row has a close; `upstream_error`: the file is broken. Names it, and the line.
    """
    is_parquet = file.name.lower().endswith(".parquet")
    return _prices(_parquet_table(file) if is_parquet else _csv_table(file))


@dataclass(frozen=True, slots=True)
class _Table:
    """The cells of a file by what they are (`date`, or one of COLUMNS), and the numbers of their lines (*unit*)."""

    file: PriceFile
    columns: Mapping[str, Sequence[object]]
    lines: Sequence[int]
    unit: str

    def error(self, row: int, detail: str) -> ProviderError:
        return self.file.error(f"{self.unit} {self.lines[row]}: {detail}")


def _csv_table(file: PriceFile) -> _Table:
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


def _table_of(file: PriceFile, reader: Reader) -> _Table:
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


def _parquet_table(file: PriceFile) -> _Table:
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


def _too_long(file: PriceFile) -> ProviderError:
    return file.error(f"more than {_MOST_ROWS:,} rows; allowed is one per day")


def _places(file: PriceFile, headings: Sequence[str]) -> dict[str, int]:
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


def _prices(table: _Table) -> pd.DataFrame:
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
