"""What a score is made of: the parts, their weights, and what becomes of a part that is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Literal, get_args

from avcache.errors import InvalidInput
from avcache.market.scoring import components
from avcache.market.scoring.components import Parts
from avcache.market.scoring.panel import Panel

__all__ = [
    "COMPOSITES",
    "DEFAULT_PROFILE",
    "FACTOR",
    "INSUFFICIENT",
    "LEAST_COVERAGE",
    "RATED_FROM",
    "Profile",
    "ProfileName",
    "Rating",
    "parse_profile",
    "rate",
]

Rating = Literal["Strong Buy", "Buy", "Hold", "Weak Hold", "Sell", "Insufficient Data"]
ProfileName = Literal["alphavelocity", "alphavelocity-legacy", "alphavelocity-v1", "factor"]

DEFAULT_PROFILE: Final = "alphavelocity"
FACTOR: Final = "factor"
INSUFFICIENT: Final = "Insufficient Data"
LEAST_COVERAGE: Final = 0.5
RATED_FROM: Final[tuple[tuple[float, Rating], ...]] = ((80, "Strong Buy"), (65, "Buy"), (50, "Hold"), (35, "Weak Hold"))
"""From which composite on, the highest first; what is below all is a Sell."""

_WEIGHTS: Final = {"price": 0.40, "technical": 0.25, "fundamental": 0.25, "relative": 0.10}


@dataclass(frozen=True, slots=True)
class Profile:
    """
    A composite of parts that are 0 to 100 each.

    Attributes:
        stand_ins: What a missing part counts as; where it names none, the weight goes to the parts that are there.
        least_rows: Below these sessions there is no score.
        one_year: Use the sessions of the last calendar year only.
        complete: Leave out a bar whose session has not ended.
    """

    name: ProfileName
    parts: Mapping[str, Callable[[Panel], Parts]]
    weights: Mapping[str, float] = field(default_factory=lambda: _WEIGHTS)
    stand_ins: Mapping[str, float] = field(default_factory=dict)
    least_rows: int = 0
    one_year: bool = False
    complete: bool = True


COMPOSITES: Final[Mapping[str, Profile]] = {
    "alphavelocity": Profile(
        "alphavelocity",
        {
            "price": components.price,
            "technical": components.technical,
            "fundamental": components.fundamental,
            "relative": components.relative,
        },
    ),
    "alphavelocity-legacy": Profile(
        "alphavelocity-legacy",
        {
            "price": components.price,
            "technical": partial(components.technical, flat_rsi=0.0),
            "fundamental": partial(components.fundamental, trailing_peg=False),
            "relative": components.relative,
        },
        stand_ins={"price": 0.0, "technical": 0.0, "fundamental": 50.0, "relative": 50.0},
        least_rows=50,
        one_year=True,
        complete=False,
    ),
    "alphavelocity-v1": Profile(
        "alphavelocity-v1",
        {
            "price": components.price,
            "technical": components.technical,
            "fundamental": components.fundamental_v1,
            "relative": components.relative_v1,
        },
    ),
}
"""
The profiles that need one ticker alone: the documented score; the original with its zeros and fifties, for comparison;
the parts of the first version. All are rated by the one table.
"""


def parse_profile(name: str) -> ProfileName:
    """Return *name* as that of a profile. Raises `InvalidInput`."""
    names = get_args(ProfileName)
    if name not in names:
        raise InvalidInput("profile", name, f"one of {', '.join(names)}")
    return name  # type: ignore[return-value]


def rate(composite: float | None) -> Rating:
    """Return the rating of an unrounded composite: from 80 Strong Buy, 65 Buy, 50 Hold, 35 Weak Hold, else Sell."""
    if composite is None:
        return INSUFFICIENT
    return next((rating for least, rating in RATED_FROM if composite >= least), "Sell")
