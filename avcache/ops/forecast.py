"""What falls due: keys and loader seconds of the next hour, minute by minute, and the cliffs among them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from avcache.ops.snapshot import NamespaceSize, Snapshot

__all__ = ["MINUTES", "Cliff", "Forecast", "forecast"]

T = TypeVar("T", int, float)
MINUTES: Final = 60
_MINUTE: Final = 60.0
_NOTHING: Any = 0
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
        cliffs: The dearest first.
    """

    keys: tuple[int, ...]
    load_seconds: tuple[float, ...]
    unknown: int
    cliffs: tuple[Cliff, ...]


def forecast(snapshot: Snapshot, namespace: str | None = None, *, age: float = 0.0) -> Forecast:
    """
    Tell what falls due within the hour that begins *age* seconds after the snapshot, of one *namespace* or of all.

    A cliff is a minute in which at least ten keys of a namespace fall due, a quarter of all that it holds fresh, and
    four times as many as in the mean minute of its longest ttl.
    """
    passed = max(0, int(age // _MINUTE))
    wanted = [found for name, found in snapshot.namespaces.items() if namespace in {None, name}]
    dues = [found.due_minutes for found in wanted]
    cliffs = [cliff for found in wanted for cliff in _cliffs(found, passed)]
    return Forecast(
        _added([due.keys for due in dues], passed),
        _added([due.load_seconds for due in dues], passed),
        int(sum(_added([due.unknown for due in dues], passed))),
        tuple(sorted(cliffs, key=lambda cliff: (-cliff.load_seconds, -cliff.keys, cliff.namespace, cliff.minute))),
    )


def _cliffs(found: NamespaceSize, passed: int) -> list[Cliff]:
    mean = found.fresh * _MINUTE / max(_MINUTE, found.ttl)
    least = max(_CLIFF_LEAST, _CLIFF_SHARE * found.fresh, _CLIFF_ABOVE_MEAN * mean)
    due = found.due_minutes
    return [
        Cliff(found.name, minute - passed, due.keys[minute], due.load_seconds[minute])
        for minute in range(passed, min(passed + MINUTES, len(due.keys)))
        if due.keys[minute] >= least
    ]


def _added(columns: Sequence[Sequence[T]], passed: int) -> tuple[T, ...]:
    rows = [column[passed : passed + MINUTES] for column in columns]
    return tuple(sum((row[at] for row in rows if at < len(row)), start=_NOTHING) for at in range(MINUTES))
