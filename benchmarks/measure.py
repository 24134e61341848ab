"""Contenders run in turn: seconds of one call, round by round, so that all of them meet the same machine."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import itertools
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from benchmarks.data import is_same

__all__ = ["REMOTE_ROUNDS", "ROUNDS", "Contender", "Samples", "finish", "race", "reading", "rotated", "sweep"]

T = TypeVar("T")

ROUNDS = 11
REMOTE_ROUNDS = 25
"""A round trip takes what the cores' sleep and their other guests make of it: more rounds, for a steadier median."""
_SECONDS = 0.04
_ENOUGH_TO_TELL = 0.002


@dataclass(frozen=True, slots=True)
class Contender:
    """*call* (`def` or `async def`) is timed with *argument*; *check* says before and after whether it does its job."""

    name: str
    call: Callable[[Any], object]
    argument: object
    check: Callable[[], bool]


def reading(name: str, call: Callable[[Any], object], argument: object, expected: object) -> Contender:
    """A contender whose every call answers *expected*."""
    return Contender(name, call, argument, lambda: is_same(finish(call(argument)), expected))


@dataclass(frozen=True, slots=True)
class Samples:
    """One figure for each round."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def text(self, unit: Callable[[float], str]) -> str:
        """Median and spread in words: `1.2 µs (1.1 µs–1.4 µs)`."""
        return f"{unit(self.median)} ({unit(min(self.values))}–{unit(max(self.values))})"

    def over(self, other: Samples) -> Samples:
        """The ratio of each round."""
        return Samples(tuple(mine / its for mine, its in zip(self.values, other.values, strict=True)))


def race(contenders: Sequence[Contender], *, rounds: int = ROUNDS) -> dict[str, Samples]:
    """Seconds of one call, by contender. Raises `ValueError` for one that answers wrongly."""
    _check(contenders)
    sizes = {contender.name: _size(contender) for contender in contenders}
    taken: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    for turn in range(rounds):
        for contender in rotated(contenders, turn):
            number = sizes[contender.name]
            taken[contender.name].append(_timed(contender, number) / number)
    _check(contenders)
    return {name: Samples(tuple(values)) for name, values in taken.items()}


def rotated(items: Sequence[T], turn: int) -> list[T]:
    """*items* in a circle, beginning with another one each turn."""
    start = turn % len(items)
    return [*items[start:], *items[:start]]


def finish(answer: object) -> object:
    """The answer itself, or what it resolves to if it has to be awaited."""
    return _loop().run_until_complete(_awaited(answer)) if inspect.isawaitable(answer) else answer


def sweep(call: Callable[[Any], object], argument: object, number: int) -> None:
    """Call *number* times, with as little around each call as Python allows."""
    for _ in itertools.repeat(None, number):
        call(argument)


def _check(contenders: Sequence[Contender]) -> None:
    for contender in contenders:
        if not contender.check():
            raise ValueError(f"{contender.name}: a wrong answer for {contender.argument!r:.80}")


def _size(contender: Contender) -> int:
    """How many calls make a round."""
    number = 1
    while (seconds := _timed(contender, number)) < _ENOUGH_TO_TELL:
        number *= 2
    return max(1, round(number * _SECONDS / seconds))


def _timed(contender: Contender, number: int) -> float:
    gc.disable()  # as timeit does: nobody is to pay for the garbage of another
    try:
        if inspect.iscoroutinefunction(contender.call):
            return _loop().run_until_complete(_async_sweep(contender, number))
        begun = time.perf_counter()
        sweep(contender.call, contender.argument, number)
        return time.perf_counter() - begun
    finally:
        gc.enable()


async def _async_sweep(contender: Contender, number: int) -> float:
    call: Any = contender.call
    begun = time.perf_counter()
    for _ in itertools.repeat(None, number):
        await call(contender.argument)
    return time.perf_counter() - begun


async def _awaited(answer: Any) -> object:
    return await answer


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    """One for all: the connections of the asynchronous peers live in it."""
    return asyncio.new_event_loop()
