"""Rows of the table: what many tabs feel, what REST feels beside them, and how long each page takes to come."""

from __future__ import annotations

import asyncio
import math
import statistics
from collections.abc import Iterator, Sequence

from avcache.formats import format_bytes, format_percent
from benchmarks.console.beside import asking
from benchmarks.console.browser import open_tab
from benchmarks.console.crowd import Seen, crowd
from benchmarks.console.stage import Stage
from benchmarks.report import Bar, Row, duration, none_row
from benchmarks.workers import resident_bytes
from tests.servers import ROOT

__all__ = ["page_rows", "soak_rows", "tab_rows"]

_TICK_BARS = {100: Bar(0.06), 200: Bar(0.3)}
_OTHER_TICKS = Bar(0.3)
_REST_BAR = Bar(0.1)
_PAGE_BAR = Bar(0.3)
_PAGE_RUNS = 21
_GROWTH_BAR = Bar(0.05, unit=lambda share: format_percent(share, 0))


def _quantile(values: Sequence[float], share: float) -> float:
    """The least of *values* that *share* of them do not exceed; NaN without any."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


def tab_rows(stage: Stage, tabs: int, seconds: float) -> Iterator[Row]:
    """*tabs* on Overview for *seconds*, while REST is asked as well."""
    with asking(stage.port) as answers:
        seen = crowd(stage.port, tabs, seconds)
    who = f"{tabs} tabs on Overview"
    yield _slowest(f"{who}: a tick, 95 %", seen.ticks, 0.95, _TICK_BARS.get(tabs, _OTHER_TICKS))
    yield none_row(f"{who}: ticks missed", seen.missed, f"of {len(seen.ticks) + seen.missed:,}")
    yield none_row(f"{who}: errors", len(seen.errors), "; ".join(sorted(set(seen.errors))[:2]))
    yield _slowest(f"{who}: REST `info` beside them, 99 %", answers.seconds, 0.99, _REST_BAR)
    yield Row(f"{who}: first full run, 95 %", duration(_quantile(seen.first, 0.95)), _traffic(seen, seconds), "", "")


def soak_rows(stage: Stage, tabs: int, minutes: float) -> Iterator[Row]:
    """Whether memory stays flat while *tabs* are open for *minutes*, after the first one."""
    crowd(stage.port, tabs, 60)
    before = resident_bytes(stage.pid)
    seen = crowd(stage.port, tabs, 60 * (minutes - 1))
    after = resident_bytes(stage.pid)
    growth = after / before - 1
    what = f"resident growth, {tabs} tabs, minute 1 to {minutes:g}"
    beside = f"{format_bytes(before)} to {format_bytes(after)}, {len(seen.ticks):,} ticks"
    yield Row(what, format_percent(growth), beside, str(_GROWTH_BAR), _GROWTH_BAR.verdict(growth))


def page_rows(stage: Stage, keys: int) -> Iterator[Row]:
    """How long each page takes to come, in a new tab, with *keys* in the store."""
    for name in sorted(path.stem for path in (ROOT / "pages").glob("*.py")):
        taken = asyncio.run(_openings(stage.port, "" if name == "overview" else name))
        yield _slowest(f"{name}: full run, {keys:,} keys, 95 %", taken, 0.95, _PAGE_BAR)


async def _openings(port: int, page: str) -> list[float]:
    taken = []
    for _ in range(_PAGE_RUNS):
        async with open_tab(port, page) as tab:
            taken.append((await tab.run()).seconds)
    return taken


def _slowest(what: str, seconds: Sequence[float], share: float, bar: Bar) -> Row:
    figure = _quantile(seconds, share)
    others = f"median {duration(statistics.median(seconds))}, longest of {len(seconds):,}: {duration(max(seconds))}"
    return Row(what, duration(figure), "", str(bar), bar.verdict(figure), others)


def _traffic(seen: Seen, seconds: float) -> str:
    return f"{format_bytes(seen.size / seconds)}/s to all of them"
