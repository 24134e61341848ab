"""The momentum score: AlphaVelocity's documented composite of price, technical, fundamental and relative."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import msgspec
import pandas as pd

from avcache.market import components
from avcache.market.components import Part
from avcache.market.measures import measures
from avcache.market.provider import PriceHistory

__all__ = [
    "INSUFFICIENT",
    "PROFILE",
    "Component",
    "Rating",
    "Score",
    "from_record",
    "rate",
    "score",
    "to_record",
]

Rating = Literal["Strong Buy", "Buy", "Hold", "Weak Hold", "Sell", "Insufficient Data"]

PROFILE: Final = "alphavelocity"
INSUFFICIENT: Final = "Insufficient Data"
WEIGHTS: Final = {"price": 0.40, "technical": 0.25, "fundamental": 0.25, "relative": 0.10}
_LEAST_COVERAGE = 0.5
_BANDS: tuple[tuple[float, Rating], ...] = ((80, "Strong Buy"), (65, "Buy"), (50, "Hold"), (35, "Weak Hold"))


@dataclass(frozen=True, slots=True)
class Component:
    """
    One part of a score.

    `value` is 0 to 100, or None and `missing` says why; `effective_weight` is `weight` over the coverage (0
    if missing); `contribution` is what it adds to the composite. `inputs` are the figures it was made of.
    """

    value: float | None
    weight: float
    effective_weight: float
    contribution: float
    inputs: dict[str, float | None]
    missing: str | None


@dataclass(frozen=True, slots=True)
class Score:
    """
    The momentum score of one ticker; every field is safe in JSON.

    `composite_score` is 0 to 100, the sum of the contributions; `score` the same from 0 to 10, cut (not
    rounded) to one decimal, so that 79.96 shows as 7.9 and not as a Strong Buy's 8.0. `rating` follows the
    composite. Both are None, and the rating "Insufficient Data", if `coverage` (the weights of the parts
    that are there) is below 0.5. `price` is the raw close of `as_of` (ISO date of the last session) in
    `currency`; `computed_at` epoch seconds; `source` the name of the provider; `rows` the sessions used;
    `measures` as in `avcache.market.measures`.
    """

    ticker: str
    score: float | None
    composite_score: float | None
    rating: Rating
    profile: str
    coverage: float
    components: dict[str, Component]
    measures: dict[str, float | None]
    price: float
    currency: str | None
    as_of: str
    rows: int
    benchmark: str | None
    source: str
    computed_at: float


def score(
    history: PriceHistory,
    benchmark: PriceHistory | None,
    fundamentals: dict[str, float] | None,
    *,
    source: str,
    computed_at: float,
    unavailable: Mapping[str, str] | None = None,
) -> Score:
    """
    Return the score of *history* as of its last session.

    Args:
        history: At least one session (`provider.validate` asks for two).
        benchmark: Prices of the market; None leaves the relative part out. Sessions after the last one of
            *history* are ignored.
        fundamentals: As `PriceProvider.fundamentals`; None leaves the fundamental part out.
        unavailable: Why a part's input could not be had, by the part's name.
        source: The name of the provider.
        computed_at: Epoch seconds.
    """
    frame = history.prices[history.prices["adj_close"].notna()]
    closes = frame["adj_close"]
    market = None if benchmark is None else benchmark.prices["adj_close"].dropna().loc[: history.prices.index[-1]]
    parts = {
        "price": components.price(closes),
        "technical": components.technical(closes, frame["volume"]),
        "fundamental": components.fundamental(fundamentals),
        "relative": components.relative(closes, market),
    }
    parts = {name: _because(part, (unavailable or {}).get(name)) for name, part in parts.items()}
    weighed, coverage, composite = _compose(parts)
    return Score(
        ticker=history.ticker,
        score=None if composite is None else math.floor(composite) / 10,
        composite_score=composite,
        rating=rate(composite),
        profile=PROFILE,
        coverage=coverage,
        components=weighed,
        measures=measures(closes, market),
        price=float(history.prices["close"].iloc[-1]),
        currency=history.currency,
        as_of=_iso(history.prices.index[-1]),
        rows=len(closes),
        benchmark=None if benchmark is None else benchmark.ticker,
        source=source,
        computed_at=computed_at,
    )


def rate(composite: float | None) -> Rating:
    """Return the rating of a composite: from 80 Strong Buy, 65 Buy, 50 Hold, 35 Weak Hold, else Sell."""
    if composite is None:
        return INSUFFICIENT
    return next((rating for least, rating in _BANDS if composite >= least), "Sell")


def to_record(value: Score) -> dict[str, Any]:
    """Return *value* as plain dicts, strings and numbers."""
    record: dict[str, Any] = msgspec.to_builtins(value)
    return record


def from_record(record: dict[str, Any]) -> Score:
    """
    Return the score that `to_record` made *record* of.

    Raises:
        msgspec.ValidationError: *record* has other fields, as after an upgrade.
    """
    return msgspec.convert(record, Score)


def _because(part: Part, reason: str | None) -> Part:
    return part if part.value is not None or reason is None else replace(part, missing=reason)


def _compose(parts: dict[str, Part]) -> tuple[dict[str, Component], float, float | None]:
    """Spread the weights of missing parts over the others; return components, coverage and composite."""
    coverage = sum(WEIGHTS[name] for name, part in parts.items() if part.value is not None)
    enough = coverage >= _LEAST_COVERAGE
    weighed: dict[str, Component] = {}
    for name, part in parts.items():
        share = WEIGHTS[name] / coverage if part.value is not None and enough else 0.0
        weighed[name] = Component(
            part.value, WEIGHTS[name], share, share * (part.value or 0.0), part.inputs, part.missing
        )
    # 9 decimals: four 80s must make 80 and a Strong Buy, not 79.99999999999999.
    composite = round(sum(part.contribution for part in weighed.values()), 9) if enough else None
    return weighed, round(coverage, 9), composite


def _iso(day: pd.Timestamp) -> str:
    return day.date().isoformat()
