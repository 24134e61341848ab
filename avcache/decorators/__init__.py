"""
`@cached` and its kin: a function's result under a key made of its arguments.

Thin over `Cache.get_or_load`. Without `cache=` they use the cache of the process, which is built on the first call,
not on import.

`def` and `async def` alike. What they make of a function has `key`, `invalidate`, `refresh` and `peek` beside the
call, see `CachedFunction`. `@classmethod` and `@staticmethod` go above them.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, ParamSpec, TypeVar, cast
from weakref import WeakKeyDictionary

from avcache.backends.pattern import Pattern
from avcache.core.cache import Cache
from avcache.core.keys import Namespaces, split_key
from avcache.core.store import CacheLimits
from avcache.decorators.arguments import Arguments, Keys, argument_text, digest
from avcache.decorators.function import (
    CachedFunction,
    Calls,
    Decorator,
    check_function,
    is_coroutine_function,
    shared_cache,
    wrap,
)
from avcache.decorators.names import Owner, check_name, claim, prefix_of, title_of
from avcache.errors import ConfigError, InvalidInput
from avcache.market.holdings import Holding, portfolio_key

__all__ = ["CachedFunction", "cache_momentum", "cache_portfolio", "cache_price", "cached", "invalidate_cache"]

P = ParamSpec("P")
R = TypeVar("R")

_MAX_TICKER = 64
_TICKER = f"a ticker symbol: text of at most {_MAX_TICKER} printable characters without @ * ?"
_HOLDINGS = "holdings: a mapping of tickers to numbers of shares"
_durations = CacheLimits(max_ttl=math.inf)
"""Each cache has a maximum of its own; what no cache takes is refused when decorating."""
_owners: WeakKeyDictionary[object, dict[str, Owner]] = WeakKeyDictionary()
"""Which function has which name: by cache, then by the pattern of its keys."""


class _Shared:
    """Stands for the cache of the process where none was given."""


_SHARED = _Shared()


def cached(
    ttl: float | None = None,
    key_prefix: str = "",
    *,
    stale_ttl: float | None = 0.0,
    name: str | None = None,
    ignore: str | Collection[str] = (),
    cache: Cache | None = None,
) -> Decorator:
    """
    Cache a function's results.

    Args:
        ttl: Seconds a result counts as fresh (None: the namespace's own).
        key_prefix: Begins the key, `"user:"` for instance; its first part is the namespace.
        stale_ttl: Further seconds an old result is served while it is computed anew (None: the namespace's own).
        name: Stands for the function in the key (default: its qualified name).
        ignore: Arguments that do not matter to the result (`self`, a session).

    `f(1, b=2)` and `f(1, 2)` are one key, `f(1)`, `f(1.0)`, `f(True)` and `f("1")` are four. Arguments must be plain
    values, else the call raises `InvalidInput`. A result of None is cached, an exception is not.

    Raises:
        InvalidInput: When decorating, for a *ttl* or *stale_ttl* that no cache takes.
        ConfigError: When decorating, for a prefix that begins no key, an argument to ignore that there is not, what is
            no function or yields its values, or a name that another function has: two lambdas of a module, two
            closures of one factory.
    """
    _check_durations(ttl, stale_ttl)
    if name is not None:
        check_name(name)

    def decorate(function: Callable[..., Any]) -> CachedFunction[..., Any, Any]:
        check_function(function)
        title = title_of(function).replace("<", "").replace(">", "") if name is None else name
        prefix = prefix_of(key_prefix, title)

        def key_of(namespaces: Namespaces, given: Mapping[str, Any]) -> str:
            text = f"{prefix}{title}:{argument_text(given)}"
            # A namespace may read two texts as one key (`price:aapl` is `price:AAPL`): not two calls, though.
            return text if namespaces.is_canonical(text) else namespaces.key(prefix + digest(text)).text

        keys = Keys(function, Arguments(function, ignore), key_of)
        if name is None:  # who gives two functions one name wants them to share their results
            _claim(f"{prefix}{title}:*", function, cache)
        return wrap(Calls(function, keys, ttl, stale_ttl, cache))

    return cast("Decorator", decorate)


def cache_price(
    ttl: float | None = None,
    *,
    name: str | None = None,
    ignore: str | Collection[str] = (),
    cache: Cache | None = None,
) -> Decorator:
    """Cache a function of a ticker under `price:<TICKER>`; a second such function needs a *name*."""
    return _by_first("price", _ticker_key, ttl=ttl, name=name, ignore=ignore, cache=cache)


def cache_momentum(
    ttl: float | None = None,
    *,
    name: str | None = None,
    ignore: str | Collection[str] = (),
    cache: Cache | None = None,
) -> Decorator:
    """Cache a function of a ticker under `momentum:<TICKER>`; a second such function needs a *name*."""
    return _by_first("momentum", _ticker_key, ttl=ttl, name=name, ignore=ignore, cache=cache)


def cache_portfolio(
    ttl: float | None = None,
    *,
    name: str | None = None,
    ignore: str | Collection[str] = (),
    cache: Cache | None = None,
) -> Decorator:
    """Cache a function of holdings (ticker → shares) under `portfolio:<hash of the holdings>`."""
    return _by_first("portfolio", _portfolio_key, ttl=ttl, name=name, ignore=ignore, cache=cache)


def invalidate_cache(pattern: str, *, cache: Cache | None = None) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Clear *pattern* after the function has returned; after an exception nothing is cleared."""
    if Pattern(pattern).is_literal:  # refused now, not after the function has done its work
        split_key(pattern)

    def clear() -> None:
        (shared_cache() if cache is None else cache).clear(pattern)

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        check_function(function)
        if is_coroutine_function(function):
            coroutine = cast("Callable[P, Awaitable[Any]]", function)

            @functools.wraps(function)
            async def acall(*args: P.args, **kwargs: P.kwargs) -> Any:
                import asyncio  # noqa: PLC0415 - a third of the time that `import avcache` would take

                result = await coroutine(*args, **kwargs)
                await asyncio.to_thread(clear)
                return result

            return cast("Callable[P, R]", acall)

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            result = function(*args, **kwargs)
            clear()
            return result

        return call

    return decorate


def _by_first(
    namespace: str,
    first_key: Callable[[str, object], str],
    *,
    ttl: float | None,
    name: str | None,
    ignore: str | Collection[str],
    cache: Cache | None,
) -> Decorator:
    """For functions whose first argument makes the key; further ones, and *name*, go behind an @."""
    _check_durations(ttl, None)
    if name is not None:
        check_name(name, is_suffix=True)

    def key_of(namespaces: Namespaces, given: Mapping[str, Any]) -> str:
        if not given:
            raise ConfigError("a function cached by ticker or holdings takes them as its first argument")
        (argument, first), *rest = given.items()
        key = f"{namespace}:{first_key(argument, first)}"
        if rest:  # behind the @ capitals stay what they are, unlike in the ticker
            key += f"@{name or ''}({argument_text(dict(rest))})"
        elif name:
            key += f"@{name}"
        return namespaces.key(key).text

    def decorate(function: Callable[..., Any]) -> CachedFunction[..., Any, Any]:
        check_function(function)
        keys = Keys(function, Arguments(function, ignore, ignores_receiver=True), key_of)
        _claim(f"{namespace}:*" if name is None else f"{namespace}:*@{name}", function, cache)
        return wrap(Calls(function, keys, ttl, None, cache))

    return cast("Decorator", decorate)


def _ticker_key(argument: str, ticker: object) -> str:
    if not isinstance(ticker, str) or not 1 <= len(ticker.strip()) <= _MAX_TICKER:
        raise InvalidInput(argument, ticker, _TICKER)
    if not ticker.isprintable() or set(ticker) & set("@*?"):
        raise InvalidInput(argument, ticker, _TICKER)
    return ticker


def _portfolio_key(argument: str, holdings: object) -> str:
    if not isinstance(holdings, Mapping | str):
        raise InvalidInput(argument, holdings, _HOLDINGS)
    return portfolio_key(cast("Mapping[str, float | Holding] | str", holdings)).partition(":")[2]


def _claim(place: str, function: Callable[..., Any], cache: Cache | None) -> None:
    claim(_owners.setdefault(_SHARED if cache is None else cache, {}), place, function)


def _check_durations(ttl: object, stale_ttl: object) -> None:
    if callable(ttl):
        raise ConfigError("a decorator of avcache is called, with or without options: @cached()")
    if ttl is not None:
        _durations.seconds("ttl", ttl)
    if stale_ttl is not None:
        _durations.seconds("stale_ttl", stale_ttl, or_zero=True)
