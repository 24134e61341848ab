"""The bundled sample as the tests of scoring use it, and short ways to a score."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from avcache.market.provider import Figures, PriceHistory
from avcache.market.sample import SampleProvider
from avcache.market.scoring import COMPOSITES, Score, Subject, scores, to_record

__all__ = [
    "ALL",
    "DAYS",
    "FIGURES",
    "INDEX",
    "LAST_DAY",
    "MARKET",
    "SERIES",
    "TICKERS",
    "cut",
    "equal",
    "everything",
    "fields",
    "nearly",
    "one",
    "reshaped",
    "scaled",
    "score",
    "subject",
    "subjects",
    "until",
    "walk",
]

SAMPLE = SampleProvider()
TICKERS = SAMPLE.tickers
MARKET = SAMPLE.history(SAMPLE.benchmark)
ALL = {ticker: SAMPLE.history(ticker) for ticker in TICKERS}
LAST_DAY = dt.date(2022, 12, 28)
DAYS = [
    dt.date(2018, 1, 2),  # one row
    dt.date(2018, 2, 15),
    dt.date(2018, 3, 25),  # a Sunday, after 57 rows
    dt.date(2018, 3, 31),  # the month's last weekday was Good Friday
    dt.date(2018, 12, 31),  # 251 rows
    dt.date(2019, 1, 5),  # a Saturday, after 254
    dt.date(2019, 6, 30),
    dt.date(2020, 2, 29),
    dt.date(2020, 3, 23),  # the lowest of the crash
    dt.date(2021, 1, 31),  # a Sunday, the first day after 36 complete months
    dt.date(2021, 5, 31),  # a holiday, the month's last weekday
    dt.date(2021, 12, 31),
    dt.date(2022, 6, 15),
    LAST_DAY,
]
SERIES = {ticker: whole.prices["adj_close"] for ticker, whole in ALL.items()}
INDEX = MARKET.prices["adj_close"]
FIGURES: Figures = {"forwardPE": 20.0, "pegRatio": 1.5}
COMPUTED_AT = 1_700_000_000.0


def subject(ticker: str, figures: Figures | None = None, market: PriceHistory | None = MARKET) -> Subject:
    """A ticker of the sample, held against the index."""
    return Subject(ALL[ticker], market, figures)


def subjects(tickers: Iterable[str] = TICKERS, figures: Figures | None = None) -> list[Subject]:
    """Several of them."""
    return [subject(ticker, figures) for ticker in tickers]


def score(
    of: Sequence[Subject], profile: str = "alphavelocity", as_of: dt.date | pd.Timestamp | None = None
) -> dict[str, Score]:
    """The scores of *of* by *profile*."""
    return scores(of, source="sample", computed_at=COMPUTED_AT, profile=COMPOSITES[profile], as_of=as_of)


def one(of: Subject | PriceHistory, profile: str = "alphavelocity", as_of: dt.date | None = None) -> Score:
    """The score of one ticker, by default held against the index."""
    whole = of if isinstance(of, Subject) else Subject(of, MARKET)
    return score([whole], profile, as_of)[whole.history.ticker]


def cut(whole: PriceHistory, day: dt.date | str) -> PriceHistory:
    """*whole* as it was at the end of *day*."""
    return replace(whole, prices=whole.prices.loc[: pd.Timestamp(day)])


def until(values: pd.Series[float], day: dt.date) -> pd.Series[float]:
    """*values* up to *day*."""
    return values.loc[: pd.Timestamp(day)]


def reshaped(whole: PriceHistory, **columns: object) -> PriceHistory:
    """*whole* with other columns."""
    return replace(whole, prices=whole.prices.assign(**columns))  # type: ignore[arg-type]


def scaled(whole: PriceHistory, factor: float) -> PriceHistory:
    """*whole* in another currency."""
    prices = whole.prices.copy()
    names = ["open", "high", "low", "close", "adj_close"]
    prices[names] = prices[names] * factor
    return replace(whole, prices=prices)


def walk(seed: int, rows: int, ticker: str = "WALK", *, deviation: float = 0.02) -> PriceHistory:
    """A random walk on business days, with volume."""
    random = np.random.default_rng(seed)
    closes = 100 * np.cumprod(1 + random.normal(0.0003, deviation, rows))
    index = pd.bdate_range("2018-01-01", periods=rows, name="date").as_unit("ns")
    prices = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close", "adj_close"), closes), index=index)
    return PriceHistory(ticker, prices.assign(volume=random.uniform(1e5, 1e6, rows)), "USD")


def nearly(expected: object, tolerance: float = 1e-9) -> object:
    """*expected* to nine digits if it is a number; None for NaN."""
    if isinstance(expected, bool) or not isinstance(expected, int | float):
        return expected
    return None if math.isnan(expected) else pytest.approx(expected, rel=tolerance, abs=tolerance)


def equal(expected: Mapping[str, object], tolerance: float = 1e-9) -> dict[str, object]:
    """What a flat dict is compared with: where an array lies in memory decides about its last digit."""
    return {name: nearly(value, tolerance) for name, value in expected.items()}


def everything(*made: Score) -> dict[str, object]:
    """All of some scores, words and days too, without depth."""

    def flat(tree: Mapping[str, Any], prefix: str) -> dict[str, object]:
        leaves: dict[str, object] = {}
        for name, value in tree.items():
            leaves |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
        return leaves

    return flat({found.ticker: to_record(found) for found in made}, "")


def fields(found: Score) -> dict[str, float | None]:
    """The figures of a score that do not depend on the currency."""
    flat: dict[str, float | None] = {
        "composite": found.composite_score,
        "score": found.score,
        "coverage": found.coverage,
    }
    for name, part in found.components.items():
        figures: dict[str, Any] = {"value": part.value, "effective": part.effective_weight, "adds": part.contribution}
        flat |= {f"{name}.{figure}": value for figure, value in figures.items()}
    flat |= {f"measure.{name}": value for name, value in found.measures.items()}
    for name, change in found.changes.items():
        flat |= {f"{name}.then": change.composite_score, f"{name}.change": change.change}
    return flat
