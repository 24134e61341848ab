"""What a million distinct keys take of a process whose cache is bound to 64 MB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

from benchmarks.report import Bar, Row, times
from benchmarks.workers import started

__all__ = ["rows"]

_KEYS = 1_000_000
_BOUND = 64 * 2**20
_VALUES = {"price": "floats", "score": "dicts of 300 B"}


def rows(_url: str) -> Iterator[Row]:
    bar = Bar(1.1 * _BOUND, unit=_megabytes)
    with ExitStack() as stack:
        workers = {
            value: stack.enter_context(started(1, "benchmarks.memory_worker", value, str(_BOUND), str(_KEYS)))[0]
            for value in _VALUES
        }
        for value, words in _VALUES.items():
            told = workers[value].hear()
            if not told["is_kept"]:
                raise ValueError("wanted: the last value set")
            yield Row(
                f"resident growth, {_KEYS:,} {words} against a bound of {_megabytes(_BOUND)} (one run)",
                _megabytes(told["growth"]),
                f"{times(told['growth'] / _BOUND)} the bound",
                str(bar),
                bar.verdict(told["growth"]),
                f"{told['entries']:,} entries kept at the end",
            )


def _megabytes(size: float) -> str:
    return f"{size / 2**20:.1f} MB".replace(".0 ", " ")
