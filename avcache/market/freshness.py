"""How long results stay fresh, and what their age means: by the exchange's hours where these are known. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

from avcache.clock import Clock
from avcache.market.provider import PriceHistory

if TYPE_CHECKING:
    from avcache.market.calendar import Calendar

__all__ = ["DEFAULT_TTLS", "RETRY", "Freshness", "Session", "span"]

DEFAULT_TTLS: Final[Mapping[str, float]] = MappingProxyType({"price": 300.0, "momentum": 1800.0, "portfolio": 600.0})
RETRY: Final = 60.0
"""Seconds for which a result is kept that lacks something for a passing reason, or rests on stale prices."""

_LEAST: Final = 1.0
_CLOCK_SLACK: Final = 60.0
_NO_DATA: Final = 300.0
_UNKNOWN: Final = (900.0, 3600.0, 24 * 3600.0)

Session = Literal["running", "closed", "behind"]
"""Of a price: its session is running; it is the last close; a session has ended since, so it is old."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """
    How long what is made of prices stays fresh.

    With a *calendar*: while its exchange is closed and the last close is known, until it opens; else as *ttls* say
    (seconds, by namespace; a history counts as a price). Never for more than *longest* seconds.
    """

    clock: Clock
    ttls: Mapping[str, float] = field(default_factory=lambda: DEFAULT_TTLS)
    calendar: Calendar | None = None
    longest: float = 7 * 24 * 3600.0

    def of_history(self, history: PriceHistory) -> float:
        """Seconds from its fetching on."""
        return self._bounded(max(self.ttls["price"], self._until_open(history)))

    def of_price(self, history: PriceHistory) -> float:
        """Seconds from now on: a price is no fresher than the history that it is cut from."""
        if not history.fetched_at:
            return self._bounded(self.ttls["price"])
        left = self._left(history)
        return self._bounded(max(_LEAST, left) if left > 0 else RETRY)

    def of_result(self, namespace: str, histories: Iterable[PriceHistory], *, is_partial: bool) -> float:
        """
        Seconds from now on of what was computed from *histories*.

        A minute at most if it *is_partial*, lacking something that may be there in a while, or if any of the histories
        is past its time itself.
        """
        ttl, used = self.ttls[namespace], list(histories)
        if is_partial or not used or any(map(self.is_stale, used)):
            return self._bounded(min(ttl, RETRY))
        return self._bounded(max(ttl, min(map(self._until_open, used))))

    def of_no_data(self) -> float:
        """Seconds for which it is kept that a source has no usable prices of a ticker."""
        return self._bounded(_NO_DATA)

    def of_nothing(self, times: int) -> float:
        """Seconds for which it is kept that a ticker is unknown, after it was found so *times* times before."""
        return self._bounded(_UNKNOWN[min(times, len(_UNKNOWN) - 1)])

    def is_stale(self, history: PriceHistory) -> bool:
        """Whether *history* is past its time."""
        return bool(history.fetched_at) and self._left(history) <= 0

    def session(self, as_of: str, *, is_complete: bool, zone: str | None = None) -> Session | None:
        """
        What a price of the session *as_of* (ISO date) is now, where *is_complete* says whether that had ended.

        None if it cannot be told: there is no calendar of the exchange in *zone*, and the session had ended.
        """
        calendar = self.calendar
        if calendar is None or zone not in {None, calendar.zone}:
            return None if is_complete else "running"
        ended = calendar.last_session(self.clock())
        if not is_complete:
            return "behind" if as_of <= ended else "running"
        return "closed" if as_of >= ended else "behind"

    def is_open(self) -> bool | None:
        """Whether the exchange trades now; None without a calendar."""
        return None if self.calendar is None else self.calendar.is_open(self.clock())

    def _bounded(self, seconds: float) -> float:
        return min(seconds, self.longest)

    def _left(self, history: PriceHistory) -> float:
        now = self.clock()
        if history.fetched_at > now + _CLOCK_SLACK:  # by a clock that was wrong: nobody knows how old it is
            return 0.0
        return max(history.fetched_at + self.ttls["price"] - now, self._until_open(history))

    def _until_open(self, history: PriceHistory) -> float:
        """Seconds until prices change again; 0 where that may be any moment."""
        calendar, now = self.calendar, self.clock()
        if calendar is None or not history.is_complete or history.zone not in {None, calendar.zone}:
            return 0.0
        if calendar.is_open(now) or history.as_of < calendar.last_session(now):
            return 0.0
        return calendar.next_open(now) - now


def span(moments: Iterable[float]) -> tuple[float | None, float | None]:
    """The oldest and the newest of *moments* (epoch seconds), leaving out those that do not matter (0)."""
    known = [moment for moment in moments if moment]
    return (min(known), max(known)) if known else (None, None)
