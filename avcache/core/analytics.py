"""What the cache brings, in three questions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from avcache.core.popularity import Popularity

if TYPE_CHECKING:
    from avcache.core.cache import Cache

__all__ = ["Analytics"]


class Analytics:
    """Reads the counters of this process; `get_cache_size_by_prefix` walks the keyspace."""

    def __init__(self, cache: Cache, popularity: Popularity) -> None:
        self._cache = cache
        self._popularity = popularity

    def get_hit_rate(self, window: float | None = None, namespace: str | None = None) -> float | None:
        """Share of reads answered from the cache, 0 to 1, of the last *window* seconds; None without any read."""
        stats = self._cache.stats(window)
        if namespace is None:
            return stats.total.hit_rate
        counts = stats.by_namespace.get(namespace)
        return counts.hit_rate if counts else None

    def get_popular_keys(self, number: int = 10) -> list[tuple[str, int]]:
        """The most read keys with their reads since the start."""
        return self._popularity.most_read(number)

    def get_cache_size_by_prefix(self) -> dict[str, int]:
        """Bytes in the store by namespace, largest first."""
        sizes: dict[str, int] = {}
        seen, cursor = set[str](), ""
        while True:
            page = self._cache.scan("*", cursor)
            # What lies under our prefix, but is called what no key of ours is, is left out; a scan may repeat a key.
            ours = [key for key in page.keys if key not in seen and self._cache.namespaces.is_canonical(key)]
            seen.update(ours)
            for peek in self._cache.peek_many(ours):
                if peek is not None:
                    sizes[peek.namespace] = sizes.get(peek.namespace, 0) + peek.size
            cursor = page.cursor
            if not cursor:
                return dict(sorted(sizes.items(), key=lambda item: -item[1]))
