"""
Yahoo Finance, through yfinance: the only module that imports it, and only when it is first asked.

yfinance keeps session, cookie and crumb in one object per process, so there should be one `YahooProvider`.
Its SQLite caches go to a private directory that lives as long as the process: without a writable one it
would fetch the cookie anew before every request.
"""

from __future__ import annotations

import atexit
import functools
import importlib
import logging
import math
import re
import shutil
import tempfile
import threading
import warnings
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import pandas as pd

from avcache.errors import ProviderError
from avcache.market.provider import COLUMNS, PriceHistory

if TYPE_CHECKING:
    from avcache.market.yahoo_session import Answer, YahooSession

__all__ = ["YahooProvider"]

T = TypeVar("T")

_PERIOD = "5y"
_FIGURES = ("forwardPE", "pegRatio", "trailingPegRatio")
_RENAMED = {name.replace("_", " ").title(): name for name in COLUMNS}
_ISIN = re.compile(r"[A-Z]{2}[A-Z0-9]{9}[0-9]")
_TOO_MANY_REQUESTS = 429


class YahooProvider:
    """
    Daily prices and a few fundamentals from Yahoo Finance.

    *base_url* sends every request to a stand-in for Yahoo (tests, demos, outage drills); *timeout* is
    seconds per request. Construction opens nothing.
    """

    name = "yahoo"
    benchmark = "SPY"

    def __init__(self, base_url: str | None = None, timeout: float = 10.0) -> None:
        self._base_url = base_url
        self._timeout = timeout
        self._lock = threading.Lock()
        self._opened: YahooSession | None = None

    @property
    def label(self) -> str:
        """ "Yahoo live", or which stand-in answers."""
        return "Yahoo live" if self._base_url is None else f"Yahoo stand-in at {urlsplit(self._base_url).netloc}"

    def current(self) -> YahooProvider:
        """Return this provider."""
        return self

    def history(self, ticker: str) -> PriceHistory:
        """
        Return five years of *ticker*: raw open, high, low and close, adjusted close, volume.

        Rows without a close are left out. A volume of nothing but zeros (indices, currencies) is NaN.

        Raises:
            ProviderError: `unknown` only if Yahoo's own error says so; `rate_limited`, `timeout`, else
                `upstream_error`: an empty answer proves nothing.
        """
        return self._ask(ticker, _fetch_history)

    def fundamentals(self, ticker: str) -> dict[str, float] | None:
        """
        Return those of `forwardPE`, `pegRatio`, `trailingPegRatio` that Yahoo has; None if it has none.

        Raises:
            ProviderError: As `history`, but never `unknown`: an index has prices and no fundamentals.
        """
        try:
            return self._ask(ticker, _fetch_fundamentals)
        except ProviderError as exc:
            if exc.reason == "unknown":
                return None
            raise

    def close(self) -> None:
        """Close the session; the next call opens a new one."""
        with self._lock:
            session, self._opened = self._opened, None
        if session is not None:
            session.close()

    def _ask(self, ticker: str, fetch: Callable[[Any], T]) -> T:
        if _ISIN.fullmatch(ticker):
            # yfinance would search the ISIN and answer for whatever symbol it finds.
            raise ProviderError(ticker, "unknown", "an ISIN; Yahoo's prices are asked by symbol")
        yfinance = _yfinance()
        session = self._session()
        session.forget()
        _quiet()
        try:
            return fetch(yfinance.Ticker(ticker, session=session))
        except ProviderError:
            raise
        except Exception as exc:
            # yfinance keeps the answer to its first request of a symbol, even a broken one, for good.
            yfinance.data.YfData.cache_get.cache_clear()
            raise _translated(ticker, exc, session.last_chart, self._timeout) from exc

    def _session(self) -> YahooSession:
        from avcache.market.yahoo_session import YahooSession  # noqa: PLC0415 - loads libcurl

        with self._lock:
            if self._opened is None:
                self._opened = YahooSession(self._base_url, self._timeout)
            return self._opened


@functools.cache
def _yfinance() -> ModuleType:
    """Import yfinance once; its caches go to a private directory, its errors are raised, not printed."""
    yfinance = importlib.import_module("yfinance")
    directory = tempfile.mkdtemp(prefix="avcache-yfinance-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    yfinance.set_tz_cache_location(directory)
    # Opened here, in one thread: several at once would each create the tables and lock each other out.
    yfinance.cache.get_tz_cache().lookup("")
    yfinance.cache.get_cookie_cache().lookup("")
    yfinance.config.debug.hide_exceptions = False
    # What it logs as errors arrives here as exceptions.
    logging.getLogger("yfinance").setLevel(logging.CRITICAL)
    return yfinance


def _quiet() -> None:
    """
    Ignore the deprecations of pandas that yfinance 1.7 trips over, in its modules only.

    `warnings.catch_warnings` would not do: it swaps the filters of the whole process and is not thread-safe.
    """
    wanted = ("ignore", None, pd.errors.Pandas4Warning, re.compile("yfinance"), 0)
    if wanted not in warnings.filters:
        warnings.filterwarnings("ignore", category=pd.errors.Pandas4Warning, module="yfinance")


def _fetch_history(ticker: Any) -> PriceHistory:
    frame = ticker.history(period=_PERIOD, auto_adjust=False, actions=True)
    if frame.empty:
        raise ProviderError(ticker.ticker, "upstream_error", "Yahoo sent no sessions and no reason")
    return PriceHistory(ticker.ticker, _prices(frame), _currency(ticker.get_history_metadata()))


def _prices(frame: pd.DataFrame) -> pd.DataFrame:
    prices = frame.rename(columns=_RENAMED)[list(COLUMNS)].astype("float64")
    prices.index = pd.DatetimeIndex(prices.index).tz_localize(None).normalize().as_unit("ns").rename("date")
    prices = prices[prices["close"].notna()]
    if not prices["volume"].any():
        prices = prices.assign(volume=math.nan)
    return prices


def _currency(metadata: Mapping[str, Any]) -> str | None:
    currency = metadata.get("currency")
    return currency if isinstance(currency, str) and currency else None


def _fetch_fundamentals(ticker: Any) -> dict[str, float] | None:
    info = ticker.get_info() or {}
    figures = {name: float(info[name]) for name in _FIGURES if _is_number(info.get(name))}
    return figures or None


def _is_number(value: object) -> bool:
    """Yahoo also sends None and the word "Infinity"."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _translated(ticker: str, exc: Exception, chart: Answer | None, timeout: float) -> ProviderError:
    """Say what *exc* of yfinance means, given the last answer of the chart endpoint."""
    # Loaded long since: an exception of theirs is what brings us here.
    from curl_cffi.requests.exceptions import HTTPError, Timeout  # noqa: PLC0415
    from yfinance.exceptions import YFRateLimitError  # noqa: PLC0415

    from avcache.market.yahoo_session import Answer, read_answer  # noqa: PLC0415

    refused = exc.response if isinstance(exc, HTTPError) else None
    said = chart or (read_answer(refused) if refused is not None else Answer(0))
    if isinstance(exc, YFRateLimitError) or said.status == _TOO_MANY_REQUESTS:
        return ProviderError(ticker, "rate_limited", "Yahoo refuses more requests for now")
    if isinstance(exc, Timeout):
        return ProviderError(ticker, "timeout", f"no answer from Yahoo within {timeout:g} s")
    if said.is_unknown:
        return ProviderError(ticker, "unknown", f"unknown to Yahoo: {said.description}")
    if said.description is not None:
        return ProviderError(ticker, "upstream_error", f"Yahoo answered {said.status}: {said.description}")
    found = f"HTTP {said.status or 'none'}, {type(exc).__name__}"
    return ProviderError(ticker, "upstream_error", f"no usable answer from Yahoo ({found})")
