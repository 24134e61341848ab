"""Entries in a backend: reads and writes them, and counts what was found. Knows no loads and no invalidations."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from avcache.backends.base import MISS, Backend, Miss
from avcache.clock import Clock
from avcache.core import entry, serializers
from avcache.core.counters import Counters
from avcache.core.entry import Foreign, Head, payload_of, read_head
from avcache.core.keys import Key, Namespaces
from avcache.errors import BackendError, InvalidInput, SerializationError

__all__ = ["AccessObserver", "CacheLimits", "EntryStore", "Found"]

logger = logging.getLogger(__name__)

AccessObserver = Callable[[Key, bool], None]
"""Told of every counted read: the key, and whether it was answered from the cache."""


@dataclass(frozen=True, slots=True)
class CacheLimits:
    """
    Attributes:
        max_ttl: Longest time to live, seconds: nothing stays for ever.
        max_value_bytes: Larger values are handed out, but not kept.
        jitter: Loaded values live up to this share shorter: what was loaded together does not expire together.
    """

    max_ttl: float = 7 * 24 * 3600.0
    max_value_bytes: int = 2**20
    jitter: float = 0.1

    def seconds(self, field: str, given: object, *, or_zero: bool = False) -> float:
        """Return *given* if it is a duration that is allowed. Raises `InvalidInput`."""
        is_number = isinstance(given, int | float) and not isinstance(given, bool)
        if is_number and or_zero and given == 0:
            return 0.0
        if not is_number or not 0 < given <= self.max_ttl:  # type: ignore[operator]
            least = "0 or more" if or_zero else "more than 0"
            raise InvalidInput(field, given, f"seconds, {least} and at most {self.max_ttl:g}")
        return float(given)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Found:
    """An entry that belongs to its key."""

    head: Head
    raw: bytes
    is_fresh: bool


class EntryStore:
    """
    Args:
        backend: Where bytes live.
        wall: Wall clock, in which entries are dated.
        observers: Told of every counted read; they must be quick and must not raise.
    """

    def __init__(
        self,
        backend: Backend,
        namespaces: Namespaces,
        limits: CacheLimits,
        *,
        wall: Clock = time.time,
        observers: Sequence[AccessObserver] = (),
    ) -> None:
        self.backend = backend
        self.namespaces = namespaces
        self.limits = limits
        self.wall = wall
        self.counters = Counters(wall)
        self._observers = tuple(observers)

    def find(self, at: Key, *, quiet: bool = False) -> Found | None:
        """The entry of a key, fresh or stale; *quiet* counts nothing."""
        return self._read(at, self.backend.get(at.text), quiet=quiet)

    def find_many(self, places: Sequence[Key]) -> list[Found | None]:
        """`find` for several, in one round trip."""
        answers = self.backend.get_many([at.text for at in places])
        return [self._read(at, raw) for at, raw in zip(places, answers, strict=True)]

    def value(self, at: Key, found: Found, *, quiet: bool = False) -> Any | Literal[Miss.MISS]:
        """The value of an entry, or `MISS` if its bytes are none of ours."""
        try:
            return serializers.loads(payload_of(found.raw))
        except SerializationError:
            if not quiet:
                self.counters.count(at.namespace, "foreign")
            return MISS

    def fresh_value(self, at: Key, found: Found | None) -> Any | Literal[Miss.MISS]:
        """The value of an entry that is fresh, or `MISS`; counted as a hit or a miss."""
        value = self.value(at, found) if found is not None and found.is_fresh else MISS
        self.note(at, "misses" if value is MISS else "hits")
        return value

    def encode(self, head: Head, payload: bytes) -> bytes | None:
        """The bytes of an entry, or None if it is too large to be kept; that is counted."""
        data = entry.encode(head, payload)
        if len(data) <= self.limits.max_value_bytes:
            return data
        self.refuse(head.key, f"{len(data)} bytes")
        return None

    def put(self, items: Mapping[str, tuple[bytes, float]]) -> None:
        """Write (bytes, ttl) by key; a store that refuses is counted, not raised: the caller has its value."""
        try:
            self.backend.set_many(items)
        except BackendError as exc:
            for text in items:
                self.refuse(text, str(exc))

    def drop(self, keys: Sequence[str]) -> None:
        """Drop entries that must not be read again; a store that refuses is logged, not raised."""
        try:
            self.backend.delete(keys)
        except BackendError as exc:
            logger.warning("cache.not_dropped", extra={"keys": list(keys), "reason": str(exc)})

    def refuse(self, key: str, reason: str) -> None:
        """Count and tell that a value was not kept."""
        self.counters.count(self.namespaces.key(key).namespace, "refused")
        logger.warning("cache.not_stored", extra={"key": key, "reason": reason})

    def note(self, at: Key, event: Literal["hits", "stale_hits", "misses"]) -> None:
        """Count a read and tell the observers."""
        self.counters.count(at.namespace, event)
        for observe in self._observers:
            observe(at, event != "misses")

    def _read(self, at: Key, raw: bytes | Literal[Miss.MISS], *, quiet: bool = False) -> Found | None:
        if raw is MISS:
            return None
        try:
            head = read_head(raw)
        except Foreign:
            head = None
        if head is None or head.key != at.text:
            if not quiet:
                self.counters.count(at.namespace, "foreign")
            return None
        return Found(head, raw, self.wall() < head.fresh_until)
