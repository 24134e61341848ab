"""The HTTP session that yfinance uses: bounded in time, observed, able to talk to a stand-in for Yahoo."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

from curl_cffi.requests import Response, Session

__all__ = ["Answer", "YahooSession", "read_answer"]

ORIGINAL_HOST = "X-Original-Host"
_CHART = "/v8/finance/chart/"


@dataclass(frozen=True, slots=True)
class Answer:
    """The HTTP status of an answer of Yahoo; `code` and `description` are its own error, if it states one."""

    status: int
    code: str | None = None
    description: str | None = None

    @property
    def is_unknown(self) -> bool:
        """Yahoo itself says that there is no such thing; a bare 404 may come from anything in between."""
        return self.code == "Not Found"


class YahooSession(Session[Response]):
    """
    A session with a browser's TLS fingerprint.

    *timeout* (seconds) caps every request, also those for which yfinance insists on 10 or 30. With
    *base_url* every request to a host of Yahoo goes there instead (same path, host in a header) and any
    other host is refused.
    """

    def __init__(self, base_url: str | None, timeout: float) -> None:
        super().__init__(impersonate="chrome", trust_env=base_url is None)
        self._stand_in = None if base_url is None else urlsplit(base_url)
        self._limit = timeout
        self._seen = threading.local()

    @property
    def last_chart(self) -> Answer | None:
        """The last chart answer this thread received since `forget`."""
        return getattr(self._seen, "chart", None)

    def forget(self) -> None:
        """Drop what this thread has seen."""
        self._seen.chart = None

    def request(self, method: Any, url: str, **options: Any) -> Response:  # type: ignore[override]
        """
        Send a request; options as in curl_cffi.

        Raises:
            ValueError: *url* is none of Yahoo's and there is a stand-in.
        """
        asked = options.get("timeout")
        options["timeout"] = min(asked, self._limit) if isinstance(asked, int | float) else self._limit
        target = url
        if self._stand_in is not None:
            # A redirect is followed inside libcurl, past this method: it could leave for any host.
            options["allow_redirects"] = False
            options["headers"] = {
                **(options.get("headers") or {}),
                ORIGINAL_HOST: urlsplit(url).hostname or "",
            }
            target = _redirected(url, self._stand_in)
        response = super().request(method, target, **options)
        if _CHART in url:
            self._seen.chart = read_answer(response)
        return response


def _redirected(url: str, stand_in: SplitResult) -> str:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host != "yahoo.com" and not host.endswith(".yahoo.com"):
        raise ValueError(f"{host or 'no host'} is no host of Yahoo: refused")
    return urlunsplit((stand_in.scheme, stand_in.netloc, parts.path or "/", parts.query, ""))


def read_answer(response: Response) -> Answer:
    """Read an error like `{"chart": {"error": {"code": …, "description": …}}}`; its root has many names."""
    if response.ok:
        return Answer(response.status_code)
    try:
        (content,) = json.loads(response.content).values()
        error = content["error"]
        return Answer(response.status_code, str(error["code"]), str(error["description"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        return Answer(response.status_code)
