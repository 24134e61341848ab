"""One load at a time for each key: the first caller loads, the others wait for what it brings."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from typing import Generic, TypeVar

from avcache.forks import renew_in_children

__all__ = ["Flight", "SingleFlight"]

T = TypeVar("T")
_inside: contextvars.ContextVar[tuple[Inside, ...]] = contextvars.ContextVar("avcache_loading", default=())


class Flight(Future[T]):
    """
    One load, for all who wait for it.

    Attributes:
        version: The version that its value will carry; None while it has not begun.
    """

    def __init__(self) -> None:
        super().__init__()
        self.version: int | None = None


class SingleFlight(Generic[T]):
    """The loads of this process that are under way, by key and source; of threads and of coroutines alike."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._flights: dict[tuple[str, str], Flight[T]] = {}
        renew_in_children(self)

    def begin_anew(self) -> None:
        """In a forked process: no loads. Those of its parent are not ours, and nobody here would land them."""
        self._mutex = threading.Lock()
        self._flights = {}

    def join(self, key: str, source: str, is_valid: Callable[[int], bool]) -> tuple[Flight[T], bool]:
        """
        The load to wait for, or a new one and True: then the caller has to load, and to `land` it.

        A load whose version is not valid any more is left to those who wait for it already.
        """
        with self._mutex:
            flight = self._flights.get((key, source))
            if flight is not None and (flight.version is None or is_valid(flight.version)):
                return flight, False
            flight = self._flights[key, source] = Flight()
            return flight, True

    def replace(self, key: str, source: str) -> Flight[T]:
        """A new load, whatever is under way: who comes from now on waits for this one."""
        with self._mutex:
            flight = self._flights[key, source] = Flight()
            return flight

    def land(self, key: str, source: str, flight: Flight[T]) -> None:
        """Let the next caller load anew, unless *flight* was overtaken and he does already."""
        with self._mutex:
            if self._flights.get((key, source)) is flight:
                del self._flights[key, source]

    def forget(self, keys: frozenset[str]) -> None:
        """Let the next callers load *keys* anew; those who wait already still get what they wait for."""
        with self._mutex:
            for flight in [flight for flight in self._flights if flight[0] in keys]:
                del self._flights[flight]

    def is_flying(self, key: str, source: str) -> bool:
        """Whether somebody loads *key* now."""
        return (key, source) in self._flights

    def is_own(self, key: str, source: str) -> bool:
        """Whether this very load asks for its own key: it would wait for itself."""
        return any(load.is_of(self, key, source) for load in _inside.get())

    def inside(self, loads: Iterable[tuple[str, str]]) -> Inside:
        """While this is open, what runs is the load of these keys of these sources."""
        return Inside(self, frozenset(loads))


class Inside:
    """Marks the context in which a load runs; what the load starts and leaves running is not inside it for ever."""

    __slots__ = ("_is_open", "_loads", "_of", "_token")

    def __init__(self, of: object, loads: frozenset[tuple[str, str]]) -> None:
        self._of = of
        self._loads = loads
        self._is_open = False

    def is_of(self, flights: object, key: str, source: str) -> bool:
        """Whether this load goes on, and is one of *key* among *flights*."""
        return self._is_open and self._of is flights and (key, source) in self._loads

    def __enter__(self) -> None:
        self._is_open = True
        self._token = _inside.set((*_inside.get(), self))

    def __exit__(self, *_exc: object) -> None:
        self._is_open = False
        with suppress(ValueError):  # closed from elsewhere, as the coroutines of a loop that ended are
            _inside.reset(self._token)
