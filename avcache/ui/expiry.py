"""Expiry: what will have to be loaded again, and when? Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from avcache.formats import format_age, format_clock, format_count, format_seconds
from avcache.ops.forecast import Forecast
from avcache.ops.snapshot import Due, NamespaceSize, Snapshot

__all__ = ["ExpiryModel", "describe_cliffs", "describe_due", "expiry"]

_BUCKETS = 30
_HORIZON = 3600.0
"""Where several namespaces are shown, one of a day would leave all others in the first bucket."""

_MINUTE = 60.0
_SOON_MINUTES = 5
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


def expiry(snapshot: Snapshot, namespace: str | None = None, *, age: float = 0.0) -> ExpiryModel:
    """
    Put what is fresh into buckets by the time that is left, *age* seconds after the snapshot was taken.

    Of one *namespace* all is shown, in buckets that suit the longest time; of all together, the next hour.
    """
    wanted = [found for name, found in snapshot.namespaces.items() if namespace in {None, name}]
    width = _HORIZON / _BUCKETS if namespace is None else next((found.width for found in wanted), 1.0)
    buckets = {found.name: _buckets(found, age, whole=namespace is not None) for found in wanted}
    shown = {name: found for name, found in buckets.items() if any(found.keys)}
    number = max((_used(found.keys) for found in shown.values()), default=1)
    gone = {found.name: _passed(found, age) for found in wanted}
    fresh = sum(found.fresh - gone[found.name] for found in wanted)
    minutes = [_from_minute(found, age) for found in wanted]
    soon = sum(sum(due.keys[:_SOON_MINUTES]) for due in minutes)
    return ExpiryModel(
        width=width,
        starts=tuple(at * width for at in range(number)),
        counts={name: found.keys[:number] for name, found in shown.items()},
        sizes={name: found.bytes[:number] for name, found in shown.items()},
        next_text=_next(wanted, age),
        soon_text=format_count(soon),
        refill_text=format_seconds(sum(sum(due.load_seconds[:_SOON_MINUTES]) for due in minutes)) if soon else "–",
        stale=sum(found.stale + gone[found.name] for found in wanted),
        fresh=fresh,
        later=max(0, fresh - sum(sum(found.keys) for found in shown.values())),
    )


def _buckets(found: NamespaceSize, age: float, *, whole: bool) -> Due:
    """What is left of a namespace, in buckets of its own (*whole*), or in those of the next hour."""
    if whole:
        passed = int(age // found.width)
        return _after(found.due, passed, len(found.due.keys))
    per = round(_HORIZON / _BUCKETS / _MINUTE)
    due = _from_minute(found, age)

    def grouped(column: Sequence[float]) -> tuple[Any, ...]:
        return tuple(sum(column[at : at + per]) for at in range(0, round(_HORIZON / _MINUTE), per))

    return Due(grouped(due.keys), grouped(due.bytes), grouped(due.load_seconds), grouped(due.unknown))


def _from_minute(found: NamespaceSize, age: float) -> Due:
    return _after(found.due_minutes, int(age // _MINUTE), len(found.due_minutes.keys))


def _after(due: Due, steps: int, number: int) -> Due:
    span = slice(max(0, steps), max(0, steps) + number)
    return Due(due.keys[span], due.bytes[span], due.load_seconds[span], due.unknown[span])


def _passed(found: NamespaceSize, age: float) -> int:
    """How many of those that were fresh are past their ttl by now."""
    return sum(found.due_minutes.keys[: int(age // _MINUTE)])


def _used(keys: Sequence[int]) -> int:
    return max((at + 1 for at, count in enumerate(keys) if count), default=1)


def _next(wanted: Sequence[NamespaceSize], age: float) -> str:
    fresh = [found for found in wanted if found.fresh]
    if not fresh:
        return "–"
    soonest = min(found.soonest for found in fresh) - age
    return format_age(soonest) if soonest > 0 else "now"


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
