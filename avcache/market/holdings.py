"""What is held, as typed, pasted or exported by a broker, and the key of a portfolio."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import TypeAlias

from avcache.errors import InvalidInput
from avcache.market.tickers import excerpt, shortened, ticker_or_none

__all__ = ["MOST_POSITIONS", "Holding", "fault_of", "parse_holdings", "portfolio_key"]

MOST_POSITIONS = 500
_MOST_CHARACTERS = 200_000
_LONGEST_LINE = 1000
"""What is longer is read as it is: normalising takes quadratic time where accents pile up."""
_LONGEST_CELL = 60

_SEPARATOR = re.compile(r"\s*[,;:]\s*|\s+")
# No thousands separators: "AAPL,100,150" is a line with a price in it, not 100,150 shares.
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_GROUPED = re.compile(r"[+-]?[1-9][0-9]{0,2}(,[0-9]{3})+(\.[0-9]*)?")

_FIRST_WORDS = frozenset({"ticker", "tickers", "symbol", "symbols", "stock", "instrument", "holding", "position"})
_TICKER_HEADINGS = (
    *("ticker", "tickers", "ticker symbol", "symbol", "symbols", "stock symbol"),
    *("instrument", "stock", "holding", "position", "security"),
)
"""The first of them that a heading has is the one: `Symbol,Stock` is a symbol and a name."""
_SHARES_HEADINGS = frozenset(
    {"shares", "share", "quantity", "qty", "units", "no of shares", "number of shares", "of shares", "share quantity"}
)
_COST_HEADINGS = frozenset(
    {"cost", "cost basis", "total cost", "cost basis total", "total cost basis", "costbasismoney", "cost basis money"}
)
_UNIT_COST_HEADINGS = frozenset(
    [
        *("price paid", "purchase price", "cost per share", "cost share", "cost basis per share", "unit cost"),
        *("cost price", "costbasisprice", "cost basis price"),
        *("average cost", "average price", "average cost basis", "average cost per share"),
        *("avg cost", "avg price", "avg cost basis", "avg cost per share"),
    ]
)

_THIRD_NUMBER = "a third number"
_BAD_COST = "cost not understood"
_UNKNOWN_COSTS = frozenset({"n/a", "na", "-", "--", "–", "—", "none"})
"""How brokers write that they do not know it."""
_WANTED = "each position is a ticker and a finite number of shares more than 0"
_ADVICE = {
    _BAD_COST: "a cost is a finite number, 0 or more",
    _THIRD_NUMBER: "a heading, its columns separated by comma, semicolon or tab, must say what a third number is: "
    "cost per share, or cost basis for the total",
}


@dataclass(frozen=True, slots=True)
class Holding:
    """A position. *cost*: what all its shares together cost, in the position's currency; None if unknown."""

    shares: float
    cost: float | None = None


_Given: TypeAlias = Mapping[str, float | Holding | tuple[float, float | None]] | str
_Position: TypeAlias = tuple[str, Holding]
_Entry: TypeAlias = tuple[str, _Position | str]
"""Where it stands, and the position that it is or what is wrong with it."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of a CSV; *cells* is None where its quotes do not match."""

    number: int
    text: str
    cells: list[str] | None


@dataclass(frozen=True, slots=True)
class _Columns:
    """Which column of a CSV says what."""

    width: int
    ticker: int
    shares: int
    cost: int | None
    unit_cost: int | None


def parse_holdings(given: _Given, field: str = "holdings") -> dict[str, Holding]:
    """
    Return *given* as {ticker: holding}.

    Shares and costs of a ticker that is named twice are summed; if one of the costs is unknown, so is the sum.

    Args:
        given: One of

            - a mapping of tickers to shares, holdings or pairs (shares, cost);
            - pasted lines: ticker, then shares, between them a space, tab, comma, semicolon or colon; a heading
              and blank lines are tolerated;
            - CSV with a heading that names a ticker, shares and, where known, cost basis (of the position) or
              cost per share; other columns are ignored.

    Raises:
        InvalidInput: Nothing held, more than 500 entries, a text of more than 200,000 characters, or bad
            entries: the message names every bad line with its number and the reason. Shares are finite and
            more than 0, costs finite and not negative.
    """
    holdings: dict[str, Holding] = {}
    bad: list[tuple[str, str]] = []
    for place, found in _entries(given, field):
        fault = found if isinstance(found, str) else _add(holdings, *found)
        if fault is not None:
            bad.append((place, fault))
    if bad:
        raise InvalidInput(field, excerpt(given), _not_understood(bad))
    if not holdings:
        raise _wrong_number(field, given, 0)
    return holdings


def fault_of(ticker: object, shares: object, cost: object = None) -> str | None:
    """Return in a few words what is wrong with one position, None if nothing is."""
    found = _position(ticker, shares, cost)
    return found if isinstance(found, str) else None


def portfolio_key(holdings: _Given) -> str:
    """
    Return the cache key of *holdings*: the same for `{"AAPL": 100}` and `{"aapl": 100.0}`, in any order.

    With costs it is another one than without.

    Raises:
        InvalidInput: As `parse_holdings`.
    """
    held = sorted(parse_holdings(holdings).items())
    plain = [[ticker, one.shares] if one.cost is None else [ticker, one.shares, one.cost] for ticker, one in held]
    canonical = json.dumps(plain, separators=(",", ":"))
    return f"portfolio:{hashlib.blake2b(canonical.encode(), digest_size=8).hexdigest()}"


def _entries(given: object, field: str) -> Iterator[_Entry]:
    if isinstance(given, str):
        return _of_text(given, field)
    if isinstance(given, Mapping):
        return _of_mapping(given, field)
    raise InvalidInput(field, excerpt(given), "holdings are a mapping of tickers to shares, or text")


def _of_mapping(given: Mapping[object, object], field: str) -> Iterator[_Entry]:
    _check_number(field, given, len(given))
    for name, value in given.items():
        place = repr(excerpt(name))
        if isinstance(value, Holding):
            yield place, _position(name, value.shares, value.cost)
        elif isinstance(value, tuple) and len(value) == 2:
            yield place, _position(name, *value)
        else:
            yield place, _position(name, value)


def _of_text(text: str, field: str) -> Iterator[_Entry]:
    if len(text) > _MOST_CHARACTERS:
        allowed = f"at most {_MOST_CHARACTERS:,} characters are allowed, {len(text):,} found"
        raise InvalidInput(field, excerpt(text), allowed)
    # csv knows fewer ends of lines than str does.
    lines = [f"{_normal(line).rstrip()}\n" for line in text.removeprefix("\ufeff").splitlines()]
    delimiter = _delimiter(lines)
    return _of_lines(lines, field, text) if delimiter is None else _of_csv(lines, delimiter, field, text)


def _of_lines(lines: Sequence[str], field: str, text: str) -> Iterator[_Entry]:
    """Yield the entries of pasted *lines*: all but blanks and the heading."""
    filled = [(number, line.strip()) for number, line in enumerate(lines, start=1) if not line.isspace()]
    if filled and _is_heading(filled[0][1]):
        del filled[0]
    _check_number(field, text, len(filled))
    for number, line in filled:
        yield _place(number, line), _pasted(line)


def _of_csv(lines: Sequence[str], delimiter: str, field: str, text: str) -> Iterator[_Entry]:
    heading, *rows = _rows(lines, delimiter)
    columns = _columns(heading.cells or [], field, text)
    _check_number(field, text, len(rows))
    for row in rows:
        yield _place(row.number, row.text), _exported(row, columns, delimiter)


def _place(number: int, line: str) -> str:
    return f"line {number} {shortened(line)!r}"


def _normal(line: str) -> str:
    return line if len(line) > _LONGEST_LINE or line.isascii() else unicodedata.normalize("NFKC", line)


def _is_heading(line: str) -> bool:
    first_word = re.split(r"[\s,;:]+", line, maxsplit=1)[0].lower()
    return first_word in _FIRST_WORDS and not any(letter.isdigit() for letter in line)


def _pasted(line: str) -> _Position | str:
    name, shares, *rest = [*_SEPARATOR.split(line), ""]
    position = _position(name, _number(shares))
    rest = [word for word in rest if word]
    if isinstance(position, str) or not rest:
        return position
    return "more than ticker and shares" if isinstance(_number(rest[0]), str) else _THIRD_NUMBER


def _delimiter(lines: Sequence[str]) -> str | None:
    """The delimiter of CSV with a heading, None if *lines* are no such thing."""
    for delimiter in "\t;,":
        first = next(_rows(lines, delimiter), None)
        cells = (first.cells if first else None) or []
        names_a_ticker = any(_heading(cell) in _TICKER_HEADINGS for cell in cells)
        if len(cells) > 1 and names_a_ticker and not any(_is_number(cell) for cell in cells):
            return delimiter
    return None


def _rows(lines: Sequence[str], delimiter: str) -> Iterator[_Row]:
    """Yield the rows of a CSV that are not blank, the heading first."""
    # Strict: a quote that is never closed would swallow the lines after it.
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    while True:
        before = reader.line_num
        cells: list[str] | None
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            cells = None
        if cells is None or any(cell.strip() for cell in cells):
            yield _Row(before + 1, "".join(lines[before : reader.line_num]).strip(), cells)


def _heading(cell: str) -> str:
    """`Price Paid ($)` as `price paid`."""
    return " ".join(re.findall(r"[a-z0-9]+", re.sub(r"\([^()]*\)", " ", shortened(cell).lower())))


def _columns(heading: Sequence[str], field: str, text: str) -> _Columns:
    names = [_heading(cell) for cell in heading]
    ticker = next(name for name in _TICKER_HEADINGS if name in names)
    wanted = {
        "ticker": frozenset({ticker}),
        "shares": _SHARES_HEADINGS,
        "cost": _COST_HEADINGS,
        "cost per share": _UNIT_COST_HEADINGS,
    }
    found = {role: [place for place, name in enumerate(names) if name in known] for role, known in wanted.items()}
    for role, places in found.items():
        if len(places) > 1:
            raise InvalidInput(field, excerpt(text), f"the heading names more than one column of {role}")
    if not found["shares"]:
        allowed = "the heading names no column of shares: it may be called shares, quantity, qty or units"
        raise InvalidInput(field, excerpt(text), allowed)
    cost, unit_cost = (next(iter(found[role]), None) for role in ("cost", "cost per share"))
    return _Columns(len(heading), found["ticker"][0], found["shares"][0], cost, unit_cost)


def _exported(row: _Row, columns: _Columns, delimiter: str) -> _Position | str:
    cells = row.cells
    if cells is None:
        return "quotes do not match"
    if any(cell.strip() for cell in cells[columns.width :]):
        return "more fields than the heading"
    if len(cells) == 1 and columns.width == 2 and columns.ticker == 0:
        return _pasted(row.text)  # "Ticker,Shares" above lines such as "AAPL 100"

    def number(place: int | None, prefix: str = "") -> float | str | None:
        cell = cells[place] if place is not None and place < len(cells) else ""
        if cell.strip().casefold() in _UNKNOWN_COSTS and place != columns.shares:
            return None
        # Without quotes, 1,125 between semicolons or tabs is as likely a decimal number of continental Europe.
        is_quoted = delimiter == "," or f'"{cell}"' in row.text
        return _number(cell.strip().removeprefix(prefix), is_grouped=is_quoted)

    name = cells[columns.ticker] if columns.ticker < len(cells) else ""
    shares, cost, unit_cost = number(columns.shares), number(columns.cost, "$"), number(columns.unit_cost, "$")
    if cost is None:
        cost = shares * unit_cost if isinstance(shares, float) and isinstance(unit_cost, float) else unit_cost
    return _position(name, shares, cost)


def _number(text: str, *, is_grouped: bool = False) -> float | str | None:
    """The number that *text* is, None if it is blank, itself if it is none; *is_grouped* allows for `1,000.50`."""
    plain = text.strip()
    if not plain:
        return None
    if len(plain) > _LONGEST_CELL:
        return text
    if is_grouped and _GROUPED.fullmatch(plain):
        plain = plain.replace(",", "")
    return float(plain) if _NUMBER.fullmatch(plain) else text


def _is_number(cell: str) -> bool:
    return isinstance(_number(cell, is_grouped=True), float)


def _position(name: object, shares: object, cost: object = None) -> _Position | str:
    """The position that this is, or in a few words why it is none."""
    ticker, amount, total = ticker_or_none(name), _real(shares), _real(cost)
    if ticker is None:
        return "no ticker"
    if shares is None:
        return "shares missing"
    if amount is None:
        return "shares not a number"
    if not (math.isfinite(amount) and amount > 0):
        return "shares negative, zero or not finite"
    if cost is None:
        return ticker, Holding(amount)
    if total is None or not (math.isfinite(total) and total >= 0):
        return _BAD_COST
    return ticker, Holding(amount, total + 0.0)  # -0.0 becomes 0.0: one portfolio, one key


def _real(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _add(holdings: dict[str, Holding], ticker: str, more: Holding) -> str | None:
    """Add *more* to what is held of *ticker*; what is wrong with that, if anything."""
    held = holdings.get(ticker)
    if held is not None:
        cost = None if held.cost is None or more.cost is None else held.cost + more.cost
        more = Holding(held.shares + more.shares, cost)
    if not math.isfinite(more.shares) or not math.isfinite(more.cost or 0.0):
        return "more than a sum can hold"
    holdings[ticker] = more
    return None


def _not_understood(bad: Sequence[tuple[str, str]]) -> str:
    named = "; ".join(f"{place} ({fault})" for place, fault in bad)
    faults = {fault for _, fault in bad}
    advice = [words for fault, words in _ADVICE.items() if fault in faults]
    return "; ".join([f"not understood: {named}", _WANTED, *advice])


def _check_number(field: str, given: object, found: int) -> None:
    if found > MOST_POSITIONS:
        raise _wrong_number(field, given, found)


def _wrong_number(field: str, given: object, found: int) -> InvalidInput:
    return InvalidInput(field, excerpt(given), f"1 to {MOST_POSITIONS} positions are allowed, {found} found")
