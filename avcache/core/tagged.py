"""Keys that belong to a set of tags."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final, TypeVar

from avcache.backends.base import Cleared
from avcache.errors import InvalidInput

if TYPE_CHECKING:
    from avcache.core.cache import Cache

__all__ = ["TAGGED_NAMESPACE", "TaggedView"]

T = TypeVar("T")
TAGGED_NAMESPACE: Final = "tagged"
_MAX_READABLE = 200


class TaggedView:
    """Keys of their own for a set of tags: `view.set("price", …)` is another entry than `cache.set("price", …)`."""

    def __init__(self, cache: Cache, tags: tuple[str, ...]) -> None:
        self._cache = cache
        self._tags = tags
        # With its length before it, no comma or slash inside a tag can make two sets of tags look the same.
        scope = ",".join(f"{len(tag)}.{tag}" for tag in tags)
        # A star in a tag must stand for itself when the view is flushed; a hash has neither star nor dot.
        is_plain = len(scope) <= _MAX_READABLE and not set(scope) & set("*?")
        self._scope = scope if is_plain else hashlib.blake2b(scope.encode(), digest_size=16).hexdigest()

    def key(self, key: str) -> str:
        """The full key behind *key*."""
        if not isinstance(key, str) or not key:
            raise InvalidInput("key", key, "a text that is not empty")
        return f"{TAGGED_NAMESPACE}:{self._scope}/{key}"

    def get(self, key: str, default: T | None = None) -> Any | T | None:
        """`Cache.get` within the view."""
        return self._cache.get(self.key(key), default)

    def set(self, key: str, value: object, ttl: float | None = None) -> None:
        """`Cache.set` within the view, with its tags."""
        self._cache.set(self.key(key), value, ttl, tags=self._tags)

    def exists(self, key: str) -> bool:
        """`Cache.exists` within the view."""
        return self._cache.exists(self.key(key))

    def delete(self, key: str) -> Cleared:
        """`Cache.delete` within the view."""
        return self._cache.delete(self.key(key))

    def flush(self) -> Cleared:
        """Drop every entry of exactly this set of tags."""
        return self._cache.clear(f"{TAGGED_NAMESPACE}:{self._scope}/*")
