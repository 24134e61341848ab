"""Where jobs are given in, looked at, and told to pause, go on or end; from any process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from avcache.backends.board import Board, edit
from avcache.clock import Clock
from avcache.errors import CacheError, InvalidInput
from avcache.ops.jobs.job import Job, Wish, decode, encode, new_id

__all__ = ["JobRunning", "Jobs"]

_KEPT: Final = 7 * 24 * 3600.0
_ENDED_KEPT: Final = 24 * 3600.0
_MOST_LISTED: Final = 200
_OPEN: Final = "jobs-open"
_WISHES: Final[Mapping[bytes, Wish]] = {b"pause": "pause", b"resume": "resume", b"cancel": "cancel"}
_POLL: Final = 0.05
_open_decoder = msgspec.msgpack.Decoder(dict[str, str])


class JobRunning(CacheError):
    """A job of this kind is under way; there is one at a time."""

    def __init__(self, job: Job) -> None:
        super().__init__(f"a {job.kind} is under way ({job.done} of {job.total} done)")
        self.job = job


class Jobs:
    """
    The jobs of all processes that share *board*.

    Args:
        wall: Dates them.

    Attributes:
        given_in: Called after a job was given in, or told something: whoever does jobs in this process looks at once.
        heard: By job, who does it in this process, and wants to hear at once when something is said about it.
    """

    def __init__(self, board: Board, wall: Clock = time.time) -> None:
        self._board = board
        self._wall = wall
        self.given_in: Callable[[], None] = lambda: None
        self.heard: dict[str, Callable[[], None]] = {}

    def submit(
        self,
        kind: str,
        what: Mapping[str, Any],
        *,
        actor: str,
        reason: str = "",
        total: int = 0,
        notes: Mapping[str, Any] | None = None,
        wakes_at: float | None = None,
        alone: bool = False,
    ) -> Job:
        """
        Give in a job, and return at once.

        Args:
            alone: There is to be one of its *kind* at a time.

        Raises:
            JobRunning: There is one already.
        """
        now = self._wall()
        job = Job(
            id=new_id(now),
            kind=kind,
            what=dict(what),
            actor=actor,
            reason=reason,
            created_at=now,
            state="queued" if wakes_at is None else "waiting",
            total=total,
            notes=dict(notes or {}),
            wakes_at=wakes_at,
        )
        self.keep(job)  # before it is listed: who finds it there must find it here
        try:
            self._list(job, alone=alone)
        except JobRunning:
            self._board.erase([_name(job.id)])
            raise
        self._board.append(_log(kind), job.id.encode(), _MOST_LISTED)
        self.given_in()
        return job

    def get(self, job_id: str) -> Job | None:
        """The job of that id, as it is now; None if it is not known (any more)."""
        (data,) = self._board.read([_name(job_id)])
        return decode(data)

    def open(self) -> list[Job]:
        """Those that have not ended, in the order they were given in."""
        return [job for job in self._read(sorted(self._open())) if not job.is_ended]

    def latest(self, kind: str, number: int = 20) -> list[Job]:
        """The last ones of a *kind* that were given in, the newest first; those that ended a day ago are forgotten."""
        return self._read([one.decode(errors="replace") for one in self._board.tail(_log(kind), number)])

    def tell(self, job_id: str, wish: Wish) -> Job:
        """
        Say that a job is to pause, to go on (a waiting one: now), or to end. Whoever does it hears it within a moment.

        Raises:
            InvalidInput: No such job, or it has ended.
        """
        job = self.get(job_id)
        if job is None or job.is_ended:
            raise InvalidInput("job", job_id, "the id of a job that has not ended")
        self._board.write(_wish(job_id), wish.encode(), _KEPT)
        hear = self.heard.get(job_id)
        if hear is not None:
            hear()
        self.given_in()
        return job

    def wishes(self, job_ids: Sequence[str]) -> list[Wish | None]:
        """What was last said about each of some jobs."""
        return [_WISHES.get(data or b"") for data in self._board.read(list(map(_wish, job_ids)))]

    def wait(self, job_id: str, timeout: float | None = None) -> Job | None:
        """The job once it has ended, or as it is after *timeout* seconds."""
        give_up_at = None if timeout is None else time.monotonic() + timeout
        pause = threading.Event()
        while True:
            job = self.get(job_id)
            is_late = give_up_at is not None and time.monotonic() >= give_up_at
            if job is None or job.is_ended or is_late:
                return job
            pause.wait(_POLL)

    def keep(self, job: Job) -> None:
        """Put *job* in place of what is known of it. For whoever does it."""
        self._board.write(_name(job.id), encode(job), _ENDED_KEPT if job.is_ended else _KEPT)

    def close(self, job: Job) -> None:
        """`keep` a job that has ended, and take it from the open ones."""
        self.keep(job)
        self._edit(lambda known: {one: kind for one, kind in known.items() if one != job.id})
        self._board.erase([_wish(job.id)])

    def forget_lost(self) -> None:
        """Take from the open ones what nothing is known of: its record was evicted, say."""
        known = self._open()
        found = {job.id for job in self._read(list(known)) if not job.is_ended}
        if found != set(known):
            self._edit(lambda now: {one: kind for one, kind in now.items() if one in found or one not in known})

    def _list(self, job: Job, *, alone: bool) -> None:
        def added(known: dict[str, str]) -> dict[str, str]:
            same = [one for one, kind in known.items() if kind == job.kind]
            if alone:
                for other in self._read(same):
                    if not other.is_ended:
                        raise JobRunning(other)
            return {**known, job.id: job.kind}

        self._edit(added)

    def _edit(self, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
        edit(self._board, _OPEN, lambda data: msgspec.msgpack.encode(change(_kinds(data))), _KEPT)

    def _open(self) -> dict[str, str]:
        (data,) = self._board.read([_OPEN])
        return _kinds(data)

    def _read(self, ids: list[str]) -> list[Job]:
        found = map(decode, self._board.read([_name(one) for one in ids]))
        return [job for job in found if job is not None]


def _kinds(data: bytes | None) -> dict[str, str]:
    """The kind of each open job, by its id."""
    try:
        return {} if data is None else _open_decoder.decode(data)
    except msgspec.DecodeError:
        return {}


def _name(job_id: str) -> str:
    return f"job:{job_id}"


def _wish(job_id: str) -> str:
    return f"wish:{job_id}"


def _log(kind: str) -> str:
    return f"jobs-{kind}"
