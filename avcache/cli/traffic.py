"""A team of analysts at work: which price, score or portfolio is read when. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

__all__ = ["KINDS", "Kind", "Read", "Team", "popularity"]

Kind: TypeAlias = Literal["price", "momentum", "portfolio"]
KINDS: Final[tuple[Kind, ...]] = ("price", "momentum", "portfolio")
_READS_PER_HOUR: Final[Mapping[Kind, float]] = MappingProxyType({"price": 300.0, "momentum": 24.0, "portfolio": 10.0})
"""
Of one analyst: a watch list that looks at a price every 12 seconds, a score opened every two and a half minutes, a
portfolio every six minutes.
"""

_HOUR: Final = 3600.0
_PORTFOLIOS: Final = 8
_EVERYBODY_HOLDS: Final = 3


@dataclass(frozen=True, slots=True)
class Read:
    """Somebody reads the *item*-th most popular of a *kind*, *at* seconds after the beginning."""

    at: float
    kind: Kind
    item: int


@dataclass(frozen=True, slots=True)
class Team:
    """
    *analysts* who watch *tickers*, the most popular first, and the portfolios of the team.

    Each reads independently of the others and of the past (a Poisson process); what is read is chosen by Zipf's law:
    the second by half as many, the third by a third.
    """

    tickers: tuple[str, ...]
    analysts: int = 12

    def rate(self, kind: Kind) -> float:
        """Reads of a *kind* by all of them, per second."""
        return self.analysts * _READS_PER_HOUR[kind] / _HOUR

    def items(self, kind: Kind) -> int:
        """How many different ones of a *kind* there are."""
        return _PORTFOLIOS if kind == "portfolio" else len(self.tickers)

    def holdings(self, number: int) -> dict[str, float]:
        """What the *number*-th portfolio holds: the favourites of all, and a share of the others."""
        held = dict.fromkeys((*self.tickers[:_EVERYBODY_HOLDS], *self.tickers[number::_PORTFOLIOS]))
        return dict.fromkeys(held, 10.0 * (number + 1))

    def reads(self, chance: Random, seconds: float = math.inf) -> Iterator[Read]:
        """Yield what is read within *seconds*, in order; without end unless that is finite."""
        rates = [self.rate(kind) for kind in KINDS]
        shares = {kind: list(accumulate(popularity(self.items(kind)))) for kind in KINDS}
        at = chance.expovariate(sum(rates))
        while at < seconds:
            (kind,) = chance.choices(KINDS, rates)
            (item,) = chance.choices(range(self.items(kind)), cum_weights=shares[kind])
            yield Read(at, kind, item)
            at += chance.expovariate(sum(rates))


def popularity(items: int) -> Sequence[float]:
    """The share of reads that each of *items* gets, the most popular first; they add up to 1."""
    total = sum(1 / rank for rank in range(1, items + 1))
    return [1 / rank / total for rank in range(1, items + 1)]
