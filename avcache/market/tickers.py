"""What people type, as tickers."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from avcache.errors import InvalidInput

__all__ = ["MOST_TICKERS", "excerpt", "parse_ticker", "parse_tickers", "shortened", "ticker_or_none"]

MOST_TICKERS = 500
_MOST_WORDS = 10_000
"""Repetitions are allowed, within reason: a list that is longer is not read at all."""
_LONGEST = 20
_MOST_NAMED = 20
_MOST_ENTRIES = 30
_ALLOWED = f"a ticker has 1 to {_LONGEST} characters of A-Z 0-9 . - = ^, such as AAPL, BRK-B, 7203.T or ^GSPC"
_TICKER = re.compile(rf"(?=.*[A-Z0-9])[A-Z0-9.\-=^]{{1,{_LONGEST}}}")
# Yahoo writes a share class with a dash. A, B and C are no exchange suffix there, unlike .L, .F, .T or .V.
_SHARE_CLASS = re.compile(r"([A-Z]{1,5})\.([ABC])")


def parse_ticker(text: str, field: str = "ticker") -> str:
    """
    Return *text* as a ticker in Yahoo's spelling: trimmed, upper case, `BRK.B` as `BRK-B`.

    Exchange suffixes (`7203.T`, `BMW.DE`), indices (`^GSPC`), pairs (`BTC-USD`) and currencies (`EURUSD=X`)
    stay.

    Raises:
        InvalidInput: *text* is no ticker; *field* names the argument in the message.
    """
    ticker = ticker_or_none(text)
    if ticker is None:
        raise InvalidInput(field, excerpt(text), _ALLOWED)
    return ticker


def parse_tickers(given: str | Sequence[str], field: str = "tickers", limit: int = MOST_TICKERS) -> tuple[str, ...]:
    """
    Return the tickers of *given*, in order, each once.

    Args:
        given: A sequence, or a text separated by commas, semicolons, spaces or newlines.
        limit: How many different tickers are allowed.

    Raises:
        InvalidInput: No ticker, more than *limit*, or bad ones: the message names the first 20 of them.
    """
    if not isinstance(given, Iterable):
        raise InvalidInput(field, given, "a text, or several texts")
    words = [word for word in re.split(r"[\s,;]+", given) if word] if isinstance(given, str) else list(given)
    if len(words) > max(limit, _MOST_WORDS):
        raise _wrong_number(field, given, limit, len(words))
    tickers = [ticker_or_none(word) for word in words]
    bad = [word for word, ticker in zip(words, tickers, strict=True) if ticker is None]
    if bad:
        raise InvalidInput(field, excerpt(given), f"no tickers: {_named(bad)}; {_ALLOWED}")
    unique = tuple(dict.fromkeys(ticker for ticker in tickers if ticker is not None))
    if not 1 <= len(unique) <= limit:
        raise _wrong_number(field, given, limit, len(unique))
    return unique


def ticker_or_none(text: object) -> str | None:
    """Return *text* as `parse_ticker` does, None if it is no ticker."""
    if not isinstance(text, str):
        return None
    trimmed = text.strip()
    # Normalising takes quadratic time where accents pile up (half a minute for 200,000), and makes no ticker shorter.
    if len(trimmed) > _LONGEST:
        return None
    ascii_text = unicodedata.normalize("NFKC", trimmed).strip()
    # str.upper would turn letters such as a dotless i or sharp s into ASCII ones: another ticker.
    if not ascii_text.isascii():
        return None
    ticker = ascii_text.upper()
    if not _TICKER.fullmatch(ticker):
        return None
    share_class = _SHARE_CLASS.fullmatch(ticker)
    return "-".join(share_class.groups()) if share_class else ticker


def shortened(text: str, most: int = 60) -> str:
    """Return *text*, cut to *most* characters, the last of which is then an ellipsis."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def excerpt(value: object) -> object:
    """Return *value* for a message: no text in it is longer than 60 characters, no collection than 30 entries."""
    if isinstance(value, Mapping):
        first = itertools.islice(value.items(), _MOST_ENTRIES)
        return {_plain(name): _plain(held) for name, held in first}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value[:_MOST_ENTRIES]]
    return _plain(value)


def _plain(value: object) -> bool | float | str | None:
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, str):
        return shortened(value)
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # integers of thousands of digits have no repr, deep nests neither
        return f"a value of type {type(value).__name__}"
    return value if isinstance(value, int) and len(text) <= 60 else shortened(text)


def _named(bad: Sequence[object]) -> str:
    names = [repr(shortened(word if isinstance(word, str) else str(_plain(word)), 40)) for word in bad[:_MOST_NAMED]]
    more = len(bad) - _MOST_NAMED
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")


def _wrong_number(field: str, given: object, limit: int, found: int) -> InvalidInput:
    return InvalidInput(field, excerpt(given), f"1 to {limit} tickers are allowed, {found} found")
