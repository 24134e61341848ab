"""All warm-ups by the clock: any process changes them, and each run is begun by one."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from avcache.backends.board import Board, edit
from avcache.clock import Clock
from avcache.errors import InvalidInput
from avcache.market.tickers import parse_tickers
from avcache.ops.coverage import KINDS
from avcache.ops.schedule import (
    Due,
    LastRun,
    Policy,
    Schedule,
    ScheduleView,
    checked,
    decode_run,
    decode_schedules,
    due,
    encode,
    next_of,
)

__all__ = ["MOST_SCHEDULES", "Schedules"]

logger = logging.getLogger(__name__)

MOST_SCHEDULES: Final = 50

_RECORD: Final = "schedules"
_RUN: Final = "schedule-run:"
_KEPT: Final = 10 * 365 * 24 * 3600.0
"""Seconds without any change or run after which schedules are forgotten: some run once in four years."""

_LONGEST_AUTHOR: Final = 80
_LONGEST_RESULT: Final = 500


class Schedules:
    """
    The schedules on one board. Every method may raise `BackendError`, or `SerializationError` where the board holds
    schedules of another release.

    Give it a board that raises while its server is away, not one that goes on without it: what was changed there would
    be lost, and runs would be begun by every process.

    Args:
        clock: Wall clock.
        known_universe: Whether there is a universe of that name.
    """

    def __init__(self, board: Board, clock: Clock = time.time, *, known_universe: Callable[[str], bool]) -> None:
        self._board = board
        self._clock = clock
        self._known_universe = known_universe

    def add(
        self,
        name: str,
        cron: str,
        zone: str,
        *,
        universe: str | None = None,
        tickers: str | Sequence[str] = (),
        kinds: Sequence[str] = KINDS,
        policy: Policy = "catch_up",
        by: str = "",
    ) -> Schedule:
        """
        Add a schedule of a *universe* or of *tickers*; it is due for the first time after now.

        Raises:
            InvalidInput: Something given is not usable, or there are 50 already. Nothing has changed then.
        """
        now = self._clock()
        made = Schedule(
            id=uuid.uuid4().hex[:12],
            name=name,
            cron=cron,
            zone=zone,
            universe=universe,
            tickers=parse_tickers(tickers) if universe is None or tickers else (),
            kinds=tuple(kinds),
            policy=policy,
            is_paused=False,
            created_at=now,
            created_by=by[:_LONGEST_AUTHOR],
            since=now,
        )
        made = checked(made, self._known_universe)

        def with_it(found: tuple[Schedule, ...]) -> tuple[Schedule, ...]:
            if len(found) >= MOST_SCHEDULES:
                raise InvalidInput("schedules", len(found), f"at most {MOST_SCHEDULES}: remove one first")
            return (*found, made)

        self._change(with_it)
        return made

    def edit(
        self,
        schedule_id: str,
        *,
        name: str | None = None,
        cron: str | None = None,
        zone: str | None = None,
        universe: str | None = None,
        tickers: str | Sequence[str] | None = None,
        kinds: Sequence[str] | None = None,
        policy: Policy | None = None,
    ) -> Schedule:
        """
        Change what is given; a universe takes the place of tickers, and tickers that of a universe.

        Raises:
            InvalidInput: Something given is not usable, or there is no such schedule. Nothing has changed then.
        """
        plain = {"name": name, "cron": cron, "zone": zone, "policy": policy}
        changes: dict[str, object] = {field: value for field, value in plain.items() if value is not None}
        if kinds is not None:
            changes["kinds"] = tuple(kinds)
        if universe is not None or tickers is not None:
            changes["universe"] = universe
            changes["tickers"] = () if tickers is None else parse_tickers(tickers)
        if cron is not None or zone is not None:
            changes["since"] = self._clock()
        return self._replace(schedule_id, changes)

    def pause(self, schedule_id: str) -> Schedule:
        """Begin no further run of it. Raises `InvalidInput` if there is no such schedule."""
        return self._replace(schedule_id, {"is_paused": True})

    def resume(self, schedule_id: str) -> Schedule:
        """Begin runs again; those of the pause are not made up for. Raises `InvalidInput` as `pause` does."""
        return self._replace(schedule_id, {"is_paused": False, "since": self._clock()})

    def remove(self, schedule_id: str) -> None:
        """Forget it and its last run. Raises `InvalidInput` if there is no such schedule."""

        def without_it(found: tuple[Schedule, ...]) -> tuple[Schedule, ...]:
            gone = _of(found, schedule_id)
            return tuple(one for one in found if one is not gone)

        self._change(without_it)
        self._board.erase([_RUN + schedule_id])

    def all(self) -> list[ScheduleView]:
        """All schedules in the order they were added."""
        now = self._clock()
        return [
            ScheduleView(schedule, next_of(schedule, last, now), last) for schedule, _, last in self._read_with_runs()
        ]

    def due(self, now: float | None = None) -> list[Due]:
        """
        What this process has to begin now (or at *now*): of all processes that ask, one is told of each run.

        A run that is more than a minute late was missed: depending on the policy there is one for all that were, or
        none. A process that dies after it was told takes its run with it.
        """
        moment = self._clock() if now is None else now
        found = []
        for schedule, raw, last in self._read_with_runs():
            run = due(schedule, last, moment)
            if run is not None and self._claim(run, raw, moment):
                found.append(run)
        return found

    def ended(self, schedule_id: str, fire_at: float, result_text: str, job_id: str | None = None) -> None:
        """Note how the run that was due at *fire_at* ended; nothing happens if a later one has begun by now."""
        run = encode(LastRun(fire_at, "ended", self._clock(), result_text[:_LONGEST_RESULT], job_id))

        def noted(raw: bytes | None) -> bytes | None:
            last = decode_run(raw)
            return run if last is not None and last.fire_at == fire_at else None

        edit(self._board, _RUN + schedule_id, noted, _KEPT)

    def _claim(self, run: Due, raw: bytes | None, now: float) -> bool:
        """Whether the run is ours to begin; *raw* is what stands there of the one before."""
        is_skipped = run.is_late and run.schedule.policy == "skip"
        noted = LastRun(run.fire_at, "skipped" if is_skipped else "started", now)
        if not self._board.swap(_RUN + run.schedule.id, raw, encode(noted), _KEPT):
            return False
        facts = {"schedule": run.schedule.name, "fire_at": run.fire_at, "late": round(now - run.fire_at, 1)}
        logger.info("schedule.skipped" if is_skipped else "schedule.due", extra=facts)
        return not is_skipped

    def _replace(self, schedule_id: str, changes: dict[str, object]) -> Schedule:
        made: Schedule

        def with_changes(found: tuple[Schedule, ...]) -> tuple[Schedule, ...]:
            nonlocal made
            was = _of(found, schedule_id)
            made = checked(replace(was, **changes), self._known_universe, was)  # type: ignore[arg-type]
            return tuple(made if one is was else one for one in found)

        self._change(with_changes)
        return made

    def _change(self, change: Callable[[tuple[Schedule, ...]], tuple[Schedule, ...]]) -> None:
        edit(self._board, _RECORD, lambda raw: encode(change(decode_schedules(raw))), _KEPT)

    def _read_with_runs(self) -> list[tuple[Schedule, bytes | None, LastRun | None]]:
        """All schedules, with the last run of each as it stands on the board and as it is understood."""
        (raw,) = self._board.read([_RECORD])
        schedules = decode_schedules(raw)
        runs = self._board.read([_RUN + one.id for one in schedules])
        return [(one, run, decode_run(run)) for one, run in zip(schedules, runs, strict=True)]


def _of(schedules: Sequence[Schedule], schedule_id: str) -> Schedule:
    found = next((one for one in schedules if one.id == schedule_id), None)
    if found is None:
        raise InvalidInput("id", schedule_id, "the id of a schedule; it may have been removed")
    return found
