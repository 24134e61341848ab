"""Keeps a load that began before an invalidation from storing its result after it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

__all__ = ["Fence", "Scope", "UnderWay"]

Scope = Callable[[str, Sequence[str]], bool]
"""Whether an invalidation covers an entry of this key and these tags."""


@dataclass(slots=True, eq=False)
class UnderWay:
    """A load that has begun. *is_overtaken*: what it brings is older than an invalidation, and must not be stored."""

    key: str
    source: str
    tags: Sequence[str]
    is_overtaken: bool = False


class Fence:
    """Knows the loads of this process that are under way."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._under_way: set[UnderWay] = set()

    @contextmanager
    def load(self, key: str, source: str = "", tags: Sequence[str] = ()) -> Iterator[UnderWay]:
        """Stands around a load and the storing of its result."""
        begun = UnderWay(key, source, tags)
        with self._mutex:
            self._under_way.add(begun)
        try:
            yield begun
        finally:
            with self._mutex:
                self._under_way.discard(begun)

    def raise_for(self, scope: Scope) -> list[UnderWay]:
        """Overtake the loads under way that *scope* covers, and return them."""
        with self._mutex:
            covered = [load for load in self._under_way if scope(load.key, load.tags)]
            for load in covered:
                load.is_overtaken = True
        return covered
