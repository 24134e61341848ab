"""Is the cache doing its job, and if not, where? Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from avcache.core.counters import Counts, Stats
from avcache.formats import counted, format_clock, format_count, format_percent, format_seconds
from avcache.ops.audit import Event
from avcache.ui.overview.look import Course, Look
from avcache.ui.states import describe_exactness

__all__ = ["OverviewModel", "Tile", "Trouble", "overview"]

_MARKED: Final = frozenset({"clear", "warm-up", "outage", "recovery", "undo"})
_OLD_FIGURES: Final = 10.0
_SHORT_STEP: Final = 10.0


@dataclass(frozen=True, slots=True)
class Tile:
    """
    One figure with its course.

    Attributes:
        note: What stands below it.
        change: How it differs from the same window of yesterday, `+1.2 points`; None where that is not known.
    """

    label: str
    value: str
    course: tuple[float, ...]
    help: str
    note: str = ""
    change: str | None = None


@dataclass(frozen=True, slots=True)
class Trouble:
    """How often something happened that deserves a look; *page* and *query* lead to what it counted."""

    what: str
    number: int
    page: str = ""
    query: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class OverviewModel:
    """
    Attributes:
        whose: Whose figures these are, and how old those of the others.
        rates: Hit rate 0..1 of each step by namespace, the most read first; None where nobody read.
        marks: What happened on the time axis, oldest first; None if that cannot be read now.
        exactness: How sure the keys and sizes are, and how old.
        is_empty: The store is there, and nothing is in it.
    """

    now: float
    whose: str
    tiles: tuple[Tile, ...]
    moments: tuple[float, ...]
    width: float
    rates: Mapping[str, tuple[float | None, ...]]
    marks: tuple[Event, ...] | None
    trouble: tuple[Trouble, ...]
    exactness: str
    is_empty: bool


def overview(seen: Look) -> OverviewModel:
    """What *seen* says."""
    return OverviewModel(
        now=seen.now,
        whose=_whose(seen),
        tiles=_tiles(seen),
        moments=seen.course.begins,
        width=seen.course.width,
        rates=_rates(seen.course),
        marks=None if seen.events is None else tuple(event for event in seen.events if event.kind in _MARKED),
        trouble=_trouble(seen.total),
        exactness=describe_exactness(seen.snapshot, seen.snapshot.taken_at),
        is_empty=seen.snapshot.is_empty and seen.snapshot.is_exact,
    )


def _rates(course: Course) -> dict[str, tuple[float | None, ...]]:
    reads = {name: sum(counts.requests for counts in steps) for name, steps in course.steps.items()}
    read = sorted(filter(reads.__getitem__, reads), key=lambda name: (-reads[name], name))
    return {name: tuple(counts.hit_rate for counts in course.steps[name]) for name in read}


def _whose(seen: Look) -> str:
    reads = f"{counted(seen.total.requests, 'read')} in {_label(seen.window)}"
    if not seen.is_all_processes:
        return f"{reads}, of this process alone: without Redis each counts for itself."
    alive = sum(worker.is_alive for worker in seen.workers)
    told = f"{reads}, of all workers; {alive} {'is' if alive == 1 else 'are'} alive."
    if seen.others_as_of is None:
        return f"{told} What others did is not known yet."
    if seen.now - seen.others_as_of > _OLD_FIGURES:
        return f"{told} What others did is as of {format_clock(seen.others_as_of, seen.now)}."
    return told


def _label(window: float) -> str:
    return format_seconds(window).replace("1 d", "24 h")


def _tiles(seen: Look) -> tuple[Tile, ...]:
    steps = _by_step(seen.course)
    return _rate_tile(seen, steps), _hits_tile(seen, steps), _loads_tile(seen, steps), _saved_tile(seen, steps)


def _rate_tile(seen: Look, steps: Sequence[Stats]) -> Tile:
    rate = seen.recent.total.hit_rate
    earlier = None if seen.recent.earlier is None else seen.recent.earlier.total.hit_rate
    course = tuple(step.total.hit_rate for step in steps)
    return Tile(
        "Hit rate",
        format_percent(rate),
        tuple(share * 100 for share in course if share is not None),
        "Reads answered from the cache, fresh or stale, of all reads. The console's own looks do not count.",
        note="vs yesterday" if earlier is not None else "yesterday not known",
        change=None if rate is None or earlier is None else f"{100 * (rate - earlier):+.1f} points",
    )


def _hits_tile(seen: Look, steps: Sequence[Stats]) -> Tile:
    hits = [step.total.answered for step in steps]
    requests = [step.total.requests for step in steps]
    return Tile(
        "Hits",
        _per_second(_pace(seen, hits)),
        _paces(seen, hits),
        "Reads answered from the cache, each second.",
        note=f"of {_per_second(_pace(seen, requests))} reads",
    )


def _loads_tile(seen: Look, steps: Sequence[Stats]) -> Tile:
    loads = [step.total.loads for step in steps]
    return Tile(
        "Loads",
        _per_second(_pace(seen, loads)),
        _paces(seen, loads),
        "Values computed at their source, each second; 95 % of the loads took p95 or less.",
        note=f"p95 {format_seconds(seen.recent.total.load_p95)}",
    )


def _saved_tile(seen: Look, steps: Sequence[Stats]) -> Tile:
    today = seen.today.total
    return Tile(
        "Saved today",
        format_seconds(today.saved_seconds) if today.loads else "–",
        tuple(step.saved_seconds for step in steps),
        "Loading time that hits spared since midnight: an estimate, each namespace at the mean of its own loads.",
        note=f"{counted(today.requests - today.misses, 'load')} spared",
    )


def _pace(seen: Look, numbers: Sequence[float]) -> float:
    """
    A second, over the steps that reach into the window.

    Others tell whole minutes: divided by the window alone, their last minute would count for more than it was.
    """
    begins, width = seen.course.begins, seen.course.width
    within = [at for at, begin in enumerate(begins) if begin + width > seen.now - seen.window]
    first = max(begins[within[0]], seen.by_window["24 h"].since)
    return sum(numbers[at] for at in within) / max(1.0, seen.now - first)


def _paces(seen: Look, numbers: Sequence[float]) -> tuple[float, ...]:
    """A second, step by step; without the last one while it is too short to tell."""
    elapsed = seen.now - seen.course.begins[-1]
    whole = [number / seen.course.width for number in numbers[:-1]]
    return tuple(whole if elapsed < _SHORT_STEP else [*whole, numbers[-1] / elapsed])


def _per_second(pace: float) -> str:
    if pace == 0:
        return "0/s"
    if pace < 0.095:  # noqa: PLR2004 - where one digit would be 0.0 or 0.1
        return f"{format_count(pace * 3600)}/h" if pace * 60 < 1 else f"{pace * 60:.1f}/min"
    return f"{pace:.1f}/s" if pace < 9.95 else f"{format_count(pace)}/s"  # noqa: PLR2004


def _trouble(total: Counts) -> tuple[Trouble, ...]:
    return (
        Trouble("stale served", total.stale_hits, "keys", {"keys_order": "Soonest to expire"}),
        Trouble("waited for another's load", total.coalesced),
        Trouble("load failures", total.load_failures, "warmup"),
        Trouble("values not kept", total.refused, "server"),
        Trouble("store errors", total.backend_errors, "server"),
        Trouble("foreign entries", total.foreign, "keys"),
    )


def _by_step(course: Course) -> list[Stats]:
    return [
        Stats({name: steps[at] for name, steps in course.steps.items()}, begin)
        for at, begin in enumerate(course.begins)
    ]
