"""Waits until nobody else keeps the machine busy: a latency measured beside other work is a figure of that work."""

from __future__ import annotations

import time
from pathlib import Path

__all__ = ["await_calm"]

_STAT = Path("/proc/stat")
_LOOK = 2.0
_IDLE = 0.7
_IDLE_COLUMNS = slice(3, 5)


def await_calm(patience: float) -> float:
    """
    Return as soon as the processors were idle for most of two seconds, or after *patience* seconds.

    Returns the share of those seconds in which they were; 1 where the system does not tell.
    """
    give_up_at = time.monotonic() + patience
    while True:
        share = _idle_share()
        if share >= _IDLE or time.monotonic() >= give_up_at:
            return share


def _idle_share() -> float:
    if not _STAT.exists():
        return 1.0
    before = _ticks()
    time.sleep(_LOOK)
    spent = [now - then for now, then in zip(_ticks(), before, strict=True)]
    return sum(spent[_IDLE_COLUMNS]) / max(1, sum(spent))


def _ticks() -> list[int]:
    """Of all processors together: user, nice, system, idle, waiting for a disk, and so on."""
    return [int(word) for word in _STAT.read_text().partition("\n")[0].split()[1:]]
