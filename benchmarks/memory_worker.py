"""One fresh process that sets a million distinct keys in memory, and says by how much it grew."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.data import PRICE, SCORE, TTL, is_same
from benchmarks.stores import own
from benchmarks.workers import answer

_BATCH = 1_000
_BATCHES_BETWEEN_LOOKS = 20
_STATM = Path("/proc/self/statm")


def main(value: object, bound: int, keys: int) -> None:
    """The most that was resident at any look, less what was resident before the first of *keys* keys, in bytes."""
    settings = {"CACHE_MEMORY_MAX_BYTES": str(bound), "CACHE_MEMORY_MAX_ENTRIES": str(10 * keys)}
    with own(**settings) as runtime:
        cache = runtime.cache
        cache.set_many({f"momentum:W{number}": value for number in range(_BATCH)}, ttl=TTL)
        cache.clear("*")
        gc.collect()
        before, most = _resident(), 0
        for batch in range(keys // _BATCH):
            numbers = range(batch * _BATCH, (batch + 1) * _BATCH)
            cache.set_many({f"momentum:M{number}": value for number in numbers}, ttl=TTL)
            if not batch % _BATCHES_BETWEEN_LOOKS:
                most = max(most, _resident())
        most = max(most, _resident())
        is_kept = is_same(cache.get(f"momentum:M{keys - 1}"), value)
        info = cache.info()
    answer({"growth": most - before, "is_kept": is_kept, "entries": info.keys})


def _resident() -> int:
    if _STATM.exists():
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    told = subprocess.run(["ps", "-o", "rss=", "-p", str(os.getpid())], check=True, capture_output=True, text=True)  # noqa: S603, S607
    return int(told.stdout) * 1024


if __name__ == "__main__":
    main({"price": PRICE, "score": SCORE}[sys.argv[1]], int(sys.argv[2]), int(sys.argv[3]))
