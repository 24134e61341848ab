"""What the market asks of a cache (`avcache.core.cache.Cache` is one), and how it reads its records from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol, TypeVar

import msgspec

__all__ = ["Cache", "StalePolicy", "read"]

T = TypeVar("T")
Record = dict[str, Any]
_UNREADABLE = (msgspec.ValidationError, KeyError, TypeError, AttributeError)
StalePolicy = Literal["serve", "on_error", "refuse"]


class Cache(Protocol):
    """Values are builtins, tuples and DataFrames; a returned one may be shared: never change it in place."""

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
        Return the value of *key*, or run *load* and keep what it returns; what *load* raises is not kept.

        Args:
            ttl: Seconds the value counts as fresh; None is the default of the key's namespace.
            stale_ttl: Further seconds it may be served; None is the namespace's default.
            source: Where the value comes from; an entry of another source is a miss.
            tags: Names under which the entry can be invalidated together with others.
            stale: `serve` a stale value at once while it is loaded again, `on_error` only if *load* fails, or
                `refuse` it.

        Raises:
            Whatever *load* raises.
        """

    def delete(self, key: str) -> int:
        """Drop *key*."""


def read(
    cache: Cache,
    key: str,
    load: Callable[[], Record],
    convert: Callable[[Record], T],
    *,
    source: str,
    tags: Sequence[str],
    stale: StalePolicy = "serve",
) -> T:
    """`get_or_load`, and *convert* the record; one that another version wrote and this cannot read is loaded anew."""

    def record() -> Record:
        return cache.get_or_load(key, load, source=source, tags=tags, stale=stale)

    found = record()
    try:
        return convert(found)
    except _UNREADABLE:
        cache.delete(key)
        return convert(record())
