"""A value with its age, and where it came from; or why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from avcache.backends.base import MISS
from avcache.core.traces import MissReason

__all__ = ["Reading"]


@dataclass(frozen=True, slots=True)
class Reading:
    """
    Attributes:
        value: The value; `MISS` if there is none.
        age: Seconds since it was written.
        ttl_left: Seconds for which it still counts as fresh; 0 if it is stale.
        source: `memory` or `redis` for a fresh value, `stale` for one past its ttl; None without a value.
        origin: Where the value was loaded from, as `get_or_load` was told.
        miss: Why there is no value.
        reason: What the loader said of it, where it found that there is nothing (`Absent`).
    """

    value: Any = MISS
    age: float | None = None
    ttl_left: float | None = None
    source: Literal["memory", "redis", "stale"] | None = None
    origin: str = ""
    miss: MissReason | None = None
    reason: str | None = None

    @property
    def is_hit(self) -> bool:
        """Whether there is a value."""
        return self.value is not MISS
