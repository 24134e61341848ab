"""One fresh process that sets a million distinct keys in memory, and says by how much it grew."""

from __future__ import annotations

import gc
import os
import sys

from benchmarks.data import PRICE, SCORE, TTL, is_same
from benchmarks.stores import own
from benchmarks.workers import answer, resident_bytes

_BATCH = 1_000
_BATCHES_BETWEEN_LOOKS = 20


def main(value: object, bound: int, keys: int) -> None:
    """The most that was resident at any look, less what was resident before the first of *keys* keys, in bytes."""
    settings = {"CACHE_MEMORY_MAX_BYTES": str(bound), "CACHE_MEMORY_MAX_ENTRIES": str(10 * keys)}
    with own(**settings) as runtime:
        cache = runtime.cache
        cache.set_many({f"momentum:W{number}": value for number in range(_BATCH)}, ttl=TTL)
        cache.clear("*")
        gc.collect()
        before, most = resident_bytes(os.getpid()), 0
        for batch in range(keys // _BATCH):
            numbers = range(batch * _BATCH, (batch + 1) * _BATCH)
            cache.set_many({f"momentum:M{number}": value for number in numbers}, ttl=TTL)
            if not batch % _BATCHES_BETWEEN_LOOKS:
                most = max(most, resident_bytes(os.getpid()))
        most = max(most, resident_bytes(os.getpid()))
        is_kept = is_same(cache.get(f"momentum:M{keys - 1}"), value)
        info = cache.info()
    answer({"growth": most - before, "is_kept": is_kept, "entries": info.keys})


if __name__ == "__main__":
    main({"price": PRICE, "score": SCORE}[sys.argv[1]], int(sys.argv[2]), int(sys.argv[3]))
