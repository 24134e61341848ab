"""Overview: is the cache doing its job, and if not, where? Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pandas as pd

from avcache.core.counters import Counters, Counts
from avcache.core.keys import Namespaces
from avcache.formats import format_bytes, format_count, format_percent, format_seconds
from avcache.ops.keyspace import Snapshot

__all__ = ["WINDOWS", "OverviewModel", "Tile", "overview"]

WINDOWS: Final[Mapping[str, float]] = {"1 min": 60, "15 min": 900, "1 h": 3600, "24 h": 86_400}
_STEPS = 30


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure with its course over the window."""

    label: str
    value: str
    course: tuple[float, ...]
    help: str


@dataclass(frozen=True, slots=True)
class OverviewModel:
    """
    Attributes:
        tiles: The figures on top.
        moments: When each step of the window began, epoch seconds.
        rates: Hit rate 0..1 of each step by namespace; None where nobody read.
        table: One row per namespace, see `_TABLE`.
        trouble: What deserves a look, (what, how often) each; only those that happened.
        taken_at: When the keys and sizes were taken, wall clock. *is_exact*: all keys were seen.
    """

    tiles: tuple[Tile, ...]
    moments: tuple[float, ...]
    rates: Mapping[str, tuple[float | None, ...]]
    table: pd.DataFrame
    trouble: tuple[tuple[str, str], ...]
    is_empty: bool
    taken_at: float
    is_exact: bool


def overview(counters: Counters, snapshot: Snapshot, namespaces: Namespaces, window: float) -> OverviewModel:
    """Put together what happened in the last *window* seconds and what is there now."""
    recent = counters.stats(window)
    moments, series = counters.series(window, max(10.0, window / _STEPS))
    course = _together(series)
    return OverviewModel(
        tiles=_tiles(recent.total, course),
        moments=tuple(moments),
        rates={name: tuple(counts.hit_rate for counts in steps) for name, steps in sorted(series.items())},
        table=_table(counters, snapshot, namespaces, window),
        trouble=_trouble(recent.total),
        is_empty=not snapshot.entries,
        taken_at=snapshot.taken_at,
        is_exact=snapshot.is_exact,
    )


def _tiles(total: Counts, course: list[Counts]) -> tuple[Tile, ...]:
    hits = Tile(
        "Hits",
        format_count(total.hits + total.stale_hits),
        tuple(counts.hits + counts.stale_hits for counts in course),
        "Reads answered from the cache, fresh or stale. The console's own looks at keys do not count.",
    )
    misses = Tile(
        "Misses",
        format_count(total.misses),
        tuple(counts.misses for counts in course),
        "Reads that found nothing to answer with.",
    )
    rate = Tile(
        "Hit rate",
        format_percent(total.hit_rate),
        tuple(counts.hit_rate * 100 for counts in course if counts.hit_rate is not None),
        "Hits of all reads in the window.",
    )
    mean = format_seconds(total.mean_load_seconds)
    loads = Tile(
        "Loads",
        format_count(total.loads),
        tuple(counts.loads for counts in course),
        f"Values computed at their source; {mean} each on average.",
    )
    saved = Tile(
        "Time saved",
        format_seconds(total.saved_seconds) if total.loads else "–",
        tuple(counts.saved_seconds for counts in course),
        "Estimate: hits times the mean duration of a load in the same window.",
    )
    return rate, hits, misses, loads, saved


def _table(counters: Counters, snapshot: Snapshot, namespaces: Namespaces, window: float) -> pd.DataFrame:
    sizes = snapshot.namespaces
    recent = counters.stats(window).by_namespace
    by_window = {label: counters.stats(seconds).by_namespace for label, seconds in WINDOWS.items()}
    names = sorted({*sizes, *counters.stats().by_namespace})
    rows = []
    for name in names:
        size, counts = sizes.get(name), recent.get(name, Counts())
        rows.append(
            {
                "Namespace": name,
                "Keys": size.keys if size else 0,
                "Size": format_bytes(size.size if size else 0),
                "Hits": counts.hits + counts.stale_hits,
                "Misses": counts.misses,
                **{
                    f"Hit {label}" if at == 0 else label: format_percent(found.get(name, Counts()).hit_rate)
                    for at, (label, found) in enumerate(by_window.items())
                },
                "Mean load": format_seconds(counts.mean_load_seconds),
                "TTL": format_seconds(namespaces[name].ttl),
            }
        )
    return pd.DataFrame(rows)


def _trouble(total: Counts) -> tuple[tuple[str, str], ...]:
    found = {
        "stale served": total.stale_hits,
        "waited for another's load": total.coalesced,
        "load failures": total.load_failures,
        "values not kept": total.refused,
        "foreign entries read": total.foreign,
    }
    return tuple((what, format_count(number)) for what, number in found.items() if number)


def _together(series: Mapping[str, list[Counts]]) -> list[Counts]:
    together: list[Counts] = []
    for steps in zip(*series.values(), strict=True):
        total = Counts()
        for counts in steps:
            total.add(counts)
        together.append(total)
    return together
