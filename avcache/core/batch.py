"""Several keys as a caller names them, and what was loaded for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from avcache.backends.base import MISS
from avcache.core.keeping import LoadPlan

__all__ = ["Batch"]


class Batch:
    """Several keys as they were given, of which two may mean one entry."""

    def __init__(self, given: dict[str, LoadPlan]) -> None:
        self._given = given
        self._names = {plan.key: name for name, plan in given.items()}
        self.plans = list({plan.key: plan for plan in given.values()}.values())

    def names(self, plans: Sequence[LoadPlan]) -> list[str]:
        """What the caller calls them."""
        return [self._names[plan.key] for plan in plans]

    def taken(self, loaded: Mapping[str, Any]) -> dict[str, Any]:
        """What was loaded, by the key of its entry."""
        return {self._given[name].key: value for name, value in loaded.items() if name in self._given}

    def answer(self, values: Sequence[Any]) -> dict[str, Any]:
        """The values that there are, by what the caller calls them."""
        found = dict(zip((plan.key for plan in self.plans), values, strict=True))
        return {name: found[plan.key] for name, plan in self._given.items() if found[plan.key] is not MISS}
