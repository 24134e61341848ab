"""What is in the cache: pages of keys, and one snapshot of the whole that all who look share."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from avcache.clock import Clock
from avcache.core.cache import Cache
from avcache.core.keys import DEFAULT_NAMESPACE
from avcache.core.peek import Peek
from avcache.market.caching import NOTES

__all__ = ["KeyPage", "Keyspace", "NamespaceSize", "Snapshot", "peek_found"]

_SLICE = 500
_MOST_KEYS = 10_000
_BUDGET = 0.25
_SAMPLE_KEYS = 5


@dataclass(frozen=True, slots=True)
class KeyPage:
    """Keys that match, in the order asked for. *is_exact*: these are all there are, not the first that were found."""

    rows: tuple[Peek, ...]
    is_exact: bool


@dataclass(frozen=True, slots=True)
class NamespaceSize:
    """How much of the cache one namespace takes."""

    name: str
    keys: int
    stale: int
    size: int
    samples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """
    The cache as it was at *taken_at* (wall clock).

    *is_exact*: every key was looked at; else these are the first that the time allowed.
    """

    entries: tuple[Peek, ...]
    is_exact: bool
    taken_at: float

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing but the notes of the market about its provider."""
        return all(entry.namespace in NOTES for entry in self.entries)

    @property
    def namespaces(self) -> Mapping[str, NamespaceSize]:
        """What each namespace takes, by name."""
        groups: dict[str, list[Peek]] = {}
        for entry in self.entries:
            groups.setdefault(entry.namespace, []).append(entry)
        return {name: _size(name, group) for name, group in sorted(groups.items())}


class Keyspace:
    """Looks at keys without counting a read. A look costs at most `_BUDGET` seconds, or says that it is not whole."""

    def __init__(self, cache: Cache, clock: Clock = time.monotonic, wall: Clock = time.time) -> None:
        self._cache = cache
        self._clock = clock
        self._wall = wall
        self._mutex = threading.Lock()
        self._shared: tuple[float, Snapshot] | None = None

    def snapshot(self, max_age: float = 1.5) -> Snapshot:
        """The whole cache, not older than *max_age* seconds; made once for all who ask meanwhile."""
        with self._mutex:
            now = self._clock()
            if self._shared is None or now - self._shared[0] > max_age:
                entries, is_exact = self._look("*")
                self._shared = (now, Snapshot(entries, is_exact, self._wall()))
            return self._shared[1]

    def find(self, *patterns: str) -> KeyPage:
        """Every key that matches the first of *patterns* that any matches, soonest to expire first."""
        entries: tuple[Peek, ...] = ()
        is_exact = True
        for pattern in patterns:
            entries, is_exact = self._look(pattern)
            if entries or not is_exact:
                break
        return KeyPage(tuple(sorted(entries, key=lambda entry: (entry.ttl_left, entry.key))), is_exact)

    def _look(self, pattern: str) -> tuple[tuple[Peek, ...], bool]:
        deadline, cursor, found = self._clock() + _BUDGET, "", dict[str, Peek]()
        while True:
            page = self._cache.scan(pattern, cursor, _SLICE)
            found.update((peek.key, peek) for peek in peek_found(self._cache, page.keys))
            cursor = page.cursor
            if not cursor or len(found) >= _MOST_KEYS or self._clock() > deadline:
                return tuple(found.values()), not cursor and not self._cache.state().is_degraded


def peek_found(cache: Cache, names: Sequence[str]) -> list[Peek]:
    """Look at *names* that a scan brought. Under our prefix may be what no key of ours is called: it is foreign."""
    ours = [name for name in names if cache.namespaces.is_canonical(name)]
    others = sorted(set(names) - set(ours))
    looked = zip(others, cache.backend.inspect(others) if others else (), strict=True)
    return [peek for peek in cache.peek_many(ours) if peek is not None] + [
        Peek(name, _namespace(name), stored.size, stored.expires_in, is_foreign=True)
        for name, stored in looked
        if stored is not None
    ]


def _namespace(name: str) -> str:
    namespace, colon, _ = name.partition(":")
    return namespace if colon else DEFAULT_NAMESPACE


def _size(name: str, entries: Iterable[Peek]) -> NamespaceSize:
    group = sorted(entries, key=lambda entry: entry.key)
    return NamespaceSize(
        name,
        keys=len(group),
        stale=sum(entry.is_stale for entry in group),
        size=sum(entry.size for entry in group),
        samples=tuple(entry.key for entry in group[:_SAMPLE_KEYS]),
    )
