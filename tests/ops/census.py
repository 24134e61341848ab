"""A census made by hand."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from avcache.backends.barriers import Barriers
from avcache.backends.base import Slice
from avcache.core.census import Census, CensusTaker
from avcache.core.entry import Head, encode
from avcache.ops.snapshot import Snapshot, snapshot_of

__all__ = ["NOW", "Kept", "census", "snapshot"]

NOW = 1_700_000_000.0


@dataclass(frozen=True)
class Kept:
    """An entry with *left* seconds of its *ttl*; *took*: what loading it took."""

    key: str
    left: float = 100.0
    ttl: float = 300.0
    took: float | None = 0.5
    is_absent: bool = False
    is_foreign: bool = False
    payload: bytes = b"x"


def census(entries: Iterable[Kept], share: float = 1.0) -> Census:
    """As a survey of a store that holds *entries* would have it."""
    taker, kept = CensusTaker(Barriers()), list(entries)
    heads = [_bytes(one) for one in kept]
    taker.add(
        Slice(
            [one.key.encode() for one in kept],
            [math.inf if one.is_foreign else one.left + 3600 for one in kept],
            [len(head) for head in heads],
            heads,
            share,
        )
    )
    return taker.result()


def snapshot(entries: Iterable[Kept], share: float = 1.0) -> Snapshot:
    """What is told of *entries* at `NOW`."""
    return snapshot_of(census(entries, share), NOW, is_exact=True)


def _bytes(one: Kept) -> bytes:
    if one.is_foreign:
        return b"none of ours"
    ends = NOW + one.left
    return encode(Head(one.key, ends - one.ttl, ends, one.took, is_absent=one.is_absent), one.payload)
