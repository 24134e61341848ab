"""Threads that begin together, and what they bring about in their own time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["together", "until"]

T = TypeVar("T")


def together(number: int, work: Callable[[int], T]) -> list[T]:
    """The results of *work* by *number* threads that begin at the same moment."""
    start = threading.Barrier(number)

    def begin(index: int) -> T:
        start.wait(10)
        return work(index)

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(begin, range(number)))


def until(is_so: Callable[[], object], patience: float = 5.0) -> None:
    """Return once it is so; fail if it is not within *patience* seconds."""
    give_up_at = time.monotonic() + patience
    while not is_so():
        assert time.monotonic() < give_up_at, "it did not happen"
        time.sleep(0.002)
