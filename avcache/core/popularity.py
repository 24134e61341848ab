"""Which keys are read most, in bounded memory."""

from __future__ import annotations

import threading
from collections import Counter

from avcache.core.keys import Key

__all__ = ["Popularity"]

_MOST_KEYS = 20_000


class Popularity:
    """Counts reads by key; when it holds too many keys, the less read half is forgotten."""

    def __init__(self, most_keys: int = _MOST_KEYS) -> None:
        self._most_keys = most_keys
        self._mutex = threading.Lock()
        self._reads: Counter[str] = Counter()

    def __call__(self, key: Key, hit: bool) -> None:  # noqa: ARG002, FBT001 - the signature of an AccessObserver
        with self._mutex:
            self._reads[key.text] += 1
            if len(self._reads) > self._most_keys:
                self._reads = Counter(dict(self._reads.most_common(self._most_keys // 2)))

    def most_read(self, number: int) -> list[tuple[str, int]]:
        """The *number* most read keys with their reads since the start, most read first."""
        with self._mutex:
            return self._reads.most_common(number)
