"""How parts of 0 to 100 become one composite."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from avcache.market.scoring.components import Parts
from avcache.market.scoring.panel import Floats, Panel, Subject
from avcache.market.scoring.profiles import LEAST_COVERAGE, Profile

__all__ = ["Component", "Composite", "compose", "number", "plain"]


@dataclass(frozen=True, slots=True)
class Component:
    """
    One part of a score.

    `value` is 0 to 100, or None and `missing` says why; where a profile counts a missing part as a number, it has both.
    `effective_weight` is `weight` with that of missing parts spread over the others (0 if missing itself);
    `contribution` is what it adds to the composite. `inputs` are the figures it was made of.
    """

    value: float | None
    weight: float
    effective_weight: float
    contribution: float
    inputs: dict[str, float | None]
    missing: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Composite:
    """
    The composite of n tickers by *profile*: `values` (n), NaN where too little is there.

    `coverage` (n) is the weight of the parts that are there. By part (n, p): whether it is `present`, what it
    `counted` as (NaN: nothing), its `effective` weight and its `contributions`. Unless it `is_enough`, there were fewer
    sessions than the profile asks for.
    """

    profile: Profile
    parts: dict[str, Parts]
    present: Floats
    counted: Floats
    effective: Floats
    contributions: Floats
    coverage: Floats
    values: Floats
    is_enough: bool = True

    def value(self, at: int) -> float | None:
        """The composite of one ticker."""
        return number(self.values[at])

    def components(self, at: int) -> dict[str, Component]:
        """The parts of one ticker."""
        return {
            name: Component(
                value=number(self.counted[at, column]),
                weight=self.profile.weights[name],
                effective_weight=float(self.effective[at, column]),
                contribution=float(self.contributions[at, column]),
                inputs={figure: number(values[at]) for figure, values in part.inputs.items()},
                missing=part.missing[at],
            )
            for column, (name, part) in enumerate(self.parts.items())
        }


def compose(panel: Panel, profile: Profile) -> Composite:
    """Compute the parts of *profile*, and weigh them: the weight of what is missing goes to the others."""
    window = panel.since(_year_before(panel)) if profile.one_year else panel
    # Prices of 0 or less, and absurd ones, make figures that are none: these are left out where they come up.
    with np.errstate(all="ignore"):
        parts = {name: _explained(compute(window), panel.subjects, name) for name, compute in profile.parts.items()}
    weights = np.array([profile.weights[name] for name in parts])
    values = np.stack([part.values for part in parts.values()], axis=1)
    present = np.isfinite(values)
    counted = np.where(present, values, [profile.stand_ins.get(name, math.nan) for name in parts])
    coverage = np.round(present @ weights, 9)
    if window.rows < profile.least_rows:
        return _nothing(profile, parts, present, coverage)
    counts = np.isfinite(counted)
    if not profile.stand_ins:
        counts &= (coverage >= LEAST_COVERAGE)[:, None]
    total = (counts * weights).sum(axis=1, keepdims=True)
    effective = np.divide(counts * weights, total, out=np.zeros(counts.shape), where=total > 0)
    contributions = effective * np.nan_to_num(counted)
    # 9 decimals: four 80s must make 80 and a Strong Buy, not 79.99999999999999.
    composite = np.where(total[:, 0] > 0, np.round(contributions.sum(axis=1), 9), math.nan)
    return Composite(profile, parts, present, counted, effective, contributions, coverage, composite)


def plain(values: Floats) -> list[float | None]:
    """*values* as JSON knows them."""
    return [value if is_there else None for value, is_there in zip(values.tolist(), np.isfinite(values), strict=True)]


def _nothing(profile: Profile, parts: dict[str, Parts], present: Floats, coverage: Floats) -> Composite:
    """The original calls a composite without enough sessions 0."""
    none, zeros = np.full(present.shape, math.nan), np.zeros(present.shape)
    return Composite(profile, parts, present, none, zeros, zeros, coverage, zeros[:, 0], is_enough=False)


def _explained(part: Parts, subjects: tuple[Subject, ...], name: str) -> Parts:
    """*part*, with why its inputs could not be had where that is known."""
    if not any(name in subject.unavailable for subject in subjects):
        return part
    reasons = [
        reason if reason is None else subject.unavailable.get(name, reason)
        for subject, reason in zip(subjects, part.missing, strict=True)
    ]
    return replace(part, missing=reasons)


def _year_before(panel: Panel) -> np.datetime64:
    last = pd.Timestamp(panel.days[-1]) if panel.rows else pd.Timestamp(0)
    return np.datetime64(last - pd.DateOffset(years=1), "D")


def number(value: float) -> float | None:
    """*value* as JSON knows it."""
    return float(value) if math.isfinite(value) else None
