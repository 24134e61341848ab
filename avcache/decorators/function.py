"""What the decorators make of a function: the call, and what can be done beside it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Concatenate, ParamSpec, Protocol, Self, TypeVar, cast, overload

from avcache.backends.base import MISS, Cleared
from avcache.core.cache import Cache
from avcache.decorators.arguments import Keys

__all__ = ["CachedFunction", "Calls", "Decorator", "is_coroutine_function", "shared_cache", "wrap"]

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
T = TypeVar("T")
S = TypeVar("S", contravariant=True)
V = TypeVar("V", covariant=True)


class CachedFunction(Protocol[P, R, V]):
    """
    What `@cached` makes of a function that returns R; V is what is cached of it: R, or what R brings when awaited.

    All below takes the arguments of the function itself, of a method too: `desk.price.invalidate("AAPL")`.
    """

    __wrapped__: Callable[..., Any]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return the cached result of this call, or compute it."""
        ...

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(
        self: CachedFunction[Concatenate[S, Q], R, V], instance: S, owner: type | None = None
    ) -> CachedFunction[Q, R, V]: ...

    def key(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """The key of this call."""
        ...

    def invalidate(self, *args: P.args, **kwargs: P.kwargs) -> Cleared:
        """Drop the result of this call; returns 1 if there was one, else 0. Waits for the store."""
        ...

    def refresh(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Compute the result of this call now, whatever is cached; keep and return it."""
        ...

    def peek(self, *args: P.args, **kwargs: P.kwargs) -> V | None:
        """
        The cached result of this call, fresh or stale; None if there is none, as for a cached None.

        Nothing is computed or counted. Of a coroutine function, too, it is the result itself. Waits for the store.
        """
        ...


class Decorator(Protocol):
    """Makes a cached function of a function or coroutine function."""

    @overload
    def __call__(  # type: ignore[overload-overlap]  # a coroutine function is a function as well
        self, function: Callable[P, Coroutine[Any, Any, T]], /
    ) -> CachedFunction[P, Coroutine[Any, Any, T], T]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> CachedFunction[P, R, R]: ...


@dataclass(frozen=True, slots=True)
class Calls:
    """How the calls of *function* are cached; *given*: the cache, None for that of the process."""

    function: Callable[..., Any]
    keys: Keys
    ttl: float | None
    stale_ttl: float | None
    given: Cache | None

    @property
    def cache(self) -> Cache:
        """The cache that serves now."""
        return shared_cache() if self.given is None else self.given

    def key(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
        """The key of one call."""
        return self.keys.of(self.cache.namespaces, args, kwargs)


def wrap(calls: Calls) -> CachedFunction[..., Any, Any]:
    """The cached function of these calls."""
    made = _Function((_coroutine if is_coroutine_function(calls.function) else _plain)(calls))
    functools.update_wrapper(made, calls.function)
    made.calls = calls
    return cast("CachedFunction[..., Any, Any]", made)


def _plain(calls: Calls) -> Callable[..., Any]:
    function, key_of, given = calls.function, calls.keys.of, calls.given
    ttl, stale_ttl = calls.ttl, calls.stale_ttl

    def call(*args: Any, **kwargs: Any) -> Any:
        cache = shared_cache() if given is None else given
        key = key_of(cache.namespaces, args, kwargs)
        return cache.get_or_load(key, lambda: function(*args, **kwargs), ttl=ttl, stale_ttl=stale_ttl)

    return call


def _coroutine(calls: Calls) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        cache = calls.cache
        key = calls.keys.of(cache.namespaces, args, kwargs)
        load: Callable[[], Awaitable[Any]] = functools.partial(calls.function, *args, **kwargs)
        return await cache.aget_or_load(key, load, ttl=calls.ttl, stale_ttl=calls.stale_ttl)

    return call


class _Function(functools.partial[Any]):
    """
    A partial of nothing: calling one costs 0.05 µs, an object with `__call__` twice that.

    It is an object so that methods can be told of their instance, which a function's attributes are not.
    """

    calls: Calls

    def __get__(self, instance: object, owner: type | None = None) -> functools.partial[Any]:
        return self if instance is None else _Method(self, instance)

    def __reduce__(self) -> str:  # type: ignore[override]
        """Pickled by name, as functions are."""
        return self.__qualname__  # type: ignore[no-any-return,attr-defined]

    def key(self, /, *args: Any, **kwargs: Any) -> str:
        return self.calls.key(args, kwargs)

    def invalidate(self, /, *args: Any, **kwargs: Any) -> Cleared:
        return self.calls.cache.delete(self.calls.key(args, kwargs))

    def refresh(self, /, *args: Any, **kwargs: Any) -> Any:
        cache, calls = self.calls.cache, self.calls
        refresh = cache.arefresh if is_coroutine_function(calls.function) else cache.refresh
        load = functools.partial(calls.function, *args, **kwargs)
        return refresh(calls.key(args, kwargs), load, ttl=calls.ttl, stale_ttl=calls.stale_ttl)

    def peek(self, /, *args: Any, **kwargs: Any) -> Any:
        found = self.calls.cache.peek_value(self.calls.key(args, kwargs))
        return None if found is MISS else found


class _Method(functools.partial[Any]):
    """A cached function with the instance it is called on, for the call and for what can be done beside it."""

    def __getattr__(self, name: str) -> Any:
        if name == "__wrapped__":  # that takes the instance too: `inspect.signature` would tell of one argument more
            raise AttributeError(name)
        found = getattr(self.func, name)
        return functools.partial(found, *self.args) if name in _BESIDE else found


_BESIDE = frozenset({"key", "invalidate", "refresh", "peek"})


def is_coroutine_function(function: Callable[..., object]) -> bool:
    """Whether *function*, which may be an object that can be called, returns coroutines."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004 - the method itself is wanted


def shared_cache() -> Cache:
    """The cache of the process, built when it is first asked for."""
    return cast("Cache", _runtime().shared().cache)


@functools.cache
def _runtime() -> ModuleType:
    """Once: an import statement costs as much as half a hit, even of what is imported already."""
    from avcache import runtime  # noqa: PLC0415 - the process-wide cache is built on the first call, never on import

    return runtime
