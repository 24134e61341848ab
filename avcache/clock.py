"""Time as a value: whoever needs the time is given a clock."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Clock", "ManualClock"]

Clock = Callable[[], float]
"""Seconds; `time.monotonic` for durations, `time.time` where a wall-clock reading is shown."""


class ManualClock:
    """A clock that stands still until it is told to `advance`."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._now = now

    def __call__(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        """Move time forward by *seconds*."""
        self._now += seconds
