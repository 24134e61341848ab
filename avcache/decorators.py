"""
`@cached` and its kin: a function's result under a key made of its arguments.

Thin over `Cache.get_or_load`. Without `cache=` they use the cache of the process, which is built on the first call,
not on import.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import re
import unicodedata
import weakref
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, ParamSpec, Protocol, Self, TypeVar, cast, overload
from weakref import WeakKeyDictionary

from avcache.backends.base import MISS, Cleared
from avcache.backends.pattern import Pattern
from avcache.core import serializers
from avcache.core.cache import Cache
from avcache.core.keys import DEFAULT_NAMESPACE, is_namespace, split_key
from avcache.errors import ConfigError, InvalidInput, SerializationError
from avcache.market.tickers import portfolio_key

__all__ = ["cache_momentum", "cache_portfolio", "cache_price", "cached", "invalidate_cache"]
P = ParamSpec("P")
R = TypeVar("R")
KeyOf = Callable[[Mapping[str, Any]], str]

_MAX_READABLE = 120
_KEPT_KEYS = 4096
_MEMORABLE = frozenset({str, int, bool, bytes, type(None)})
"""Types whose equal values are the same to every function: not float, of which 0.0 and -0.0 are equal."""
_NAME = re.compile(r"[\w.-]{1,64}")
_owners: WeakKeyDictionary[object, dict[str, weakref.ref[Callable[..., object]]]] = WeakKeyDictionary()
"""Which function owns the plain names of a ticker namespace: by cache, then by namespace."""


class _Shared:
    """Stands for the cache of the process where none was given."""


_SHARED = _Shared()


class CachedFunction(Protocol[P, R]):
    """
    What `@cached` makes of a function.

    The functions beside the call take its arguments; of a method also the object: `Class.method.key(object, 1)`.
    """

    __wrapped__: Callable[P, R]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return the cached result for these arguments, or compute it."""
        ...

    @overload
    def __get__(self, instance: None, owner: type | None = None) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type | None = None) -> Callable[..., R]: ...
    def __get__(self, instance: object, owner: type | None = None) -> Any:
        """As a method, it is called without its first argument."""
        ...

    def key(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """The key of these arguments."""
        ...

    def invalidate(self, *args: P.args, **kwargs: P.kwargs) -> Cleared:
        """Drop the result for these arguments."""
        ...

    def refresh(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Compute the result for these arguments now, whatever is cached, and keep it."""
        ...

    def peek(self, *args: P.args, **kwargs: P.kwargs) -> R | None:
        """
        The cached result for these arguments, fresh or stale; None without one. Computes and counts nothing.

        Of a coroutine function too this is the result itself, not a coroutine.
        """
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

    Raises:
        ConfigError: When decorating, for a prefix that begins no key, an argument to ignore that there is not, or a
            name that another function has: two lambdas of a module, two closures of one factory.
    """
    ignored = (ignore,) if isinstance(ignore, str) else tuple(ignore)

    def decorate(function: Callable[P, R]) -> CachedFunction[P, R]:
        title = name or _title(function).replace("<", "").replace(">", "")
        prefix = _prefix(key_prefix, title)
        if name is None:  # who gives two functions one name wants them to share their results
            _claim(f"{prefix}{title}:*", function, cache)
        for argument in ignored:
            if argument not in inspect.signature(function).parameters:
                raise ConfigError(f"ignore={argument!r}: {title} has no such argument")

        def key_of(given: Mapping[str, Any]) -> str:
            text = f"{prefix}{title}:{_argument_text(given, ignored)}"
            # A namespace may read two texts as one key (`price:aapl` is `price:AAPL`): not two calls, though.
            return text if _given(cache).namespaces.is_canonical(text) else prefix + _digest(text)

        return _wrap(function, key_of, ttl, stale_ttl, cache)

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
        _own("portfolio", function, name, cache)
        return _wrap(function, key_of, ttl, None, cache)

    return decorate


def invalidate_cache(pattern: str, *, cache: Cache | None = None) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Clear *pattern* after the function has returned; after an exception nothing is cleared."""
    if Pattern(pattern).is_literal:  # refused now, not after the function has done its work
        split_key(pattern)

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def acall(*args: P.args, **kwargs: P.kwargs) -> Any:
                import asyncio  # noqa: PLC0415 - a third of the time that `import avcache` would take

                result = await function(*args, **kwargs)
                await asyncio.to_thread(_given(cache).clear, pattern)
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
        if not isinstance(ticker, str) or not ticker.strip() or "@" in ticker:
            raise InvalidInput("ticker", ticker, "a ticker symbol as the first argument")
        return _with_rest(f"{namespace}:{ticker}", name, rest)

    def decorate(function: Callable[P, R]) -> CachedFunction[P, R]:
        _own(namespace, function, name, cache)
        return _wrap(function, key_of, ttl, None, cache)

    return decorate


def _wrap(
    function: Callable[P, R], key_of: KeyOf, ttl: float | None, stale_ttl: float | None, cache: Cache | None
) -> CachedFunction[P, R]:
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise ConfigError(f"{function.__qualname__} yields its values one by one: they cannot be cached")
    key = _keys(function, key_of)
    wrapped = (_coroutine if inspect.iscoroutinefunction(function) else _plain)(function, key, ttl, stale_ttl, cache)

    def named(*args: P.args, **kwargs: P.kwargs) -> str:
        return _named(function, key, args, kwargs)

    def invalidate(*args: P.args, **kwargs: P.kwargs) -> Cleared:
        return _given(cache).delete(named(*args, **kwargs))

    def peek(*args: P.args, **kwargs: P.kwargs) -> R | None:
        found = _given(cache).peek_value(named(*args, **kwargs))
        return None if found is MISS else cast("R", found)

    wrapped.key, wrapped.invalidate, wrapped.peek = named, invalidate, peek  # type: ignore[method-assign]
    return wrapped


def _plain(
    function: Callable[P, R], key: Callable[..., str], ttl: float | None, stale_ttl: float | None, cache: Cache | None
) -> CachedFunction[P, R]:
    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        return (cache or _given(None)).get_or_load(
            key(*args, **kwargs), lambda: function(*args, **kwargs), ttl=ttl, stale_ttl=stale_ttl
        )

    def refresh(*args: P.args, **kwargs: P.kwargs) -> R:
        text = _named(function, key, args, kwargs)
        return _given(cache).refresh(text, lambda: function(*args, **kwargs), ttl=ttl, stale_ttl=stale_ttl)

    wrapped = cast("CachedFunction[P, R]", call)
    wrapped.refresh = refresh  # type: ignore[method-assign]
    return wrapped


def _coroutine(
    function: Callable[P, R], key: Callable[..., str], ttl: float | None, stale_ttl: float | None, cache: Cache | None
) -> CachedFunction[P, R]:
    coroutine = cast("Callable[P, Awaitable[Any]]", function)

    @functools.wraps(function)
    async def call(*args: P.args, **kwargs: P.kwargs) -> Any:
        return await _given(cache).aget_or_load(
            key(*args, **kwargs), lambda: coroutine(*args, **kwargs), ttl=ttl, stale_ttl=stale_ttl
        )

    async def refresh(*args: P.args, **kwargs: P.kwargs) -> Any:
        text = _named(function, key, args, kwargs)
        return await _given(cache).arefresh(text, lambda: coroutine(*args, **kwargs), ttl=ttl, stale_ttl=stale_ttl)

    wrapped = cast("CachedFunction[P, R]", call)
    wrapped.refresh = refresh  # type: ignore[method-assign,assignment]
    return wrapped


def _keys(function: Callable[..., object], key_of: KeyOf) -> Callable[..., str]:
    """Makes the key of a call: for plain arguments once, since binding them to names takes longer than a hit."""
    signature = inspect.signature(function)

    def make(*args: Any, **kwargs: Any) -> str:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return key_of(bound.arguments)

    made = functools.lru_cache(_KEPT_KEYS, typed=True)(make)

    def key(*args: Any, **kwargs: Any) -> str:
        for value in args:
            if type(value) not in _MEMORABLE:
                return make(*args, **kwargs)
        for value in kwargs.values():
            if type(value) not in _MEMORABLE:
                return make(*args, **kwargs)
        return made(*args, **kwargs)

    return key


def _named(function: Callable[..., object], key: Callable[..., str], args: Any, kwargs: Any) -> str:
    """The key for who asks by name; a bound method does not tell its functions which object it is bound to."""
    try:
        return key(*args, **kwargs)
    except TypeError as exc:
        if next(iter(inspect.signature(function).parameters), "") not in {"self", "cls"}:
            raise
        raise TypeError(f"{exc}; of a method, give the object first: {function.__qualname__}.key(object, …)") from None


def _given(cache: Cache | None) -> Cache:
    if cache is not None:
        return cache
    from avcache import runtime  # noqa: PLC0415 - the process-wide cache is built on the first call, never on import

    return runtime.shared().cache


def _prefix(given: str, title: str) -> str:
    """What stands before *title*: the prefix given, or nothing where the title can be a namespace itself."""
    prefix = given if ":" in given or not given else f"{given}:"
    if not prefix and not is_namespace(title):  # too long, or not of ASCII letters only
        return f"{DEFAULT_NAMESPACE}:"
    if prefix and not is_namespace(prefix.partition(":")[0]):
        raise ConfigError(f"key_prefix={given!r}: letters, digits and _ . - are allowed before the colon")
    return prefix


def _own(namespace: str, function: Callable[..., object], name: str | None, cache: Cache | None) -> None:
    """Keep two functions from writing different things under one plain name."""
    if name is not None and not _NAME.fullmatch(name):
        raise ConfigError(f"name={name!r}: 1 to 64 letters, digits and _ . - are allowed")
    _claim(f"{namespace}:*" if name is None else f"{namespace}:*@{name}", function, cache)


def _claim(place: str, function: Callable[..., object], cache: Cache | None) -> None:
    """Keep two functions from answering for each other in one place; the first one keeps it while it lives."""
    owners = _owners.setdefault(_SHARED if cache is None else cache, {})
    owner = owners[place]() if place in owners else None
    if owner is not None and not _is_same(owner, function):
        raise ConfigError(f"{place} already belongs to {_title(owner)}: give {_title(function)} a name= of its own")
    owners[place] = weakref.ref(function)


def _is_same(one: Callable[..., object], other: Callable[..., object]) -> bool:
    """Whether *other* is *one*, or what a reload of its module made of it."""
    if one is other:
        return True
    codes = getattr(one, "__code__", None), getattr(other, "__code__", None)
    has_state = getattr(one, "__closure__", None) or getattr(other, "__closure__", None)
    is_lambda = "<lambda>" in _title(one)
    return _title(one) == _title(other) and not has_state and (not is_lambda or codes[0] == codes[1])


def _title(function: Callable[..., object]) -> str:
    return f"{function.__module__}.{function.__qualname__}"


def _first(given: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The first argument after self, and the others."""
    names = [name for name in given if name not in {"self", "cls"}]
    if not names:
        raise ConfigError("a function cached by ticker or holdings takes them as its first argument")
    return given[names[0]], {name: given[name] for name in names[1:]}


def _with_rest(key: str, name: str | None, rest: Mapping[str, Any]) -> str:
    if not rest:
        return f"{key}@{name}" if name else key
    # Behind the @ capitals stay what they are, unlike in the ticker.
    return f"{key}@{name or ''}({_argument_text(rest, ())})"


def _argument_text(given: Mapping[str, Any], ignore: Sequence[str]) -> str:
    """Readable where it is short and simple; else a hash of the same."""
    kept = {name: value for name, value in given.items() if name not in ignore}
    for name, value in kept.items():
        _check_argument(name, value)
    readable = ",".join(f"{name}={value}" for name, value in kept.items())
    is_simple = all(type(value) in {str, int, bool, type(None)} for value in kept.values())
    # A key has one form of each composed letter, and a star in a key looks like a pattern.
    is_plain = readable.isprintable() and unicodedata.is_normalized("NFC", readable) and not set(readable) & set('*?"')
    if is_simple and is_plain and len(readable) <= _MAX_READABLE:
        # Types are told apart: f(1) and f("1") are two keys.
        return ",".join(f"{name}={value!r}" for name, value in kept.items()) or "-"
    return _digest(serializers.dumps([[name, _ordered(value)] for name, value in kept.items()]))


def _digest(content: str | bytes) -> str:
    return hashlib.blake2b(content.encode() if isinstance(content, str) else content, digest_size=16).hexdigest()


def _check_argument(name: str, value: object) -> None:
    try:
        serializers.dumps(value)
    except SerializationError as exc:
        raise InvalidInput(
            name, value, "a plain value, to be part of a cache key; or name the argument in ignore="
        ) from exc


def _ordered(value: object) -> Any:
    """The same bytes for equal dicts and sets, whatever their order; what kind it was goes with it."""
    if isinstance(value, Mapping):
        packed = {serializers.dumps(_ordered(key)): _ordered(item) for key, item in value.items()}
        return ["dict", [[key, packed[key]] for key in sorted(packed)]]
    if isinstance(value, set | frozenset):
        return ["set", sorted(serializers.dumps(_ordered(item)) for item in value)]
    if isinstance(value, list | tuple):
        return [type(value).__name__, [_ordered(item) for item in value]]
    return value
