"""Whether the bands of an estimate hold the truth as often as they say."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from avcache.core.census import CensusTaker
from avcache.ops.snapshot import MINUTES, Snapshot
from avcache.runtime import Runtime
from benchmarks.keyspace.stage import Stage, check
from benchmarks.report import Bar, Row

__all__ = ["rows"]

_SAMPLES = 100
_MINUTE = 60.0
_BAR = Bar(90.0, unit=lambda share: f"{share:.0f} of 100", at_least=True)
Truth = Mapping[str, npt.NDArray[np.float64]]


def rows(stage: Stage) -> Iterator[Row]:
    """Counts of the prefixes, and of what falls due in each minute."""
    stage.forget_sweep()
    with stage.runtime() as runtime:
        truth = _truth(runtime)
        check(
            {name: len(found) for name, found in truth.items()} == dict(stage.filled.prefixes), "all that was put there"
        )
        counts, minutes = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list)
        shares = []
        for _ in range(_SAMPLES):
            runtime.ops.keyspace.forget()
            snapshot = runtime.ops.keyspace.snapshot()
            check(snapshot.share < 1, "a sample")
            shares.append(snapshot.share)
            for name, fresh_until in truth.items():
                counts[name].append(_holds(snapshot, _count(snapshot, name), len(fresh_until)))
                minutes[name] += _minutes(snapshot, name, fresh_until)
    of = f"samples of {statistics.median(shares):.2%}"
    yield _row(f"95 % bands of the counts of {len(truth)} prefixes hold the truth", counts, of)
    yield _row("the same of what falls due in each minute", minutes, of)


def _truth(runtime: Runtime) -> Truth:
    """When each key stops being fresh, by prefix, ascending."""
    taker = CensusTaker(runtime.cache.backend.barriers)
    for step in runtime.cache.backend.survey():
        taker.add(step)
    census = taker.result()
    places = census.rows["namespace"]
    return {name: np.sort(census.rows["fresh_until"][places == place]) for place, name in enumerate(census.namespaces)}


def _count(snapshot: Snapshot, name: str) -> int:
    found = snapshot.namespaces.get(name)
    return 0 if found is None else found.keys


def _minutes(snapshot: Snapshot, name: str, fresh_until: npt.NDArray[np.float64]) -> list[float]:
    """Of each minute in which something falls due, whether its band holds how much that is."""
    found = snapshot.namespaces.get(name)
    told: Sequence[int] = (0,) * MINUTES if found is None else found.due_minutes.keys
    edges = snapshot.taken_at + _MINUTE * np.arange(MINUTES + 1)
    due = np.diff(np.searchsorted(fresh_until, edges)).tolist()
    return [_holds(snapshot, count, really) for count, really in zip(told, due, strict=True) if really]


def _holds(snapshot: Snapshot, count: int, really: int) -> float:
    low, high = snapshot.band(count)
    return 100.0 if low <= really <= high else 0.0


def _row(what: str, found: Mapping[str, Sequence[float]], beside: str) -> Row:
    held = {name: statistics.mean(values) for name, values in found.items()}
    mean, worst = statistics.mean(held.values()), min(held, key=lambda name: held[name])
    spread = f"{mean:.1f} of 100 ({min(held.values()):.1f}–{max(held.values()):.1f} by prefix)"
    return Row(what, spread, f"worst: `{worst}` {held[worst]:.1f}; {beside}", str(_BAR), _BAR.verdict(mean))
