"""The keys of a server below one prefix, looked at from outside: found, described, swept; no other is ever named."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from redis.exceptions import RedisError

from avcache.backends import scripts
from avcache.backends.base import HEAD_BYTES, LONGEST_HEAD, MAGIC, Page, Slice, Stored
from avcache.backends.pattern import EVERYTHING, Pattern
from avcache.backends.wire import Wire, translated

__all__ = ["BATCH", "Walk"]

BATCH: Final = 200
"""Most keys of one script, so that no other client waits long for its end."""

_SURVEYED: Final = 90
"""Asked of one step of a survey: half a millisecond of a server's time. It gives whole buckets, so some more."""

_SAMPLED: Final = 180
"""The same of a fair one: somebody waits for it, and it is soon over."""

_SURVEY_BYTES: Final = 256
_SCAN_COUNT: Final = 500
_SWEPT_COUNT: Final = 240
"""Of a sweep, which rests after each step: half a millisecond of a server's time at once."""

_SWEEP_PAUSE: Final = 0.0012
"""Seconds between two batches of a sweep: longer than a batch takes, so that other clients are served."""

_TALLY_KEPT_MS: Final = 7 * 24 * 3600 * 1000
"""As long as a sweep may wait for a process that goes on with it."""

_COUNT_BUDGET: Final = 0.2
_CURSOR_DIGITS: Final = 20
_START_BITS: Final = 10
_GONE: Final = -2
_chance = random.Random()  # noqa: S311 - no secret; our own, so that no thread disturbs who seeds theirs


class Walk:
    """Every method raises `BackendUnavailable` (no answer) or `BackendError` (refused)."""

    def __init__(self, wire: Wire, prefix: str) -> None:
        self._wire = wire
        self._prefix = prefix

    def scan(self, pattern: Pattern, cursor: str, limit: int, budget: float | None) -> Page:
        """See `Backend.scan`."""
        position, keys = _position(cursor), dict[str, None]()
        deadline = None if budget is None else time.monotonic() + budget
        while True:
            position, found = self._scan_once(pattern, position)
            keys.update(dict.fromkeys(found))
            if not position:
                return Page(tuple(keys), "")
            if len(keys) >= limit or (deadline is not None and time.monotonic() > deadline):
                return Page(tuple(keys), str(position), _share(position))

    def inspect(self, keys: Sequence[str], head_bytes: int = HEAD_BYTES) -> list[Stored | None]:
        """See `Backend.inspect`."""
        names = [self._prefix + key for key in keys]
        batches = [(names[start : start + BATCH], [head_bytes - 1]) for start in range(0, len(names), BATCH)]
        with translated("inspect"):
            found: list[Stored | None] = []
            for told in self._wire.run_all(scripts.LOOK, batches) if batches else ():
                found += map(_stored, told[1::4], told[2::4], told[3::4])
            if len(found) != len(keys):
                raise ValueError("not the answer to this question")
            return found

    def survey(self, *, fair: bool) -> Iterator[Slice]:
        """See `Backend.survey`."""
        # In the order of a server's cursors its lowest bit counts most: so it can be told how far one has come, and
        # one can begin anywhere.
        start = _chance.getrandbits(_START_BITS) if fair else 0
        count, passed = _SAMPLED if fair else _SURVEYED, 0.0
        for first, end in ((start, 1.0), (0, _share(start))):  # to the end, and from the beginning to where it began
            position, begin, at = first, _share(first), _share(first)
            while at < end:
                with translated("survey"):
                    told, found = self._wire.run(scripts.SURVEY, [], _SURVEY_BYTES - 1, position, count, self._prefix)
                    position = int(told)
                    made = _slice(found)
                at = min(end, _share(position) if position else 1.0)
                yield Slice(*made, passed + at - begin)
            passed = end - begin

    def sweep(
        self, pattern: Pattern, below: int, wanted: Callable[[bytes], bool] | None = None, *, tally: str = ""
    ) -> Iterator[int]:
        """See `Backend.sweep`."""
        told = 0
        if tally:
            told = self._sweep([], below, tally, told)
            yield told
        for found in self._batches(pattern):
            keys = found if wanted is None else self._wanted(found, wanted)
            if not keys:
                yield 0
            for start in range(0, len(keys), BATCH):
                number = self._sweep(keys[start : start + BATCH], below, tally, told)
                told += number
                yield number
            time.sleep(_SWEEP_PAUSE)

    def _sweep(self, keys: Sequence[str], below: int, tally: str, told: int) -> int:
        names = [self._prefix + key for key in keys]
        arguments: list[Any] = [MAGIC, below.to_bytes(8)]
        if tally:  # counted in the same step: whoever dies after it has told what went
            names.append(f"{self._prefix}!swept:{tally}")
            arguments += [_TALLY_KEPT_MS, told]
        with translated("sweep"):
            return int(self._wire.run(scripts.SWEEP, names, *arguments))

    def count(self) -> tuple[int, bool]:
        """How many keys are ours, and whether the time allowed sufficed to see them all."""
        deadline, keys = time.monotonic() + _COUNT_BUDGET, set[str]()
        for batch in self._batches(EVERYTHING):
            keys.update(batch)
            if time.monotonic() > deadline:
                return len(keys), False
        return len(keys), True

    def _batches(self, pattern: Pattern) -> Iterator[list[str]]:
        if pattern.is_literal:  # no need to walk a million keys for one
            if not pattern.text.startswith("!"):
                yield [pattern.text]
            return
        position = 0
        while True:
            position, keys = self._scan_once(pattern, position, _SWEPT_COUNT)
            yield keys
            if not position:
                return

    def _scan_once(self, pattern: Pattern, position: int, count: int = _SCAN_COUNT) -> tuple[int, list[str]]:
        """One SCAN; both a pattern and every name that comes back are held to the prefix."""
        with translated("scan"):
            # Entries are strings: a list or hash below our prefix is somebody else's.
            glob = pattern.redis_glob(self._prefix)
            told, names = self._wire.ask("SCAN", position, "MATCH", glob, "COUNT", count, "TYPE", "string")
            position = int(told)
        keys = []
        for raw in names:
            try:
                name = raw.decode()
            except UnicodeDecodeError:  # no name of ours
                continue
            key = name.removeprefix(self._prefix)
            if name.startswith(self._prefix) and not key.startswith("!") and pattern.matches(key):
                keys.append(key)
        return position, keys

    def _wanted(self, keys: list[str], wanted: Callable[[bytes], bool]) -> list[str]:
        looked = zip(keys, self.inspect(keys, LONGEST_HEAD), strict=True)
        return [key for key, stored in looked if stored is not None and wanted(stored.head)]


def _position(cursor: str) -> int:
    """Where to go on; a cursor of another store (Redis came back in between) means from the beginning."""
    is_ours = cursor.isascii() and cursor.isdecimal() and len(cursor) <= _CURSOR_DIGITS
    return int(cursor) if is_ours and int(cursor) < 2**64 else 0


def _share(cursor: int) -> float:
    """How far a cursor is from the beginning, 0 to 1, however large the server's table is."""
    return int(f"{cursor:064b}"[::-1], 2) / 2**64


def _slice(told: Any) -> tuple[list[bytes], list[float], list[int], list[bytes]]:
    names, left, sizes, heads = told[::4], told[1::4], told[2::4], told[3::4]
    return names, list(map(_seconds, left)), sizes, heads


def _seconds(milliseconds: int) -> float:
    return milliseconds / 1000 if milliseconds >= 0 else float("inf")


def _stored(left: Any, size: Any, head: Any) -> Stored | None:
    if isinstance(left, RedisError):
        raise left
    return None if left == _GONE else Stored(_seconds(left), size, head)
