"""
A stand-in for Yahoo Finance on 127.0.0.1: the endpoints yfinance asks, answered from the bundled sample.

    with YahooServer({"BAD": Fault.UNKNOWN}) as yahoo:
        YahooProvider(base_url=yahoo.url).history("AAPL")

All of Yahoo's hosts share one port; `X-Original-Host` says which one was meant. `SPY` answers with `^GSPC`.
As on the real one, a crumb needs a cookie, and errors have the shapes Yahoo gives them.
"""

from __future__ import annotations

import functools
import json
import math
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

import pandas as pd

from avcache.market.sample import SampleProvider

__all__ = ["FIGURES", "Fault", "Request", "YahooServer"]

ZONE = "America/New_York"
FIGURES = {"forwardPE": 21.5, "trailingPegRatio": 1.4}
_COOKIE = "A3=d=stand-in; Max-Age=31557600; Path=/; HttpOnly"
_CRUMB = "stand.in/crumb"
_SESSION_SECONDS = int(6.5 * 3600)


class Fault(StrEnum):
    """What goes wrong with one symbol."""

    RATE_LIMITED = "429"
    UNKNOWN = "404 in Yahoo's words"
    DOWN_PAGE = "an HTML page saying 'Will be right back'"
    HTML_PAGE = "any other HTML page"
    ERROR_500 = "500 with an error in JSON"
    UNAVAILABLE = "503 with an HTML page"
    SILENT = "no answer until the server stops"
    EMPTY = "an answer without sessions"
    NULL_ROWS = "two sessions without figures, one of them the last"
    NO_FUNDAMENTALS = "500 for quoteSummary, quote and timeseries"


@dataclass(frozen=True, slots=True)
class Request:
    """One request: the host it was meant for, the path without query, and the symbol it asks about."""

    host: str
    path: str
    symbol: str | None


class YahooServer:
    """
    Listens from `__enter__` to `__exit__` on a free port.

    `faults`, and what the `meta` of a chart says instead of the truth, may be changed at any time.
    """

    def __init__(self, faults: Mapping[str, Fault] | None = None) -> None:
        self.faults: dict[str, Fault] = dict(faults or {})
        self.requests: list[Request] = []
        self.meta: dict[str, dict[str, str]] = {}
        self.stopping = threading.Event()
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """E.g. `http://127.0.0.1:41234`."""
        assert self._server is not None, "the server is not running"
        return f"http://127.0.0.1:{self._server.server_port}"

    def count(self, fragment: str) -> int:
        """Return how many requests had *fragment* in their path."""
        return sum(fragment in request.path for request in self.requests)

    def charts(self) -> Counter[str]:
        """Return how often each symbol's chart was asked for."""
        return Counter(r.symbol for r in self.requests if r.symbol is not None and "/chart/" in r.path)

    def __enter__(self) -> YahooServer:
        handler = type("Handler", (_Handler,), {"yahoo": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        assert self._server is not None
        assert self._thread is not None
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: str
    kind: str = "application/json"
    cookie: str | None = None


class _Handler(BaseHTTPRequestHandler):
    yahoo: ClassVar[YahooServer]
    protocol_version = "HTTP/1.1"
    # A client that gave up leaves its kept connection open: no thread waits for it for long.
    timeout = 5
    # One packet per answer: with headers and body apart, Nagle's algorithm costs 40 ms a request.
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        symbol = query.get("symbols") or _symbol(parts.path)
        host = self.headers.get("X-Original-Host", "")
        self.yahoo.requests.append(Request(host, unquote(parts.path), symbol))
        fault = self.yahoo.faults.get(symbol or "")
        if fault is Fault.SILENT:
            self.yahoo.stopping.wait()
            self.close_connection = True
            return
        answer = _answer(parts.path, query, symbol, fault, "A3=" in self.headers.get("Cookie", ""))
        self._send(_with_meta(answer, self.yahoo.meta.get(symbol or "", {})))

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        """Say nothing."""

    def _send(self, answer: _Answer) -> None:
        body = answer.body.encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(body)))
        if answer.cookie:
            self.send_header("Set-Cookie", answer.cookie)
        self.end_headers()
        self.wfile.write(body)


def _with_meta(answer: _Answer, meta: dict[str, str]) -> _Answer:
    if not meta or answer.status != 200 or '"chart"' not in answer.body:
        return answer
    body = json.loads(answer.body)
    body["chart"]["result"][0]["meta"] |= meta
    return _json(body)


def _symbol(path: str) -> str | None:
    known = ("/v8/finance/chart/", "/v10/finance/quoteSummary/", "/finance/timeseries/")
    return unquote(path.rsplit("/", 1)[1]) if any(part in path for part in known) else None


def _answer(path: str, query: dict[str, str], symbol: str | None, fault: Fault | None, cookie: bool) -> _Answer:
    if symbol is None:
        return _door(path, cookie)
    refusal = _refusal(path, symbol, fault)
    if refusal is not None:
        return refusal
    if "/chart/" in path:
        return _json(_chart(symbol, query.get("range", "5y"), fault))
    if fault is Fault.NO_FUNDAMENTALS:
        return _json({"finance": {"result": None, "error": {"code": "internal-error", "description": "down"}}}, 500)
    return _json(_figures(path, symbol))


def _door(path: str, cookie: bool) -> _Answer:
    """Cookie, crumb and consent."""
    match path:
        case "/":
            return _html("fc.yahoo.com has no page of its own", 404, cookie=_COOKIE)
        case "/v1/test/getcrumb":
            return _Answer(200, _CRUMB, "text/plain") if cookie else _json(_error("finance", "Unauthorized"), 401)
        case "/consent":
            form = '<input name="csrfToken" value="token"><input name="sessionId" value="3_cc-session">'
            return _html(f"<form>{form}</form>", 200, cookie=_COOKIE)
        case "/v2/collectConsent" | "/copyConsent":
            return _html("thank you", 200, cookie=_COOKIE)
        case _:
            return _html(f"nothing at {path}", 404)


def _refusal(path: str, symbol: str, fault: Fault | None) -> _Answer | None:
    root = "chart" if "/chart/" in path else "quoteSummary" if "/quoteSummary/" in path else "finance"
    match fault:
        case Fault.RATE_LIMITED:
            return _Answer(429, "Edge: Too Many Requests", "text/plain")
        case Fault.DOWN_PAGE:
            return _html("<h1>Will be right back...</h1>", 200)
        case Fault.HTML_PAGE:
            return _html("<h1>Welcome</h1>", 200)
        case Fault.ERROR_500:
            return _json(_error(root, "internal-error", "The upstream is not feeling well"), 500)
        case Fault.UNAVAILABLE:
            return _html("<h1>Service Unavailable</h1>", 503)
        case _:
            pass
    if fault is Fault.UNKNOWN or _sample_name(symbol) is None:
        said = "No data found, symbol may be delisted" if root == "chart" else f"Quote not found for symbol: {symbol}"
        return _json(_error(root, "Not Found", said), 404)
    return None


def _chart(symbol: str, span: str, fault: Fault | None) -> dict[str, Any]:
    opens, frame = _sessions(symbol)
    if span == "1d":
        opens, frame = opens[-1:], frame.iloc[-1:]
    columns = {name: _nullable(frame[name]) for name in frame.columns}
    if fault is Fault.NULL_ROWS and span != "1d":
        for values in columns.values():
            values[-1] = values[100] = None
    adjusted = columns.pop("adj_close")
    result: dict[str, Any] = {"meta": _meta(symbol, opens, frame), "timestamp": opens}
    result["indicators"] = {"quote": [columns], "adjclose": [{"adjclose": adjusted}]}
    if fault is Fault.EMPTY:
        del result["timestamp"]
        result["indicators"] = {"quote": [{}], "adjclose": [{}]}
    return {"chart": {"result": [result], "error": None}}


def _meta(symbol: str, opens: list[int], frame: pd.DataFrame) -> dict[str, Any]:
    period = {"timezone": "EST", "gmtoffset": -18000, "start": opens[-1], "end": opens[-1] + _SESSION_SECONDS}
    return {
        "currency": "USD",
        "symbol": symbol,
        "exchangeName": "NMS",
        "instrumentType": "INDEX" if symbol.startswith("^") else "ETF" if symbol == "SPY" else "EQUITY",
        "firstTradeDate": opens[0],
        "regularMarketTime": opens[-1] + _SESSION_SECONDS,
        "gmtoffset": -18000,
        "timezone": "EST",
        "exchangeTimezoneName": ZONE,
        "regularMarketPrice": float(frame["close"].iloc[-1]),
        "priceHint": 2,
        "currentTradingPeriod": {name: dict(period) for name in ("pre", "regular", "post")},
        "dataGranularity": "1d",
        "range": "5y",
        "validRanges": ["1d", "5d", "1mo", "3mo", "6mo", "1y", "2y", "5y", "10y", "ytd", "max"],
    }


def _figures(path: str, symbol: str) -> dict[str, Any]:
    if "/quoteSummary/" in path:
        detail = {"forwardPE": FIGURES["forwardPE"], "trailingPE": "Infinity", "maxAge": 1}
        result = {"quoteType": {"quoteType": "EQUITY", "symbol": symbol}, "summaryDetail": detail}
        return {"quoteSummary": {"result": [result], "error": None}}
    if "/timeseries/" in path:
        points = [{"asOfDate": "2022-12-28", "reportedValue": {"raw": FIGURES["trailingPegRatio"], "fmt": "1.40"}}]
        result = {"meta": {"symbol": [symbol], "type": ["trailingPegRatio"]}, "trailingPegRatio": points}
        return {"timeseries": {"result": [result], "error": None}}
    return {"quoteResponse": {"result": [{"symbol": symbol, "quoteType": "EQUITY"}], "error": None}}


@functools.cache
def _sample() -> SampleProvider:
    return SampleProvider()


def _sample_name(symbol: str) -> str | None:
    if symbol in {"SPY", "^GSPC"}:
        return "^GSPC"
    return symbol if symbol in _sample().tickers else None


@functools.cache
def _sessions(symbol: str) -> tuple[list[int], pd.DataFrame]:
    """The openings of all sessions in epoch seconds, and their prices."""
    name = _sample_name(symbol)
    assert name is not None
    frame = _sample().history(name).prices
    opens = (pd.DatetimeIndex(frame.index) + pd.Timedelta(hours=9, minutes=30)).tz_localize(ZONE)
    return [int(moment.timestamp()) for moment in opens], frame


def _nullable(column: pd.Series[float]) -> list[float | None]:
    return [None if math.isnan(value) else float(value) for value in column]


def _error(root: str, code: str, description: str = "Invalid Crumb") -> dict[str, Any]:
    return {root: {"result": None, "error": {"code": code, "description": description}}}


def _json(body: object, status: int = 200) -> _Answer:
    return _Answer(status, json.dumps(body))


def _html(body: str, status: int, cookie: str | None = None) -> _Answer:
    return _Answer(status, f"<html><body>{body}</body></html>", "text/html", cookie)
