"""Who did what: an entry for each act, on the board all processes share, and the marks that charts show of it."""

from __future__ import annotations

import logging
import math
import sys
import time
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from avcache.backends.board import Board
from avcache.clock import Clock
from avcache.errors import BackendError
from avcache.formats import format_count

__all__ = ["MOST_ENTRIES", "Audit", "AuditEntry", "Event", "EventKind"]

logger = logging.getLogger(__name__)

MOST_ENTRIES: Final = 10_000
"""Older entries go."""

_LOG: Final = "audit"
_FEW: Final = 200
_LONGEST: Final = {"actor": 80, "action": 40, "object": 512, "reason": 500, "result": 500, "job": 80}

EventKind = Literal["clear", "warm-up", "outage", "recovery", "undo", "other"]
_KINDS: Final[dict[str, EventKind]] = {
    "clear": "clear",
    "warm-up": "warm-up",
    "warmup": "warm-up",
    "outage": "outage",
    "recovery": "recovery",
    "undo": "undo",
}
_SEEN_BY_ALL: Final[frozenset[EventKind]] = frozenset({"outage", "recovery"})
_SAME: Final = 10.0
"""Seconds within which all processes notice one outage, or its end: each finds out by itself."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """
    One act.

    Attributes:
        at: Wall clock.
        actor: Who: a name, or `avcache` for what happened by itself.
        action: What was done: `clear`, `warm-up`, `undo`, …
        object: To what: a pattern, tickers, the name of a schedule.
        planned: How many keys or tickers were to be touched; None where nobody counted.
        done: How many were.
        reason: Why, in the actor's words.
        result: How it ended.
        job: The id of the job that did it.
    """

    at: float
    actor: str
    action: str
    object: str
    planned: int | None = None
    done: int | None = None
    reason: str = ""
    result: str = ""
    job: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """A mark in a chart: when (wall clock), of what kind, and what it says. Nothing in *text* is markup."""

    at: float
    kind: EventKind
    text: str


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(AuditEntry).decode


class Audit:
    """The last 10,000 acts on one store, newest first. *clock* is a wall clock."""

    def __init__(self, board: Board, clock: Clock = time.time) -> None:
        self._board = board
        self._clock = clock
        self._is_failing = False

    def record(
        self,
        actor: str,
        action: str,
        object: str,  # noqa: A002 - the word for it, in every audit trail
        *,
        reason: str = "",
        planned: int | None = None,
        done: int | None = None,
        result: str = "",
        job: str | None = None,
        at: float | None = None,
    ) -> None:
        """
        Add an entry; texts that are too long are cut. It stands in the log of this process as well.

        Never raises: an act must not fail because it could not be written down. That it could not is logged, once for
        each change.

        Args:
            at: When it happened (wall clock), if that was not now.
        """
        texts = {"actor": actor, "action": action, "object": object, "reason": reason, "result": result}
        facts: dict[str, str | int | None] = {name: _cut(name, text) for name, text in texts.items()}
        facts |= {"planned": _count(planned), "done": _count(done), "job": None if job is None else _cut("job", job)}
        logger.info("audit.act", extra=facts)
        moment = self._clock() if at is None else float(at)
        try:
            self._board.append(_LOG, _encode({"at": moment, **facts}), MOST_ENTRIES)
        except BackendError as exc:
            if not self._is_failing:
                logger.warning("audit.unwritten", extra={"error": str(exc)})
            self._is_failing = True
            return
        if self._is_failing:
            logger.info("audit.written")
        self._is_failing = False

    def latest(self, number: int = _FEW, *, actor: str | None = None, action: str | None = None) -> list[AuditEntry]:
        """
        The last *number* entries, newest first; only those of *actor*, or of *action*, if given.

        Raises:
            BackendError: The store does not answer, or refuses.
        """
        entries = self._read(number if actor is None and action is None else MOST_ENTRIES)
        wanted = [entry for entry in entries if actor in {None, entry.actor} and action in {None, entry.action}]
        return wanted[: max(0, number)]

    def events(self, since: float) -> list[Event]:
        """
        What happened from *since* (wall clock) on, oldest first; an outage that several processes saw is one event.

        Raises as `latest` does.
        """
        entries = self._read(_FEW)
        if len(entries) >= _FEW and entries[-1].at >= since:  # there may be older ones
            entries = self._read(MOST_ENTRIES)
        return _once_each([_event(entry) for entry in reversed(entries) if entry.at >= since])

    def _read(self, number: int) -> list[AuditEntry]:
        entries = []
        for row in self._board.tail(_LOG, number):
            try:
                entries.append(_decode(row))
            except msgspec.MsgspecError:  # of another release, or damaged
                continue
        # Each process has its own clock, and what happened in an outage is added after it.
        entries.sort(key=lambda entry: entry.at, reverse=True)
        return entries


def _once_each(events: list[Event]) -> list[Event]:
    seen: dict[EventKind, float] = {}
    kept = []
    for event in events:
        if event.kind in _SEEN_BY_ALL:
            if event.at - seen.get(event.kind, -math.inf) <= _SAME:
                continue
            seen[event.kind] = event.at
        kept.append(event)
    return kept


def _event(entry: AuditEntry) -> Event:
    kind = _KINDS.get(entry.action, "other")
    if kind in _SEEN_BY_ALL:
        return Event(entry.at, kind, entry.result)
    parts = [f"{entry.action} {entry.object}".strip()]
    if entry.done is not None:
        parts.append(f"{format_count(entry.done)} done")
    return Event(entry.at, kind, " · ".join([*parts, f"by {entry.actor}"]))


def _cut(name: str, text: object) -> str:
    # What cannot be encoded (half a character, from a damaged name) is shown as a question mark.
    whole = str(text).encode(errors="replace").decode()
    most = _LONGEST[name]
    return whole if len(whole) <= most else f"{whole[: most - 1]}…"


def _count(number: object) -> int | None:
    """A whole number of 63 bits; None for all else, for a wrong count is no reason to lose the entry."""
    try:
        whole = int(number)  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        return None
    return whole if abs(whole) <= sys.maxsize else None
