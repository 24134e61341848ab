"""Expiry: what will have to be loaded again, and when? Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from avcache.core.peek import Peek
from avcache.formats import format_age, format_clock, format_count, format_seconds
from avcache.ops.forecast import Forecast

__all__ = ["ExpiryModel", "describe_cliffs", "describe_due", "expiry"]

_BUCKETS = 30
_HORIZON = 3600.0
"""Where several namespaces are shown, one of a day would leave all others in the first bucket."""

_WIDTHS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400)
_SOON = 300.0
_CLIFFS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class ExpiryModel:
    """
    Attributes:
        width: Seconds of one bucket.
        starts: Where each bucket begins, seconds from now.
        counts: Keys in each bucket by namespace; *sizes* their bytes.
        next_text, soon_text, refill_text: The figures on top.
        stale: Entries past their ttl, kept to be served while they are loaded again.
        later: Fresh entries that expire after the last bucket.
    """

    width: float
    starts: tuple[float, ...]
    counts: Mapping[str, tuple[int, ...]]
    sizes: Mapping[str, tuple[int, ...]]
    next_text: str
    soon_text: str
    refill_text: str
    stale: int
    fresh: int
    later: int


def expiry(entries: Sequence[Peek], namespace: str | None = None) -> ExpiryModel:
    """
    Sort fresh entries into buckets by the time that is left.

    Of one *namespace* all are shown, in buckets that suit the longest of them; of all together, the next hour.
    """
    mine = [entry for entry in entries if not entry.is_foreign and namespace in {None, entry.namespace}]
    fresh = [entry for entry in mine if not entry.is_stale]
    longest = max((entry.ttl_left for entry in fresh), default=0.0)
    if namespace is None:
        longest = min(longest, _HORIZON)
    shown = [entry for entry in fresh if entry.ttl_left <= longest]
    width = next((width for width in _WIDTHS if longest <= width * _BUCKETS), math.ceil(longest / _BUCKETS) or 1)
    number = max(1, math.ceil(longest / width))
    names = sorted({entry.namespace for entry in shown})
    counts = {name: [0] * number for name in names}
    sizes = {name: [0] * number for name in names}
    for entry in shown:
        bucket = min(number - 1, int(entry.ttl_left / width))
        counts[entry.namespace][bucket] += 1
        sizes[entry.namespace][bucket] += entry.size
    soon = [entry for entry in fresh if entry.ttl_left <= _SOON]
    soonest = min(fresh, key=lambda entry: entry.ttl_left, default=None)
    return ExpiryModel(
        width=float(width),
        starts=tuple(float(at * width) for at in range(number)),
        counts={name: tuple(found) for name, found in counts.items()},
        sizes={name: tuple(found) for name, found in sizes.items()},
        next_text="–" if soonest is None else format_age(soonest.ttl_left),
        soon_text=format_count(len(soon)),
        refill_text=format_seconds(sum(entry.load_seconds or 0.0 for entry in soon)) if soon else "–",
        stale=len(mine) - len(fresh),
        fresh=len(fresh),
        later=len(fresh) - len(shown),
    )


def describe_due(due: Forecast) -> str:
    """What the next hour costs if all of it is asked for again."""
    keys, seconds = sum(due.keys), sum(due.load_seconds)
    text = f"{keys:,} keys fall due within an hour; loading them took {format_seconds(seconds)} last time."
    return f"{text} Of {due.unknown:,} it is not known." if due.unknown else text


def describe_cliffs(due: Forecast, taken_at: float) -> str:
    """The dearest cliffs, or nothing: what expires together, when, and what loading it costs."""
    told = [
        f"{cliff.keys:,} {cliff.namespace} keys at {format_clock(taken_at + (cliff.minute + 0.5) * 60)[:5]} "
        f"({format_seconds(cliff.load_seconds)})"
        for cliff in due.cliffs[:_CLIFFS_SHOWN]
    ]
    return f"Expiring together: {', '.join(told)}." if told else ""
