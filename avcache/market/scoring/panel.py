"""Prices side by side: what every score and measure is computed from, many tickers at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from avcache.market.provider import Figures, PriceHistory

__all__ = ["Days", "Floats", "Line", "Panel", "Subject", "panels"]

Floats = NDArray[np.float64]
Days = NDArray[np.datetime64]


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """
    What is known of one ticker: its prices, those of its benchmark, its fundamentals; None where there are none.

    `figures_at` is when those were fetched, epoch seconds; `unavailable` says why a part of the score cannot be had, by
    the part's name.
    """

    history: PriceHistory
    benchmark: PriceHistory | None = None
    figures: Figures | None = None
    figures_at: float | None = None
    unavailable: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """The adjusted closes (S) of one ticker on its `days` (S), ascending, without gaps."""

    days: Days
    closes: Floats

    def until(self, day: np.datetime64) -> Line:
        """Only the sessions up to *day*."""
        end = int(self.days.searchsorted(day, side="right"))
        return Line(self.days[:end], self.closes[:end])


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """
    Tickers (n) with the very same sessions (S) and the same benchmark.

    Row `i` of `closes` (n, S; adjusted) and `volumes` (n, S; NaN where unknown) belongs to `subjects[i]`, column `t` to
    `days[t]`; `P[-k]` is the k-th column from the end. `market` has sessions of its own, none after the last of `days`.
    """

    subjects: tuple[Subject, ...]
    days: Days
    closes: Floats
    volumes: Floats
    market: Line | None

    @property
    def rows(self) -> int:
        """How many sessions there are."""
        return len(self.days)

    def until(self, day: np.datetime64) -> Panel:
        """The panel as it was at the end of *day*."""
        end = int(self.days.searchsorted(day, side="right"))
        market = None if self.market is None else self.market.until(self.days[end - 1] if end else day)
        return replace(
            self, days=self.days[:end], closes=self.closes[:, :end], volumes=self.volumes[:, :end], market=market
        )

    def since(self, day: np.datetime64) -> Panel:
        """Only the sessions after *day*; the market keeps all of its own."""
        begin = int(self.days.searchsorted(day, side="right"))
        return replace(self, days=self.days[begin:], closes=self.closes[:, begin:], volumes=self.volumes[:, begin:])


def panels(subjects: Sequence[Subject], *, complete: bool = True) -> list[Panel]:
    """
    Put together what has the same sessions and the same benchmark: a whole exchange makes one panel.

    Args:
        complete: Leave out a last bar whose session had not ended when it was fetched.
    """
    lines: dict[int, tuple[Days, Floats]] = {}
    groups: dict[tuple[bytes, int], list[tuple[Subject, Floats, Floats]]] = {}
    for subject in subjects:
        days, closes, volumes = _columns(subject.history, complete=complete)
        benchmark = subject.benchmark
        if benchmark is not None and id(benchmark) not in lines:
            lines[id(benchmark)] = _columns(benchmark, complete=complete)[:2]
        groups.setdefault((days.tobytes(), id(benchmark)), []).append((subject, closes, volumes))
    return [_panel(days, members, lines.get(market)) for (days, market), members in groups.items()]


def _columns(history: PriceHistory, *, complete: bool) -> tuple[Days, Floats, Floats]:
    """Days, adjusted closes and volumes of the sessions that have a close."""
    prices = history.prices
    closes = prices["adj_close"].to_numpy("float64")
    keep = ~np.isnan(closes)
    if complete and not history.is_complete:
        keep[-1:] = False
    days = pd.DatetimeIndex(prices.index).to_numpy().astype("datetime64[D]")
    return days[keep], closes[keep], prices["volume"].to_numpy("float64")[keep]


def _panel(days: bytes, members: list[tuple[Subject, Floats, Floats]], market: tuple[Days, Floats] | None) -> Panel:
    own = np.frombuffer(days, "datetime64[D]")
    line = None if market is None or not len(own) else Line(*market).until(own[-1])
    return Panel(
        tuple(subject for subject, _, _ in members),
        own,
        np.stack([closes for _, closes, _ in members]),
        np.stack([volumes for _, _, volumes in members]),
        line,
    )
