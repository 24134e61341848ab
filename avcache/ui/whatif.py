"""What another ttl would have made of the last reads, as people read it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pandas as pd

from avcache.core.accesses import LOAD, Columns
from avcache.formats import counted, format_clock, format_count, format_percent, format_seconds
from avcache.ops.whatif import WhatIf, WhatIfRow

__all__ = ["FEWEST_READS", "TTLS", "busiest", "describe_replay", "exported", "ttls_with", "what_if_table"]

TTLS: Final = (60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0)
"""Seconds."""

FEWEST_READS: Final = 50
"""Fewer say more about chance than about a ttl."""

_NEAR: Final = 0.01


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
    reads, keys, since = format_count(found.reads), counted(found.keys, "key"), format_clock(found.since, now)
    span = (found.until or found.since) - found.since
    is_short = span < max(row.ttl for row in found.rows)
    short = f" They span {format_seconds(span)}: longer times to live cannot differ." if is_short else ""
    return f"Replayed: {reads} reads of {keys} by this process since {since}.{short}"


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
    percent = round(100 * (seconds / setting - 1))
    return f"{percent:+d} %" if percent else "the same"


def labels(rows: Sequence[WhatIfRow]) -> list[str]:
    """A label for each point of the curve: points that lie on each other have one together, as in `1 min to 10 min`."""
    made, first = [""] * len(rows), 0
    for at, row in enumerate(rows):
        is_last = at + 1 == len(rows) or not _is_near(row, rows[at + 1])
        if is_last:
            begin, end = format_seconds(rows[first].ttl), format_seconds(row.ttl)
            made[at], first = (begin if first == at else f"{begin} to {end}"), at + 1
    return made


def _is_near(one: WhatIfRow, other: WhatIfRow) -> bool:
    ages, rates = (one.mean_age or 0.0, other.mean_age or 0.0), (one.hit_rate or 0.0, other.hit_rate or 0.0)
    return abs(ages[0] - ages[1]) < _NEAR * max(*ages, 1.0) and abs(rates[0] - rates[1]) < _NEAR
