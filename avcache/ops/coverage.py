"""Who is missing: how each ticker of a universe stands in each kind, exact and without a scan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

from avcache.core.cache import Cache
from avcache.core.peek import Peek
from avcache.errors import InvalidInput
from avcache.market.service import Market
from avcache.market.tickers import parse_tickers

__all__ = ["COVERED", "KINDS", "Coverage", "State", "check_kinds", "look"]

KINDS: Final[tuple[str, ...]] = ("price", "momentum")
"""The kinds that people ask for; each is loaded with all that it rests on."""

State = Literal["fresh", "expiring", "stale", "missing", "failed"]
COVERED: Final[frozenset[State]] = frozenset({"fresh", "expiring"})

_BASIS: Final = "history"


@dataclass(frozen=True, slots=True)
class Coverage:
    """
    Attributes:
        kinds: The columns.
        rows: By ticker, a state for each kind: *expiring* in the last fifth of its ttl, five minutes at most; *failed*
            where it is known for now that there are no prices.
        reasons: By ticker, why it failed.
    """

    kinds: tuple[str, ...]
    rows: Mapping[str, tuple[State, ...]]
    reasons: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def gaps(self) -> tuple[str, ...]:
        """Tickers for which something is stale or missing, and may be had."""
        return tuple(ticker for ticker, states in self.rows.items() if not {"stale", "missing"}.isdisjoint(states))

    @property
    def expiring(self) -> tuple[str, ...]:
        """Tickers of which nothing has to be loaded yet, but something soon."""
        return tuple(
            ticker for ticker, states in self.rows.items() if "expiring" in states and COVERED.issuperset(states)
        )

    @property
    def covered(self) -> int:
        """How many tickers are in the cache, fresh, in every kind."""
        return sum(COVERED.issuperset(states) for states in self.rows.values())


def look(cache: Cache, market: Market, tickers: str | Sequence[str], kinds: Sequence[str] = KINDS) -> Coverage:
    """
    Return how each of *tickers* stands in each of *kinds* (namespaces of the market), in one round trip, and one more
    for each ticker that has no prices. Nothing is counted.

    Raises:
        InvalidInput: Some of *tickers* are none, or one of *kinds* is not kept by ticker.
    """
    names, sources = parse_tickers(tickers), market.sources
    check_kinds(market, kinds)
    columns = tuple(dict.fromkeys((*kinds, _BASIS)))
    looked = iter(cache.peek_many([f"{kind}:{ticker}" for ticker in names for kind in columns]))
    found = {ticker: {kind: _readable(next(looked), sources[kind]) for kind in columns} for ticker in names}
    reasons = {
        ticker: reason
        for ticker, entries in found.items()
        if _is_known_absence(entries[_BASIS]) and (reason := cache.why_absent(f"{_BASIS}:{ticker}")) is not None
    }
    rows = {
        ticker: tuple(_state(found[ticker][kind], has_no_prices=ticker in reasons) for kind in kinds)
        for ticker in names
    }
    return Coverage(tuple(kinds), rows, {ticker: _said(reason) for ticker, reason in reasons.items()})


def check_kinds(market: Market, kinds: Sequence[str]) -> None:
    """Raise `InvalidInput` if one of *kinds* is not kept by ticker."""
    sources = market.sources
    for kind in kinds:
        if kind not in sources:
            raise InvalidInput("kinds", kind, f"any of {', '.join(sources)}")
    if not kinds:
        raise InvalidInput("kinds", kinds, f"any of {', '.join(sources)}")


def _readable(peek: Peek | None, source: str) -> Peek | None:
    """*peek*, if the market would take it: what another provider gave, or a hand, is a miss to it."""
    return None if peek is None or peek.is_foreign or peek.source != source else peek


def _is_known_absence(peek: Peek | None) -> bool:
    return peek is not None and peek.is_absent and not peek.is_stale


def _state(peek: Peek | None, *, has_no_prices: bool) -> State:
    if peek is None or peek.is_absent:
        return "failed" if has_no_prices else "missing"
    if peek.is_stale:
        return "stale"
    return "expiring" if peek.is_expiring else "fresh"


def _said(reason: str) -> str:
    """A reason as people read it; the market keeps its own word for it in front."""
    _, colon, detail = reason.partition(": ")
    return detail if colon else reason
