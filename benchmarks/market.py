"""Scores and portfolios: computed for a whole universe at once, and read from the cache."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import talib

from avcache.market.provider import COLUMNS, PriceHistory
from avcache.market.scoring import Subject, scores
from avcache.market.scoring.factor import cross_section, factor_scores
from avcache.market.universe import SAMPLE_25
from avcache.runtime import Runtime, from_environment
from benchmarks.measure import Samples, rotated
from benchmarks.report import Bar, Row, duration, times

__all__ = ["rows"]

_SESSIONS = 1260
_SIZES = (125, 250, 500)
_ROUNDS = 7
_HOLDINGS = dict.fromkeys(SAMPLE_25, 10.0)


def rows(_url: str) -> Iterator[Row]:
    yield from _scoring()
    yield from _through_the_cache()


def _scoring() -> Iterator[Row]:
    """How long a universe takes, how that grows, and beside it eight of the measures one ticker at a time."""
    market = _walk("MKT", 0)
    universe = [_walk(f"T{number}", number + 1) for number in range(max(_SIZES))]
    subjects = [Subject(history, market) for history in universe]
    own = {f"{size} tickers": lambda size=size: _score(subjects[:size]) for size in _SIZES}
    found = _timed({**own, "by ticker": lambda: [_eight_measures(history, market) for history in universe]})
    half, whole, peer = found["250 tickers"], found["500 tickers"], found["by ticker"]
    bar = Bar(1.0)
    ratio = whole.over(peer)
    yield Row(
        f"score 500 tickers × {_SESSIONS:,} sessions, all {_count()} measures",
        whole.text(duration),
        f"{times(ratio.median)} eight measures, ticker by ticker ({_spread(ratio)})",
        str(bar),
        bar.verdict(whole.median),
        f"eight by pandas and TA-Lib {duration(peer.median)}, 125 tickers {duration(found['125 tickers'].median)}",
    )
    grows, linear = whole.over(half), Bar(2.5, 2.0, times)
    yield Row(
        "the same, 500 tickers over 250",
        times(grows.median),
        f"twice the tickers ({_spread(grows)})",
        str(linear),
        linear.verdict(grows.median),
        f"250 tickers {duration(half.median)}",
    )

    within = _timed({"factor": lambda: _place(subjects)})["factor"]
    yield Row(
        "place 500 tickers in their universe (`factor`)",
        within.text(duration),
        f"{times(within.over(whole).median)} the score of each alone",
        str(bar),
        bar.verdict(within.median),
        "",
    )


def _place(subjects: list[Subject]) -> None:
    placed = factor_scores(subjects, cross_section(subjects), source="bench", computed_at=0.0)
    if any(score.note for score in placed.values()):
        raise ValueError("a universe of 500 was too small")


def _through_the_cache() -> Iterator[Row]:
    runtime = from_environment({"AVCACHE_PROVIDER": "sample"})
    runtime.market.scores(SAMPLE_25)  # imports and the reading of the file are no part of it
    questions: dict[str, tuple[Callable[[], object], Bar, Bar | None]] = {
        "score 25 tickers of the sample, nothing cached": (lambda: runtime.market.scores(SAMPLE_25), Bar(1.0), None),
        "portfolio of 25 positions, cached": (lambda: runtime.market.portfolio(_HOLDINGS), Bar(10.0), Bar(5e-3)),
    }
    for what, (ask, cold_bar, warm_bar) in questions.items():
        cold, warm = _cold_and_warm(runtime, ask)
        shown, bar = (cold, cold_bar) if warm_bar is None else (warm, warm_bar)
        yield Row(
            what,
            shown.text(duration),
            f"{times(cold.over(warm).median)} between cold and cached",
            str(bar),
            bar.verdict(shown.median),
            f"cold {duration(cold.median)}, cached {duration(warm.median)}",
        )
    runtime.close()


def _cold_and_warm(runtime: Runtime, ask: Callable[[], object]) -> tuple[Samples, Samples]:
    cold, warm = [], []
    for _ in range(_ROUNDS):
        runtime.cache.clear("*")
        cold.append(_seconds(ask))
        warm.append(_seconds(ask))
    return Samples(tuple(cold)), Samples(tuple(warm))


def _timed(questions: dict[str, Callable[[], object]]) -> dict[str, Samples]:
    """Seconds of each, round by round in turn, so that all meet the same machine."""
    taken: dict[str, list[float]] = {name: [] for name in questions}
    for turn in range(_ROUNDS):
        for name in rotated(list(questions), turn):
            taken[name].append(_seconds(questions[name]))
    return {name: Samples(tuple(values)) for name, values in taken.items()}


def _seconds(ask: Callable[[], object]) -> float:
    begun = time.perf_counter()
    ask()
    return time.perf_counter() - begun


def _score(subjects: list[Subject]) -> None:
    if len(scores(subjects, source="bench", computed_at=0.0)) != len(subjects):
        raise ValueError("not every ticker was scored")


def _count() -> int:
    (score,) = scores([Subject(_walk("ONE", 1), _walk("MKT", 0))], source="bench", computed_at=0.0).values()
    return len(score.measures)


def _walk(ticker: str, seed: int) -> PriceHistory:
    chance = np.random.default_rng(seed)
    closes = 100 * np.exp(np.cumsum(chance.normal(0.0003, 0.015, _SESSIONS)))
    index = pd.bdate_range("2019-01-01", periods=_SESSIONS, name="date").as_unit("ns")
    prices = pd.DataFrame(dict.fromkeys(COLUMNS, closes), index=index)
    return PriceHistory(ticker, prices.assign(volume=chance.integers(1, 10**6, _SESSIONS) * 1.0), "USD")


def _eight_measures(history: PriceHistory, market: PriceHistory) -> tuple[float, ...]:
    """What a script would do: RSI, ROC, SMA, 12-1, 52-week high, volatility, drawdown and beta of one ticker."""
    closes = history.prices["adj_close"]
    values, daily = closes.to_numpy(), closes.pct_change()
    return (
        talib.RSI(values, 14)[-1],
        talib.ROC(values, 10)[-1],
        talib.SMA(values, 200)[-1],
        closes.iloc[-22] / closes.iloc[-253] - 1,
        closes.iloc[-1] / closes.iloc[-252:].max(),
        daily.std() * math.sqrt(252),
        (closes / closes.cummax() - 1).min(),
        daily.cov(market.prices["adj_close"].pct_change()) / market.prices["adj_close"].pct_change().var(),
    )


def _spread(ratio: Samples) -> str:
    return f"{times(min(ratio.values))}–{times(max(ratio.values))}"
