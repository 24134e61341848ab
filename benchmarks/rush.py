"""Many callers of one call, at one moment: threads that all begin when the clock says so."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from benchmarks.data import SCORE, is_same

__all__ = ["LOAD_SECONDS", "Loader", "rush", "soon"]

LOAD_SECONDS = 0.2


class Loader:
    """Takes 200 ms to come to the score, and counts how often it had to."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self.loads = 0

    def __call__(self) -> object:
        with self._mutex:
            self.loads += 1
        time.sleep(LOAD_SECONDS)
        return dict(SCORE)


def soon(seconds: float = 0.05) -> float:
    """A moment to begin at, in the clock that all processes of this machine share."""
    return time.monotonic() + seconds


def rush(call: Callable[[], object], callers: int, at: float) -> list[float]:
    """
    Seconds that each of *callers* threads waited for its answer.

    Raises:
        ValueError: One of them did not get the score.
    """
    waits: list[float] = []
    wrong: list[object] = []

    def ask() -> None:
        time.sleep(max(0.0, at - time.monotonic()))
        begun = time.perf_counter()
        answer = call()
        waits.append(time.perf_counter() - begun)
        if not is_same(answer, SCORE):
            wrong.append(answer)

    threads = [threading.Thread(target=ask) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong or len(waits) < callers:
        raise ValueError(f"{callers - len(waits) + len(wrong)} of {callers} callers got no or a wrong answer")
    return waits
