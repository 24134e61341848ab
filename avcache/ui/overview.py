"""Overview: is the cache doing its job, and if not, where? Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd

from avcache.core.counters import Counters, Counts, Stats
from avcache.core.keys import Namespaces
from avcache.formats import format_bytes, format_count, format_percent, format_seconds
from avcache.ops.snapshot import Snapshot
from avcache.ui.states import describe_exactness

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
        namespaces: One row per namespace in plain numbers, as it goes into a file.
        table: The same as people read it.
        trouble: What deserves a look, (what, how often) each; only those that happened.
        exactness: How sure the keys and sizes are, and how old.
    """

    tiles: tuple[Tile, ...]
    moments: tuple[float, ...]
    rates: Mapping[str, tuple[float | None, ...]]
    namespaces: pd.DataFrame
    table: pd.DataFrame
    trouble: tuple[tuple[str, str], ...]
    is_empty: bool
    exactness: str


def overview(counters: Counters, snapshot: Snapshot, namespaces: Namespaces, window: float) -> OverviewModel:
    """Put together what happened in the last *window* seconds and what is there now."""
    recent = counters.stats(window)
    moments, series = counters.series(window, max(10.0, window / _STEPS))
    course = _by_step(moments, series)
    table = _namespaces(counters, snapshot, namespaces, window)
    return OverviewModel(
        tiles=_tiles(recent, course),
        moments=tuple(moments),
        rates={name: tuple(counts.hit_rate for counts in steps) for name, steps in sorted(series.items())},
        namespaces=table,
        table=_table(table),
        trouble=_trouble(recent.total),
        is_empty=snapshot.is_empty,
        exactness=describe_exactness(snapshot, snapshot.taken_at),
    )


def _rate(label: str) -> str:
    return f"hit_rate_{label.replace(' ', '_')}"


_COLUMNS = [
    *("namespace", "keys", "size_bytes", "hits", "misses"),
    *map(_rate, WINDOWS),
    *("mean_load_seconds", "ttl_seconds"),
]


def _tiles(recent: Stats, steps: Sequence[Stats]) -> tuple[Tile, ...]:
    total, course = recent.total, [step.total for step in steps]
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
        format_seconds(recent.saved_seconds) if total.loads else "–",
        tuple(step.saved_seconds for step in steps),
        "Estimate: the hits of each namespace times the mean duration of its loads in the same window.",
    )
    return rate, hits, misses, loads, saved


def _namespaces(counters: Counters, snapshot: Snapshot, rules: Namespaces, window: float) -> pd.DataFrame:
    sizes, recent = snapshot.namespaces, counters.stats(window).by_namespace
    by_window = {label: counters.stats(seconds).by_namespace for label, seconds in WINDOWS.items()}
    rows = []
    for name in sorted({*sizes, *counters.stats().by_namespace}):
        size, counts = sizes.get(name), recent.get(name, Counts())
        rows.append(
            {
                "namespace": name,
                "keys": size.keys if size else 0,
                "size_bytes": size.size if size else 0,
                "hits": counts.hits + counts.stale_hits,
                "misses": counts.misses,
                **{_rate(label): found.get(name, Counts()).hit_rate for label, found in by_window.items()},
                "mean_load_seconds": counts.mean_load_seconds,
                "ttl_seconds": rules[name].ttl,
            }
        )
    return pd.DataFrame(rows, columns=_COLUMNS)


def _table(namespaces: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Namespace": namespaces["namespace"],
            "Keys": namespaces["keys"],
            "Size": namespaces["size_bytes"].map(format_bytes),
            "Hits": namespaces["hits"],
            "Misses": namespaces["misses"],
            **{
                label if at else f"Hit {label}": namespaces[_rate(label)].map(format_percent)
                for at, label in enumerate(WINDOWS)
            },
            "Mean load": namespaces["mean_load_seconds"].map(format_seconds),
            "TTL": namespaces["ttl_seconds"].map(format_seconds),
        }
    )


def _trouble(total: Counts) -> tuple[tuple[str, str], ...]:
    found = {
        "stale served": total.stale_hits,
        "waited for another's load": total.coalesced,
        "load failures": total.load_failures,
        "values not kept": total.refused,
        "foreign entries read": total.foreign,
    }
    return tuple((what, format_count(number)) for what, number in found.items() if number)


def _by_step(moments: Sequence[float], series: Mapping[str, list[Counts]]) -> list[Stats]:
    return [Stats({name: steps[at] for name, steps in series.items()}, moment) for at, moment in enumerate(moments)]
