"""Several keys as a caller names them, what was loaded for them, and who is told of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from avcache.backends.base import MISS
from avcache.core.keeping import LoadPlan, Outcome
from avcache.core.singleflight import Flight, SingleFlight

__all__ = ["Batch", "Crew"]


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


class Crew:
    """The flights that one batch leads; each lands as soon as it is known what became of its key."""

    def __init__(
        self, flights: SingleFlight[Outcome], plans: Sequence[LoadPlan], led: Sequence[Flight[Outcome]]
    ) -> None:
        self._flights = flights
        self._in_air = {plan.key: (plan, flight) for plan, flight in zip(plans, led, strict=True)}
        self.outcomes: dict[str, Outcome] = {}

    def land(self, plan: LoadPlan, outcome: Outcome) -> None:
        """Tell all who wait for the key of *plan* what there is; `MISS` as a value is nothing."""
        self._down(plan).set_result(outcome)
        self.outcomes[plan.key] = outcome

    def fail(self, plans: Sequence[LoadPlan], exc: Exception) -> None:
        """Tell all who wait for *plans* that their load failed."""
        for plan in plans:
            self._down(plan).set_exception(exc)

    def give_up(self) -> None:
        """Leave what is still in the air to those who wait for it."""
        for plan, _ in list(self._in_air.values()):
            self._down(plan).cancel()

    def _down(self, plan: LoadPlan) -> Flight[Outcome]:
        _, flight = self._in_air.pop(plan.key)
        self._flights.land(plan.key, plan.source, flight)
        return flight
