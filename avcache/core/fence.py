"""Keeps a load that began before an invalidation from storing its result after it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

__all__ = ["Fence", "Scope", "UnderWay"]

Scope = Callable[[str, Sequence[str]], bool]
"""Whether an invalidation covers an entry of this key and these tags."""


_PATIENCE = 5.0


@dataclass(slots=True, eq=False)
class UnderWay:
    """
    A load that has begun.

    *is_overtaken*: what it brings is older than an invalidation, and must not be stored. *is_storing*: it is being
    stored now.
    """

    key: str
    source: str
    tags: Sequence[str]
    is_overtaken: bool = False
    is_storing: bool = False


class Fence:
    """Knows the loads of this process that are under way, and the invalidations that are being carried out."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._loads: set[UnderWay] = set()
        self._scopes: list[Scope] = []

    @contextmanager
    def load(self, key: str, source: str = "", tags: Sequence[str] = ()) -> Iterator[UnderWay]:
        """Stands around a load and the storing of its result."""
        begun = UnderWay(key, source, tags)
        with self._changed:
            # What it reads at its source may be older than the invalidation that goes on.
            begun.is_overtaken = any(scope(key, tags) for scope in self._scopes)
            self._loads.add(begun)
        try:
            yield begun
        finally:
            with self._changed:
                self._loads.discard(begun)

    @contextmanager
    def storing(self, load: UnderWay) -> Iterator[bool]:
        """Stands around the storing of a load; yields whether it may. Invalidations wait for the end of it."""
        with self._changed:
            load.is_storing = not load.is_overtaken
        try:
            yield load.is_storing
        finally:
            with self._changed:
                load.is_storing = False
                self._changed.notify_all()

    @contextmanager
    def overtaking(self, scope: Scope) -> Iterator[list[UnderWay]]:
        """
        Stands around an invalidation: no load that *scope* covers stores anything from here on.

        Yields the loads that it overtook, to which those are added that begin before it is carried out.
        """
        with self._changed:
            self._scopes.append(scope)
            overtaken = self._overtake(scope)
            # A store takes a timeout of the backend at most; nobody waits longer, whatever it does.
            self._changed.wait_for(lambda: not any(load.is_storing for load in overtaken), timeout=_PATIENCE)
        try:
            yield overtaken
        finally:
            with self._changed:
                self._scopes.remove(scope)
                overtaken += [load for load in self._overtake(scope) if load not in overtaken]

    def _overtake(self, scope: Scope) -> list[UnderWay]:
        covered = [load for load in self._loads if scope(load.key, load.tags)]
        for load in covered:
            load.is_overtaken = True
        return covered
