"""The cache of a running console, over REST."""

from __future__ import annotations

import http.client
from collections.abc import Generator, Mapping, Sequence
from http import HTTPStatus
from typing import Final, TypeVar
from urllib.parse import SplitResult, urlencode, urlsplit

from pydantic import BaseModel, ValidationError

from avcache.api.schemas import (
    Cleared,
    ClearPlan,
    Coverage,
    Diagnosis,
    Finding,
    NamespaceStats,
    Problem,
    Stats,
    TotalStats,
    WarmedUp,
)
from avcache.api.schemas import Keys as KeysPage
from avcache.backends import base
from avcache.cli.exits import Busy, Failed, NothingThere
from avcache.cli.place import KeyRow, Keys, Sizes, Warmed
from avcache.errors import InvalidInput

__all__ = ["Remote"]

Answer = TypeVar("Answer", bound=BaseModel)
_PATH: Final = "/api/v1/cache/"
_PATIENCE: Final = 15.0
_LONG_PATIENCE: Final = 620.0
"""For what waits until all is done: a console gives up on a clear after 120 s, on a warm-up after 600."""

_BATCH: Final = 4
"""Tickers of one warm-up: as many as the console loads at a time. Between two of them it can be stopped."""
_MOST_SAID: Final = 120


class Remote:
    """A `Place` over REST: what it does not tell (ages, bytes, costs) is None."""

    def __init__(self, url: str, token: str | None = None) -> None:
        """Raises `InvalidInput` for a *url* that is none."""
        self._url = url.rstrip("/")
        self._token = token
        self._parts = _address(url)

    def info(self) -> Mapping[str, object]:
        return self._ask("GET", "info", _Info).model_dump()

    def keys(self, pattern: str, limit: int) -> Keys:
        found, query = set[str](), {"pattern": pattern, "limit": str(limit)}
        while True:
            page = self._ask("GET", "keys", KeysPage, query)
            found.update(page.keys)
            if not page.cursor or len(found) >= limit:
                return Keys(tuple(map(KeyRow, sorted(found)[:limit])), len(found), not page.cursor)
            query["cursor"] = page.cursor

    def sizes(self) -> tuple[list[Sizes], bool]:
        answer = self._ask("GET", "stats", Stats).root
        rows = [
            Sizes(name, found.count, None, None, None, tuple(found.sample_keys))
            for name, found in sorted(answer.items())
            if isinstance(found, NamespaceStats)
        ]
        total = answer.get("total")
        return rows, isinstance(total, TotalStats) and total.exact

    def plan(self, pattern: str) -> ClearPlan:
        return self._ask("GET", "plan", ClearPlan, {"pattern": pattern})

    def clear(self, pattern: str, reason: str) -> base.Cleared:
        given = {"pattern": pattern} | ({"reason": reason} if reason else {})
        answer = self._ask("DELETE", "clear", Cleared, given, patience=_LONG_PATIENCE)
        return base.Cleared(answer.keys_cleared, pending=answer.pending)

    def warm(self, tickers: Sequence[str]) -> Generator[Warmed]:
        for start in range(0, len(tickers), _BATCH):
            query = {"tickers": ",".join(tickers[start : start + _BATCH])}
            answer = self._ask("POST", "warmup", WarmedUp, query, patience=_LONG_PATIENCE)
            for ticker in answer.tickers:
                reason = answer.failures.get(ticker)
                yield Warmed(ticker, "cached") if reason is None else Warmed(ticker, "failed", reason=reason)

    def coverage(self, tickers: Sequence[str]) -> Coverage:
        return self._ask("GET", "coverage", Coverage, {"tickers": ",".join(tickers)})

    def findings(self) -> list[Finding]:
        return self._ask("GET", "doctor", Diagnosis).findings

    def _ask(
        self,
        method: str,
        call: str,
        wanted: type[Answer],
        query: Mapping[str, str] | None = None,
        *,
        patience: float = _PATIENCE,
    ) -> Answer:
        """The answer to a call; *patience* is in seconds."""
        status, body = self._exchange(method, f"{_PATH}{call}?{urlencode(query or {})}".rstrip("?"), patience)
        try:
            if status < HTTPStatus.MULTIPLE_CHOICES:
                return wanted.model_validate_json(body)
            detail = Problem.model_validate_json(body).detail
        except ValidationError:
            said = body[:_MOST_SAID].decode(errors="replace").strip()
            raise NothingThere(
                f"what answers at {self._url} is no console, or wants nothing of this: {status} {said}"
            ) from None
        if status == HTTPStatus.UNPROCESSABLE_ENTITY:
            raise Unfit(detail)
        raise (Busy if status == HTTPStatus.CONFLICT else Failed)(f"the console refuses ({status}): {detail}")

    def _exchange(self, method: str, target: str, patience: float) -> tuple[int, bytes]:
        # http.client asks no proxy and follows no redirect: the token goes to the address that was given, or nowhere.
        kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
        link = kind(self._parts.hostname or "", self._parts.port, timeout=patience)
        headers = {} if self._token is None else {"Authorization": f"Bearer {self._token}".encode()}
        try:
            link.request(method, self._parts.path + target, headers=headers)
            answer = link.getresponse()
            return answer.status, answer.read()
        except (OSError, UnicodeError, http.client.HTTPException) as exc:  # a host may be none in IDNA
            said = str(exc) or type(exc).__name__
            raise NothingThere(
                f"no console answers at {self._url} ({said}): start it with `make run`, or name another with --url"
            ) from exc
        finally:
            link.close()


def _address(url: str) -> SplitResult:
    try:
        parts = urlsplit(url.rstrip("/"))
        has_place = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, say
        parts, has_place = SplitResult("", "", "", "", ""), False
    is_clean = url.isprintable() and " " not in url
    if not (has_place and is_clean) or parts.query or parts.fragment or parts.username is not None:
        raise InvalidInput("url", url, "http://host:port or https://host:port")
    return parts


class _Info(BaseModel, extra="allow"):
    cache_type: str


class Unfit(InvalidInput):
    """What a console finds wrong with its parameters, in its words."""

    def __init__(self, detail: str) -> None:
        super().__init__("request", "", detail)
        self.args = (detail,)
