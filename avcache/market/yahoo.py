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
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlsplit

import pandas as pd

from avcache.clock import Clock
from avcache.errors import ProviderError
from avcache.market.provider import AROUND_THE_CLOCK, COLUMNS, Figures, PriceHistory
from avcache.market.throttle import Throttle, Throttled

if TYPE_CHECKING:
    from avcache.market.yahoo_session import Answer, YahooSession

__all__ = ["YahooProvider"]

T = TypeVar("T")

_PERIOD = "5y"
_NUMBERS = (
    *("forwardPE", "pegRatio", "trailingPegRatio", "yield"),
    *("revenueGrowth", "earningsGrowth", "returnOnEquity", "profitMargins"),
)
_WORDS_OF_FUNDS = ("quoteType", "category", "longName")
_FUNDS = frozenset({"ETF", "MUTUALFUND"})
_RENAMED = {name.replace("_", " ").title(): name for name in COLUMNS}
_ISIN = re.compile(r"[A-Z]{2}[A-Z0-9]{9}[0-9]")
_TOO_MANY_REQUESTS = 429
_HUNDREDTHS: Final = {"GBp": "GBP", "GBX": "GBP", "ZAc": "ZAR", "ILA": "ILS"}
_OF_AN_EXCHANGE: Final = frozenset({"EQUITY", "ETF", "INDEX", "MUTUALFUND"})
_WORKERS: Final = 4
_HISTORY_REQUESTS, _FUNDAMENTALS_REQUESTS = 1, 3
_SETTLED: Final = 15 * 60
"""Seconds after the close until the bar of a session is final: the closing auction, and how late Yahoo's prices are."""


class YahooProvider:
    """
    Daily prices and a few fundamentals from Yahoo Finance.

    Construction opens nothing.

    Args:
        base_url: Send every request to a stand-in for Yahoo (tests, demos, outage drills).
        timeout: Seconds per request.
        deadline: Seconds for a whole batch; what is not there by then has timed out.
        throttle: How often Yahoo may be asked, by all who share it; None: as often as anybody likes.
        clock: Wall clock, in which prices are dated.
    """

    name = "yahoo"
    benchmark = "SPY"

    def __init__(
        self,
        base_url: str | None = None,
        timeout: float = 10.0,
        *,
        deadline: float = 30.0,
        throttle: Throttle | None = None,
        clock: Clock = time.time,
    ) -> None:
        self._base_url = base_url
        self._timeout = timeout
        self._deadline = deadline
        self._throttle = throttle
        self._clock = clock
        self._lock = threading.Lock()
        self._opening = _Opening()
        self._silent: set[str] = set()

    @property
    def label(self) -> str:
        """ "Yahoo live", or which stand-in answers."""
        return "Yahoo live" if self._base_url is None else f"Yahoo stand-in at {urlsplit(self._base_url).netloc}"

    @property
    def paused_until(self) -> float | None:
        """Until when nothing is asked, Yahoo having refused a request: epoch seconds; None if it is asked."""
        return None if self._throttle is None else self._throttle.state().open_until

    def current(self) -> YahooProvider:
        """Return this provider."""
        return self

    def histories(self, tickers: Sequence[str]) -> dict[str, PriceHistory | ProviderError]:
        """
        Return five years of each of *tickers*: raw open, high, low and close, adjusted close, volume.

        Four are asked at a time in all of the process; what is not there at the deadline has timed out. Rows without a
        close are left out. A volume of nothing but zeros (indices, currencies) is NaN. An error is `unknown` only if
        Yahoo's own words say so; an empty answer proves nothing.
        """
        now = self._clock()
        return self._batch(tickers, _HISTORY_REQUESTS, lambda asked: _fetch_history(asked, now))

    def fundamentals(self, tickers: Sequence[str]) -> dict[str, Figures | ProviderError]:
        """
        Return what Yahoo has of `forwardPE`, `trailingPegRatio` and the like, and for a fund of what kind it is.

        Nothing for what is `unknown`: an index has prices and no fundamentals.
        """
        found = self._batch(tickers, _FUNDAMENTALS_REQUESTS, _fetch_fundamentals)
        return {
            ticker: {} if isinstance(outcome, ProviderError) and outcome.reason == "unknown" else outcome
            for ticker, outcome in found.items()
        }

    def history(self, ticker: str) -> PriceHistory:
        """`histories` for one. Raises `ProviderError`."""
        (found,) = self.histories([ticker]).values()
        if isinstance(found, ProviderError):
            raise found
        return found

    def close(self) -> None:
        """Close the session, and ask nothing more of what waits; the next call opens a new one."""
        with self._lock:
            opening, self._opening = self._opening, _Opening()
        opening.close()

    def _batch(self, tickers: Sequence[str], requests: int, fetch: Callable[[Any], T]) -> dict[str, T | ProviderError]:
        give_up_at, opening = time.monotonic() + self._deadline, self._opening

        def outcome(ticker: str) -> T | ProviderError:
            try:
                return self._ask(opening, ticker, fetch, requests=requests, give_up_at=give_up_at)
            except ProviderError as exc:
                return exc

        # Those that Yahoo did not answer for the last time come last: they hold up no other.
        in_turn = sorted(tickers, key=lambda ticker: ticker in self._silent)
        asked = {ticker: opening.pool.submit(outcome, ticker) for ticker in in_turn}
        wait(asked.values(), timeout=self._deadline)
        found = {ticker: self._taken(ticker, asked[ticker]) for ticker in tickers}
        for ticker, one in found.items():
            if isinstance(one, ProviderError) and one.reason == "timeout":
                self._silent.add(ticker)
            else:
                self._silent.discard(ticker)
        return found

    def _taken(self, ticker: str, future: Future[T | ProviderError]) -> T | ProviderError:
        if future.done() and not future.cancelled():
            return future.result()
        future.cancel()
        return ProviderError(ticker, "timeout", f"not there within the {self._deadline:g} s of its batch")

    def _ask(self, opening: _Opening, ticker: str, fetch: Callable[[Any], T], *, requests: int, give_up_at: float) -> T:
        if _ISIN.fullmatch(ticker):
            # yfinance would search the ISIN and answer for whatever symbol it finds.
            raise ProviderError(ticker, "unknown", "an ISIN; Yahoo's prices are asked by symbol")
        self._admit(opening, ticker, requests, give_up_at)
        yfinance = _yfinance()
        session = opening.session(ticker, self._base_url, self._timeout)
        session.forget()
        _quiet()
        try:
            found = fetch(yfinance.Ticker(ticker, session=session))
        except ProviderError:
            raise
        except Exception as exc:
            # yfinance keeps the answer to its first request of a symbol, even a broken one, for good.
            yfinance.data.YfData.cache_get.cache_clear()
            error = _translated(ticker, exc, session.last_chart, self._timeout)
            if self._throttle is not None and error.reason == "rate_limited":
                self._throttle.refused()
            raise error from exc
        if self._throttle is not None:
            self._throttle.succeeded()
        return found

    def _admit(self, opening: _Opening, ticker: str, requests: int, give_up_at: float) -> None:
        if self._throttle is None:
            return
        wait_for = max(0.0, give_up_at - time.monotonic())
        try:
            self._throttle.admit(wait_for, calls=requests, sleep=opening.closed.wait)
        except Throttled as exc:
            raise ProviderError(ticker, exc.reason, str(exc)) from exc


class _Opening:
    """What is opened for the requests up to the next `close`."""

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(_WORKERS, "avcache-yahoo")
        self.closed = threading.Event()
        self._lock = threading.Lock()
        self._session: YahooSession | None = None

    def session(self, ticker: str, base_url: str | None, timeout: float) -> YahooSession:
        """The one session. Raises `ProviderError` once it is closed: then nothing more is asked."""
        from avcache.market.yahoo_session import YahooSession  # noqa: PLC0415 - loads libcurl

        with self._lock:
            if self.closed.is_set():
                raise ProviderError(ticker, "timeout", "the connection to Yahoo was closed meanwhile")
            if self._session is None:
                self._session = YahooSession(base_url, timeout)
            return self._session

    def close(self) -> None:
        """Wake what waits, and end what can be ended."""
        self.closed.set()
        self.pool.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            session, self._session = self._session, None
        if session is not None:
            session.close()


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


def _fetch_history(ticker: Any, now: float) -> PriceHistory:
    frame = ticker.history(period=_PERIOD, auto_adjust=False, actions=True)
    if frame.empty or not frame["Close"].notna().any():
        raise ProviderError(ticker.ticker, "upstream_error", "Yahoo sent no sessions and no reason")
    metadata = ticker.get_history_metadata()
    currency, prices = _in_whole_units(_word(metadata, "currency"), _prices(frame))
    closed = frame.index[frame["Close"].notna()]
    splits = frame.index[frame["Stock Splits"].fillna(0) != 0] if "Stock Splits" in frame else frame.index[:0]
    return PriceHistory(
        ticker.ticker,
        prices,
        currency,
        fetched_at=now,
        is_complete=_is_complete(closed[-1], metadata, now),
        last_split=splits[-1].date().isoformat() if len(splits) else None,
        zone=_zone(metadata),
    )


def _prices(frame: pd.DataFrame) -> pd.DataFrame:
    prices = frame.rename(columns=_RENAMED)[list(COLUMNS)].astype("float64")
    prices.index = pd.DatetimeIndex(prices.index).tz_localize(None).normalize().as_unit("ns").rename("date")
    prices = prices[prices["close"].notna()]
    if not prices["volume"].any():
        prices = prices.assign(volume=math.nan)
    return prices


def _is_complete(last: pd.Timestamp, metadata: Mapping[str, Any], now: float) -> bool:
    """Whether the session of *last* had ended, by what Yahoo says of the running or next one."""
    regular = metadata.get("currentTradingPeriod", {}).get("regular", {})
    begin, end = (_moment(regular.get(name)) for name in ("start", "end"))
    if begin is None or end is None or begin.tz_convert(last.tz).date() != last.date():
        return True
    return now >= end.timestamp() + _SETTLED


def _moment(value: object) -> pd.Timestamp | None:
    """yfinance makes timestamps of Yahoo's epoch seconds, but not always."""
    if isinstance(value, pd.Timestamp):
        return value
    return pd.Timestamp(value, unit="s", tz="UTC") if isinstance(value, int) else None


def _in_whole_units(currency: str | None, prices: pd.DataFrame) -> tuple[str | None, pd.DataFrame]:
    """London, Johannesburg and Tel Aviv quote in hundredths: amounts of a pound and of its pence are one currency."""
    whole = _HUNDREDTHS.get(currency or "")
    if whole is None:
        return currency, prices
    return whole, prices.assign(**{name: prices[name] / 100 for name in COLUMNS if name != "volume"})


def _zone(metadata: Mapping[str, Any]) -> str | None:
    if _word(metadata, "instrumentType") in _OF_AN_EXCHANGE:
        return _word(metadata, "exchangeTimezoneName")
    return AROUND_THE_CLOCK


def _word(metadata: Mapping[str, Any], name: str) -> str | None:
    found = metadata.get(name)
    return found if isinstance(found, str) and found else None


def _fetch_fundamentals(ticker: Any) -> Figures:
    info = ticker.get_info() or {}
    figures: Figures = {name: float(info[name]) for name in _NUMBERS if _is_number(info.get(name))}
    if info.get("quoteType") in _FUNDS:
        figures |= {name: str(info[name]) for name in _WORDS_OF_FUNDS if isinstance(info.get(name), str)}
    return figures


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
