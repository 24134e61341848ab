"""Another process, and what it has told of itself, minute by minute."""

from __future__ import annotations

import math
import os
import secrets
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final

import msgspec

from avcache.core.counts import LOAD_BOUNDS, Counts

__all__ = [
    "FAR_MINUTES",
    "MINUTES_LATE",
    "NEAR_MINUTES",
    "QUARTER",
    "Other",
    "Process",
    "decode",
    "encode",
    "sum_rows",
    "sums",
]

MINUTES_LATE: Final = 60
"""How many minutes a process still writes that it could not write in time."""

QUARTER: Final = 15
"""Minutes."""

NEAR_MINUTES: Final = 25 * 60 + 5
"""How many minutes are kept one by one: an hour of yesterday is told to the minute as well."""

FAR_MINUTES: Final = 49 * 60
"""How many minutes back anything is kept."""

_NO_TIMES = [0] * len(LOAD_BOUNDS)
_decoder = msgspec.msgpack.Decoder(Counts)


def encode(counts: Counts) -> bytes:
    """The figures that are not 0, by name: a process of another version takes those that it knows."""
    figures = {name: value for name, value in asdict(counts).items() if value and value != _NO_TIMES}
    return msgspec.msgpack.encode(figures)


def decode(raw: bytes) -> Counts | None:
    """What `encode` wrote; None for what it did not."""
    try:
        counts = _decoder.decode(raw)
    except msgspec.DecodeError:
        return None
    # Of a version with other bounds: how long its loads took is not told by ours.
    if len(counts.load_times) != len(LOAD_BOUNDS):
        counts.load_times = list(_NO_TIMES)
    return counts if math.isfinite(counts.load_seconds) else None


@dataclass(frozen=True, slots=True)
class Process:
    """Who counts. A restart is another process; *first* is the minute (of the epoch) with which its totals begin."""

    host: str
    pid: int
    first: int
    nonce: str

    @classmethod
    def here(cls, first: int) -> Process:
        """This process, counting from minute *first*."""
        return cls(socket.gethostname(), os.getpid(), first, secrets.token_hex(4))

    @classmethod
    def parse(cls, text: str) -> Process | None:
        """The process that calls itself *text*; None if none does."""
        try:
            host, pid, first, nonce = text.rsplit(":", 3)
            return cls(host, int(pid), int(first), nonce)
        except ValueError:
            return None

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}:{self.first}:{self.nonce}"


class Other:
    """
    Another process and its minutes, as far as they were read; the figures are packed.

    Minutes of long ago are kept as the sums of whole quarters of an hour.
    """

    def __init__(self, process: Process) -> None:
        self.process = process
        self.last_seen = 0.0
        self._minutes: dict[int, dict[str, bytes]] = {}
        self._final: set[int] = set()
        self._quarters: dict[int, dict[str, bytes]] = {}

    def within(self, first: int, stop: float = math.inf) -> Iterator[tuple[int, dict[str, bytes]]]:
        """The minutes (and whole quarters of long ago) from *first* to before *stop*, with their figures."""
        # Lists: another thread may read on meanwhile.
        for minute, totals in list(self._minutes.items()):
            if first <= minute < stop:
                yield minute, totals
        for quarter, totals in list(self._quarters.items()):
            if first <= quarter and quarter + QUARTER <= stop:
                yield quarter, totals

    def collect(self, rows: dict[str, list[bytes]], first: int, stop: float = math.inf) -> None:
        """Add the figures from minute *first* to before *stop* to *rows*, by namespace."""
        for _, totals in self.within(first, stop):
            for name, row in totals.items():
                rows.setdefault(name, []).append(row)

    def missing(self, minutes: range) -> list[int]:
        """Which of *minutes* have to be read, again or for the first time."""
        return [minute for minute in self._own(minutes) if minute not in self._final]

    def unread(self, minutes: range) -> bool:
        """Whether some of *minutes* were never read."""
        return any(minute not in self._minutes for minute in self._own(minutes))

    def _own(self, minutes: range) -> Iterator[int]:
        """Those of *minutes* in which the process may have counted, and that are not summed up."""
        span = range(max(minutes.start, self.process.first), min(minutes.stop, int(self.last_seen // 60) + 1))
        return (minute for minute in span if _quarter(minute) not in self._quarters)

    def learn(self, minute: int, raw: Mapping[str, bytes], last: int) -> None:
        """Take what was read of *minute*; *last* is the one that goes on."""
        found = {name: decode(data) for name, data in raw.items()}
        self._minutes[minute] = {name: counts.pack() for name, counts in found.items() if counts is not None}
        # With what it writes a process says that it lives: seen after a minute's end, it has written that minute.
        if self.last_seen >= (minute + 1) * 60 or minute < last - MINUTES_LATE:
            self._final.add(minute)

    def age(self, last: int) -> None:
        """Sum up the quarters that are long ago and known whole, and drop what is too long ago."""
        old = [minute for minute in self._minutes if _quarter(minute) + QUARTER <= last - NEAR_MINUTES]
        for quarter in set(map(_quarter, old)):
            self._fold(quarter)
        oldest = last - FAR_MINUTES - QUARTER
        for minute in old:
            if minute < oldest:
                self._forget(minute)
        for quarter in [quarter for quarter in self._quarters if quarter < oldest]:
            del self._quarters[quarter]

    def _fold(self, quarter: int) -> None:
        if self.missing(range(quarter, quarter + QUARTER)):
            return
        rows: dict[str, list[bytes]] = {}
        self.collect(rows, quarter, quarter + QUARTER)
        self._quarters[quarter] = {name: counts.pack() for name, counts in sums(rows).items()}
        for minute in range(quarter, quarter + QUARTER):
            self._forget(minute)

    def _forget(self, minute: int) -> None:
        self._minutes.pop(minute, None)
        self._final.discard(minute)


def sums(rows: Mapping[str, Sequence[bytes]]) -> dict[str, Counts]:
    """The sum of the packed figures of each namespace."""
    return {name: sum_rows(some) for name, some in rows.items()}


def sum_rows(rows: Sequence[bytes]) -> Counts:
    """The sum of packed figures, one row at least."""
    if len(rows) == 1:
        return Counts.unpack(rows[0])
    import numpy as np  # noqa: PLC0415 - of a day of four processes there are 35,000: 5 ms instead of 100

    return Counts.unpack(np.frombuffer(b"".join(rows)).reshape(len(rows), -1).sum(axis=0).tobytes())


def _quarter(minute: int) -> int:
    """The first minute of the quarter of an hour that *minute* lies in."""
    return minute - minute % QUARTER
