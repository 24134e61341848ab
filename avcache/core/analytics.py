"""What the cache brings, in three questions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from avcache.core.accesses import Accesses
from avcache.core.counters import Figures

if TYPE_CHECKING:
    from avcache.core.cache import Cache

__all__ = ["Analytics"]


class Analytics:
    """
    Answers from what is counted anyway; only `get_cache_size_by_prefix` walks the keyspace.

    Args:
        accesses: The last accesses of this process.
        figures: Whose reads make the hit rate: the counters of this process, unless the runtime gives those of all.

    Attributes:
        figures: As above; the runtime may put others in place.
    """

    def __init__(self, cache: Cache, accesses: Accesses, figures: Figures | None = None) -> None:
        self._cache = cache
        self._accesses = accesses
        self.figures: Figures = figures or cache.counters

    def get_hit_rate(self, window: float | None = None, namespace: str | None = None) -> float | None:
        """
        Share of reads answered from the cache, 0 to 1, of the last *window* seconds; None without any read.

        On Redis: of the reads of all processes, and without a *window* those of the last day. Otherwise: of this
        process, since its start.
        """
        stats = self.figures.stats(window)
        if namespace is None:
            return stats.total.hit_rate
        counts = stats.by_namespace.get(namespace)
        return counts.hit_rate if counts else None

    def get_popular_keys(self, number: int = 10) -> list[tuple[str, int]]:
        """The keys most read by this process with their reads, among its last million accesses; most read first."""
        return self._accesses.most_read(number)

    def get_cache_size_by_prefix(self) -> dict[str, int]:
        """Bytes in the store by namespace, largest first: those of all processes that share it."""
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
