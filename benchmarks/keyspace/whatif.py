"""How long it takes to replay a full ring of accesses under eight ttls."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from avcache.core.accesses import HIT, LOAD, Columns
from avcache.ops.whatif import what_if
from benchmarks.keyspace.stage import Stage, check, median_row
from benchmarks.measure import Samples
from benchmarks.report import Bar, Row

__all__ = ["rows"]

_TTLS = (60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0)
_ACCESSES, _KEYS = 1_000_000, 15_000
_SKEW = 0.9
_HOURS = 6.5
_LOAD_EVERY = 10
_ROUNDS = 5
_BAR = Bar(1.0)


def rows(_stage: Stage) -> Iterator[Row]:
    """One, of accesses that are made up: the store is not asked. Raises `ValueError` if a read is lost."""
    columns, taken = _day(), list[float]()
    for _ in range(_ROUNDS):
        begun = time.perf_counter()
        found = what_if(columns, _TTLS)
        taken.append(time.perf_counter() - begun)
        check(found.reads == int((columns.kinds != LOAD).sum()) and len(found.rows) == len(_TTLS), "all reads replayed")
    what = f"what-if: {_ACCESSES:,} accesses under {len(_TTLS)} ttls"
    yield median_row(what, Samples(tuple(taken)), _BAR)


def _day() -> Columns:
    """
    A million reads of 15,000 keys in the hours of a trading day; how often each is read falls with its rank to the
    power of 0.9 (Zipf). Every tenth is a load besides.
    """
    chance = np.random.default_rng(7)
    weights = np.arange(1, _KEYS + 1) ** -_SKEW
    numbers = chance.integers(0, 2**44, _KEYS)
    keys = numbers[chance.choice(_KEYS, _ACCESSES, p=weights / weights.sum())]
    at = 1.7e9 + np.sort(chance.uniform(0, _HOURS * 3600, _ACCESSES))
    loaded = np.arange(0, _ACCESSES, _LOAD_EVERY)
    order = np.argsort(np.concatenate((np.arange(_ACCESSES), loaded)), kind="stable")
    is_load = order >= _ACCESSES
    return Columns(
        keys=np.concatenate((keys, keys[loaded]))[order],
        namespaces=np.zeros(order.size, np.uint8),
        kinds=np.where(is_load, LOAD, HIT).astype(np.uint8),
        at=np.concatenate((at, at[loaded]))[order],
        seconds=np.where(is_load, 0.25, np.nan).astype(np.float32),
        names={int(number): f"price:T{rank}" for rank, number in enumerate(numbers)},
        namespace_names=("price",),
    )
