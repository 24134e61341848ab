"""
One decision, two ways to carry it out: what has to be done is said in steps, which threads and coroutines both can do.

A story is a generator. It yields steps and is sent what they brought, or thrown what they raised; what it returns is
the result.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from avcache.forks import renew_in_children

__all__ = ["Ask", "Interrupted", "Load", "Story", "TooLong", "Wait", "carry_out", "carry_out_async"]

T = TypeVar("T")
_MOST_WAITERS: Final = 64


class Stopped(Exception):
    """A loader raised StopIteration, which no generator lets through."""

    def __init__(self, stop: StopIteration) -> None:
        super().__init__(stop)
        self.stop = stop


class TooLong(Exception):
    """A wait was longer than it may be."""


class Interrupted(Exception):
    """What was waited for was given up by the one who did it."""


@dataclass(frozen=True, slots=True)
class Ask:
    """
    Call *question*, which may wait for the store.

    *at_once*: it will not. *is_long*: it may wait for other processes; it is given a function that says whether its
    answer is still wanted.
    """

    question: Callable[..., Any]
    at_once: bool = False
    is_long: bool = False


@dataclass(frozen=True, slots=True)
class Load:
    """Call what the caller gave to load with, a function or a coroutine function, with *arguments*, inside *around*."""

    around: AbstractContextManager[Any]
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait for *flight*, for *seconds* at most. Raises `TooLong`, `Interrupted`, or what the flight raised."""

    flight: Future[Any]
    seconds: float


Step = Ask | Load | Wait
Story = Generator[Step, Any, T]


def carry_out(story: Story[T], load: Callable[..., Any]) -> T:
    """Do what *story* asks for in this thread."""
    answer, error = None, None
    while True:
        try:
            step = story.send(answer) if error is None else story.throw(error)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        except Stopped as exc:
            raise exc.stop from None
        answer, error = None, None
        try:
            answer = _do(step, load)
        except BaseException as exc:  # noqa: BLE001 - the story decides
            error = exc


async def carry_out_async(story: Story[T], load: Callable[..., Awaitable[Any]]) -> T:
    """Do what *story* asks for in this task; what may wait for a store is done in a thread."""
    answer, error = None, None
    while True:
        try:
            step = story.send(answer) if error is None else story.throw(error)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        answer, error = None, None
        try:
            answer = await _ado(step, load)
        except BaseException as exc:  # noqa: BLE001 - as above
            error = exc


class _Waiters:
    """Threads that wait for other processes, apart from those that store what they wait for."""

    def __init__(self) -> None:
        self.begin_anew()
        renew_in_children(self)

    def begin_anew(self) -> None:
        """In a forked process: threads of its own."""
        self.pool = ThreadPoolExecutor(_MOST_WAITERS, "avcache-waits")


_waiters = _Waiters()


def _do(step: Step, load: Callable[..., Any]) -> Any:
    match step:
        case Ask():
            return step.question(lambda: True) if step.is_long else step.question()
        case Load():
            try:
                with step.around:
                    return load(*step.arguments)
            except StopIteration as exc:
                raise Stopped(exc) from None
        case Wait():
            try:
                step.flight.exception(step.seconds)
            except TimeoutError:
                raise TooLong from None
            except CancelledError:
                raise Interrupted from None
            return step.flight.result()


async def _long(step: Ask) -> Any:
    import asyncio  # noqa: PLC0415 - as above

    given_up = threading.Event()
    try:
        return await asyncio.get_running_loop().run_in_executor(
            _waiters.pool, step.question, lambda: not given_up.is_set()
        )
    finally:  # cancelled, the thread would go on waiting for nobody
        given_up.set()


async def _ado(step: Step, load: Callable[..., Awaitable[Any]]) -> Any:
    import asyncio  # noqa: PLC0415 - a third of the time that `import avcache` would take

    match step:
        case Ask():
            if step.is_long:
                return await _long(step)
            return step.question() if step.at_once else await asyncio.to_thread(step.question)
        case Load():
            with step.around:
                return await load(*step.arguments)
        case Wait():
            # `wait` leaves the flight alone: a waiter that is cancelled must not cancel it for all others.
            flight = asyncio.wrap_future(step.flight)
            # Looked at, however it ends: one that nobody asked is logged as an error.
            flight.add_done_callback(lambda done: done.cancelled() or done.exception())
            await asyncio.wait([flight], timeout=step.seconds)
            if not step.flight.done():
                raise TooLong
            if step.flight.cancelled():
                raise Interrupted
            return step.flight.result()
