"""The cache: what developers call. Entries are the store's, loads are `loading`'s, bytes are the backend's."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args

from avcache.backends.base import MISS, Backend, BackendInfo, Cleared, Miss, Page, State
from avcache.clock import Clock
from avcache.core import serializers
from avcache.core.analytics import Analytics
from avcache.core.counters import Counters, Stats
from avcache.core.entry import Foreign, Head, check_room, check_tags, read_head
from avcache.core.fence import Fence
from avcache.core.keys import Namespaces
from avcache.core.loading import Loading, LoadPlan, StalePolicy
from avcache.core.peek import Peek, describe
from avcache.core.popularity import Popularity
from avcache.core.store import AccessObserver, CacheLimits, EntryStore
from avcache.core.tagged import TaggedView
from avcache.errors import InvalidInput

__all__ = ["Cache"]

T = TypeVar("T")
_WALK = 10_000
"""Keys of one step where all are wanted: a store in memory looks at all it has for each step."""


class Cache:
    """
    Args:
        backend: Where bytes live.
        namespaces: Which keys share which rules.
        wall: Wall clock, in which entries are dated.
        observers: Told of every counted read; they must be quick and must not raise.
        randomness: Returns 0..1 for the jitter.

    Keys are `namespace:rest`; without a colon they belong to namespace `default`. Whatever takes a key, tag, pattern
    or ttl raises `InvalidInput` for one that is not allowed.
    """

    def __init__(
        self,
        backend: Backend,
        namespaces: Namespaces,
        *,
        limits: CacheLimits | None = None,
        wall: Clock = time.time,
        observers: Sequence[AccessObserver] = (),
        randomness: Callable[[], float] = random.random,
    ) -> None:
        popularity = Popularity()
        self._store = EntryStore(
            backend, namespaces, limits or CacheLimits(), wall=wall, observers=(popularity, *observers)
        )
        self._loading = Loading(self._store, Fence(), randomness)
        self.namespaces = namespaces
        self.analytics = Analytics(self, popularity)

    @property
    def backend(self) -> Backend:
        """Where bytes live."""
        return self._store.backend

    @property
    def counters(self) -> Counters:
        """What happened, by namespace."""
        return self._store.counters

    def get(self, key: str, default: T | None = None) -> Any | T | None:
        """Return the fresh value of *key*, or *default*. A cached None is a value."""
        at = self.namespaces.key(key)
        value = self._store.fresh_value(at, self._store.find(at))
        return default if value is MISS else value

    def get_many(self, keys: Sequence[str]) -> dict[str, Any]:
        """Return the fresh values among *keys* under the names given; those that miss are left out."""
        places = [self.namespaces.key(key) for key in keys]
        looked = zip(keys, places, self._store.find_many(places), strict=True)
        values = {key: self._store.fresh_value(at, found) for key, at, found in looked}
        return {key: value for key, value in values.items() if value is not MISS}

    def set(self, key: str, value: object, ttl: float | None = None, *, tags: Sequence[str] = ()) -> None:
        """
        Keep *value* for *ttl* seconds (None: what the namespace says).

        Raises:
            SerializationError: For a value that would not come back as the same type.
        """
        self.set_many({self.namespaces.key(key).text: value}, ttl, tags=tags)

    def set_many(self, items: Mapping[str, object], ttl: float | None = None, *, tags: Sequence[str] = ()) -> None:
        """`set` for several; all values are checked before the first is kept."""
        labels, encoded, too_large = check_tags(tags), {}, []
        for key, value in items.items():
            at = self.namespaces.key(key)
            seconds = self._ttl(ttl, at.namespace)
            now = self._store.wall()
            data = self._store.encode(Head(at.text, now, now + seconds, tags=labels), serializers.dumps(value))
            if data is None:
                too_large.append(at.text)
            else:
                encoded[at.text] = (data, seconds)
        # A load that began before knows nothing of these values: it must not overwrite them.
        with self._loading.overtaking(lambda text, _tags: text in encoded or text in too_large):
            if encoded:
                self._store.put(encoded)
            if too_large:
                self._store.drop(too_large)  # the older values must not go on answering

    def exists(self, key: str) -> bool:
        """Whether *key* has a fresh value. Not counted."""
        return self.ttl(key) is not None

    def ttl(self, key: str) -> float | None:
        """Seconds the value of *key* stays fresh; None if there is none. Not counted."""
        found = self.peek(key)
        return found.ttl_left if found is not None and found.ttl_left > 0 else None

    def delete(self, key: str) -> Cleared:
        """Drop *key*; returns 1 if it was there, else 0."""
        text = self.namespaces.key(key).text
        with self._loading.overtaking(lambda other, _tags: other == text):
            return self.backend.delete([text])

    def peek(self, key: str) -> Peek | None:
        """Look at an entry, fresh or stale, without counting or decoding it."""
        return self.peek_many([key])[0]

    def peek_many(self, keys: Sequence[str]) -> list[Peek | None]:
        """`peek` for several, in their order, in one round trip."""
        places = [self.namespaces.key(key) for key in keys]
        looked, now = self.backend.inspect([at.text for at in places]), self._store.wall()
        return [
            None if stored is None else describe(at, stored, now) for at, stored in zip(places, looked, strict=True)
        ]

    def peek_value(self, key: str) -> Any | Literal[Miss.MISS]:
        """The value of *key*, fresh or stale, or `MISS`. Not counted: for those who look after the cache."""
        at = self.namespaces.key(key)
        found = self._store.find(at, quiet=True)
        return MISS if found is None else self._store.value(at, found, quiet=True)

    def keys(self, pattern: str = "*") -> list[str]:
        """All keys that match, stale ones included, sorted. Walks the keyspace: `scan` where it may be large."""
        cursor, found = "", set[str]()
        while True:
            page = self.scan(pattern, cursor, _WALK)
            found.update(page.keys)
            cursor = page.cursor
            if not cursor:
                return sorted(found)

    def scan(self, pattern: str = "*", cursor: str = "", limit: int = 1000) -> Page:
        """The next keys that match, about *limit* of them."""
        return self.backend.scan(self.namespaces.pattern(pattern), cursor, limit)

    def clear(self, pattern: str) -> Cleared:
        """Drop every key that matches, stale ones included. Loads under way store nothing of it afterwards."""
        meant = self.namespaces.pattern(pattern)
        with self._loading.overtaking(lambda text, _tags: meant.matches(text)):
            return self.backend.clear(meant)

    def tag(self, tags: Sequence[str]) -> TaggedView:
        """A view whose keys belong to *tags*, apart from the same keys elsewhere."""
        return TaggedView(self, check_tags(tags))

    def flush_tag(self, tag: str) -> Cleared:
        """Drop every entry that carries *tag*. Walks the keyspace."""
        (label,) = check_tags([tag])
        with self._loading.overtaking(lambda _text, tags: label in tags):
            return self.backend.clear(self.namespaces.pattern("*"), _Carries(label))

    def get_or_load(
        self,
        key: str,
        load: Callable[[], T],
        *,
        ttl: float | None = None,
        stale_ttl: float | None = None,
        source: str = "",
        tags: Sequence[str] = (),
        stale: StalePolicy = "serve",
    ) -> T:
        """
        Return the value of *key*; if it is not fresh, one caller of this process runs *load*.

        Args:
            ttl: Seconds the value counts as fresh (None: what the namespace says).
            stale_ttl: Further seconds a stale value is served while one caller reloads it, or if *load* fails.
            source: Where the value comes from; an entry of another source is a miss.
            tags: Under which `flush_tag` finds the entry.
            stale: `serve` a stale value at once, `on_error` only if *load* fails, or `refuse` it.

        Raises:
            Whatever *load* raises, if there is no stale value to serve.
        """
        return self._loading.get(
            self._plan(key, ttl=ttl, stale_ttl=stale_ttl, source=source, tags=tags, stale=stale), load
        )

    async def aget_or_load(
        self,
        key: str,
        load: Callable[[], Awaitable[T]],
        *,
        ttl: float | None = None,
        stale_ttl: float | None = None,
        source: str = "",
        tags: Sequence[str] = (),
        stale: StalePolicy = "serve",
    ) -> T:
        """`get_or_load` for coroutines."""
        return await self._loading.aget(
            self._plan(key, ttl=ttl, stale_ttl=stale_ttl, source=source, tags=tags, stale=stale), load
        )

    def lock(self, name: str, *, lease: float = 10.0, wait: float = 10.0) -> AbstractContextManager[None]:
        """
        Hold the named lock, shared by all processes on one Redis.

        Args:
            lease: Seconds after which a lock whose holder died is free again; longer work loses it.
            wait: Seconds to wait for it (0: not at all); then `LockTimeout` is raised.
        """
        seconds = self._store.limits.seconds
        return self.backend.lock(
            self.namespaces.key(name).text, lease=seconds("lease", lease), wait=seconds("wait", wait, or_zero=True)
        )

    def info(self) -> BackendInfo:
        """Describe the store: its kind, size, version."""
        return self.backend.info()

    def state(self) -> State:
        """What serves right now. Never waits."""
        return self.backend.state()

    def stats(self, window: float | None = None) -> Stats:
        """Counts of this process since its start, or of the last *window* seconds."""
        return self.counters.stats(window)

    def close(self) -> None:
        """Release connections and threads."""
        self.backend.close()

    def _plan(
        self,
        key: str,
        *,
        ttl: float | None,
        stale_ttl: float | None,
        source: str,
        tags: Sequence[str],
        stale: StalePolicy,
    ) -> LoadPlan:
        at, limits = self.namespaces.key(key), self._store.limits
        if stale_ttl is None:
            # What the settings say for all is no mistake of this caller: it is cut, not refused.
            longer = min(self.namespaces[at.namespace].stale_ttl, limits.max_ttl)
        else:
            longer = limits.seconds("stale_ttl", stale_ttl, or_zero=True)
        if stale not in get_args(StalePolicy):
            raise InvalidInput("stale", stale, f"one of {', '.join(get_args(StalePolicy))}")
        labels = check_tags(tags)
        check_room(at.text, labels, source)
        return LoadPlan(at, self._ttl(ttl, at.namespace), longer, source, labels, stale)

    def _ttl(self, given: float | None, namespace: str) -> float:
        limits = self._store.limits
        return min(self.namespaces[namespace].ttl, limits.max_ttl) if given is None else limits.seconds("ttl", given)


@dataclass(frozen=True, slots=True)
class _Carries:
    """Whether an entry carries *tag*; two of one tag are equal, so that a store can tell that it was asked before."""

    tag: str

    def __call__(self, head: bytes) -> bool:
        try:
            return self.tag in read_head(head).tags
        except Foreign:
            return False
