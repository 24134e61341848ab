"""The cache: what developers call. Entries are the store's, loads are `loading`'s, bytes are the backend's."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, TypeVar, get_args

from avcache.backends.barriers import Barrier, key_scope, pattern_scope, tag_scope
from avcache.backends.base import MISS, Backend, BackendInfo, Cleared, Miss, Page, State
from avcache.backends.pattern import EVERYTHING, Pattern
from avcache.clock import Clock
from avcache.core import serializers
from avcache.core.accesses import Accesses
from avcache.core.analytics import Analytics
from avcache.core.batch import Batch
from avcache.core.counters import Counters, Stats
from avcache.core.entry import Carries, check_room, check_tags, encode_set, joined, source_bytes
from avcache.core.keeping import LoadPlan, StalePolicy, Ttl
from avcache.core.keys import Namespaces
from avcache.core.loading import Loading
from avcache.core.peek import Peek, look
from avcache.core.reading import Reading
from avcache.core.store import AccessObserver, CacheLimits, EntryStore, as_blob
from avcache.core.tagged import TaggedView
from avcache.errors import InvalidInput

__all__ = ["Cache"]

T = TypeVar("T")
_chance = random.Random()  # noqa: S311 - no secret; our own, so that no thread disturbs who seeds theirs
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
        randomness: Callable[[], float] = _chance.random,
    ) -> None:
        self._store = EntryStore(backend, namespaces, limits or CacheLimits(), wall=wall, observers=observers)
        self._backend = backend
        self._place = self._store.place
        self._known_place = self._store.known_place
        self._fresh_value = self._store.fresh_value
        self._loading = Loading(self._store, randomness)
        self.namespaces = namespaces
        self.analytics = Analytics(self, self._store.accesses)

    @property
    def backend(self) -> Backend:
        """Where bytes live."""
        return self._backend

    @property
    def accesses(self) -> Accesses:
        """The last million reads and loads of this process."""
        return self._store.accesses

    @property
    def counters(self) -> Counters:
        """What happened, by namespace."""
        return self._store.counters

    def get(self, key: str, default: T | None = None) -> Any | T | None:
        """Return the fresh value of *key*, or *default*. A cached None is a value."""
        try:
            place = self._known_place(key)
        except TypeError:
            place = self._place(key)
        blob = self._backend.get(place.text)
        value = self._fresh_value(place, blob)
        if value is not MISS:
            return value
        self._store.count_miss(place, self._store.why_missed(place, blob))
        return default

    def get_many(self, keys: Sequence[str]) -> dict[str, Any]:
        """Return the fresh values among *keys* under the names given; those that miss are left out."""
        keys = keys if isinstance(keys, list | tuple) else list(keys)
        try:
            places = list(map(self._known_place, keys))
        except TypeError:
            places = list(map(self._place, keys))
        entries = self._backend.get_many([place.text for place in places])
        values, missed = self._store.fresh_values(places, entries)
        found = dict(zip(keys, values, strict=True))
        for at in missed:
            self._store.count_miss(places[at], self._store.why_missed(places[at], as_blob(entries[at])))
            found.pop(keys[at], None)
        return found

    def get_entry(self, key: str) -> Reading:
        """The value of *key* with its age and source, a stale one too; or why there is none. Counted as `get` is."""
        place, store = self._place(key), self._store
        blob = self._backend.get(place.text)
        value = store.fresh_value(place, blob)
        entry = store.entry(place, blob)
        if entry is None:
            reason = store.why_missed(place, blob)
            store.count_miss(place, reason)
            return Reading(miss=reason)
        head, now = entry.head, store.wall()
        is_fresh = now < head.fresh_until
        if head.is_absent:
            store.count_miss(place, "absent" if is_fresh else "expired")
            return Reading(miss="absent" if is_fresh else "expired", reason=str(store.value(entry)))
        if value is MISS:
            value = store.value(entry)
            if value is MISS:
                store.count_miss(place, "foreign")
                return Reading(miss="foreign")
            store.count_hit(place, stale=True)
        where: Literal["memory", "redis"] = "memory" if self._backend.is_local else "redis"
        return Reading(
            value,
            age=max(0.0, now - head.written_at),
            ttl_left=max(0.0, head.fresh_until - now),
            source=where if is_fresh else "stale",
            origin=head.source,
        )

    def set(self, key: str, value: object, ttl: float | None = None, *, tags: Sequence[str] = ()) -> None:
        """
        Keep *value* for *ttl* seconds (None: what the namespace says).

        Raises:
            SerializationError: For a value that would not come back as the same type.
        """
        self.set_many({self._place(key).text: value}, ttl, tags=tags)

    def set_many(self, items: Mapping[str, object], ttl: float | None = None, *, tags: Sequence[str] = ()) -> None:
        """`set` for several; all values are checked before the first is kept."""
        labels, now = check_tags(tags), self._store.wall()
        given = None if ttl is None else self._store.limits.seconds("ttl", ttl)
        tag_bytes, kept, too_large = joined(labels), [], []
        for key, value in items.items():
            place = self._place(key)
            seconds = self._ttl(None, place.key.namespace) if given is None else given
            if labels:
                check_room(place.text, labels, "")
            data = encode_set(place.name, tag_bytes, now, now + seconds, serializers.dumps(value))
            if self._store.fits(place.text, data):
                kept.append((place, data, seconds))
            else:
                too_large.append(place)
        if kept:
            self._store.put(kept, labels)
        for place in too_large:
            self._store.drop(place)  # the older values must not go on answering
        self._loading.forget([place.text for place in (*(place for place, _, _ in kept), *too_large)])

    def write_through(
        self,
        key: str,
        value: T,
        writer: Callable[[T], object],
        *,
        ttl: float | None = None,
        tags: Sequence[str] = (),
    ) -> None:
        """
        Give *value* to *writer*, and keep it. If the writer fails, nothing is kept, and *key* is invalidated: nobody
        knows what its source holds then.

        Raises:
            Whatever *writer* raises.
        """
        try:
            writer(value)
            self.set(key, value, ttl, tags=tags)
        except BaseException:
            self.delete(key)
            raise

    def exists(self, key: str) -> bool:
        """Whether *key* has a fresh value. Not counted."""
        return self.ttl(key) is not None

    def ttl(self, key: str) -> float | None:
        """Seconds the value of *key* stays fresh; None if there is none. Not counted."""
        found = self.peek(key)
        is_there = found is not None and not found.is_absent and found.ttl_left > 0
        return found.ttl_left if found is not None and is_there else None

    def delete(self, key: str) -> Cleared:
        """Drop *key*; returns 1 if it was there, else 0."""
        return self._drop(self._place(key).text)

    def peek(self, key: str) -> Peek | None:
        """Look at an entry, fresh or stale, without counting or decoding it."""
        return self.peek_many([key])[0]

    def peek_many(self, keys: Sequence[str]) -> list[Peek | None]:
        """`peek` for several, in their order, in one round trip."""
        return look([self.namespaces.key(key) for key in keys], self._backend, self._store.wall())

    def peek_value(self, key: str) -> Any | Literal[Miss.MISS]:
        """The value of *key*, fresh or stale, or `MISS`. Not counted: for those who look after the cache."""
        place = self._place(key)
        entry = self._store.entry(place, self._backend.get(place.text))
        return MISS if entry is None or entry.is_absent else self._store.value(entry)

    def why_absent(self, key: str) -> str | None:
        """What the loader of *key* said when it found that there is nothing (`Absent`), or None. Not counted."""
        place = self._place(key)
        entry = self._store.entry(place, self._backend.get(place.text))
        is_absent = entry is not None and entry.is_absent and self._store.wall() < entry.fresh_until
        return str(self._store.value(entry)) if entry is not None and is_absent else None

    def keys(self, pattern: str = "*") -> list[str]:
        """All keys that match, stale ones included, sorted. Walks the keyspace: `scan` where it may be large."""
        cursor, found = "", set[str]()
        while True:
            page = self.scan(pattern, cursor, _WALK)
            found.update(page.keys)
            cursor = page.cursor
            if not cursor:
                return sorted(found)

    def scan(self, pattern: str = "*", cursor: str = "", limit: int = 1000, budget: float | None = None) -> Page:
        """The next keys that match, about *limit* of them, or as many as *budget* seconds allow."""
        return self._backend.scan(self.namespaces.pattern(pattern), cursor, limit, budget)

    def clear(self, pattern: str, *, sweep: bool = True) -> Cleared:
        """
        Make every key that matches invalid, stale ones included, at once and for all processes.

        Args:
            sweep: Drop them from the store too, and count what went; walks the keyspace. Without it they wait for
                `sweep`, until which `undo` brings them back, or for their end.
        """
        meant = self.namespaces.pattern(pattern)
        if meant.is_literal and sweep:
            return self._drop(meant.text)
        cleared = self._backend.invalidate([pattern_scope(meant)])
        return self.sweep(cleared) if sweep else cleared

    def flush_tag(self, tag: str, *, sweep: bool = True) -> Cleared:
        """`clear` for every entry that carries *tag*."""
        (label,) = check_tags([tag])
        cleared = self._backend.invalidate([tag_scope(label)])
        return self.sweep(cleared) if sweep else cleared

    def sweep(self, cleared: Cleared) -> Cleared:
        """Drop from the store what *cleared* made invalid; returns how many entries went."""
        swept = sum(self.swept(cleared))
        return Cleared(swept, pending=cleared.pending, barriers=cleared.barriers)

    def swept(self, cleared: Cleared, *, tally: str = "") -> Iterator[int]:
        """
        `sweep` step by step: how many entries went in each.

        Args:
            tally: A name of this sweep alone; what went under it before, in whichever process, comes first.
        """
        for number, barrier in enumerate(cleared.barriers):
            yield from self._swept(barrier, tally and f"{tally}:{number}")

    def undo(self, cleared: Cleared) -> bool:
        """
        Take an invalidation back: what was not swept or written anew since answers again.

        Returns whether all of it was: not if the same was invalidated again, or while Redis is away and knows of it.
        """
        return self._backend.restore(cleared.barriers)

    def tag(self, tags: Sequence[str]) -> TaggedView:
        """A view whose keys belong to *tags*, apart from the same keys elsewhere."""
        return TaggedView(self, check_tags(tags))

    def get_or_load(
        self,
        key: str,
        load: Callable[[], T],
        *,
        ttl: Ttl = None,
        stale_ttl: float | None = None,
        source: str = "",
        tags: Sequence[str] = (),
        stale: StalePolicy = "serve",
    ) -> T:
        """
        Return the value of *key*; if it is not fresh, one caller of all processes runs *load*.

        Args:
            ttl: Seconds the value counts as fresh, or a function of the value that tells them (None: what the namespace
                says). Up to a tenth is taken off, so that what was loaded together does not expire together.
            stale_ttl: Further seconds a stale value is served while one caller reloads it, or if *load* fails.
            source: Where the value comes from; an entry of another source is a miss.
            tags: Under which `flush_tag` finds the entry.
            stale: `serve` a stale value at once, `on_error` only if *load* fails, or `refuse` it.

        Raises:
            Whatever *load* raises, if there is no stale value to serve; again for a second after it failed. `Absent`
            as long as that is cached.
        """
        try:
            place = self._known_place(key)
        except TypeError:
            place = self._place(key)
        blob = self._backend.get(place.text)
        value = self._fresh_value(place, blob, source_bytes(source) if source else b"")
        if value is not MISS:
            return value  # type: ignore[no-any-return]
        plan = self._plan(key, ttl=ttl, stale_ttl=stale_ttl, source=source, tags=tags, stale=stale)
        return self._loading.get(plan, blob, load)  # type: ignore[no-any-return]

    async def aget_or_load(
        self,
        key: str,
        load: Callable[[], Awaitable[T]],
        *,
        ttl: Ttl = None,
        stale_ttl: float | None = None,
        source: str = "",
        tags: Sequence[str] = (),
        stale: StalePolicy = "serve",
    ) -> T:
        """`get_or_load` for coroutines."""
        place = self._place(key)
        if self._backend.is_local:
            blob = self._backend.get(place.text)
        else:
            import asyncio  # noqa: PLC0415 - a third of the time that `import avcache` would take

            blob = await asyncio.to_thread(self._backend.get, place.text)
        value = self._fresh_value(place, blob, source_bytes(source) if source else b"")
        if value is not MISS:
            return value  # type: ignore[no-any-return]
        plan = self._plan(key, ttl=ttl, stale_ttl=stale_ttl, source=source, tags=tags, stale=stale)
        return await self._loading.aget(plan, blob, load)  # type: ignore[no-any-return]

    def get_many_or_load(
        self,
        keys: Sequence[str],
        load: Callable[[list[str]], Mapping[str, T]],
        *,
        ttl: Ttl = None,
        stale_ttl: float | None = None,
        source: str = "",
        tags: Sequence[str] | Callable[[str], Sequence[str]] = (),
    ) -> dict[str, T]:
        """
        `get_or_load` for several: *load* is called once, with those of *keys* that have no fresh value.

        What it brings is kept and returned. Keys that it leaves out are left out, as are those that another caller is
        loading and fails to, and those whose load failed a moment ago beside others. *tags* may be a function of the
        key. Raises whatever *load* raises.
        """
        batch = self._batch(keys, ttl=ttl, stale_ttl=stale_ttl, source=source, tags=tags)
        return batch.answer(self._loading.get_many(batch.plans, lambda plans: batch.taken(load(batch.names(plans)))))

    async def aget_many_or_load(
        self,
        keys: Sequence[str],
        load: Callable[[list[str]], Awaitable[Mapping[str, T]]],
        *,
        ttl: Ttl = None,
        stale_ttl: float | None = None,
        source: str = "",
        tags: Sequence[str] | Callable[[str], Sequence[str]] = (),
    ) -> dict[str, T]:
        """`get_many_or_load` for coroutines."""
        batch = self._batch(keys, ttl=ttl, stale_ttl=stale_ttl, source=source, tags=tags)

        async def load_plans(plans: list[LoadPlan]) -> dict[str, Any]:
            return batch.taken(await load(batch.names(plans)))

        return batch.answer(await self._loading.aget_many(batch.plans, load_plans))

    def refresh(
        self,
        key: str,
        load: Callable[[], T],
        *,
        ttl: Ttl = None,
        stale_ttl: float | None = None,
        source: str = "",
        tags: Sequence[str] = (),
    ) -> T:
        """Run *load* now, whatever is cached; keep and return what it brings. Raises whatever *load* raises."""
        plan = self._plan(key, ttl=ttl, stale_ttl=stale_ttl, source=source, tags=tags, is_forced=True)
        return self._loading.refresh(plan, load)  # type: ignore[no-any-return]

    async def arefresh(
        self,
        key: str,
        load: Callable[[], Awaitable[T]],
        *,
        ttl: Ttl = None,
        stale_ttl: float | None = None,
        source: str = "",
        tags: Sequence[str] = (),
    ) -> T:
        """`refresh` for coroutines."""
        plan = self._plan(key, ttl=ttl, stale_ttl=stale_ttl, source=source, tags=tags, is_forced=True)
        return await self._loading.arefresh(plan, load)  # type: ignore[no-any-return]

    def lock(self, name: str, *, lease: float = 10.0, wait: float = 10.0) -> AbstractContextManager[None]:
        """
        Hold the named lock, shared by all processes on one Redis.

        Args:
            lease: Seconds after which a lock whose holder died is free again; longer work loses it.
            wait: Seconds to wait for it (0: not at all); then `LockTimeout` is raised.
        """
        seconds = self._store.limits.seconds
        return self._backend.lock(
            self.namespaces.key(name).text, lease=seconds("lease", lease), wait=seconds("wait", wait, or_zero=True)
        )

    def info(self) -> BackendInfo:
        """Describe the store: its kind, size, version."""
        return self._backend.info()

    def state(self) -> State:
        """What serves right now. Never waits."""
        return self._backend.state()

    def stats(self, window: float | None = None) -> Stats:
        """Counts of this process since its start, or of the last *window* seconds."""
        return self.counters.stats(window)

    def close(self) -> None:
        """Release connections and threads."""
        self._backend.close()

    def _drop(self, text: str) -> Cleared:
        cleared = self._backend.invalidate([key_scope(text)], [text])
        self._loading.forget([text])
        return cleared

    def _swept(self, barrier: Barrier, tally: str) -> Iterator[int]:
        kind, name = barrier.scope[:2], barrier.scope[2:]
        if kind == "t:":
            return self._backend.sweep(EVERYTHING, barrier.version, Carries(name), tally=tally)
        pattern = {"k:": name, "p:": name, "n:": f"{name}:*"}.get(kind, "*")
        return self._backend.sweep(Pattern(pattern), barrier.version, tally=tally)

    def _batch(
        self,
        keys: Sequence[str],
        *,
        ttl: Ttl,
        stale_ttl: float | None,
        source: str,
        tags: Sequence[str] | Callable[[str], Sequence[str]],
    ) -> Batch:
        tags_of = tags if callable(tags) else lambda _key: tags
        return Batch(
            {key: self._plan(key, ttl=ttl, stale_ttl=stale_ttl, source=source, tags=tags_of(key)) for key in keys}
        )

    def _plan(
        self,
        key: str,
        *,
        ttl: Ttl,
        stale_ttl: float | None,
        source: str,
        tags: Sequence[str],
        stale: StalePolicy = "serve",
        is_forced: bool = False,
    ) -> LoadPlan:
        place, limits = self._place(key), self._store.limits
        if stale_ttl is None:
            # What the settings say for all is no mistake of this caller: it is cut, not refused.
            longer = min(self.namespaces[place.key.namespace].stale_ttl, limits.max_ttl)
        else:
            longer = limits.seconds("stale_ttl", stale_ttl, or_zero=True)
        if stale not in get_args(StalePolicy):
            raise InvalidInput("stale", stale, f"one of {', '.join(get_args(StalePolicy))}")
        labels = check_tags(tags)
        check_room(place.text, labels, source)
        ttl_of, given = (ttl, None) if callable(ttl) else (None, ttl)
        seconds = self._ttl(given, place.key.namespace)
        return LoadPlan(place, seconds, longer, source, labels, stale, is_forced, ttl_of)

    def _ttl(self, given: float | None, namespace: str) -> float:
        limits = self._store.limits
        return min(self.namespaces[namespace].ttl, limits.max_ttl) if given is None else limits.seconds("ttl", given)
