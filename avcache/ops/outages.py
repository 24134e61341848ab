"""Outages of the server, as this process saw them: when one began and why, and how long it lasted."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from avcache.backends.base import State
from avcache.clock import Clock
from avcache.formats import format_seconds
from avcache.ops.audit import Audit
from avcache.ops.faults import fault_of

__all__ = ["Outages"]

_ACTOR: Final = "avcache"
_OBJECT: Final = "server"


class Outages:
    """
    `tick` looks at *cache_state* and records what has changed since the last look; call it every few seconds.

    What lasts shorter than from one look to the next may go unseen.

    Args:
        clock: Wall clock, the one of *audit*.
    """

    def __init__(self, cache_state: Callable[[], State], audit: Audit, clock: Clock = time.time) -> None:
        self._state = cache_state
        self._audit = audit
        self._clock = clock
        self._away_since: float | None = None

    def tick(self) -> None:
        """Record an outage that has begun, or one that is over; never raises because of the audit."""
        state = self._state()
        since = state.since if state.is_degraded else None
        if since == self._away_since:
            return
        if self._away_since is not None:
            # If another one has begun meanwhile, this one was over by then.
            self._note_recovery(self._away_since, self._clock() if since is None else since)
        if since is not None:
            self._note_outage(since, state.error)
        self._away_since = since

    def times(self, since: float) -> list[float]:
        """
        When outages began from *since* on (wall clock), oldest first; one that several processes saw counts once.

        Raises:
            BackendError: The store does not answer, or refuses.
        """
        return [event.at for event in self._audit.events(since) if event.kind == "outage"]

    def _note_outage(self, since: float, error: str | None) -> None:
        text = f"Server away: {fault_of(error or '').words}"
        self._audit.record(_ACTOR, "outage", _OBJECT, reason=error or "", result=text, at=since)

    def _note_recovery(self, since: float, until: float) -> None:
        text = f"Server back after {format_seconds(max(0.0, until - since))}"
        self._audit.record(_ACTOR, "recovery", _OBJECT, result=text, at=until)
