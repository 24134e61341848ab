"""The sample with a today that moves: where a replay stands at a moment, and what was known on that day."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from avcache.clock import Clock
from avcache.errors import ProviderError
from avcache.market.provider import Figures, PriceHistory, each
from avcache.market.sample import SampleProvider

__all__ = ["REPLAYED", "Position", "ReplayedSample", "SampleDay", "position"]

REPLAYED: Final = 253
"""Sessions of one lap: the last of the sample, and the 252 (a year) before it."""

_MINUTE: Final = 60.0


@dataclass(frozen=True, slots=True)
class Position:
    """*session* counts from 0, the first of a lap; *lap* tells the times apart that the year is gone through."""

    lap: int
    session: int


def position(now: float, days_per_minute: float, sessions: int = REPLAYED) -> Position:
    """
    Where a replay of *sessions* stands at *now* (epoch seconds): the same in every process, whenever it was started.
    """
    return Position(*divmod(math.floor(now / _MINUTE * days_per_minute), sessions))


class ReplayedSample:
    """
    The sample, whose today goes forward by *days_per_minute* sessions and starts over a year before the end.

    Closes are those of the file: splits and dividends after today are in their scale, not in their changes.

    Args:
        clock: Wall clock.
    """

    name = SampleProvider.name
    benchmark = SampleProvider.benchmark

    def __init__(self, sample: SampleProvider, days_per_minute: float, clock: Clock = time.time) -> None:
        self._sample = sample
        self._days_per_minute = days_per_minute
        self._clock = clock

    @property
    def label(self) -> str:
        """E.g. "Sample prices, replayed, day 2022-03-14"."""
        return self.current().label

    def current(self) -> SampleDay:
        """Return the sample as it is known today."""
        now = self._clock()
        at = position(now, self._days_per_minute, len(self._days))
        return SampleDay(self._sample, self._days[at.session], at.lap, now)

    @cached_property
    def _days(self) -> list[str]:
        """Those of a lap, ISO dates; every operation asks for its own."""
        sessions = self._sample.history(self.benchmark).prices.index[-REPLAYED:]
        return [session.date().isoformat() for session in sessions]

    def histories(self, tickers: Sequence[str]) -> dict[str, PriceHistory | ProviderError]:
        """Return the prices of each of *tickers* up to today, or that it is `unknown`."""
        return self.current().histories(tickers)

    def fundamentals(self, tickers: Sequence[str]) -> dict[str, Figures | ProviderError]:
        """Return nothing for each: the sample holds prices only."""
        return self._sample.fundamentals(tickers)


@dataclass(frozen=True, slots=True)
class SampleDay:
    """
    The *sample* as it was known at the end of *day* (ISO date), in the *lap*-th replay; asked at *now*, epoch seconds.

    A provider for one operation, all of which happens on this day.
    """

    sample: SampleProvider
    day: str
    lap: int
    now: float

    name = SampleProvider.name
    benchmark = SampleProvider.benchmark

    @property
    def edition(self) -> str:
        """What is cached of another lap is a miss in this one: it may know days that are yet to come."""
        return f"{self.name}@{self.lap}"

    @property
    def label(self) -> str:
        """E.g. "Sample prices, replayed, day 2022-03-14"."""
        return f"Sample prices, replayed, day {self.day}"

    def current(self) -> SampleDay:
        """Return this provider."""
        return self

    def histories(self, tickers: Sequence[str]) -> dict[str, PriceHistory | ProviderError]:
        """Return the prices of each of *tickers* up to this day, or that it is `unknown`."""
        return each(tickers, self._history)

    def fundamentals(self, tickers: Sequence[str]) -> dict[str, Figures | ProviderError]:
        """Return nothing for each."""
        return self.sample.fundamentals(tickers)

    def _history(self, ticker: str) -> PriceHistory:
        whole = self.sample.history(ticker)
        return replace(whole, prices=whole.prices.loc[: self.day], fetched_at=self.now)
