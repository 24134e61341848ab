"""How often a source may be asked by all processes that share one cache: a token bucket, and a circuit breaker."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any, Final, Literal, Protocol

import msgspec

from avcache.backends.base import MISS
from avcache.clock import Clock
from avcache.core.store import CacheLimits
from avcache.errors import CacheError, InvalidInput

__all__ = ["Throttle", "ThrottleCache", "ThrottleState", "Throttled"]

logger = logging.getLogger(__name__)
_chance = random.Random()  # noqa: S311 - no secret; our own, so that no thread disturbs who seeds theirs

_FIRST_PAUSE: Final = 60.0
_LONGEST_PAUSE: Final = 15 * 60.0
_DOUBLINGS: Final = 10
"""More of them change nothing, and would be a number too large for a float some day."""

_STRIKES_KEPT: Final = 30 * 60.0
"""Seconds after the breaker has closed in which a further refusal counts as the next strike."""

_LEASE: Final = 2.0
_LOCK_WAIT: Final = 1.0
_UNNOTICED: Final = 0.001
"""Seconds that are not worth a sleep: added to a time of day, 500 intervals are off by up to 0.00005."""

_RATES: Final = (0.001, 1_000.0)
_BURSTS: Final = (1.0, 1_000_000.0)
_LAST_MOMENT: Final = 1e11
_Moment = Annotated[float, msgspec.Meta(ge=0, le=_LAST_MOMENT)]


class ThrottleCache(Protocol):
    """What the throttle asks of a cache; see `avcache.core.cache.Cache`. Any of it may raise `CacheError`."""

    def peek_value(self, key: str) -> Any:
        """The value of *key*, fresh or stale, or `MISS`; not counted."""

    def set(self, key: str, value: object, ttl: float | None = None) -> None:
        """Keep *value* for *ttl* seconds."""

    def lock(self, name: str, *, lease: float = 10.0, wait: float = 10.0) -> AbstractContextManager[None]:
        """Hold the named lock, shared by all who share the cache."""
        ...


class Throttled(CacheError):
    """
    The source must not be asked now.

    Attributes:
        reason: `rate_limited`: the source refuses calls for a while; `timeout`: no token comes within the wait.
        until: When to ask again, at the earliest; epoch seconds.
    """

    def __init__(self, reason: Literal["rate_limited", "timeout"], until: float, detail: str) -> None:
        super().__init__(detail)
        self.reason: Literal["rate_limited", "timeout"] = reason
        self.until = until


@dataclass(frozen=True, slots=True)
class ThrottleState:
    """*open_until*: until when nothing may be asked, epoch seconds, or None; *strikes*: refusals in a row."""

    open_until: float | None
    strikes: int


@dataclass(frozen=True, slots=True)
class _Kept:
    """
    What stands in the cache; 0 for what never was.

    *full_at*: when the bucket is full again, which tells how full it is now: the theoretical arrival time of the
    generic cell rate algorithm (ITU-T I.371), here without the tolerance.
    """

    full_at: _Moment
    open_until: _Moment
    strikes: Annotated[int, msgspec.Meta(ge=0)]

    def is_open(self, now: float) -> bool:
        return now < self.open_until


@dataclass(frozen=True, slots=True)
class _Step:
    """One change of what is kept, at *now*."""

    now: float
    before: _Kept
    after: _Kept


_NOTHING: Final = _Kept(0.0, 0.0, 0)


class Throttle:
    """
    Admits calls to *name* at *rate* per second, and none for a while after it has refused one.

    The state lives in *cache* under `provider:<name>`: shared by all who share the cache, whose clocks should agree to
    about a second. Where the cache fails, calls are admitted, unless this process knows of a refusal that still holds:
    the throttle protects the source, its own troubles must not cost the market. Each method that changes something may
    wait a second for the lock, besides any other wait.

    Args:
        rate: Calls per second.
        burst: Calls that may come at once after a rest; None: one minute's worth, 1 at least.
        wall: Wall clock, epoch seconds.
        randomness: Returns 0..1 for the jitter.
        max_ttl: The longest time to live that *cache* accepts, seconds.

    Raises:
        InvalidInput: For a *rate* or *burst* that is none.
    """

    def __init__(
        self,
        cache: ThrottleCache,
        name: str,
        *,
        rate: float = 2.0,
        burst: float | None = None,
        wall: Clock = time.time,
        sleep: Callable[[float], None] = time.sleep,
        randomness: Callable[[], float] = _chance.random,
        max_ttl: float | None = None,
    ) -> None:
        _check("rate", rate, _RATES, "calls per second")
        most = max(1.0, 60 * rate) if burst is None else burst
        _check("burst", most, _BURSTS, "calls")
        self._cache = cache
        self._name = name
        self._key = f"provider:{name}"
        self._interval = 1 / rate
        self._tolerance = (most - 1) * self._interval
        self._wall = wall
        self._sleep = sleep
        self._random = randomness
        self._max_ttl = CacheLimits().max_ttl if max_ttl is None else max_ttl
        self._seen = _NOTHING
        self._mutex = threading.Lock()
        self._is_guarded = True

    def admit(self, wait: float, *, calls: int = 1, sleep: Callable[[float], object] | None = None) -> None:
        """
        Take the tokens of *calls* calls; sleep until there is one, *wait* seconds at most (the others are owed).

        Raises:
            Throttled: At once, with no token taken, if the breaker is open or the token would come later. Also after
                the sleep, if the breaker has opened meanwhile.
        """
        if not wait >= 0:
            raise InvalidInput("wait", wait, "seconds, 0 or more")
        if self._seen.is_open(self._wall()):  # most likely it still is: that is seen without the lock
            self._refuse_if_open()
        step = self._change(lambda kept, now: self._taken(kept, now, wait, calls))
        if step is None:
            return
        if step.before.is_open(step.now):
            raise self._is_refusing(step.before.open_until, step.now)
        delay = self._delay(step.before, step.now)
        if delay > wait:
            raise Throttled("timeout", step.now + delay, f"{self._name}: no call is free for another {delay:.1f} s")
        if delay > 0:
            (sleep or self._sleep)(delay)
            self._refuse_if_open()

    def refused(self) -> None:
        """
        Note that the source has refused a call: open the breaker for a minute, for twice as long with each strike that
        follows, 15 minutes at most; times 0.5 to 1, so that not all come back at once.

        One that comes while it is open is no further strike: its call began before.
        """
        step = self._change(self._struck)
        if step is None or step.after == step.before:
            return
        until = step.after.open_until
        facts = {"provider": self._name, "strikes": step.after.strikes, "seconds": until - step.now, "until": until}
        logger.warning("provider.refused", extra=facts)

    def succeeded(self) -> None:
        """Note that a call went through: if that was after the breaker had been open, all strikes are forgotten."""
        # What `admit` saw last is enough to know that there is nothing to forget, without asking for it.
        if self._seen != self._forgiven(self._seen, self._wall()):
            self._change(self._forgiven)

    def state(self) -> ThrottleState:
        """What holds now; as far as this process knows, if the cache fails. Not counted, never raises."""
        now = self._wall()
        try:
            kept = self._seen = self._read(now)
        except CacheError:
            kept = self._seen
        return ThrottleState(kept.open_until if kept.is_open(now) else None, kept.strikes)

    def _taken(self, kept: _Kept, now: float, wait: float, calls: int) -> _Kept:
        """With the tokens of *calls* less, if there is one within *wait*."""
        if kept.is_open(now) or self._delay(kept, now) > wait:
            return kept
        return replace(kept, full_at=max(kept.full_at, now) + calls * self._interval)

    def _struck(self, kept: _Kept, now: float) -> _Kept:
        if kept.is_open(now):
            return kept
        pause = min(_FIRST_PAUSE * 2 ** min(kept.strikes, _DOUBLINGS), _LONGEST_PAUSE)
        # Not the full jitter of 0 to 1: that could open the way again at once, to the source that has just refused.
        until = now + pause * (0.5 + 0.5 * self._random())
        # No burst after it: those who waited come at the rate, not all at once.
        return _Kept(until + self._tolerance, until, kept.strikes + 1)

    @staticmethod
    def _forgiven(kept: _Kept, now: float) -> _Kept:
        # While the breaker is open, what goes through began before: it says nothing about the refusal.
        return kept if kept.is_open(now) else replace(kept, open_until=0.0, strikes=0)

    def _delay(self, kept: _Kept, now: float) -> float:
        """Seconds until a token is there."""
        delay = kept.full_at - self._tolerance - now
        return delay if delay > _UNNOTICED else 0.0

    def _refuse_if_open(self) -> None:
        until = self.state().open_until
        if until is not None:
            raise self._is_refusing(until, self._wall())

    def _is_refusing(self, until: float, now: float) -> Throttled:
        return Throttled("rate_limited", until, f"{self._name} refuses calls: none for another {until - now:.0f} s")

    def _change(self, change: Callable[[_Kept, float], _Kept]) -> _Step | None:
        """Put in place of what is kept what *change* makes of it, as one step for all; None if the cache fails."""
        try:
            with self._cache.lock(self._key, lease=min(_LEASE, self._max_ttl), wait=min(_LOCK_WAIT, self._max_ttl)):
                now = self._wall()
                before = self._read(now)
                after = change(before, now)
                if after != before:
                    self._cache.set(self._key, asdict(after), ttl=self._ttl(after, now))
        except CacheError as exc:
            self._note(exc)
            return None
        self._note(None)
        self._seen = after
        return _Step(now, before, after)

    def _read(self, now: float) -> _Kept:
        found = self._cache.peek_value(self._key)
        # Evicted, cleared with all else, or Redis is away: the source goes on refusing all the same.
        kept = replace(self._seen, full_at=0.0) if found is MISS else _parsed(found)
        return kept if now < kept.open_until + _STRIKES_KEPT else replace(kept, open_until=0.0, strikes=0)

    def _ttl(self, kept: _Kept, now: float) -> float:
        """As long as the entry means something; then it goes, whatever a wall clock that was wrong has put into it."""
        return min(max(kept.full_at, kept.open_until, now) - now + _STRIKES_KEPT, self._max_ttl)

    def _note(self, failure: CacheError | None) -> None:
        """Tell once for each change whether the cache can be used."""
        with self._mutex:
            if self._is_guarded == (failure is None):
                return
            self._is_guarded = failure is None
        if failure is None:
            logger.warning("throttle.guarded", extra={"provider": self._name})
        else:
            facts = {"provider": self._name, "error": f"{type(failure).__name__}: {failure}"}
            logger.warning("throttle.unguarded", extra=facts)


def _parsed(found: object) -> _Kept:
    try:
        return msgspec.convert(found, _Kept)
    except msgspec.ValidationError:  # written by another version, or by hand
        return _NOTHING


def _check(field: str, given: object, bounds: tuple[float, float], unit: str) -> None:
    least, most = bounds
    is_number = isinstance(given, int | float) and not isinstance(given, bool)
    if not is_number or not least <= given <= most:  # type: ignore[operator]
        raise InvalidInput(field, given, f"{unit}, {least:g} to {most:g}")
