"""Keeps a load that began before an invalidation from storing its result after it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

__all__ = ["Fence", "Scope"]

Scope = Callable[[str, Sequence[str]], bool]
"""Whether an invalidation covers an entry of this key and these tags."""

_REMEMBERED = 1000


class Fence:
    """Numbers the invalidations of this process and remembers what the latest of them covered."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._version = 0
        self._scopes: deque[tuple[int, Scope]] = deque(maxlen=_REMEMBERED)

    @property
    def version(self) -> int:
        """The number of the latest invalidation: read it before a load begins."""
        return self._version

    def raise_for(self, scope: Scope) -> None:
        """Refuse from now on what was loaded before and is covered by *scope*."""
        with self._mutex:
            self._version += 1
            self._scopes.append((self._version, scope))

    def passes(self, key: str, tags: Sequence[str], since: int) -> bool:
        """Whether no invalidation after *since* covers the entry; those forgotten count as if they did."""
        if since == self._version:
            return True
        with self._mutex:
            if self._version - since > len(self._scopes):
                return False
            return not any(number > since and scope(key, tags) for number, scope in self._scopes)
