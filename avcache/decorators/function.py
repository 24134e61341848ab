"""What the decorators make of a function: the call, and what can be done beside it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Concatenate, ParamSpec, Protocol, Self, TypeVar, cast, overload

from avcache.backends.base import MISS, Cleared
from avcache.core.cache import Cache
from avcache.decorators.arguments import Keys
from avcache.decorators.names import shown
from avcache.errors import ConfigError

__all__ = ["CachedFunction", "Calls", "Decorator", "check_function", "is_coroutine_function", "shared_cache", "wrap"]

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
T = TypeVar("T")
S_contra = TypeVar("S_contra", contravariant=True)
V_co = TypeVar("V_co", covariant=True)


class CachedFunction(Protocol[P, R, V_co]):
    """
    What `@cached` makes of a function that returns R; V_co is what is cached of it: R, or what R brings when awaited.

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
        self: CachedFunction[Concatenate[S_contra, Q], R, V_co], instance: S_contra, owner: type | None = None
    ) -> CachedFunction[Q, R, V_co]: ...

    def key(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """The key of this call."""
        ...

    def invalidate(self, *args: P.args, **kwargs: P.kwargs) -> Cleared:
        """Drop the result of this call; returns 1 if there was one, else 0. Waits for the store."""
        ...

    def refresh(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Compute the result of this call now, whatever is cached; keep and return it."""
        ...

    def peek(self, *args: P.args, **kwargs: P.kwargs) -> V_co | None:
        """
        The cached result of this call, fresh or stale; None if there is none, as for a cached None.

        Nothing is computed or counted. Of a coroutine function, too, it is the result itself. Waits for the store.
        """
        ...


class Decorator(Protocol):
    """Makes a cached function of a function or coroutine function."""

    @overload
    def __call__(
        self, function: Callable[P, Coroutine[Any, Any, T]], /
    ) -> CachedFunction[P, Coroutine[Any, Any, T], T]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> CachedFunction[P, R, R]: ...


@dataclass(frozen=True, slots=True)
class Calls:
    """
    The calls of *function*, and what can be done with their results.

    Args:
        given: The cache; None for that of the process.
    """

    function: Callable[..., Any]
    keys: Keys
    ttl: float | None
    stale_ttl: float | None
    given: Cache | None

    @property
    def cache(self) -> Cache:
        """The cache that serves now."""
        return shared_cache() if self.given is None else self.given

    def key(self, /, *args: Any, **kwargs: Any) -> str:
        return self.keys.find(self.cache.namespaces, args, kwargs)[0]

    def invalidate(self, /, *args: Any, **kwargs: Any) -> Cleared:
        return self.cache.delete(self.key(*args, **kwargs))

    def refresh(self, /, *args: Any, **kwargs: Any) -> Any:
        cache = self.cache
        key, load = self.keys.find(cache.namespaces, args, kwargs)
        refresh = cache.arefresh if is_coroutine_function(self.function) else cache.refresh
        return refresh(key, load, ttl=self.ttl, stale_ttl=self.stale_ttl)

    def peek(self, /, *args: Any, **kwargs: Any) -> Any:
        found = self.cache.peek_value(self.key(*args, **kwargs))
        return None if found is MISS else found


def wrap(calls: Calls) -> CachedFunction[..., Any, Any]:
    """The cached function of these calls."""
    made = _Function((_coroutine if is_coroutine_function(calls.function) else _plain)(calls))
    functools.update_wrapper(made, calls.function)
    # As attributes of the object, they are passed on by `functools.wraps` to what is made of it in turn.
    made.__dict__.update({name: getattr(calls, name) for name in _BESIDE})
    return cast("CachedFunction[..., Any, Any]", made)


def _plain(calls: Calls) -> Callable[..., Any]:
    # Out of the object, once: this is the way of every hit.
    find, given, ttl, stale_ttl = calls.keys.find, calls.given, calls.ttl, calls.stale_ttl

    def call(*args: Any, **kwargs: Any) -> Any:
        cache = shared_cache() if given is None else given
        key, load = find(cache.namespaces, args, kwargs)
        return cache.get_or_load(key, load, ttl=ttl, stale_ttl=stale_ttl)

    return call


def _coroutine(calls: Calls) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        cache = calls.cache
        key, load = calls.keys.find(cache.namespaces, args, kwargs)
        return await cache.aget_or_load(key, load, ttl=calls.ttl, stale_ttl=calls.stale_ttl)

    return call


class _Function(functools.partial[Any]):
    """
    An object, to tell a method its instance. A partial of nothing, since `inspect` looks through one for what tells a
    coroutine function, and since calling one costs 0.05 µs only.
    """

    def __get__(self, instance: object, owner: type | None = None) -> functools.partial[Any]:
        return self if instance is None else _Method(self, instance)

    def __reduce__(self) -> str:
        """Pickled by name, as functions are."""
        return str(self.__dict__["__qualname__"])


class _Method(functools.partial[Any]):
    """A cached function with the instance it is called on, for the call and for what can be done beside it."""

    def __getattr__(self, name: str) -> Any:
        if name == "__wrapped__":  # that takes the instance too: `inspect.signature` would tell of one argument more
            raise AttributeError(name)
        found = getattr(self.func, name)
        return functools.partial(found, *self.args) if name in _BESIDE else found


_BESIDE = ("key", "invalidate", "refresh", "peek")


def check_function(function: object) -> None:
    """Raise `ConfigError` for what cannot be decorated, or not in this way."""
    if isinstance(function, classmethod | staticmethod):
        raise ConfigError(f"@{type(function).__name__} goes above the decorator of avcache, not below it")
    if not callable(function) or inspect.isclass(function):
        raise ConfigError(f"{function!r}: only functions can be decorated, and objects that are called like one")
    if any(inspect.isgeneratorfunction(one) or inspect.isasyncgenfunction(one) for one in _called(function)):
        raise ConfigError(f"{shown(function)} yields its values one by one: they cannot be cached")


def is_coroutine_function(function: Callable[..., object]) -> bool:
    """Whether *function*, which may be a partial or an object, returns coroutines when it is called."""
    return any(map(inspect.iscoroutinefunction, _called(function)))


def _called(function: Callable[..., object]) -> tuple[object, object]:
    """What may be the function that runs in the end."""
    while isinstance(function, functools.partial):
        function = function.func
    return function, getattr(function, "__call__", None)  # noqa: B004 - the method itself is wanted


def shared_cache() -> Cache:
    """The cache of the process, built when it is first asked for."""
    return cast("Cache", _runtime().shared().cache)


@functools.cache
def _runtime() -> ModuleType:
    """Once: an import statement costs as much as half a hit, even of what is imported already."""
    from avcache import runtime  # noqa: PLC0415 - the process-wide cache is built on the first call, never on import

    return runtime
