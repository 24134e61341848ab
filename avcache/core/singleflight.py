"""One load at a time for each key: the first caller loads, the others wait for what it brings."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError, Future
from typing import Generic, TypeVar

__all__ = ["SingleFlight"]

T = TypeVar("T")
_loading: contextvars.ContextVar[frozenset[tuple[int, str]]] = contextvars.ContextVar(
    "avcache_loading", default=frozenset()
)


class SingleFlight(Generic[T]):
    """Coalesces concurrent loads of one key, of threads and of coroutines alike."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._flights: dict[str, Future[T]] = {}

    def run(self, key: str, load: Callable[[], T]) -> tuple[T, bool]:
        """
        Return what *load* brings, and whether it was this caller who loaded.

        A leader that was interrupted (not: whose load failed) leaves the load to the next in line.
        """
        if self._is_own(key):
            return load(), True
        while True:
            flight, leads = self._join(key)
            if leads:
                with self._leading(key, flight):
                    result = load()
                    flight.set_result(result)
                    return result, True
            try:
                return flight.result(), False
            except CancelledError:
                continue

    async def arun(self, key: str, load: Callable[[], Awaitable[T]]) -> tuple[T, bool]:
        """`run` for coroutines."""
        import asyncio  # noqa: PLC0415 - a third of the time that `import avcache` would take

        if self._is_own(key):
            return await load(), True
        while True:
            flight, leads = self._join(key)
            if leads:
                with self._leading(key, flight):
                    result = await load()
                    flight.set_result(result)
                    return result, True
            try:
                # Shielded: a waiter that is cancelled must not cancel the flight of all others.
                return await asyncio.shield(asyncio.wrap_future(flight)), False
            except asyncio.CancelledError:
                # Either the leader was interrupted, or this waiter was: then it must stop, whatever the leader did.
                task = asyncio.current_task()
                if not flight.cancelled() or (task is not None and task.cancelling()):
                    raise

    def forget(self, key: str) -> None:
        """Let the next caller load *key* anew; those who wait already still get what they wait for."""
        with self._mutex:
            self._flights.pop(key, None)

    def is_flying(self, key: str) -> bool:
        """Whether somebody loads *key* now."""
        return key in self._flights

    def _is_own(self, key: str) -> bool:
        """Whether this very load asks for its own key: it would wait for itself."""
        return (id(self), key) in _loading.get()

    def _join(self, key: str) -> tuple[Future[T], bool]:
        with self._mutex:
            flight = self._flights.get(key)
            if flight is not None:
                return flight, False
            flight = self._flights[key] = Future()
            return flight, True

    def _leading(self, key: str, flight: Future[T]) -> _Leading[T]:
        return _Leading(self, key, flight)

    def land(self, key: str, flight: Future[T]) -> None:
        """Let the next caller load *key* anew, unless *flight* was forgotten and he does already."""
        with self._mutex:
            if self._flights.get(key) is flight:
                del self._flights[key]


class _Leading(Generic[T]):
    """While this is open, the key is being loaded by this thread or task; afterwards no waiter is left hanging."""

    def __init__(self, flights: SingleFlight[T], key: str, flight: Future[T]) -> None:
        self._flights, self._key, self._flight = flights, key, flight

    def __enter__(self) -> None:
        self._token = _loading.set(_loading.get() | {(id(self._flights), self._key)})

    def __exit__(self, _kind: object, exc: BaseException | None, _trace: object) -> None:
        _loading.reset(self._token)
        self._flights.land(self._key, self._flight)
        if exc is None:
            return
        if isinstance(exc, Exception):
            self._flight.set_exception(exc)
        else:
            self._flight.cancel()
