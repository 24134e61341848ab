"""
The momentum score, and the published measures beside it. Pure: prices in, figures out.

    panel          tickers with the same sessions side by side: what all is computed from
    indicators     series over a whole history: RSI, averages, slopes
    measures       published measures of each ticker
    cross_section  measures within a universe, and the profile `factor`
    components     the four parts of AlphaVelocity's score
    profiles       which parts a score is made of, and the one table of ratings
    composite      how parts become one number
    score          `Score`: the record that people see
    factor         `Score` by the profile `factor`
"""

from __future__ import annotations

from avcache.market.scoring.composite import Component
from avcache.market.scoring.panel import Subject
from avcache.market.scoring.profiles import COMPOSITES, DEFAULT_PROFILE, FACTOR, INSUFFICIENT, RATED_FROM, Rating, rate
from avcache.market.scoring.score import Change, Score, from_record, measure_table, scores, to_record

__all__ = [
    "COMPOSITES",
    "DEFAULT_PROFILE",
    "FACTOR",
    "INSUFFICIENT",
    "RATED_FROM",
    "Change",
    "Component",
    "Rating",
    "Score",
    "Subject",
    "from_record",
    "measure_table",
    "rate",
    "scores",
    "to_record",
]
