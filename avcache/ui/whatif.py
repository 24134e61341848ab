"""What another ttl would have made of the last reads, as people read it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pandas as pd

from avcache.core.accesses import LOAD, Columns
from avcache.formats import format_clock, format_count, format_percent, format_seconds
from avcache.ops.whatif import WhatIf

__all__ = ["FEWEST_READS", "TTLS", "busiest", "describe_replay", "exported", "ttls_with", "what_if_table"]

TTLS: Final = (60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0)
"""Seconds."""

FEWEST_READS: Final = 50
"""Fewer say more about chance than about a ttl."""


def ttls_with(setting: float) -> tuple[float, ...]:
    """`TTLS`, and the *setting* among them."""
    return tuple(sorted({*TTLS, float(setting)}))


def busiest(columns: Columns) -> dict[str, int]:
    """How many reads there are of each namespace, the most read first."""
    reads = columns.namespaces[columns.kinds != LOAD]
    counts = {name: int((reads == place).sum()) for place, name in enumerate(columns.namespace_names)}
    return {name: counts[name] for name in sorted(counts, key=lambda one: (-counts[one], one)) if counts[name]}


def describe_replay(found: WhatIf, now: float) -> str:
    """Whose accesses were replayed."""
    if not found.reads or found.since is None:
        return "This process has read nothing here yet."
    since = format_clock(found.since, now)
    return (
        f"Replayed: {format_count(found.reads)} reads of {format_count(found.keys)} keys by this process since {since}."
    )


def what_if_table(found: WhatIf, setting: float) -> pd.DataFrame:
    """One row per ttl (seconds); the last column holds the time spent loading against that of the *setting*."""
    now = next((row.load_seconds for row in found.rows if row.ttl == setting), None)
    return pd.DataFrame(
        {
            "TTL": [_ttl(row.ttl, setting) for row in found.rows],
            "Hit rate": [format_percent(row.hit_rate) for row in found.rows],
            "Mean age of a hit": [format_seconds(row.mean_age) for row in found.rows],
            "Loads": [row.loads for row in found.rows],
            "Loading": [format_seconds(row.load_seconds) for row in found.rows],
            "Against the setting": [_change(row.load_seconds, now) for row in found.rows],
        }
    )


def exported(found: WhatIf) -> pd.DataFrame:
    """The same as it goes into a file, in plain numbers."""
    return pd.DataFrame(
        {
            "namespace": [found.namespace or ""] * len(found.rows),
            "ttl_seconds": [row.ttl for row in found.rows],
            "hit_rate": [row.hit_rate for row in found.rows],
            "mean_age_seconds": [row.mean_age for row in found.rows],
            "loads": [row.loads for row in found.rows],
            "load_seconds": [row.load_seconds for row in found.rows],
            "unknown_loads": [row.unknown_loads for row in found.rows],
        }
    )


def _ttl(ttl: float, setting: float) -> str:
    return f"{format_seconds(ttl)}, the setting" if ttl == setting else format_seconds(ttl)


def _change(seconds: float | None, setting: float | None) -> str:
    if seconds is None or not setting:
        return "–"
    return f"{100 * (seconds / setting - 1):+.0f} %"


def labels(ttls: Sequence[float]) -> list[str]:
    """Short names of *ttls*, for a chart."""
    return [format_seconds(ttl).replace(".0 s", " s") for ttl in ttls]
