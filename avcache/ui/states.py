"""How the state of an entry looks and reads: one word and one colour each, the same on every page. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from avcache.core.peek import Peek
from avcache.formats import format_age, format_clock, format_percent
from avcache.market.freshness import Session
from avcache.ops.snapshot import Snapshot

__all__ = [
    "SESSIONS",
    "STATE_COLOURS",
    "aged",
    "describe_age",
    "describe_exactness",
    "is_replaced",
    "state_of",
    "state_of_price",
]

STATE_COLOURS: Final = {
    "fresh": "green",
    "market closed": "green",
    "loaded": "green",
    "expiring": "yellow",
    "stale": "orange",
    "old price": "orange",
    "missing": "red",
    "failed": "red",
    "foreign": "gray",
    "waiting": "gray",
}


SESSIONS: Final = {
    "running": "the session is running",
    "closed": "market closed, last close",
    "behind": "older than the last close",
}
"""What a price is, by `avcache.market.freshness.Session`."""


def state_of(entry: Peek, session: Session | None = None) -> str:
    """One word for an entry that is there; of one made of prices, *session* says what these are now."""
    return "foreign" if entry.is_foreign else state_of_price(session, is_stale=entry.is_stale)


def state_of_price(session: Session | None, *, is_stale: bool) -> str:
    """The same of what is made of prices: past its time or not, and what *session* says."""
    if is_stale:
        return "stale"
    return {"closed": "market closed", "behind": "old price"}.get(session or "", "fresh")


def aged(entry: Peek, seconds: float) -> Peek:
    """*entry* as it is *seconds* after it was looked at."""
    return replace(
        entry,
        age=entry.age + seconds,
        ttl_left=max(0.0, entry.ttl_left - seconds),
        expires_in=max(0.0, entry.expires_in - seconds),
    )


def is_replaced(shown: Sequence[Peek], now: Sequence[Peek | None]) -> bool:
    """Whether what is there *now* of any of the entries *shown* was written later."""
    pairs = zip(shown, now, strict=True)
    return any(found is not None and found.written_at > entry.written_at for entry, found in pairs)


def describe_age(entry: Peek, *, if_stale: str) -> str:
    """`1:48 old, fresh for 8:12`; of a stale one *if_stale*, which says what happens to it."""
    fate = if_stale if entry.is_stale else f"fresh for {format_age(entry.ttl_left)}"
    return f"{format_age(entry.age)} old, {fate}"


def describe_exactness(snapshot: Snapshot, now: float) -> str:
    """How sure the figures are, and how old."""
    as_of = f"as of {format_clock(snapshot.taken_at, now)}"
    if snapshot.is_exact:
        return f"exact, {as_of}"
    if snapshot.share < 1:
        error = format_percent(snapshot.error(snapshot.keys))
        return f"reckoned from {format_percent(snapshot.share)} of the store, ± {error} in all, {as_of}"
    return f"of memory only, while Redis is away, {as_of}"
