"""Entries in a backend: reads, judges and writes them, and counts what was found. Knows no loads."""

from __future__ import annotations

import functools
import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import compress
from operator import attrgetter
from typing import Any, Final

from avcache.backends.barriers import key_scope
from avcache.backends.base import MISS, Backend, Blob
from avcache.clock import Clock
from avcache.core import serializers
from avcache.core.accesses import HIT, MISSED, STALE, Accesses, Kind, Mark
from avcache.core.counters import Counters, Counts
from avcache.core.entry import CHANGEABLE, UNREAD, Entry, fresh_payloads, plain_part, read_entry
from avcache.core.keys import Key, Namespaces
from avcache.core.serializers import decode
from avcache.core.templates import Templates
from avcache.core.traces import MissReason, Traces
from avcache.errors import BackendError, InvalidInput, SerializationError

__all__ = ["AccessObserver", "CacheLimits", "EntryStore", "Place", "as_blob"]

logger = logging.getLogger(__name__)

AccessObserver = Callable[[Key, bool], None]
"""Told of every counted read: the key, and whether it was answered from the cache."""

_namespace_of = attrgetter("namespace")
_KNOWN_PLACES: Final = 4_096
_SCALARS: Final = frozenset({type(None), bool, int, float})
_FOREIGN: Final = Entry(b"", 0, -math.inf, 0, b"", b"")
"""Stands for bytes that are no entry of their key: it is never fresh."""


@dataclass(frozen=True, slots=True)
class CacheLimits:
    """
    Attributes:
        max_ttl: Longest time to live, seconds: nothing stays for ever.
        max_value_bytes: Larger values are handed out, but not kept.
        jitter: Loaded values live up to this share shorter: what was loaded together does not expire together.
        load_wait: Longest time to wait for somebody else's load, seconds; then one loads too.
        failure_throttle: Seconds after a failed load in which it is not tried again.
    """

    max_ttl: float = 7 * 24 * 3600.0
    max_value_bytes: int = 2**20
    jitter: float = 0.1
    load_wait: float = 30.0
    failure_throttle: float = 1.0

    def seconds(self, field: str, given: object, *, or_zero: bool = False) -> float:
        """Return *given* if it is a duration that is allowed. Raises `InvalidInput`."""
        is_number = isinstance(given, int | float) and not isinstance(given, bool)
        if is_number and or_zero and given == 0:
            return 0.0
        if not is_number or not 0 < given <= self.max_ttl:  # type: ignore[operator]
            least = "0 or more" if or_zero else "more than 0"
            raise InvalidInput(field, given, f"seconds, {least} and at most {self.max_ttl:g}")
        return float(given)  # type: ignore[arg-type]


class Place:
    """A key with all that a read of it needs, found once."""

    __slots__ = ("counts", "key", "mark", "name", "namespace", "part", "text")

    def __init__(self, key: Key, counts: Counts, mark: Mark) -> None:
        self.key = key
        self.text = key.text
        self.namespace = key.namespace
        self.name = key.text.encode()
        self.part = plain_part(self.name)
        self.counts = counts
        self.mark = mark


class EntryStore:
    """
    Args:
        backend: Where bytes live.
        wall: Wall clock, in which entries are dated.
        observers: Told of every counted read; they must be quick and must not raise.

    `known_place` is `place` for those who know that they have a text, or can do with a TypeError.
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
        self.accesses = Accesses()
        self.known_place = functools.lru_cache(maxsize=_KNOWN_PLACES)(self._place)
        self._record = self.accesses.record
        self._barriers = backend.barriers
        self._is_shared = not backend.is_local
        self._traces = Traces()
        self._templates = Templates()
        self._observers = tuple(observers)

    def place(self, text: str) -> Place:
        """The place of a key. Raises `InvalidInput`."""
        if type(text) is not str:  # what cannot be hashed would not get into the memo
            return self._place(text)
        return self.known_place(text)

    def fresh_value(self, place: Place, blob: Blob | None, source: bytes | None = None) -> Any:
        """
        The value in *blob* if it is fresh and valid (and of *source*), counted as a hit; else `MISS`, not counted.

        This is the way of every hit: each step of it is a good part of the whole.
        """
        if blob is None:
            return MISS
        entry: Any = blob.entry
        if entry is None:
            entry = self._read(place, blob)
        now = self.wall()
        if now >= entry.fresh_until or entry.is_absent:
            return MISS
        if source is not None and entry.source != source:
            return MISS
        if entry.checked != self._barriers.version and not self._is_valid(place, entry):
            return MISS
        value = entry.value
        if value is CHANGEABLE:
            value = entry.make()
        elif value is UNREAD and (value := self._value(entry)) is MISS:
            return MISS
        if now >= self.counters.rolls_at:
            self.counters.roll(now)
        place.counts.hits += 1
        if self._is_shared and self.backend.is_local:
            place.counts.fallback_hits += 1
        self._record(place.mark, HIT, now)
        if self._observers:
            self._observe(place, hit=True)
        return value

    def fresh_values(self, places: Sequence[Place], entries: Sequence[bytes | None]) -> tuple[list[Any], list[int]]:
        """`fresh_value` for each of many, and which of them miss."""
        now = self._rolled()
        payloads = fresh_payloads(entries, places, now, self._barriers.newest)
        try:
            values = [MISS if payload is None else decode(payload) for payload in payloads]
        except Exception:  # noqa: BLE001 - whatever a decoder raises: the closer look will tell
            payloads, values = [None] * len(places), [MISS] * len(places)
        missed = []
        if None in payloads:
            for at, payload in enumerate(payloads):
                if payload is None and (value := self.fresh_value(places[at], as_blob(entries[at]))) is not MISS:
                    values[at] = value
                elif payload is None:
                    missed.append(at)
            places = [place for place, payload in zip(places, payloads, strict=True) if payload is not None]
        self._count_hits(places, [payload for payload in payloads if payload is not None], now)
        return values, missed

    def _count_hits(self, places: Sequence[Place], payloads: Sequence[bytes], now: float) -> None:
        hits = Counter(map(_namespace_of, places))
        is_local = self.backend.is_local
        for name, number in hits.items():
            counts = self.counters.of(name)
            counts.hits += number
            if is_local and self._is_shared:
                counts.fallback_hits += number
            elif not is_local:
                sizes: Iterable[int] = map(len, payloads)
                if len(hits) > 1:
                    sizes = compress(sizes, (place.namespace == name for place in places))
                counts.bytes_read += sum(sizes)
        self.accesses.record_all([place.mark for place in places], HIT, now)
        for place in places if self._observers else ():
            self._observe(place, hit=True)

    def entry(self, place: Place, blob: Blob | None) -> Entry | None:
        """The entry in *blob* if it is valid, fresh or not."""
        if blob is None:
            return None
        entry: Any = blob.entry or self._read(place, blob)
        return entry if entry is not _FOREIGN and self._is_valid(place, entry) else None

    def value(self, entry: Entry) -> Any:
        """The value of *entry*, or `MISS` if its bytes are none of ours."""
        if entry.value is CHANGEABLE:
            return entry.make()
        return self._value(entry) if entry.value is UNREAD else entry.value

    def why_missed(self, place: Place, blob: Blob | None, source: bytes | None = None) -> MissReason:
        """Why what is stored under a key, if anything, is no answer."""
        if blob is None:
            if self.backend.state().is_degraded:
                return "backend_error"
            return self._traces.why(place.text, self._barriers, self.wall())
        entry: Any = blob.entry or self._read(place, blob)
        if entry is _FOREIGN:
            return "foreign"
        if not self._is_valid(place, entry):
            return "invalidated"
        if source is not None and entry.source != source:
            return "other_source"
        # Fresh all the same: its value's bytes are none of ours.
        return "expired" if self.wall() >= entry.fresh_until else "absent" if entry.is_absent else "foreign"

    def count_hit(self, place: Place, *, stale: bool = False) -> None:
        """Count an answer from the cache that `fresh_value` did not give: a stale one, or that there is nothing."""
        now = self._rolled()
        if stale:
            place.counts.stale_hits += 1
        else:
            place.counts.negative_hits += 1
        self._note(place, STALE if stale else HIT, now)

    def count_miss(self, place: Place, reason: MissReason) -> None:
        """Count a read that found no answer."""
        now = self._rolled()
        place.counts.misses += 1
        self.counters.count(place.namespace, "backend_errors" if reason == "backend_error" else reason)
        self._note(place, MISSED, now)

    def count_load(self, place: Place, seconds: float) -> None:
        """Count a load."""
        place.counts.loaded(seconds)
        self.accesses.loaded(place.mark, self.wall(), seconds)

    def fits(self, key: str, data: bytes) -> bool:
        """Whether an entry is small enough to be kept; one that is not is counted."""
        if len(data) <= self.limits.max_value_bytes:
            return True
        self.refuse(key, f"{len(data)} bytes")
        return False

    def put(self, items: Sequence[tuple[Place, bytes, float]], tags: tuple[str, ...]) -> None:
        """Write (entry, ttl) by place; a store that refuses is counted, not raised: the caller has its value."""
        try:
            self.backend.put({place.text: (data, ttl) for place, data, ttl in items})
        except BackendError as exc:
            for place, _, _ in items:
                self.refuse(place.text, str(exc))
            return
        version, now = self._barriers.version, self.wall()
        for place, data, ttl in items:
            place.counts.bytes_written += len(data)
            self._traces.keep(place.text, version, tags, now + ttl)

    def kept(self, place: Place, version: int, tags: tuple[str, ...], size: int, ttl: float) -> None:
        """Count what was kept, and remember it."""
        place.counts.bytes_written += size
        self._traces.keep(place.text, version, tags, self.wall() + ttl)

    def drop(self, place: Place) -> None:
        """Let an entry not answer any more; a store that refuses is logged, not raised."""
        try:
            self.backend.invalidate([key_scope(place.text)], [place.text])
        except BackendError as exc:
            logger.warning("cache.not_dropped", extra={"key": place.text, "reason": str(exc)})

    def refuse(self, key: str, reason: str) -> None:
        """Count and tell that a value was not kept."""
        self.place(key).counts.refused += 1
        logger.warning("cache.not_stored", extra={"key": key, "reason": reason})

    def _place(self, text: str) -> Place:
        key = self.namespaces.key(text)
        return Place(key, self.counters.of(key.namespace), self.accesses.mark(key.text, key.namespace))

    def _read(self, place: Place, blob: Blob) -> Any:
        entry: Any = read_entry(blob.data, place.name) or _FOREIGN
        if not self.backend.is_local:
            place.counts.bytes_read += len(blob.data)
        blob.entry = entry
        return entry

    def _is_valid(self, place: Place, entry: Entry) -> bool:
        """Whether no invalidation covers the entry."""
        version = self._barriers.version
        if entry.version < self._barriers.newest and not self._barriers.allows(
            place.text, entry.head.tags, entry.version
        ):
            return False
        entry.checked = version
        return True

    def _value(self, entry: Entry) -> Any:
        try:
            value = serializers.loads(entry.payload)
        except SerializationError:
            return MISS
        if type(value) in _SCALARS:
            entry.value = value
        else:
            self._templates.prepare(entry)
            entry.value = CHANGEABLE
        return value

    def _rolled(self) -> float:
        """The time, of which what is counted now is part."""
        now = self.wall()
        if now >= self.counters.rolls_at:
            self.counters.roll(now)
        return now

    def _note(self, place: Place, kind: Kind, now: float) -> None:
        self._record(place.mark, kind, now)
        if self._observers:
            self._observe(place, hit=kind != MISSED)

    def _observe(self, place: Place, *, hit: bool) -> None:
        for observe in self._observers:
            observe(place.key, hit)


def as_blob(data: bytes | None) -> Blob | None:
    """Bytes of their own, with nothing read of them yet."""
    return None if data is None else Blob(data)
