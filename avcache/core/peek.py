"""An entry looked at from outside: how old it is and what it weighs, without its value."""

from __future__ import annotations

import math
from dataclasses import dataclass

from avcache.backends.base import Stored
from avcache.core.entry import Foreign, read_head
from avcache.core.keys import Key

__all__ = ["Peek", "describe"]


@dataclass(frozen=True, slots=True)
class Peek:
    """
    An entry looked at without being counted. Times are wall-clock seconds, sizes are bytes in the store.

    *is_foreign*: the bytes are not an entry of ours; then only *key*, *size* and *expires_in* say anything.
    """

    key: str
    namespace: str
    size: int
    expires_in: float
    written_at: float = math.nan
    age: float = math.nan
    ttl: float = math.nan
    ttl_left: float = 0.0
    load_seconds: float | None = None
    tags: tuple[str, ...] = ()
    source: str = ""
    is_foreign: bool = False

    @property
    def is_stale(self) -> bool:
        """Whether its ttl has passed; it is kept only to be served while it is loaded again."""
        return self.ttl_left <= 0 and not self.is_foreign


def describe(at: Key, stored: Stored, now: float) -> Peek:
    """Read the header of what is stored under *at*; *now* is a wall-clock reading."""
    try:
        head = read_head(stored.head)
    except Foreign:
        head = None
    if head is None or head.key != at.text:
        return Peek(at.text, at.namespace, stored.size, stored.expires_in, is_foreign=True)
    return Peek(
        at.text,
        at.namespace,
        stored.size,
        stored.expires_in,
        written_at=head.written_at,
        age=max(0.0, now - head.written_at),
        ttl=head.fresh_until - head.written_at,
        ttl_left=max(0.0, head.fresh_until - now),
        load_seconds=head.load_seconds,
        tags=head.tags,
        source=head.source,
    )
