"""Expiry: what will have to be loaded again, and when? Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from avcache.formats import counted, format_age, format_clock, format_count, format_seconds
from avcache.ops.forecast import Forecast
from avcache.ops.snapshot import Due, NamespaceSize, Snapshot

__all__ = ["ExpiryModel", "describe_cliffs", "describe_due", "describe_shown", "expiry"]

_BUCKETS = 30
_HORIZON = 3600.0
"""Where several namespaces are shown, one of a day would leave all others in the first bucket."""

_WIDTHS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400)
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

    Of one *namespace* all is shown; of all together, the next hour at most.
    """
    wanted = [found for name, found in snapshot.namespaces.items() if namespace in {None, name}]
    finest = {found.name: _finest(found, age, whole=namespace is not None) for found in wanted}
    longest = max((due.width * _used(due.keys) for due in finest.values()), default=0.0)
    width = next((nice for nice in _WIDTHS if longest <= nice * _BUCKETS), longest / _BUCKETS)
    number = max(1, math.ceil(longest / width)) if longest else 1
    shown = {name: due for name, due in finest.items() if any(due.keys)}
    gone = {found.name: _passed(found, age) for found in wanted}
    fresh = sum(found.fresh - gone[found.name] for found in wanted)
    minutes = [_from_minute(found, age) for found in wanted]
    soon = sum(sum(due.keys[:_SOON_MINUTES]) for due in minutes)
    return ExpiryModel(
        width=float(width),
        starts=tuple(float(at * width) for at in range(number)),
        counts={name: due.binned(due.keys, width, number) for name, due in shown.items()},
        sizes={name: due.binned(due.bytes, width, number) for name, due in shown.items()},
        next_text=_next(wanted, age),
        soon_text=format_count(soon),
        refill_text=format_seconds(sum(sum(due.load_seconds[:_SOON_MINUTES]) for due in minutes)) if soon else "–",
        stale=sum(found.stale + gone[found.name] for found in wanted),
        fresh=fresh,
        later=max(0, fresh - sum(sum(due.keys) for due in shown.values())),
    )


@dataclass(frozen=True, slots=True)
class _Steps:
    """What falls due in steps of *width* seconds from now."""

    width: float
    keys: Sequence[int]
    bytes: Sequence[int]

    def binned(self, column: Sequence[int], width: float, number: int) -> tuple[int, ...]:
        """The same in *number* wider steps; each narrow one belongs where its middle lies."""
        made = [0] * number
        for at, value in enumerate(column):
            made[min(number - 1, int((at + 0.5) * self.width / width))] += value
        return tuple(made)


def _finest(found: NamespaceSize, age: float, *, whole: bool) -> _Steps:
    """As finely as the snapshot has it: all of it, or the next hour."""
    if whole or found.width * len(found.due.keys) <= _HORIZON:
        due = _after(found.due, int(age // found.width))
        return _Steps(found.width, due.keys, due.bytes)
    due = _from_minute(found, age)
    minutes = round(_HORIZON / _MINUTE)
    return _Steps(_MINUTE, due.keys[:minutes], due.bytes[:minutes])


def _from_minute(found: NamespaceSize, age: float) -> Due:
    return _after(found.due_minutes, int(age // _MINUTE))


def _after(due: Due, steps: int) -> Due:
    span = slice(max(0, steps), None)
    return Due(due.keys[span], due.bytes[span], due.load_seconds[span], due.unknown[span])


def _passed(found: NamespaceSize, age: float) -> int:
    """How many of those that were fresh are past their ttl by now."""
    return sum(found.due_minutes.keys[: int(age // _MINUTE)])


def _used(keys: Sequence[int]) -> int:
    return max((at + 1 for at, count in enumerate(keys) if count), default=0)


def _next(wanted: Sequence[NamespaceSize], age: float) -> str:
    fresh = [found for found in wanted if found.fresh]
    if not fresh:
        return "–"
    soonest = min(found.soonest for found in fresh) - age
    return format_age(soonest) if soonest > 0 else "now"


def describe_shown(model: ExpiryModel) -> str:
    """How many of the fresh entries are in the histogram, and what of those that are not."""
    shown = model.fresh - model.later
    if not model.later:
        return counted(shown, "fresh key")
    if not shown:
        return f"{counted(model.later, 'fresh key')}, all for longer than an hour: choose a namespace to see until when"
    return f"{counted(shown, 'fresh key')}; {model.later:,} more for longer than an hour: choose their namespace"


def describe_due(due: Forecast) -> str:
    """What the next hour costs if all of it is asked for again."""
    keys, seconds = sum(due.keys), sum(due.load_seconds)
    if not keys:
        return "Nothing falls due within an hour."
    if due.unknown >= keys:
        return f"{keys:,} keys fall due within an hour; what loading them takes is not known."
    text = f"{keys:,} keys fall due within an hour; loading them took {format_seconds(seconds)} last time."
    return f"{text} Of {due.unknown:,} it is not known." if due.unknown else text


def describe_cliffs(due: Forecast, now: float) -> str:
    """The dearest cliffs, or nothing: what expires together, when, what loading it costs. *now*: the first minute."""
    told = [
        f"{cliff.keys:,} {cliff.namespace} keys at {format_clock(now + (cliff.minute + 0.5) * 60)[:5]} "
        f"({format_seconds(cliff.load_seconds)})"
        for cliff in due.cliffs[:_CLIFFS_SHOWN]
    ]
    return f"Expiring together: {', '.join(told)}." if told else ""
