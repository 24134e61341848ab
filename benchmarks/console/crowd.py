"""Many tabs at once: how long a tick takes, counted from the moment it was due, and how many never came."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from websockets.exceptions import WebSocketException

from benchmarks.console.browser import Broken, Tab, open_tab

__all__ = ["Seen", "crowd"]

_RAMP_SHARE = 0.2
"""They come one after the other within the first fifth of the time, and their ticks are spread alike."""


@dataclass(slots=True)
class Seen:
    """
    Attributes:
        first: Seconds of the first full run of each tab.
        ticks: Seconds from the moment a tick was due until it was drawn; of those that were drawn.
        missed: Ticks that were due while the one before was not drawn yet.
        errors: What went wrong, in words.
        size: Bytes that came.
    """

    first: list[float] = field(default_factory=list)
    ticks: list[float] = field(default_factory=list)
    missed: int = 0
    errors: list[str] = field(default_factory=list)
    size: int = 0


def crowd(port: int, tabs: int, seconds: float, page: str = "") -> Seen:
    """Keep *tabs* open on *page* of the console on *port* for *seconds*; blocks."""
    return asyncio.run(_crowd(port, tabs, seconds, page))


async def _crowd(port: int, tabs: int, seconds: float, page: str) -> Seen:
    seen, until = Seen(), time.perf_counter() + seconds
    tasks = []
    for _ in range(tabs):
        tasks.append(asyncio.create_task(_one(port, page, until, seen)))
        await asyncio.sleep(seconds * _RAMP_SHARE / tabs)
    await asyncio.gather(*tasks)
    return seen


async def _one(port: int, page: str, until: float, seen: Seen) -> None:
    try:
        async with open_tab(port, page) as tab:
            run = await tab.run()
            seen.first.append(run.seconds)
            seen.size += run.size
            await _tick(tab, run.intervals, until, seen)
    except (Broken, OSError, TimeoutError, WebSocketException) as exc:
        seen.errors.append(f"{type(exc).__name__}: {exc}"[:200])


async def _tick(tab: Tab, intervals: dict[str, float], until: float, seen: Seen) -> None:
    now = time.perf_counter()
    due = {fragment: now + interval for fragment, interval in intervals.items()}
    while due:
        fragment = min(due, key=lambda one: due[one])
        if due[fragment] > until:
            return
        await asyncio.sleep(max(0.0, due[fragment] - time.perf_counter()))
        seen.size += (await tab.run(fragment)).size
        late = time.perf_counter() - due[fragment]
        seen.ticks.append(late)
        missed = int(late / intervals[fragment])
        seen.missed += missed
        due[fragment] += (missed + 1) * intervals[fragment]
