"""What the market asks of a cache (`avcache.core.cache.Cache` is one), and how all that it keeps there is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Literal, Protocol, TypeVar

import msgspec

from avcache.core.peek import Peek
from avcache.errors import Absent, FailureReason, ProviderError

__all__ = [
    "FRESH_FOR",
    "NOTES",
    "PROVISIONAL",
    "STRICT",
    "UNREADABLE",
    "Cache",
    "Kind",
    "Record",
    "StalePolicy",
    "core_policy",
    "fresh_for",
    "read_many",
    "read_one",
    "ticker_of",
]

T = TypeVar("T")
CorePolicy = Literal["serve", "on_error", "refuse"]
Record = dict[str, Any]
StalePolicy = Literal["serve", "on_error", "refuse", "renew"]
"""`renew` refuses what is stale, and loads anew what soon will be."""

FRESH_FOR: Final = "fresh_for"
PROVISIONAL: Final = "is_provisional"
NOTES: Final = frozenset({"provider", "unknown"})
"""Namespaces of what the market notes of its provider: no results."""

STRICT: Final[frozenset[StalePolicy]] = frozenset({"refuse", "renew"})
"""Policies of those who want nothing that is stale, or made of it."""

UNREADABLE: Final = (msgspec.ValidationError, KeyError, TypeError, AttributeError)


def ticker_of(key: str) -> str:
    """The ticker that a *key* of one names, such as `momentum:AAPL@factor`."""
    return key.partition(":")[2].partition("@")[0]


class Cache(Protocol):
    """See `avcache.core.cache.Cache`. Values are builtins and DataFrames; one that is returned may be shared."""

    def get_or_load(
        self,
        key: str,
        load: Callable[[], Any],
        *,
        ttl: Callable[[Any], float | None] | None = None,
        source: str = "",
        tags: Sequence[str] = (),
        stale: CorePolicy = "serve",
    ) -> Any:
        """Return the value of *key*, or run *load* and keep what it returns."""

    def refresh(
        self,
        key: str,
        load: Callable[[], Any],
        *,
        ttl: Callable[[Any], float | None] | None = None,
        source: str = "",
        tags: Sequence[str] = (),
    ) -> Any:
        """Run *load* now, whatever is cached; keep and return what it brings."""

    def get_many_or_load(
        self,
        keys: Sequence[str],
        load: Callable[[list[str]], Mapping[str, Any]],
        *,
        ttl: Callable[[Any], float | None] | None = None,
        source: str = "",
        tags: Callable[[str], Sequence[str]] = lambda _key: (),
    ) -> dict[str, Any]:
        """Return the values of *keys*; *load* is called once with those that have no fresh one."""

    def peek_many(self, keys: Sequence[str]) -> list[Peek | None]:
        """Look at entries without counting or decoding them."""

    def peek_value(self, key: str) -> Any:
        """The value of *key*, fresh or stale, or `MISS`; not counted."""

    def set(self, key: str, value: object, ttl: float | None = None, *, tags: Sequence[str] = ()) -> None:
        """Keep *value* for *ttl* seconds."""

    def delete(self, key: str) -> int:
        """Drop *key*."""

    def flush_tag(self, tag: str) -> int:
        """Drop everything that carries *tag*."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """
    What is kept of each ticker under one namespace, as plain records. One that has `fresh_for` says itself for how many
    seconds it is fresh; one that `is_provisional` was made of stale prices, or without something that may be there in a
    minute: it is no answer for those who `refuse` what is stale.

    Attributes:
        load: Tickers -> the record of each, or why there is none.
        convert: Record -> what callers get; raises on one that another version wrote.
        source: Where it comes from; an entry of another source is a miss.
        absent_ttl: For how long it is kept that there is nothing, and why; None: not at all.
        suffix: Behind the ticker in the key.
        tags: Besides the ticker.
    """

    namespace: str
    load: Callable[[list[str]], Mapping[str, Record | ProviderError]]
    convert: Callable[[Record], T]
    source: str
    absent_ttl: Callable[[ProviderError], float | None] = lambda _error: None
    suffix: str = ""
    tags: tuple[str, ...] = field(default=())

    def key(self, ticker: str) -> str:
        """The key under which *ticker* is kept."""
        return f"{self.namespace}:{ticker}{self.suffix}"

    def tags_of(self, ticker: str) -> tuple[str, ...]:
        """The tags under which *ticker* is kept."""
        return tuple(dict.fromkeys((ticker, *self.tags)))


def fresh_for(record: Record) -> float | None:
    """The seconds that *record* asks for; None: as its namespace says."""
    seconds: float | None = record.get(FRESH_FOR)
    return seconds


def core_policy(stale: StalePolicy) -> CorePolicy:
    """What the cache is told of *stale*."""
    return "refuse" if stale == "renew" else stale


def read_one(cache: Cache, kind: Kind[T], ticker: str, stale: StalePolicy = "serve") -> T:
    """
    Return what is kept of *ticker*, loading it if need be. *stale*: what to do with one past its ttl.

    Raises:
        ProviderError: There is none.
    """
    return _read(cache, kind, ticker, stale, lambda: kind.load([ticker])[ticker])


def read_many(
    cache: Cache, kind: Kind[T], tickers: Sequence[str], stale: StalePolicy = "serve"
) -> dict[str, T | ProviderError]:
    """`read_one` for several: what has to be loaded is loaded in one go, and one that fails spoils no other."""
    keys = {kind.key(ticker): ticker for ticker in tickers}
    apart = _apart(cache, kind, tickers, stale)
    failed: dict[str, ProviderError] = {}

    def load(missing: list[str]) -> dict[str, Record]:
        outcomes = kind.load([keys[key] for key in missing])
        failed.update({ticker: found for ticker, found in outcomes.items() if isinstance(found, ProviderError)})
        return {key: found for key in missing if not isinstance(found := outcomes[keys[key]], ProviderError)}

    records: dict[str, Record] = {}
    with suppress(ProviderError):  # all of them failed a moment ago: each is told below
        records = cache.get_many_or_load(
            [key for key, ticker in keys.items() if ticker not in apart],
            load,
            ttl=fresh_for,
            source=kind.source,
            tags=lambda key: kind.tags_of(keys[key]),
        )
    found: dict[str, T | ProviderError] = {}
    for key, ticker in keys.items():
        taken = _taken(cache, kind, ticker, stale, records.get(key) or failed.get(ticker))
        found[ticker] = taken
    return found


def _taken(
    cache: Cache, kind: Kind[T], ticker: str, stale: StalePolicy, outcome: Record | ProviderError | None
) -> T | ProviderError:
    if isinstance(outcome, dict):
        try:
            if stale not in STRICT or not outcome.get(PROVISIONAL):
                return _converted(kind, ticker, outcome)
        except UNREADABLE:
            pass
        cache.delete(kind.key(ticker))
        outcome = None
    try:
        # A failure goes by the cache: it may know a stale value, and it remembers what is not there.
        return _read(cache, kind, ticker, stale, lambda: outcome or kind.load([ticker])[ticker])
    except ProviderError as exc:
        return exc


def _read(
    cache: Cache, kind: Kind[T], ticker: str, stale: StalePolicy, load: Callable[[], Record | ProviderError]
) -> T:
    def loaded() -> Record:
        found = load()
        if isinstance(found, ProviderError):
            seconds = kind.absent_ttl(found)
            raise found if seconds is None else Absent(f"{found.reason}: {found.detail}", seconds)
        return found

    def record() -> Record:
        try:
            key, tags = kind.key(ticker), kind.tags_of(ticker)
            if stale == "renew" and _apart(cache, kind, [ticker], "renew"):
                renewed: Record = cache.refresh(key, loaded, ttl=fresh_for, source=kind.source, tags=tags)
                return renewed
            policy = core_policy(stale)
            found: Record = cache.get_or_load(key, loaded, ttl=fresh_for, source=kind.source, tags=tags, stale=policy)
        except Absent as exc:
            raise _known(ticker, exc) from exc
        return found

    found = record()
    try:
        if stale not in STRICT or not found.get(PROVISIONAL):
            return _converted(kind, ticker, found)
    except UNREADABLE:
        pass
    cache.delete(kind.key(ticker))
    return kind.convert(record())


def _converted(kind: Kind[T], ticker: str, record: Record) -> T:
    if record.get("ticker", ticker) != ticker:
        raise KeyError(ticker)  # it lies under a name that is not its own
    return kind.convert(record)


def _known(ticker: str, absent: Absent) -> ProviderError:
    reason, _, detail = absent.reason.partition(": ")
    known: FailureReason = "no_data" if reason == "no_data" else "unknown"
    return ProviderError(ticker, known, detail)


def _apart(cache: Cache, kind: Kind[Any], tickers: Sequence[str], stale: StalePolicy) -> frozenset[str]:
    """
    Those that are read one by one: past their ttl, to be served while they are loaded again behind the scenes; or soon
    past it, to be loaded anew now.
    """
    if stale not in {"serve", "renew"}:
        return frozenset()
    looked = cache.peek_many([kind.key(ticker) for ticker in tickers])
    return frozenset(
        ticker
        for ticker, entry in zip(tickers, looked, strict=True)
        if entry is not None
        and not entry.is_foreign
        and entry.source == kind.source
        and (entry.is_stale if stale == "serve" else entry.is_expiring and not entry.is_absent)
    )
