"""The profile `factor`: where a ticker stands in a universe by five published measures, as a composite of 0 to 100."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import pandas as pd

from avcache.market.scoring.composite import Component, number
from avcache.market.scoring.cross_section import (
    FACTORS,
    FEWEST_TICKERS,
    Standing,
    by_ticker,
    normal,
    risk_adjusted,
    standings,
)
from avcache.market.scoring.measures import MEASURES
from avcache.market.scoring.panel import Panel, Subject, panels
from avcache.market.scoring.profiles import COMPOSITES, DEFAULT_PROFILE, FACTOR, rate
from avcache.market.scoring.score import CHANGES, Change, Score, change, describe, earlier_day, panel_table, scores

__all__ = ["CrossSection", "cross_section", "factor_scores"]

NOW: Final = "now"
_ROWS: Final = {measure.name: measure.rows for measure in MEASURES} | {"risk_adjusted": 274}
_WEIGHT: Final = 1 / len(FACTORS)


@dataclass(frozen=True, slots=True, eq=False)
class CrossSection:
    """The measures of a universe, one row per ticker: under "now", and as they were, under the names of `CHANGES`."""

    tables: Mapping[str, pd.DataFrame]

    @property
    def now(self) -> pd.DataFrame:
        """The measures as of the last session."""
        return self.tables[NOW]


def cross_section(subjects: Sequence[Subject]) -> CrossSection:
    """Return the measures of a universe. *subjects* are its tickers, each with at least one session."""
    seen = panels(subjects)
    then = {name: panel_table(seen, ago) for name, ago in CHANGES.items()}
    return CrossSection({NOW: panel_table(seen), **then})


def factor_scores(
    subjects: Sequence[Subject], universe: CrossSection, *, source: str, computed_at: float
) -> dict[str, Score]:
    """
    Return the scores of *subjects* within *universe*, by the profile `factor`.

    If fewer than 10 tickers of the universe can be placed, the scores are those of the default profile, and their
    `note` says so.
    """
    seen = panels(subjects)
    table = panel_table(seen)
    standing = standings(universe.now, table)
    if standing.members < FEWEST_TICKERS:
        note = f"the universe is too small: {standing.members} tickers can be placed, {FEWEST_TICKERS} needed"
        fallback = scores(subjects, source=source, computed_at=computed_at, profile=COMPOSITES[DEFAULT_PROFILE])
        return {ticker: replace(score, note=note) for ticker, score in fallback.items()}
    earlier = {name: standings(universe.tables[name], panel_table(seen, ago)) for name, ago in CHANGES.items()}
    measured = by_ticker(table.join(risk_adjusted(universe.now, table)))
    found: dict[str, Score] = {}
    for panel in (panel for panel in seen if panel.rows):
        for subject in panel.subjects:
            ticker = subject.history.ticker
            composite = standing.composite_of(ticker)
            found[ticker] = describe(
                panel,
                subject,
                components=_place(panel, subject, measured[ticker], standing),
                composite=composite,
                coverage=round(_WEIGHT * len(standing.known(ticker)), 9),
                rating=rate(composite),
                profile=FACTOR,
                measures={name: number(value) for name, value in measured[ticker].items()},
                changes=_changes(panel, standing, earlier, ticker),
                source=source,
                computed_at=computed_at,
            )
    return found


def _place(panel: Panel, subject: Subject, measured: Mapping[str, float], standing: Standing) -> dict[str, Component]:
    ticker = subject.history.ticker
    z, contributions = standing.z[ticker], standing.contributions[ticker]
    used = standing.known(ticker) if standing.composite_of(ticker) is not None else frozenset[str]()
    return {
        name: Component(
            value=100 * normal(z[name]) if math.isfinite(z[name]) else None,
            weight=_WEIGHT,
            effective_weight=1 / len(used) if name in used else 0.0,
            contribution=contributions[name] if name in used else 0.0,
            inputs={name: number(measured[name]), "z": number(z[name])},
            missing=None if math.isfinite(z[name]) else _why_missing(panel, name),
        )
        for name in FACTORS
    }


def _why_missing(panel: Panel, name: str) -> str:
    needed = _ROWS[name]
    return f"{panel.rows} sessions, {needed} needed" if panel.rows < needed else "it cannot be computed"


def _changes(panel: Panel, now: Standing, earlier: Mapping[str, Standing], ticker: str) -> dict[str, Change]:
    found: dict[str, Change] = {}
    for name, then in earlier.items():
        seen = panel.until(earlier_day(panel, CHANGES[name]))
        if seen.rows:
            same = now.known(ticker) == then.known(ticker)
            before = then.composite_of(ticker)
            found[name] = change(str(seen.days[-1]), before, now.composite_of(ticker), is_comparable=same)
    return found
