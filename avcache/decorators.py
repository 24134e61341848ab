"""
`@cached` and its kin: a function's result under a key made of its arguments.

Thin over `Cache.get_or_load`. Without `cache=` they use the cache of the process, which is built on the first call,
not on import.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, ParamSpec, Protocol, TypeVar, cast

from avcache.core import serializers
from avcache.core.cache import Cache
from avcache.errors import ConfigError, InvalidInput, SerializationError
from avcache.market.tickers import portfolio_key

__all__ = ["cache_momentum", "cache_portfolio", "cache_price", "cached", "invalidate_cache"]
P = ParamSpec("P")
R = TypeVar("R")
KeyOf = Callable[[Mapping[str, Any]], str]

_MAX_READABLE = 120
_owners: dict[str, str] = {}
"""Which function owns the plain names of a ticker namespace, by namespace."""


class CachedFunction(Protocol[P, R]):
    """What `@cached` makes of a function."""

    __wrapped__: Callable[P, R]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return the cached result for these arguments, or compute it."""
        ...

    def key(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """The key of these arguments."""
        ...

    def invalidate(self, *args: P.args, **kwargs: P.kwargs) -> int:
        """Drop the result for these arguments."""
        ...


def cached(
    ttl: float | None = None,
    key_prefix: str = "",
    *,
    stale_ttl: float = 0.0,
    name: str | None = None,
    ignore: Sequence[str] = (),
    cache: Cache | None = None,
) -> Callable[[Callable[P, R]], CachedFunction[P, R]]:
    """
    Cache a function's results, `def` and `async def` alike.

    Args:
        ttl: Seconds a result counts as fresh (None: the namespace's own).
        key_prefix: Begins the key, `"user:"` for instance; its first part is the namespace.
        stale_ttl: Further seconds an old result is served while it is computed anew.
        name: Stands for the function in the key (default: its qualified name).
        ignore: Arguments that do not matter to the result (`self`, a session).

    `f(1, b=2)` and `f(1, 2)` are one key. Arguments must be plain values.
    """

    def decorate(function: Callable[P, R]) -> CachedFunction[P, R]:
        title = name or f"{function.__module__}.{function.__qualname__}".replace("<", "").replace(">", "")
        prefix = key_prefix if ":" in key_prefix or not key_prefix else f"{key_prefix}:"
        return _wrap(function, lambda given: f"{prefix}{title}:{_argument_text(given, ignore)}", ttl, stale_ttl, cache)

    return decorate


def cache_price(
    ttl: float | None = None, *, name: str | None = None, cache: Cache | None = None
) -> Callable[[Callable[P, R]], CachedFunction[P, R]]:
    """Cache a function of a ticker under `price:<TICKER>`; a second such function needs a *name*."""
    return _ticker_decorator("price", ttl, name, cache)


def cache_momentum(
    ttl: float | None = None, *, name: str | None = None, cache: Cache | None = None
) -> Callable[[Callable[P, R]], CachedFunction[P, R]]:
    """Cache a function of a ticker under `momentum:<TICKER>`; a second such function needs a *name*."""
    return _ticker_decorator("momentum", ttl, name, cache)


def cache_portfolio(
    ttl: float | None = None, *, name: str | None = None, cache: Cache | None = None
) -> Callable[[Callable[P, R]], CachedFunction[P, R]]:
    """Cache a function of holdings (ticker → shares) under `portfolio:<hash of the holdings>`."""

    def key_of(given: Mapping[str, Any]) -> str:
        holdings, rest = _first(given)
        return _with_rest(portfolio_key(holdings), name, rest)

    def decorate(function: Callable[P, R]) -> CachedFunction[P, R]:
        _own("portfolio", function, name)
        return _wrap(function, key_of, ttl, None, cache)

    return decorate


def invalidate_cache(pattern: str, *, cache: Cache | None = None) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Clear *pattern* after the function has returned; after an exception nothing is cleared."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def acall(*args: P.args, **kwargs: P.kwargs) -> Any:
                result = await function(*args, **kwargs)
                _given(cache).clear(pattern)
                return result

            return cast("Callable[P, R]", acall)

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            result = function(*args, **kwargs)
            _given(cache).clear(pattern)
            return result

        return call

    return decorate


def _ticker_decorator(
    namespace: str, ttl: float | None, name: str | None, cache: Cache | None
) -> Callable[[Callable[P, R]], CachedFunction[P, R]]:
    def key_of(given: Mapping[str, Any]) -> str:
        ticker, rest = _first(given)
        if not isinstance(ticker, str):
            raise InvalidInput("ticker", ticker, "a ticker symbol as the first argument")
        return _with_rest(f"{namespace}:{ticker}", name, rest)

    def decorate(function: Callable[P, R]) -> CachedFunction[P, R]:
        _own(namespace, function, name)
        return _wrap(function, key_of, ttl, None, cache)

    return decorate


def _wrap(
    function: Callable[P, R], key_of: KeyOf, ttl: float | None, stale_ttl: float | None, cache: Cache | None
) -> CachedFunction[P, R]:
    signature = inspect.signature(function)

    def key(*args: P.args, **kwargs: P.kwargs) -> str:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return key_of(bound.arguments)

    if inspect.iscoroutinefunction(function):
        coroutine = cast("Callable[P, Awaitable[Any]]", function)

        @functools.wraps(function)
        async def acall(*args: P.args, **kwargs: P.kwargs) -> Any:
            text = key(*args, **kwargs)
            return await _given(cache).aget_or_load(
                text, lambda: coroutine(*args, **kwargs), ttl=ttl, stale_ttl=stale_ttl
            )

        wrapped = cast("CachedFunction[P, R]", acall)
    else:

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            text = key(*args, **kwargs)
            return _given(cache).get_or_load(text, lambda: function(*args, **kwargs), ttl=ttl, stale_ttl=stale_ttl)

        wrapped = cast("CachedFunction[P, R]", call)
    wrapped.key = key  # type: ignore[method-assign]
    wrapped.invalidate = lambda *args, **kwargs: _given(cache).delete(key(*args, **kwargs))  # type: ignore[method-assign]
    return wrapped


def _given(cache: Cache | None) -> Cache:
    if cache is not None:
        return cache
    from avcache import runtime  # noqa: PLC0415 - the process-wide cache is built on the first call, never on import

    return runtime.shared().cache


def _own(namespace: str, function: Callable[..., object], name: str | None) -> None:
    """Keep two functions from writing different things under one plain name."""
    title = f"{function.__module__}.{function.__qualname__}"
    owner = _owners.setdefault(namespace if name is None else f"{namespace}@{name}", title)
    if owner != title:
        raise ConfigError(f"{namespace}:* already belongs to {owner}: give {title} a name= of its own")


def _first(given: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The first argument after self, and the others."""
    names = [name for name in given if name not in {"self", "cls"}]
    if not names:
        raise ConfigError("a function cached by ticker or holdings takes them as its first argument")
    return given[names[0]], {name: given[name] for name in names[1:]}


def _with_rest(key: str, name: str | None, rest: Mapping[str, Any]) -> str:
    suffix = "@" + name if name else ""
    return f"{key}{suffix}" if not rest else f"{key}{suffix}?{_argument_text(rest, ())}"


def _argument_text(given: Mapping[str, Any], ignore: Sequence[str]) -> str:
    """Readable where it is short and simple; else a hash of the same."""
    kept = {name: value for name, value in given.items() if name not in ignore}
    for name, value in kept.items():
        _check_argument(name, value)
    readable = ",".join(f"{name}={value}" for name, value in kept.items())
    is_simple = all(type(value) in {str, int, bool, type(None)} for value in kept.values())
    if is_simple and len(readable) <= _MAX_READABLE and readable.isprintable() and not set(readable) & set('*?"'):
        # Types are told apart: f(1) and f("1") are two keys.
        return ",".join(f"{name}={value!r}" for name, value in kept.items()) or "-"
    return hashlib.blake2b(
        serializers.dumps([[name, _ordered(value)] for name, value in kept.items()]), digest_size=16
    ).hexdigest()


def _check_argument(name: str, value: object) -> None:
    try:
        serializers.dumps(value)
    except SerializationError as exc:
        raise InvalidInput(
            name, value, "a plain value, to be part of a cache key; or name the argument in ignore="
        ) from exc


def _ordered(value: object) -> Any:
    """The same bytes for equal dicts and sets, whatever their order."""
    if isinstance(value, Mapping):
        packed = {serializers.dumps(key): _ordered(item) for key, item in value.items()}
        return [[key, packed[key]] for key in sorted(packed)]
    if isinstance(value, set | frozenset):
        return sorted(serializers.dumps(item) for item in value)
    if isinstance(value, list | tuple):
        return [_ordered(item) for item in value]
    return value
