"""Which cache a command is about, and what may be done with it."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, Literal, Protocol, TypeAlias

import typer

from avcache import runtime
from avcache.backends.base import Cleared
from avcache.cli.exits import NothingThere
from avcache.market.tickers import parse_tickers
from avcache.market.universe import Universes, load_universes
from avcache.runtime import Runtime

if TYPE_CHECKING:
    from avcache.api.schemas import ClearPlan, Coverage, Finding

__all__ = [
    "CONSOLE",
    "Json",
    "KeyRow",
    "Keys",
    "Place",
    "Sizes",
    "Url",
    "Warmed",
    "connected",
    "place_of",
    "tickers_of",
    "universes",
]

CONSOLE: Final = "http://127.0.0.1:8501"

Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Url: TypeAlias = Annotated[str, typer.Option(help="Where the console runs, whose embedded cache this is about.")]


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key, its age and what is left of its ttl (seconds), its bytes and its state; None: REST does not tell."""

    key: str
    age: float | None = None
    ttl_left: float | None = None
    size: int | None = None
    state: str | None = None


@dataclass(frozen=True, slots=True)
class Keys:
    """Some keys that match, and *found* of them in all: at least, unless that *is_exact*."""

    rows: tuple[KeyRow, ...]
    found: int
    is_exact: bool


@dataclass(frozen=True, slots=True)
class Sizes:
    """What one namespace takes, and the share of its reads that were answered in the last day; None: not known."""

    name: str
    keys: int
    stale: int | None
    size: int | None
    hit_rate: float | None
    samples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Warmed:
    """What became of one ticker: `loaded`, `fresh` (so it was found), `cached` (one of these) or `failed`, and why."""

    ticker: str
    result: Literal["loaded", "fresh", "cached", "failed"]
    seconds: float | None = None
    reason: str = ""


class Place(Protocol):
    """A cache, and what may be done with it. All of it may raise `NothingThere`, `Failed` and `InvalidInput`."""

    def info(self) -> Mapping[str, object]:
        """What the store is, and how full, by the names of `GET /api/v1/cache/info`."""

    def keys(self, pattern: str, limit: int) -> Keys:
        """Return at most *limit* of the keys that match."""

    def sizes(self) -> tuple[list[Sizes], bool]:
        """Return what each namespace takes, and whether all of the cache was looked at."""

    def plan(self, pattern: str) -> ClearPlan:
        """Look what a clear would drop; touches nothing."""

    def clear(self, pattern: str, reason: str) -> Cleared:
        """Drop what matches."""

    def warm(self, tickers: Sequence[str]) -> Generator[Warmed]:
        """Load what is not fresh, and yield what became of each ticker; closing the generator stops it."""

    def coverage(self, tickers: Sequence[str]) -> Coverage:
        """How each of *tickers* stands."""

    def findings(self) -> list[Finding]:
        """What deserves attention, most severe first."""


def place_of(url: str) -> Place:
    """
    Return the cache on the server that the settings name, else that of the console at *url*.

    Raises:
        NothingThere: The server does not answer. (Whether the console does turns out with the first question.)
    """
    wired = runtime.shared()
    if wired.settings.redis_enabled:
        from avcache.cli.here import Here  # noqa: PLC0415 - pandas

        return Here(connected(wired))
    from avcache.cli.remote import Remote  # noqa: PLC0415 - an HTTP client

    token = wired.settings.avcache_api_token
    return Remote(url, None if token is None else token.get_secret_value())


def connected(wired: Runtime) -> Runtime:
    """Start *wired*, whose cache is on a server. Raises `NothingThere` if that does not answer."""
    wired.start()
    state = wired.cache.state()
    if state.is_degraded:
        raise NothingThere(f"the Redis of the settings gives no usable answer: {state.error}")
    return wired


def universes() -> Universes:
    """The universes of the settings."""
    return load_universes(runtime.shared().settings.avcache_universes)


def tickers_of(words: Sequence[str], universe: str | None = None) -> tuple[str, ...]:
    """
    Return the tickers that *words* are, or those of the universe that they name, and those of *universe*.

    Raises:
        InvalidInput: There is no such universe, or something that is no ticker; or neither is given.
    """
    known, name = universes(), " ".join(words)
    of_universe = () if universe is None else known.get(universe)
    if name.casefold() in {one.casefold() for one in known.names}:
        return tuple(dict.fromkeys((*known.get(name), *of_universe)))
    return parse_tickers([*name.replace(",", " ").split(), *of_universe])
