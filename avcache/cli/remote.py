"""The cache of a running console, over REST."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import SplitResult, urlencode, urlsplit

from avcache.cli.exits import Busy, Failed, NothingThere
from avcache.cli.place import Dropped, Found, KeyRow, Keys, Plan, Sizes, Stand, Standing, Warmed
from avcache.errors import InvalidInput

__all__ = ["Remote"]

_PATH: Final = "/api/v1/cache/"
_PATIENCE: Final = 15.0
_WARMUP_PATIENCE: Final = 620.0
_BATCH: Final = 4
"""Tickers of one warm-up: as many as the console loads at a time. Between two of them it can be stopped."""
_PAGE: Final = 10_000
_MOST_SAID: Final = 120


class Remote:
    """A `Place` over REST: what it does not tell (ages, bytes, costs) is None."""

    def __init__(self, url: str, token: str | None = None) -> None:
        """Raises `InvalidInput` for a *url* that is none."""
        self._url = url.rstrip("/")
        self._token = token
        self._parts = _address(url)

    def info(self) -> Mapping[str, object]:
        return self._ask("GET", "info", wanted=("cache_type",))

    def keys(self, pattern: str, limit: int) -> Keys:
        names, is_exact = self._names(pattern, limit)
        return Keys(tuple(map(KeyRow, names[:limit])), len(names), is_exact)

    def sizes(self) -> tuple[list[Sizes], bool]:
        answer = self._ask("GET", "stats", wanted=("total",))
        total = answer.pop("total")
        rows = [
            Sizes(name, found["count"], None, None, None, tuple(found["sample_keys"]))
            for name, found in sorted(answer.items())
        ]
        return rows, bool(total["exact"])

    def plan(self, pattern: str) -> Plan:
        found = self._ask("GET", "plan", {"pattern": pattern}, wanted=("keys", "exact", "sample_keys"))
        facts = (found["keys"], bool(found["exact"]), found["size_bytes"], found["refill_seconds"])
        return Plan(found["pattern"], *facts, tuple(found["sample_keys"]))

    def clear(self, pattern: str, reason: str) -> Dropped:
        given = {"pattern": pattern} | ({"reason": reason} if reason else {})
        answer = self._ask("DELETE", "clear", given, wanted=("keys_cleared", "pending"))
        return Dropped(int(answer["keys_cleared"]), bool(answer["pending"]))

    def warm(self, tickers: Sequence[str]) -> Iterator[Warmed]:
        for start in range(0, len(tickers), _BATCH):
            batch = tickers[start : start + _BATCH]
            wanted, query = ("tickers", "failures"), {"tickers": ",".join(batch)}
            answer = self._ask("POST", "warmup", query, wanted=wanted, patience=_WARMUP_PATIENCE)
            for ticker in answer["tickers"]:
                reason = answer["failures"].get(ticker)
                yield Warmed(ticker, "cached") if reason is None else Warmed(ticker, "failed", reason=reason)

    def coverage(self, tickers: Sequence[str]) -> Standing:
        found = self._ask("GET", "coverage", {"tickers": ",".join(tickers)}, wanted=("kinds", "states", "reasons"))
        rows = tuple(
            Stand(ticker, tuple(states), found["reasons"].get(ticker, "")) for ticker, states in found["states"].items()
        )
        return Standing(tuple(found["kinds"]), rows, int(found["covered"]))

    def findings(self) -> list[Found]:
        answer = self._ask("GET", "doctor", wanted=("findings",))
        return [
            Found(one["severity"], one["what"], tuple(one["evidence"]), one["why"], one["step"])
            for one in answer["findings"]
        ]

    def _names(self, pattern: str, limit: int | None = None) -> tuple[list[str], bool]:
        """The keys that match, sorted, and whether these are all; about *limit* of them, None for no limit."""
        found, cursor = set[str](), ""
        while True:
            query = {"pattern": pattern, "limit": str(min(limit or _PAGE, _PAGE)), "cursor": cursor}
            given = {name: value for name, value in query.items() if value}
            answer = self._ask("GET", "keys", given, wanted=("keys", "cursor"))
            found.update(answer["keys"])
            cursor = answer["cursor"] or ""
            if not cursor or (limit is not None and len(found) >= limit):
                return sorted(found), not cursor

    def _ask(
        self,
        method: str,
        call: str,
        query: Mapping[str, str] | None = None,
        *,
        wanted: Sequence[str],
        patience: float = _PATIENCE,
    ) -> dict[str, Any]:
        """The answer, which has all that is *wanted*; *patience* is in seconds."""
        status, body = self._exchange(method, f"{_PATH}{call}?{urlencode(query or {})}".rstrip("?"), patience)
        try:
            answer = json.loads(body)
        except ValueError:
            answer = None
        is_fine = status < HTTPStatus.MULTIPLE_CHOICES
        if not isinstance(answer, dict) or not answer.keys() >= set(wanted if is_fine else ("detail",)):
            said = body[:_MOST_SAID].decode(errors="replace").strip()
            raise NothingThere(f"what answers at {self._url} is no console, or wants nothing of this: {status} {said}")
        if is_fine:
            return answer
        if status == HTTPStatus.UNPROCESSABLE_ENTITY:
            raise Unfit(str(answer["detail"]))
        raise (Busy if status == HTTPStatus.CONFLICT else Failed)(f"the console refuses ({status}): {answer['detail']}")

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


class Unfit(InvalidInput):
    """What a console finds wrong with its parameters, in its words."""

    def __init__(self, detail: str) -> None:
        super().__init__("request", "", detail)
        self.args = (detail,)
