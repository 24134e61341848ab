"""One job as all processes see it: what is to be done, for whom, how far it is, how it ended."""

from __future__ import annotations

import secrets
from typing import Any, Final, Literal

import msgspec

__all__ = ["ENDED", "Job", "JobState", "Wish", "decode", "encode", "new_id"]

JobState = Literal["queued", "waiting", "running", "paused", "done", "cancelled", "failed"]
"""*waiting* is for a moment to come, *paused* for somebody who lets it go on."""

Wish = Literal["pause", "resume", "cancel"]
ENDED: Final[frozenset[JobState]] = frozenset({"done", "cancelled", "failed"})


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """
    Times are wall clock, epoch seconds.

    Attributes:
        what: What is to be done, in plain values that its kind understands.
        notes: What its kind writes down on the way, so that another process can go on.
        wakes_at: When a waiting job goes on.
        result: How it ended, in a sentence.
    """

    id: str
    kind: str
    what: dict[str, Any]
    actor: str
    reason: str = ""
    created_at: float
    state: JobState = "queued"
    total: int = 0
    done: int = 0
    began_at: float | None = None
    ended_at: float | None = None
    wakes_at: float | None = None
    notes: dict[str, Any] = {}
    result: str = ""

    @property
    def is_ended(self) -> bool:
        """Whether nothing more comes of it."""
        return self.state in ENDED

    @property
    def seconds(self) -> float | None:
        """From its beginning to its end; None while it goes on."""
        return None if self.began_at is None or self.ended_at is None else self.ended_at - self.began_at


_decoder = msgspec.msgpack.Decoder(Job)


def new_id(now: float) -> str:
    """An id that no other job has; in the order of their beginning."""
    return f"{int(now * 1000):011x}-{secrets.token_hex(4)}"


def encode(job: Job) -> bytes:
    """As it stands on the board."""
    return msgspec.msgpack.encode(job)


def decode(data: bytes | None) -> Job | None:
    """What `encode` wrote; None for what another version did."""
    if data is None:
        return None
    try:
        return _decoder.decode(data)
    except msgspec.DecodeError:  # a ValidationError is one, too
        return None
