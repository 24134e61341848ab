"""How the state of an entry looks: one word and one colour each, the same on every page."""

from __future__ import annotations

from typing import Final

from avcache.core.peek import Peek

__all__ = ["STATE_COLOURS", "state_of"]

STATE_COLOURS: Final = {
    "fresh": "green",
    "loaded": "green",
    "stale": "orange",
    "missing": "red",
    "failed": "red",
    "foreign": "gray",
    "waiting": "gray",
}


def state_of(entry: Peek) -> str:
    """One word for an entry that is there."""
    if entry.is_foreign:
        return "foreign"
    return "stale" if entry.is_stale else "fresh"
