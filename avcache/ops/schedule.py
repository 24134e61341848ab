"""A warm-up by the clock: what it is, what of it is usable, and when it is due."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

import msgspec

from avcache.errors import InvalidInput, SerializationError
from avcache.ops.coverage import KINDS
from avcache.ops.cron import timing

__all__ = [
    "Due",
    "LastRun",
    "Outcome",
    "Policy",
    "Schedule",
    "ScheduleView",
    "checked",
    "decode_run",
    "decode_schedules",
    "due",
    "encode",
    "next_of",
]

logger = logging.getLogger(__name__)

Policy = Literal["catch_up", "skip"]
"""What becomes of runs at whose time nobody was there: one run as soon as somebody is, or none."""

Outcome = Literal["started", "ended", "skipped"]

_LATE: Final = 60.0
_LONGEST_NAME: Final = 80


@dataclass(frozen=True, slots=True)
class Schedule:
    """
    A warm-up by the clock.

    Attributes:
        cron: Five fields, as `ops.cron` reads them in *zone*.
        universe: The name of one; else None, and *tickers* are named.
        kinds: What is loaded of each ticker, of `coverage.KINDS`.
        since: Wall clock: what was due before (until it was made, changed or resumed) is nobody's business.
    """

    id: str
    name: str
    cron: str
    zone: str
    universe: str | None
    tickers: tuple[str, ...]
    kinds: tuple[str, ...]
    policy: Policy
    is_paused: bool
    created_at: float
    created_by: str
    since: float


@dataclass(frozen=True, slots=True)
class LastRun:
    """
    What became of the run that was due at *fire_at*: it has *started* (and maybe died with its process), has *ended*
    with a *result*, or was *skipped*, as nobody was there in time. *noted_at* is when that was known.
    """

    fire_at: float
    outcome: Outcome
    noted_at: float
    result: str = ""
    job_id: str | None = None


@dataclass(frozen=True, slots=True)
class ScheduleView:
    """A schedule, when it is due next (None: paused, or its zone is unknown here), and its last run, if any."""

    schedule: Schedule
    next_at: float | None
    last_run: LastRun | None


@dataclass(frozen=True, slots=True)
class Due:
    """A run that is this process' to begin. *is_late* says that it makes up for what was missed."""

    schedule: Schedule
    fire_at: float
    is_late: bool


encode: Final = msgspec.msgpack.Encoder().encode
_decode_schedules = msgspec.msgpack.Decoder(tuple[Schedule, ...]).decode
_decode_run = msgspec.msgpack.Decoder(LastRun).decode


def decode_schedules(raw: bytes | None) -> tuple[Schedule, ...]:
    """Raises `SerializationError`, so that schedules of another release are not lost by adding one."""
    if raw is None:
        return ()
    try:
        return _decode_schedules(raw)
    except msgspec.MsgspecError as exc:
        raise SerializationError(f"the schedules on the store cannot be understood: {exc}") from exc


def decode_run(raw: bytes | None) -> LastRun | None:
    """None also for what cannot be understood: then it is as if it had not run yet."""
    try:
        return None if raw is None else _decode_run(raw)
    except msgspec.MsgspecError:
        return None


def checked(made: Schedule, known_universe: Callable[[str], bool], was: Schedule | None = None) -> Schedule:
    """
    Return *made* with its texts trimmed.

    Args:
        was: What it was before: a universe or a zone that is gone by now is no obstacle to another change.

    Raises:
        InvalidInput: Something in it is not usable.
    """
    name = made.name.strip() if isinstance(made.name, str) else ""
    if not 1 <= len(name) <= _LONGEST_NAME or not name.isprintable():
        raise InvalidInput("name", made.name, f"1 to {_LONGEST_NAME} characters in one line")
    if was is None or (made.cron, made.zone) != (was.cron, was.zone):
        timing(made.cron, made.zone)
    if (made.universe is None) == (not made.tickers):
        given = (made.universe, *made.tickers)
        raise InvalidInput("universe", given, "either the name of a universe or tickers, one of the two")
    is_new = was is None or made.universe != was.universe
    if made.universe is not None and is_new and not known_universe(made.universe):
        raise InvalidInput("universe", made.universe, "the name of a universe")
    kinds = tuple(kind for kind in KINDS if kind in made.kinds)
    if not kinds or set(made.kinds) - set(kinds):
        raise InvalidInput("kinds", made.kinds, f"one or more of {', '.join(KINDS)}")
    if made.policy not in get_args(Policy):
        raise InvalidInput("policy", made.policy, f"one of {', '.join(get_args(Policy))}")
    return replace(made, name=name, cron=" ".join(made.cron.split()), kinds=kinds)


def due(schedule: Schedule, last: LastRun | None, now: float) -> Due | None:
    """The newest run whose time has come and that nobody has claimed yet; those before it are missed."""
    if schedule.is_paused:
        return None
    try:
        fire_at = timing(schedule.cron, schedule.zone).last_until(now, _begin(schedule, last))
    except InvalidInput as exc:  # a zone that this machine does not know: another one may
        logger.debug("schedule.unreadable", extra={"schedule": schedule.name, "error": str(exc)})
        return None
    return None if fire_at is None else Due(schedule, fire_at, is_late=now - fire_at > _LATE)


def next_of(schedule: Schedule, last: LastRun | None, now: float) -> float | None:
    """When it is due after *now*; None if it is paused, or its zone is unknown here."""
    if schedule.is_paused:
        return None
    try:
        found = timing(schedule.cron, schedule.zone).next_after(max(now, _begin(schedule, last)))
    except InvalidInput:
        return None
    return found if math.isfinite(found) else None


def _begin(schedule: Schedule, last: LastRun | None) -> float:
    """After when runs count."""
    return schedule.since if last is None else max(schedule.since, last.fire_at)
