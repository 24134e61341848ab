"""An entry looked at from outside: how old it is and what it weighs, without its value."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from avcache.backends.barriers import Barriers
from avcache.backends.base import LONGEST_HEAD, Backend, Stored
from avcache.core.entry import CutShort, Foreign, read_head
from avcache.core.keys import Key

__all__ = ["Peek", "describe", "look"]


_EXPIRING_SHARE: Final = 0.2
_EXPIRING_MOST: Final = 300.0


@dataclass(frozen=True, slots=True)
class Peek:
    """
    An entry looked at without being counted. Times are wall-clock seconds, sizes are bytes in the store.

    *is_absent*: what is cached is that there is nothing. *is_foreign*: the bytes are not an entry of ours; then only
    *key*, *size* and *expires_in* say anything.
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
    version: int = 0
    is_absent: bool = False
    is_foreign: bool = False

    @property
    def is_stale(self) -> bool:
        """Whether its ttl has passed; it is kept only to be served while it is loaded again."""
        return self.ttl_left <= 0 and not self.is_foreign

    @property
    def is_expiring(self) -> bool:
        """Whether it is fresh, but in the last fifth of its ttl, five minutes at most."""
        return 0 < self.ttl_left <= min(_EXPIRING_SHARE * self.ttl, _EXPIRING_MOST)


def look(places: Sequence[Key], backend: Backend, now: float) -> list[Peek | None]:
    """Look at *places*, in their order, in one round trip; None where nothing is, or what is there is invalid."""
    looked = backend.inspect([at.text for at in places])
    return [
        None if stored is None else _valid(_describe(at, stored, backend, now), backend.barriers)
        for at, stored in zip(places, looked, strict=True)
    ]


def _valid(peek: Peek | None, barriers: Barriers) -> Peek | None:
    if peek is None or peek.is_foreign:
        return peek
    return peek if barriers.allows(peek.key, peek.tags, peek.version) else None


def _describe(at: Key, stored: Stored, backend: Backend, now: float) -> Peek | None:
    try:
        return describe(at, stored, now)
    except CutShort:  # nearly all headers are short enough to be seen at once
        (whole,) = backend.inspect([at.text], LONGEST_HEAD)
        return None if whole is None else describe(at, whole, now)


def describe(at: Key, stored: Stored, now: float) -> Peek:
    """Read the header of what is stored under *at*; *now* is a wall-clock reading. Raises `CutShort`."""
    try:
        head = read_head(stored.head)
    except CutShort:
        if len(stored.head) < min(stored.size, LONGEST_HEAD):
            raise
        head = None
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
        version=head.version,
        is_absent=head.is_absent,
    )
