"""What falls due: keys and loader seconds of the next hour, minute by minute, and the cliffs among them. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from avcache.core.peek import Peek

__all__ = ["MINUTES", "Cliff", "Forecast", "forecast"]

MINUTES: Final = 60
_MINUTE: Final = 60.0
_CLIFF_LEAST: Final = 10
_CLIFF_SHARE: Final = 0.25
_CLIFF_ABOVE_MEAN: Final = 4.0


@dataclass(frozen=True, slots=True)
class Cliff:
    """Many keys of a namespace that expire within one minute, the *minute*-th from now (from 0 on)."""

    namespace: str
    minute: int
    keys: int
    load_seconds: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """
    What will have to be loaded again if all of it is asked for.

    Attributes:
        keys: How many fall due in each minute from now.
        load_seconds: What loading them took last time, in each minute.
        unknown: Of how many keys it is not known: they were set, or it was found that there is nothing.
        cliffs: The highest first.
    """

    keys: tuple[int, ...]
    load_seconds: tuple[float, ...]
    unknown: int
    cliffs: tuple[Cliff, ...]


def forecast(entries: Iterable[Peek]) -> Forecast:
    """
    Sort what is fresh and falls due within an hour into minutes.

    A cliff is a minute in which at least ten keys of a namespace fall due, a quarter of all that it holds fresh, and
    four times as many as in the mean minute of its longest ttl.
    """
    fresh = [entry for entry in entries if not entry.is_foreign and not entry.is_stale]
    due = [entry for entry in fresh if _minute(entry) < MINUTES]
    keys, seconds = [0] * MINUTES, [0.0] * MINUTES
    for entry in due:
        keys[_minute(entry)] += 1
        seconds[_minute(entry)] += entry.load_seconds or 0.0
    unknown = sum(entry.load_seconds is None for entry in due)
    return Forecast(tuple(keys), tuple(seconds), unknown, tuple(_cliffs(fresh)))


def _cliffs(fresh: Sequence[Peek]) -> list[Cliff]:
    groups: dict[str, list[Peek]] = {}
    for entry in fresh:
        groups.setdefault(entry.namespace, []).append(entry)
    found = [cliff for name, group in groups.items() for cliff in _cliffs_of(name, group)]
    return sorted(found, key=lambda cliff: (-cliff.load_seconds, -cliff.keys, cliff.namespace, cliff.minute))


def _cliffs_of(namespace: str, group: Sequence[Peek]) -> list[Cliff]:
    mean = len(group) * _MINUTE / max(_MINUTE, *(entry.ttl for entry in group))
    least = max(_CLIFF_LEAST, _CLIFF_SHARE * len(group), _CLIFF_ABOVE_MEAN * mean)
    counts = Counter(map(_minute, group))
    return [
        Cliff(namespace, minute, count, sum(entry.load_seconds or 0.0 for entry in group if _minute(entry) == minute))
        for minute, count in counts.items()
        if minute < MINUTES and count >= least
    ]


def _minute(entry: Peek) -> int:
    return math.floor(entry.ttl_left / _MINUTE)
