"""A filled server with all that the rows need of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from avcache.ops.snapshot import Snapshot, encode
from avcache.runtime import Runtime
from benchmarks.keyspace.commands import Commands
from benchmarks.keyspace.fill import PREFIX, Filled, fill
from benchmarks.measure import Samples
from benchmarks.report import Bar, Row, duration
from benchmarks.stores import own
from tests.servers import RealServer

__all__ = ["Stage", "check", "median_row", "staged"]

_RECORD = "snapshot"
_TIMEOUT = "5"
"""Seconds: a pause of the machine is to be measured, not to end the run."""

_RECORD_LIVES = 24 * 3600.0


@dataclass(slots=True)
class Stage:
    """
    Attributes:
        swept: What the last sweep found, if there was one.
    """

    url: str
    pid: int
    filled: Filled
    commands: Commands
    swept: Snapshot | None = None

    @contextmanager
    def runtime(self) -> Iterator[Runtime]:
        """A process of its own, as far as the store can tell: nothing is known in it yet."""
        with own(self.url, PREFIX, REDIS_TIMEOUT=_TIMEOUT) as runtime:
            yield runtime

    def sweep(self) -> Snapshot:
        """Look at all keys, as the process that leads does, and keep what was found."""
        with self.runtime() as runtime:
            found = runtime.ops.keyspace.sweep()
        if found is None or not found.is_exact:
            raise ValueError("wanted: a sweep of all keys")
        self.swept = found
        return found

    def keep_sweep(self) -> None:
        """Let the last sweep be a fresh one again, whatever other rows did and however long they took."""
        found = self.swept or self.sweep()
        with self.runtime() as runtime:
            runtime.ops.board.write(_RECORD, encode(replace(found, taken_at=time.time())), _RECORD_LIVES)

    def forget_sweep(self) -> None:
        """Let there be no sweep, as in the first minute of a console."""
        with self.runtime() as runtime:
            runtime.ops.keyspace.forget_sweep()


@contextmanager
def staged(keys: int) -> Iterator[Stage]:
    """A server of its own with *keys* entries, watched."""
    with RealServer() as server:
        stage = Stage(server.url, server.pid, fill(server.url, keys), Commands(server.url))
        stage.commands.watch()
        yield stage


def check(is_so: bool, wanted: str) -> None:  # noqa: FBT001 - reads as a sentence
    """Raise `ValueError` if it is not."""
    if not is_so:
        raise ValueError(f"wanted: {wanted}")


def median_row(what: str, samples: Samples, bar: Bar, beside: str = "") -> Row:
    """The median of *samples*, seconds, held against *bar*."""
    return Row(what, samples.text(duration), beside, str(bar), bar.verdict(samples.median))
