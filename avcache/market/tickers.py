"""What people type, as tickers, holdings and portfolio keys."""

from __future__ import annotations

import hashlib
import json
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from numbers import Real

from avcache.errors import InvalidInput

__all__ = ["parse_holdings", "parse_ticker", "parse_tickers", "portfolio_key"]

MOST_TICKERS = 500
_ALLOWED = "a ticker has 1 to 20 characters of A-Z 0-9 . - = ^, such as AAPL, BRK-B, 7203.T or ^GSPC"
_TICKER = re.compile(r"(?=.*[A-Z0-9])[A-Z0-9.\-=^]{1,20}")
# Yahoo writes a share class with a dash. A, B and C are no exchange suffix there, unlike .L, .F, .T or .V.
_SHARE_CLASS = re.compile(r"([A-Z]{1,5})\.([ABC])")
_HOLDING = re.compile(r"(?P<ticker>[^\s,;:]+)\s*[\s,;:]\s*(?P<shares>\S+)")
# No thousands separators: "AAPL,100,150" is a line with a price in it, not 100,150 shares.
_NUMBER = re.compile(r"\+?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_HEADINGS = frozenset({"TICKER", "TICKERS", "SYMBOL", "SYMBOLS", "STOCK", "INSTRUMENT", "HOLDING", "POSITION"})


def parse_ticker(text: str, field: str = "ticker") -> str:
    """
    Return *text* as a ticker in Yahoo's spelling: trimmed, upper case, `BRK.B` as `BRK-B`.

    Exchange suffixes (`7203.T`, `BMW.DE`), indices (`^GSPC`), pairs (`BTC-USD`) and currencies (`EURUSD=X`)
    stay.

    Raises:
        InvalidInput: *text* is no ticker; *field* names the argument in the message.
    """
    ticker = _ticker(text)
    if ticker is None:
        raise InvalidInput(field, text, _ALLOWED)
    return ticker


def parse_tickers(given: str | Sequence[str], field: str = "tickers", limit: int = MOST_TICKERS) -> tuple[str, ...]:
    """
    Return the tickers of *given*, in order, each once.

    Args:
        given: A sequence, or a text separated by commas, semicolons, spaces or newlines.
        limit: How many different tickers are allowed.

    Raises:
        InvalidInput: No ticker, more than *limit*, or bad ones: the message names every bad one.
    """
    words = [word for word in re.split(r"[\s,;]+", given) if word] if isinstance(given, str) else list(given)
    tickers = [_ticker(word) for word in words]
    bad = [word for word, ticker in zip(words, tickers, strict=True) if ticker is None]
    if bad:
        raise InvalidInput(field, given, f"no tickers: {', '.join(map(repr, bad))}; {_ALLOWED}")
    unique = tuple(dict.fromkeys(ticker for ticker in tickers if ticker is not None))
    if not 1 <= len(unique) <= limit:
        raise InvalidInput(field, given, f"1 to {limit} tickers are allowed, {len(unique)} found")
    return unique


def parse_holdings(given: Mapping[str, float] | str, field: str = "holdings") -> dict[str, float]:
    """
    Return *given* as {ticker: shares}; the shares of a ticker that is named twice are summed.

    Args:
        given: A mapping, or pasted lines: ticker, then shares, between them a space, tab, comma,
            semicolon or colon. A heading and blank lines are tolerated.

    Raises:
        InvalidInput: Nothing held, more than 500 positions, or bad entries: the message names every bad
            line with its number. Shares are finite and more than 0.
    """
    entries = _pasted(given) if isinstance(given, str) else [(repr(name), name, given[name]) for name in given]
    holdings: dict[str, float] = {}
    bad: list[str] = []
    for place, name, value in entries:
        ticker, shares = _ticker(name), _shares(value)
        if ticker is None or shares is None or not math.isfinite(holdings.get(ticker, 0.0) + shares):
            bad.append(place)
        else:
            holdings[ticker] = holdings.get(ticker, 0.0) + shares
    if bad:
        wanted = "each position is a ticker and a finite number of shares more than 0"
        raise InvalidInput(field, given, f"not understood: {'; '.join(bad)}; {wanted}")
    if not 1 <= len(holdings) <= MOST_TICKERS:
        raise InvalidInput(field, given, f"1 to {MOST_TICKERS} positions are allowed, {len(holdings)} found")
    return holdings


def portfolio_key(holdings: Mapping[str, float]) -> str:
    """
    Return the cache key of *holdings*: the same for `{"AAPL": 100}` and `{"aapl": 100.0}`, in any order.

    Raises:
        InvalidInput: As `parse_holdings`.
    """
    canonical = json.dumps(sorted(parse_holdings(holdings).items()), separators=(",", ":"))
    return f"portfolio:{hashlib.blake2b(canonical.encode(), digest_size=8).hexdigest()}"


def _ticker(text: object) -> str | None:
    if not isinstance(text, str):
        return None
    ascii_text = unicodedata.normalize("NFKC", text).strip()
    # str.upper would turn letters such as a dotless i or sharp s into ASCII ones: another ticker.
    if not ascii_text.isascii():
        return None
    ticker = ascii_text.upper()
    if not _TICKER.fullmatch(ticker):
        return None
    share_class = _SHARE_CLASS.fullmatch(ticker)
    return "-".join(share_class.groups()) if share_class else ticker


def _shares(value: object) -> float | None:
    if isinstance(value, str):
        value = _number(value)
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        shares = float(value)
    except OverflowError:
        return None
    return shares if math.isfinite(shares) and shares > 0 else None


def _number(text: str) -> float | None:
    plain = text.strip()
    return float(plain) if _NUMBER.fullmatch(plain) else None


def _pasted(text: str) -> Iterable[tuple[str, str, str]]:
    """Yield (place, ticker, shares) of every line but blanks and the heading; "" where a part is missing."""
    first = True
    for number, raw in enumerate(text.splitlines(), start=1):
        line = unicodedata.normalize("NFKC", raw).strip()
        if line and not (first and _is_heading(line)):
            found = _HOLDING.fullmatch(line)
            place = f"line {number} {line!r}"
            yield (place, found["ticker"], found["shares"]) if found else (place, "", "")
        first = first and not line


def _is_heading(line: str) -> bool:
    first_word = re.split(r"[\s,;:]+", line)[0].upper()
    return first_word in _HEADINGS and not any(letter.isdigit() for letter in line)
