"""The score of a ticker: a composite of 0 to 100, how it is made, how it changed, and how fresh what it rests on is."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
import pandas as pd

from avcache.market.provider import Day, PriceHistory
from avcache.market.scoring.composite import Component, Composite, compose, plain
from avcache.market.scoring.measures import MEASURES, measures
from avcache.market.scoring.panel import Panel, Subject, panels
from avcache.market.scoring.profiles import COMPOSITES, INSUFFICIENT, Profile, Rating, rate

__all__ = [
    "CHANGES",
    "Change",
    "Score",
    "change",
    "describe",
    "earlier_day",
    "from_record",
    "measure_table",
    "panel_table",
    "scores",
    "to_record",
]

CHANGES: Final[Mapping[str, pd.DateOffset]] = {"1w": pd.DateOffset(days=7), "1m": pd.DateOffset(months=1)}
"""How long ago the score is computed again, to tell how it changed."""


@dataclass(frozen=True, slots=True)
class Change:
    """
    The score as it was on the last session up to `as_of` (ISO date), computed from the same prices cut there.

    `composite_score` is None if there was too little then (0 as the original counts). `change` is the composite of now
    less that; None unless the same parts are there now and then. Fundamentals are those of now: nobody kept older ones.
    """

    as_of: Day
    composite_score: float | None
    change: float | None


@dataclass(frozen=True, slots=True)
class Score:
    """
    The momentum score of one ticker; every field is safe in JSON.

    `composite_score` is 0 to 100, the sum of the contributions; `score` the same from 0 to 10, cut (not
    rounded) to one decimal, so that 79.96 shows as 7.9 and not as a Strong Buy's 8.0. `rating` follows the
    unrounded composite. Both are None, and the rating "Insufficient Data", if `coverage` (the weights of the parts
    that are there) is below 0.5.

    Attributes:
        profile: By which it was computed; `note` says so if another one was asked for.
        measures: By the names of `MEASURES` (and, by the profile `factor`, those of its universe); None if unknown.
        changes: What became of it since a week and a month ago, by "1w" and "1m".
        price: The newest raw close, in `currency`; of the running session, if there is one.
        as_of: The ISO date of the last session that counts.
        bar_complete: Whether the newest bar was complete; if not, `price` is that of a running session, which the
            score leaves out.
        rows: The sessions that count.
        inputs: When what it rests on was fetched: `prices`, `benchmark`, `fundamentals` -> epoch seconds.
        source: The name of the provider.
        computed_at: Epoch seconds.
        zone: The time zone of its exchange, if that is known.
        is_provisional: Whether it lacks something that may be there in a minute, or rests on prices past their time.
    """

    ticker: str
    score: float | None
    composite_score: float | None
    rating: Rating
    profile: str
    coverage: float
    components: dict[str, Component]
    measures: dict[str, float | None]
    changes: dict[str, Change]
    price: float
    currency: str | None
    as_of: Day
    bar_complete: bool
    rows: int
    benchmark: str | None
    inputs: dict[str, float]
    source: str
    computed_at: float
    note: str | None = None
    zone: str | None = None
    is_provisional: bool = False


def scores(
    subjects: Sequence[Subject],
    *,
    source: str,
    computed_at: float,
    profile: Profile = COMPOSITES["alphavelocity"],
    as_of: dt.date | None = None,
) -> dict[str, Score]:
    """
    Return the score of each of *subjects*, all of them computed at once.

    Args:
        source: The name of the provider.
        computed_at: Epoch seconds.
        as_of: Compute what was known at the end of that day.

    Tickers without a session that counts (none by *as_of*, none that has ended, none with an adjusted close) are left
    out.
    """
    found: dict[str, Score] = {}
    for whole in panels(subjects, complete=profile.complete):
        panel = whole if as_of is None else whole.until(np.datetime64(as_of, "D"))
        if panel.rows:
            found |= _panel_scores(panel, profile, as_of, source, computed_at)
    return found


def measure_table(subjects: Sequence[Subject]) -> pd.DataFrame:
    """Return `MEASURES` of each of *subjects*: one row per ticker, sorted, NaN where one cannot be computed."""
    return panel_table(panels(subjects))


def panel_table(seen: Sequence[Panel], ago: pd.DateOffset | None = None) -> pd.DataFrame:
    """`measure_table` of the tickers of *seen*, as they were *ago* before their own last session."""
    tables = [pd.DataFrame(columns=[one.name for one in MEASURES], index=pd.Index([], name="ticker"), dtype=float)]
    for panel in seen:
        then = panel if ago is None or not panel.rows else panel.until(earlier_day(panel, ago))
        index = pd.Index([subject.history.ticker for subject in then.subjects], name="ticker")
        tables.append(pd.DataFrame(measures(then), index=index))
    # An empty table beside others would have a say in their types.
    return pd.concat(tables[1:] or tables).sort_index()


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


def _panel_scores(
    panel: Panel, profile: Profile, as_of: dt.date | None, source: str, computed_at: float
) -> dict[str, Score]:
    composite = compose(panel, profile)
    figures = {name: plain(values) for name, values in measures(panel).items()}
    earlier = {name: _earlier(panel, profile, composite, ago) for name, ago in CHANGES.items()}
    return {
        subject.history.ticker: describe(
            panel,
            subject,
            as_of=as_of,
            components=composite.components(at),
            composite=composite.value(at),
            coverage=float(composite.coverage[at]),
            rating=rate(composite.value(at)) if composite.is_enough else INSUFFICIENT,
            profile=profile.name,
            measures={name: values[at] for name, values in figures.items()},
            changes={name: found[at] for name, found in earlier.items() if found},
            source=source,
            computed_at=computed_at,
        )
        for at, subject in enumerate(panel.subjects)
    }


def describe(
    panel: Panel,
    subject: Subject,
    *,
    as_of: dt.date | None = None,
    components: dict[str, Component],
    composite: float | None,
    coverage: float,
    rating: Rating,
    profile: str,
    measures: dict[str, float | None],
    changes: dict[str, Change],
    source: str,
    computed_at: float,
) -> Score:
    """Put a score together: what was computed, and what it was computed from."""
    history, benchmark = subject.history, subject.benchmark
    is_past = as_of is not None and as_of.isoformat() < history.as_of
    return Score(
        ticker=history.ticker,
        score=None if composite is None else math.floor(composite) / 10,
        composite_score=composite,
        rating=rating,
        profile=profile,
        coverage=coverage,
        components=components,
        measures=measures,
        changes=changes,
        price=_price(history, as_of if is_past else None),
        currency=history.currency,
        as_of=str(panel.days[-1]),
        bar_complete=is_past or history.is_complete,
        rows=panel.rows,
        benchmark=None if benchmark is None else benchmark.ticker,
        inputs=_inputs(subject),
        source=source,
        computed_at=computed_at,
        zone=history.zone,
    )


def _price(history: PriceHistory, as_of: dt.date | None) -> float:
    """The newest raw close there is, up to the end of *as_of*; the adjusted one where the source has no other."""
    known = history.prices if as_of is None else history.prices.loc[: as_of.isoformat()]
    raw = known["close"].to_numpy("float64")
    found = raw[np.isfinite(raw)]
    return float(found[-1] if len(found) else known["adj_close"].dropna().iloc[-1])


def _inputs(subject: Subject) -> dict[str, float]:
    found = {"prices": subject.history.fetched_at}
    if subject.benchmark is not None:
        found["benchmark"] = subject.benchmark.fetched_at
    if subject.figures_at is not None:
        found["fundamentals"] = subject.figures_at
    return found


def _earlier(panel: Panel, profile: Profile, now: Composite, ago: pd.DateOffset) -> list[Change]:
    """What became of each composite since; empty if there were no sessions then."""
    seen = panel.until(earlier_day(panel, ago))
    if not seen.rows:
        return []
    then = compose(seen, profile)
    return [
        change(
            str(seen.days[-1]),
            then.value(at),
            now.value(at),
            is_comparable=bool((then.present[at] == now.present[at]).all()),
        )
        for at in range(len(panel.subjects))
    ]


def change(as_of: str, then: float | None, now: float | None, *, is_comparable: bool) -> Change:
    """What became of a composite since *as_of*."""
    known = is_comparable and then is not None and now is not None
    return Change(as_of, then, round(now - then, 9) if known else None)  # type: ignore[operator]


def earlier_day(panel: Panel, ago: pd.DateOffset) -> np.datetime64:
    """The day that lies *ago* before the last session of *panel*."""
    return np.datetime64(pd.Timestamp(panel.days[-1]) - ago, "D")
