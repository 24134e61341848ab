"""Momentum: who is strong, how sure are we, how fresh is it? Pure, but for what `read_cached` reads."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, get_args

import pandas as pd

from avcache.backends.base import MISS
from avcache.core.peek import Peek
from avcache.errors import ProviderError
from avcache.formats import format_age, format_percent
from avcache.market.provider import PriceHistory
from avcache.market.scoring import PROFILE, Rating, Score, rate
from avcache.market.service import Market
from avcache.runtime import Runtime
from avcache.ui.states import state_of

__all__ = [
    "MEANINGS",
    "MINE",
    "MOST_TICKERS",
    "NUMBERS",
    "PARTS",
    "RATINGS",
    "SPANS",
    "CachedScores",
    "Number",
    "PriceView",
    "add_up",
    "breakdown",
    "describe_cached",
    "exported",
    "filtered",
    "format_clock",
    "format_days",
    "freshness",
    "load_scores",
    "measure_table",
    "named",
    "price_view",
    "ranking",
    "read_cached",
    "read_history",
    "sentence",
    "strength",
]

MINE: Final = "My tickers"
MOST_TICKERS: Final = 100
ANY: Final = "All"
RATINGS: Final[tuple[str, ...]] = (ANY, *get_args(Rating))
SPANS: Final[Mapping[str, pd.DateOffset | None]] = {
    "1M": pd.DateOffset(months=1),
    "3M": pd.DateOffset(months=3),
    "6M": pd.DateOffset(months=6),
    "YTD": None,
    "1Y": pd.DateOffset(years=1),
    "5Y": pd.DateOffset(years=5),
}
"""What the price chart can show, up to the last session; None begins with the year of that session."""

_TREND_ROWS = 126
_AVERAGES = (20, 50, 200)
_ALL_CANDLES = 0.9
_BATCH = 4
_NAMED_AT_MOST = 40
_DASH = "–"
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Number:
    """How a column of numbers looks: its heading, its printf format and what it means."""

    label: str
    format: str
    help: str


NUMBERS: Final[Mapping[str, Number]] = {
    "composite_score": Number("Of 100", "%.1f", "The composite behind the score"),
    "coverage_percent": Number(
        "Coverage", "%.0f %%", "Weight of the parts that could be computed; below 50 % there is no score"
    ),
    "return_1m_percent": Number("1 m", "%+.1f %%", "Return over 20 sessions"),
    "return_3m_percent": Number("3 m", "%+.1f %%", "Return over 62 sessions"),
    "momentum_12_1_percent": Number("12-1", "%+.1f %%", "12-month return without the newest month"),
    "rsi_wilder": Number("RSI", "%.0f", "Wilder's RSI over 14 sessions: above 70 overbought, below 30 oversold"),
    "vs_sma200_percent": Number("vs SMA 200", "%+.1f %%", "Price against its average of 200 sessions"),
    "of_high_52w_percent": Number("Of 52 w high", "%.0f %%", "Price as a share of its 52-week high"),
}
"""The numbers of the ranking, in their order."""

PARTS: Final[Mapping[str, Number]] = {
    "value": Number("Value", "%.1f", "0 to 100"),
    "weight_percent": Number("Weight", "%.0f %%", "As the score is defined"),
    "effective_weight_percent": Number("Used", "%.1f %%", "Weight of what is there, the missing spread over it"),
    "contribution": Number("Adds", "%.2f", "Value times the weight used; together they are the composite"),
}
"""The numbers of a breakdown."""


@dataclass(frozen=True, slots=True, eq=False)
class CachedScores:
    """
    What the cache holds of some tickers; none of it was loaded to be shown.

    *entries* has the age of each of *scores*; *trends* the adjusted closes of six months, where the history
    is cached; *missing* the tickers without a score, in the order asked for.
    """

    scores: Mapping[str, Score]
    entries: Mapping[str, Peek]
    trends: Mapping[str, list[float]]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class PriceView:
    """
    What the price chart shows, adjusted for splits and dividends, in *currency*.

    *frame*: one row per session, columns `open high low close volume sma_20 sma_50 sma_200`. *note* says what
    the source does not give.
    """

    ticker: str
    frame: pd.DataFrame
    currency: str | None
    has_candles: bool
    has_volume: bool
    note: str


# -- reading ---------------------------------------------------------------------------------------


def read_cached(runtime: Runtime, tickers: Sequence[str]) -> CachedScores:
    """Read those scores of *tickers* that are cached, each counted as a read. Loads nothing."""
    market, cache = runtime.market, runtime.cache
    source = f"{market.source}/{PROFILE}/{market.benchmark}"
    entries = _present(runtime, "momentum", tickers, source)
    scores: dict[str, Score] = {}
    for ticker in entries:
        try:
            scores[ticker] = market.score(ticker)
        except ProviderError:  # it has expired since the look, and could not be loaded
            continue
    trends: dict[str, list[float]] = {}
    for ticker in _present(runtime, "history", tuple(scores), market.source):
        record = cache.peek_value(f"history:{ticker}")
        if record is not MISS:
            trends[ticker] = record["prices"]["adj_close"].dropna().tail(_TREND_ROWS).tolist()
    missing = tuple(ticker for ticker in tickers if ticker not in scores)
    return CachedScores(scores, entries, trends, missing)


def read_history(runtime: Runtime, ticker: str) -> PriceHistory | None:
    """Return the prices of *ticker* if they are cached, counted as a read."""
    if not _present(runtime, "history", [ticker], runtime.market.source):
        return None
    try:
        return runtime.market.history(ticker)
    except ProviderError:  # as above
        return None


def load_scores(market: Market, tickers: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Load the scores of *tickers* a few at a time; yield how many are done and what failed by then."""
    failed: dict[str, str] = {}
    for start in range(0, len(tickers), _BATCH):
        for ticker, found in market.scores(tickers[start : start + _BATCH]).items():
            if isinstance(found, ProviderError):
                failed[ticker] = f"{found.reason.replace('_', ' ')}: {found.detail}"
        yield min(start + _BATCH, len(tickers)), dict(failed)


def _present(runtime: Runtime, namespace: str, tickers: Sequence[str], source: str) -> dict[str, Peek]:
    """The entries from which reads of *tickers* are answered: one of another source would be a miss."""
    looked = runtime.cache.peek_many([f"{namespace}:{ticker}" for ticker in tickers])
    return {
        ticker: entry
        for ticker, entry in zip(tickers, looked, strict=True)
        if entry is not None and not entry.is_foreign and entry.source == source
    }


# -- the ranking -----------------------------------------------------------------------------------


def ranking(cached: CachedScores) -> pd.DataFrame:
    """
    One row per cached score, strongest first, those without a score last.

    Columns: rank, ticker, score (0 to 10), composite_score, rating, coverage_percent, age (clock text), state
    (a list of one word), trend (list of closes), the other `NUMBERS`, as_of (date), computed_at (UTC).
    """
    ordered = sorted(cached.scores.values(), key=lambda score: (-_composite(score), score.ticker))
    rows = [_row(place, score, cached) for place, score in enumerate(ordered, start=1)]
    return pd.DataFrame(rows, columns=list(_COLUMNS)).astype(_DTYPES)


def filtered(table: pd.DataFrame, *, rating: str, least: float, find: str) -> pd.DataFrame:
    """The rows of a ranking with this *rating* (of `RATINGS`), *least* as score, and *find* in the ticker."""
    keep = table["ticker"].str.contains(find.strip().upper(), regex=False)
    if rating != ANY:
        keep &= table["rating"] == rating
    if least > 0:
        keep &= table["score"] >= least
    return table[keep].reset_index(drop=True)


def exported(table: pd.DataFrame) -> pd.DataFrame:
    """A ranking as it goes into a file: no trend, the state as a word."""
    return table.drop(columns="trend").assign(state=table["state"].str[0])


def describe_cached(cached: CachedScores) -> str:
    """How many scores are cached, of which day, and how old they are."""
    found, total = len(cached.scores), len(cached.scores) + len(cached.missing)
    parts = [f"{found} of {total} scores cached"]
    if cached.scores:
        days = sorted({score.as_of for score in cached.scores.values()})
        parts.append(f"prices as of {format_days(days[0], days[-1])}")
        parts.append(f"oldest {format_age(max(cached.entries[ticker].age for ticker in cached.scores))}")
    stale = sum(cached.entries[ticker].is_stale for ticker in cached.scores)
    if stale:
        parts.append(f"{stale} stale, loading again")
    return " · ".join(parts)


def named(tickers: Sequence[str]) -> str:
    """*tickers* in one line, the first 40 of them."""
    shown = ", ".join(tickers[:_NAMED_AT_MOST])
    left = len(tickers) - _NAMED_AT_MOST
    return f"{shown} and {left} more" if left > 0 else shown


def sentence(text: str) -> str:
    """*text* with a capital, as it stands alone under a title."""
    return text[:1].upper() + text[1:]


_COLUMNS = (
    *("rank", "ticker", "score", "composite_score", "rating", "coverage_percent", "age", "state", "trend"),
    *(name for name in NUMBERS if name not in {"composite_score", "coverage_percent"}),
    *("as_of", "computed_at"),
)
_DTYPES = {
    "rank": "Int64",
    "ticker": "str",
    "rating": "str",
    "age": "str",
    "score": "float64",
} | dict.fromkeys(NUMBERS, "float64")


def _row(place: int, score: Score, cached: CachedScores) -> dict[str, object]:
    entry = cached.entries[score.ticker]
    return {
        "rank": place if score.composite_score is not None else None,
        "ticker": score.ticker,
        "score": score.score,
        "composite_score": _shown(score.composite_score),
        "rating": score.rating,
        "coverage_percent": 100 * score.coverage,
        "trend": cached.trends.get(score.ticker),
        "return_1m_percent": _percent(score, "return_1m"),
        "return_3m_percent": _percent(score, "return_3m"),
        "momentum_12_1_percent": _percent(score, "momentum_12_1"),
        "rsi_wilder": score.measures.get("rsi_wilder"),
        "vs_sma200_percent": _percent(score, "vs_sma200"),
        "of_high_52w_percent": _percent(score, "of_high_52w"),
        "as_of": dt.date.fromisoformat(score.as_of),
        "age": format_age(entry.age),
        "state": [state_of(entry)],
        "computed_at": dt.datetime.fromtimestamp(score.computed_at, dt.UTC).isoformat(timespec="seconds"),
    }


def _composite(score: Score) -> float:
    return -math.inf if score.composite_score is None else score.composite_score


def _percent(score: Score, measure: str) -> float | None:
    value = score.measures.get(measure)
    return None if value is None else 100 * value


def _shown(composite: float | None, digits: int = 1) -> float | None:
    """Rounded, but never into the next band: 79.96 is a Buy and must not show as 80.0."""
    if composite is None:
        return None
    rounded, unit = round(composite, digits), 10**digits
    return rounded if rate(rounded) == rate(composite) else math.floor(composite * unit) / unit


# -- one score -------------------------------------------------------------------------------------


def strength(score: Score) -> str:
    """How strong, and how sure: `9.2 (92.3, Strong Buy, coverage 75 %)`."""
    shown = _shown(score.composite_score)
    coverage = format_percent(score.coverage, 0)
    if score.score is None or shown is None:
        return f"No score ({score.rating}, coverage {coverage})"
    return f"{score.score:.1f} ({shown:.1f}, {score.rating}, coverage {coverage})"


def freshness(score: Score, entry: Peek, source_label: str, now: float) -> str:
    """Of which day, how old, from where; *now* is a wall-clock reading."""
    fate = "stale, loading again" if entry.is_stale else f"fresh for {format_age(entry.ttl_left)}"
    return " · ".join(
        [
            f"as of {format_day(score.as_of)}",
            f"computed {format_clock(score.computed_at, now)}, {format_age(entry.age)} old, {fate}",
            source_label,
        ]
    )


def breakdown(score: Score) -> pd.DataFrame:
    """
    How a score is made: one row per component, and the composite as the last.

    Columns: component, value (0 to 100), weight_percent, effective_weight_percent, contribution, missing
    (why, or empty). Contributions have two decimals and add up to the composite that is shown.
    """
    total = _shown(score.composite_score, 2)
    parts = score.components
    added = add_up([part.contribution for part in parts.values()], total or 0.0, 2)
    rows: list[tuple[str, float | None, float, float, float | None, str]] = [
        (
            name.capitalize(),
            part.value,
            100 * part.weight,
            100 * part.effective_weight,
            contribution,
            part.missing or "",
        )
        for (name, part), contribution in zip(parts.items(), added, strict=True)
    ]
    sums = [
        sum(part.weight for part in parts.values()),
        sum(part.effective_weight for part in parts.values()),
    ]
    too_little = "" if total is not None else f"coverage {format_percent(score.coverage, 0)}, 50 % needed"
    rows.append(("Composite", None, 100 * sums[0], 100 * sums[1], total, too_little))
    columns = ["component", "value", "weight_percent", "effective_weight_percent", "contribution", "missing"]
    return pd.DataFrame(rows, columns=columns).astype({"value": "float64", "contribution": "float64"})


def measure_table(score: Score) -> pd.DataFrame:
    """Published measures beside the score: Measure, Value (text with its unit), Meaning."""
    rows = [(label, _measure(score.measures.get(name), form), meaning) for name, label, form, meaning in _MEASURES]
    rows.append(("Price", _price(score), f"last close, {format_day(score.as_of)}"))
    return pd.DataFrame(rows, columns=["Measure", "Value", "Meaning"])


def add_up(values: Sequence[float], total: float, digits: int) -> list[float]:
    """
    *values* rounded to *digits* so that they add up to *total*, which has as many.

    Each is cut, and what is left goes to those that lost most (largest remainder): no one moves by more than
    one in the last digit.
    """
    unit = 10**digits
    cut = [math.floor(value * unit) for value in values]
    short = round(total * unit) - sum(cut)
    by_loss = sorted(range(len(values)), key=lambda at: cut[at] - values[at] * unit)
    for at in by_loss[: max(0, short)]:
        cut[at] += 1
    return [whole / unit for whole in cut]


_MEASURES: Final = (
    ("return_1m", "1 month", "%", "return over 20 sessions"),
    ("return_3m", "3 months", "%", "return over 62 sessions"),
    ("return_6m", "6 months", "%", "return over 125 sessions"),
    ("momentum_12_1", "12-1 momentum", "%", "return over 12 months without the newest one"),
    ("vs_sma200", "vs SMA 200", "%", "price against its average of 200 sessions"),
    ("of_high_52w", "Of 52-week high", "share", "100 % is a new high"),
    ("rsi_wilder", "RSI 14", "points", "Wilder's; above 70 overbought, below 30 oversold"),
    ("volatility", "Volatility, 1 year", "share", "standard deviation of daily returns, annualised"),
    ("max_drawdown", "Deepest fall", "%", "below an earlier high, over all prices there are"),
    ("beta", "Beta", "ratio", "daily moves against those of the benchmark"),
)

MEANINGS: Final = "  \n".join(f"**{label}**: {meaning}" for _, label, _, meaning in _MEASURES)
"""Every measure explained, as Markdown."""


def _measure(value: float | None, form: str) -> str:
    if value is None:
        return _DASH
    if form == "%":
        return f"{100 * value:+.1f} %"
    if form == "share":
        return format_percent(value)
    return f"{value:.1f}" if form == "points" else f"{value:.2f}"


def _price(score: Score) -> str:
    if score.currency == "USD":
        return f"${score.price:,.2f}"
    return f"{score.price:,.2f} {score.currency or ''}".rstrip()


# -- prices ----------------------------------------------------------------------------------------


def price_view(history: PriceHistory, span: str) -> PriceView:
    """The last *span* of `SPANS` of *history*; averages reach further back than what is shown."""
    prices = history.prices[history.prices["adj_close"].notna()]
    factor = prices["adj_close"] / prices["close"]
    frame = prices[["open", "high", "low"]].mul(factor, axis=0)
    frame["close"], frame["volume"] = prices["adj_close"], prices["volume"]
    for rows in _AVERAGES:
        frame[f"sma_{rows}"] = prices["adj_close"].rolling(rows).mean()
    shown = frame[frame.index >= _first_day(frame.index[-1], span)]
    has_candles = bool(shown[["open", "high", "low"]].notna().all(axis=1).mean() > _ALL_CANDLES)
    has_volume = bool(shown["volume"].sum() > 0)
    lacking = [*([] if has_candles else ["open", "high", "low"]), *([] if has_volume else ["volume"])]
    note = "Adjusted for splits and dividends."
    if lacking:
        note += f" The source gives no {', '.join(lacking)}" + ("." if has_candles else ": a line of closes.")
    return PriceView(history.ticker, shown, history.currency, has_candles, has_volume, note)


def _first_day(last: pd.Timestamp, span: str) -> pd.Timestamp:
    offset = SPANS[span]
    return pd.Timestamp(last.year, 1, 1) if offset is None else last - offset


# -- words -----------------------------------------------------------------------------------------


def format_day(iso: str) -> str:
    """`28 Dec 2022` of an ISO date."""
    day = dt.date.fromisoformat(iso)
    return f"{day.day} {day:%b %Y}"


def format_days(first: str, last: str) -> str:
    """`28 Dec 2022`, or `23 Dec 2022 to 28 Dec 2022`."""
    return format_day(first) if first == last else f"{format_day(first)} to {format_day(last)}"


def format_clock(moment: float, now: float) -> str:
    """`13:31:05`, in the time of this machine; with the day where that is not today's."""
    then, today = (dt.datetime.fromtimestamp(at).astimezone() for at in (moment, now))
    return f"{then:%H:%M:%S}" if then.date() == today.date() else f"{then.day} {then:%b %H:%M:%S}"
