"""Get or load: who loads, who waits, who is served a stale value meanwhile, and what is kept of it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from avcache.backends.base import MISS
from avcache.core import serializers
from avcache.core.entry import Head, payload_of
from avcache.core.fence import Fence, Scope, UnderWay
from avcache.core.keys import Key
from avcache.core.singleflight import SingleFlight
from avcache.core.store import EntryStore
from avcache.errors import SerializationError

if TYPE_CHECKING:
    import asyncio

__all__ = ["LoadPlan", "Loading", "StalePolicy"]

logger = logging.getLogger(__name__)
T = TypeVar("T")

StalePolicy = Literal["serve", "on_error", "refuse"]


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """One call of `get_or_load`, checked: the key and what its value is to be kept as."""

    at: Key
    ttl: float
    stale_ttl: float
    source: str
    tags: tuple[str, ...]
    stale: StalePolicy

    @property
    def flight(self) -> str:
        """What callers wait for together: a value of another source is another value."""
        return _flight(self.at.text, self.source)


class Loading:
    """Loads into *store* what is not fresh. *randomness* returns 0..1 for the jitter."""

    def __init__(self, store: EntryStore, fence: Fence, randomness: Callable[[], float]) -> None:
        self._store = store
        self._fence = fence
        self._random = randomness
        self._flights: SingleFlight[tuple[Any, bytes | None]] = SingleFlight()

    def get(self, plan: LoadPlan, load: Callable[[], T]) -> T:
        """Return the value of the plan's key, loading it if need be."""
        value, is_fresh = self._cached(plan)
        if is_fresh:
            return cast("T", value)
        if value is not MISS and plan.stale == "serve":
            if not self._flights.is_flying(plan.flight):
                self._start_reload(plan, load)
            return cast("T", value)
        try:
            result, led = self._flights.run(plan.flight, lambda: self._load(plan, load))
        except Exception:
            if value is MISS:
                raise
            return cast("T", self._served_stale(plan, value))
        return cast("T", self._own(plan, result, led=led, had_stale=value is not MISS))

    async def aget(self, plan: LoadPlan, load: Callable[[], Awaitable[T]]) -> T:
        """`get` for coroutines."""
        import asyncio  # noqa: PLC0415 - a third of the time that `import avcache` would take

        value, is_fresh = await asyncio.to_thread(self._cached, plan)
        if is_fresh:
            return cast("T", value)
        if value is not MISS and plan.stale == "serve":
            if not self._flights.is_flying(plan.flight):
                _hold(asyncio.create_task(self._areload(plan, load)))
            return cast("T", value)
        try:
            result, led = await self._flights.arun(plan.flight, lambda: self._aload(plan, load))
        except Exception:
            if value is MISS:
                raise
            return cast("T", self._served_stale(plan, value))
        return cast("T", self._own(plan, result, led=led, had_stale=value is not MISS))

    @contextmanager
    def overtaking(self, scope: Scope) -> Iterator[None]:
        """
        Stands around an invalidation, or a write by hand, of what *scope* covers.

        What was loading before it ended is not stored, and nobody who comes after it waits for that.
        """
        overtaken: list[UnderWay] = []
        try:
            with self._fence.overtaking(scope) as overtaken:
                yield
        finally:
            for load in overtaken:
                self._flights.forget(_flight(load.key, load.source))

    def _cached(self, plan: LoadPlan) -> tuple[Any, bool]:
        """The value, or `MISS`, and whether it is fresh; counted, unless the load is to tell what it was."""
        found = self._store.find(plan.at)
        if found is not None and found.head.source == plan.source:
            value = self._store.value(plan.at, found)
            if value is not MISS and found.is_fresh:
                self._store.note(plan.at, "hits")
                return value, True
            # A store may keep an entry a little longer than this caller's stale_ttl allows.
            usable = self._store.wall() < found.head.fresh_until + plan.stale_ttl
            if value is not MISS and usable and plan.stale != "refuse":
                if plan.stale == "serve":
                    self._store.note(plan.at, "stale_hits")
                return value, False
        self._store.note(plan.at, "misses")
        return MISS, False

    def _load(self, plan: LoadPlan, load: Callable[[], T]) -> tuple[T, bytes | None]:
        with self._fence.load(plan.at.text, plan.source, plan.tags) as under_way:
            if (loaded := self._second_look(plan)) is not None:
                return loaded
            begun = time.perf_counter()
            try:
                value = load()
            except Exception:
                self._store.counters.count(plan.at.namespace, "load_failures")
                raise
            return value, self._keep(plan, value, under_way, time.perf_counter() - begun)

    async def _aload(self, plan: LoadPlan, load: Callable[[], Awaitable[T]]) -> tuple[T, bytes | None]:
        import asyncio  # noqa: PLC0415 - as above

        with self._fence.load(plan.at.text, plan.source, plan.tags) as under_way:
            if (loaded := await asyncio.to_thread(self._second_look, plan)) is not None:
                return loaded
            begun = time.perf_counter()
            try:
                value = await load()
            except Exception:
                self._store.counters.count(plan.at.namespace, "load_failures")
                raise
            took = time.perf_counter() - begun
            return value, await asyncio.to_thread(self._keep, plan, value, under_way, took)

    def _second_look(self, plan: LoadPlan) -> tuple[Any, bytes] | None:
        """What another caller stored between this one's look at the cache and its turn to load."""
        found = self._store.find(plan.at, quiet=True)
        if found is None or not found.is_fresh or found.head.source != plan.source:
            return None
        value = self._store.value(plan.at, found, quiet=True)
        if value is MISS:
            return None
        self._store.counters.count(plan.at.namespace, "coalesced")
        return value, bytes(payload_of(found.raw))

    def _keep(self, plan: LoadPlan, value: object, under_way: UnderWay, took: float) -> bytes | None:
        """Store what was loaded, unless it was invalidated meanwhile; returns its bytes if it has any."""
        store, key = self._store, plan.at.text
        store.counters.count(plan.at.namespace, "loads")
        store.counters.count(plan.at.namespace, "load_seconds", took)
        payload, data = self._encoded(plan, value, took)
        with self._fence.storing(under_way) as may_store:
            if may_store and data is None:
                store.drop([key])  # no older value may go on answering in its place
            elif may_store and data is not None:
                ttl, entry = data
                store.put({key: (entry, ttl + plan.stale_ttl)})
        return payload

    def _encoded(self, plan: LoadPlan, value: object, took: float) -> tuple[bytes | None, tuple[float, bytes] | None]:
        """The value's bytes, and its ttl and entry; None for what has none or is too large to be kept."""
        try:
            payload = serializers.dumps(value)
        except SerializationError as exc:
            self._store.refuse(plan.at.text, str(exc))
            return None, None
        ttl = plan.ttl * (1 - self._store.limits.jitter * self._random())
        now = self._store.wall()
        entry = self._store.encode(Head(plan.at.text, now, now + ttl, took, plan.tags, plan.source), payload)
        return payload, None if entry is None else (ttl, entry)

    def _served_stale(self, plan: LoadPlan, value: Any) -> Any:
        self._store.note(plan.at, "stale_hits")
        logger.warning("cache.served_stale", extra={"key": plan.at.text})
        return value

    def _own(self, plan: LoadPlan, result: tuple[Any, bytes | None], *, led: bool, had_stale: bool) -> Any:
        """Those who waited get a value of their own: what one caller does to it must not reach another."""
        if had_stale:  # not counted before the load had told
            self._store.note(plan.at, "misses")
        value, payload = result
        if led:
            return value
        self._store.counters.count(plan.at.namespace, "coalesced")
        return value if payload is None else serializers.loads(payload)

    def _start_reload(self, plan: LoadPlan, load: Callable[[], object]) -> None:
        try:
            threading.Thread(target=self._reload, args=(plan, load), name="avcache-reload", daemon=True).start()
        except RuntimeError as exc:  # no thread to be had: the stale value is served all the same
            logger.warning("cache.reload_failed", extra={"key": plan.at.text, "error": repr(exc)})

    def _reload(self, plan: LoadPlan, load: Callable[[], object]) -> None:
        try:
            self._flights.run(plan.flight, lambda: self._load(plan, load))
        except Exception as exc:  # noqa: BLE001 - the stale value goes on being served
            logger.warning("cache.reload_failed", extra={"key": plan.at.text, "error": repr(exc)})

    async def _areload(self, plan: LoadPlan, load: Callable[[], Awaitable[object]]) -> None:
        try:
            await self._flights.arun(plan.flight, lambda: self._aload(plan, load))
        except Exception as exc:  # noqa: BLE001 - the stale value goes on being served
            logger.warning("cache.reload_failed", extra={"key": plan.at.text, "error": repr(exc)})


def _flight(key: str, source: str) -> str:
    return f"{key}\x1f{source}"


_background: set[asyncio.Task[None]] = set()


def _hold(task: asyncio.Task[None]) -> None:
    """Hold on to a task: the event loop itself only knows it weakly."""
    _background.add(task)
    task.add_done_callback(_background.discard)
