"""What became of entries that are gone: a bounded memory of what this process kept, so that a miss can say why."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, Literal

from avcache.backends.barriers import Barriers

__all__ = ["MissReason", "Traces"]

MissReason = Literal["absent", "expired", "invalidated", "evicted", "other_source", "backend_error", "foreign"]
"""
absent: never stored, as far as this process knows; expired: by age; invalidated: on request; evicted: for room, or
dropped by somebody else; other_source: what is there comes from elsewhere; backend_error: Redis is away, and may have
it; foreign: bytes that are no entry of ours.
"""

_MOST: Final = 4_096


class Traces:
    """The newest keys that were kept, each with its version and the moment at which it is gone."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._kept: OrderedDict[str, tuple[int, float, tuple[str, ...]]] = OrderedDict()

    def keep(self, key: str, version: int, tags: tuple[str, ...], gone_at: float) -> None:
        """Remember that *key* was kept; *gone_at* is a wall-clock reading."""
        self._kept[key] = (version, gone_at, tags)
        while len(self._kept) > self._most:
            try:
                self._kept.popitem(last=False)
            except KeyError:  # another thread was faster
                return

    def why(self, key: str, barriers: Barriers, now: float) -> MissReason:
        """Why nothing is there under *key*."""
        found = self._kept.get(key)
        if found is None:
            return "absent"
        version, gone_at, tags = found
        if not barriers.allows(key, tags, version):
            return "invalidated"
        return "expired" if now >= gone_at else "evicted"
