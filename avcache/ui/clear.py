"""Clear: what exactly will go, and what will it cost? Pure."""

from __future__ import annotations

from typing import Final

from avcache.backends.base import Cleared
from avcache.formats import format_bytes, format_seconds
from avcache.ops.clearing import ClearPlan
from avcache.ui.words import counted

__all__ = ["TYPE_TO_CONFIRM", "describe_plan", "describe_result"]

TYPE_TO_CONFIRM: Final = 1000
"""From so many keys on, the pattern must be typed again."""


def describe_plan(plan: ClearPlan) -> str:
    """How much would go."""
    how_sure = "exact" if plan.is_exact else "at least: not all keys could be looked at"
    refill = f" · loading them again takes about {format_seconds(plan.refill_seconds)}" if plan.refill_seconds else ""
    return f"{counted(plan.keys, 'key')} ({how_sure}) · {format_bytes(plan.size)}{refill}"


def describe_result(cleared: Cleared, seconds: float) -> str:
    """What went."""
    keys = counted(int(cleared), "key")
    if cleared.pending:
        return f"Cleared {keys} in memory. Redis is away: it is cleared there, too, before it is read again."
    return f"Cleared {keys} in {format_seconds(seconds)}."
