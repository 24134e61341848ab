"""What this process knows of the server's barriers: every answer brings the version, which tells if that is old."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from avcache.backends import scripts
from avcache.backends.barriers import EVERYTHING_SCOPE, MOST_ROWS, Barrier, Barriers
from avcache.backends.pattern import Pattern
from avcache.backends.wire import Wire
from avcache.errors import InvalidInput
from avcache.forks import renew_in_children

__all__ = ["Versions"]

_NEVER = b"never asked"


class Versions:
    """
    Args:
        barriers: Where what the server tells is kept.
        retention: Seconds for which the server keeps a barrier.

    Attributes:
        key: The name of the server's version.
        mark: What stood there when our barriers were last compared with the server's.
        run: Which run of the server that was.
    """

    def __init__(self, wire: Wire, prefix: str, barriers: Barriers, retention: float) -> None:
        self.key = f"{prefix}!v"
        self.mark: bytes = _NEVER
        self.run = 0
        self._table = f"{prefix}!b"
        self._wire = wire
        self._barriers = barriers
        self._retention = retention
        self.begin_anew()
        renew_in_children(self)

    def begin_anew(self) -> None:
        """In a forked process: no thread of its parent holds the lock."""
        self._mutex = threading.Lock()

    @property
    def current(self) -> int:
        """The server's version, as of its last answer."""
        return self.of(self.mark)

    def of(self, mark: object) -> int:
        """The version that *mark* says; 0 for none."""
        return int(mark) if isinstance(mark, bytes) and mark.isdigit() else 0

    def meet(self) -> None:
        """Know some version of the server at least."""
        if self.mark is _NEVER:
            self.catch_up()

    def check(self, mark: object) -> None:
        """Learn what is new, if *mark*, which came with an answer, is not the one we know."""
        if mark != self.mark or self._wire.runs != self.run:
            self.catch_up()

    def catch_up(self) -> None:
        """Fetch the barriers that are new; where the server knows less than we do, give it ours first."""
        with self._mutex:
            known, run = self.of(self.mark), self._wire.runs
            mark, rows, whole = self._wire.ask_all(
                [
                    ("GET", self.key),
                    ("ZRANGEBYSCORE", self._table, f"({known}", "+inf", "WITHSCORES"),
                    ("ZSCORE", self._table, scripts.WHOLE),
                ]
            )
            for answer in (mark, rows, whole):
                if isinstance(answer, Exception):
                    raise answer
            is_another = self._barriers.version > 0 and run != self.run
            if whole is None or mark is None or self.of(mark) < known or is_another:
                self._synchronise([])
                return
            found = dict(_rows(rows))
            if scripts.FETCH_ALL in found:
                found = dict(_rows(_checked(self._wire.ask("ZRANGE", self._table, 0, -1, "WITHSCORES"))))
                self._barriers.replace(_scopes(found), self.of(mark))
            else:
                self._barriers.learn(_scopes(found), self.of(mark))
            self.mark, self.run = mark, run

    def synchronise(self, raised: Sequence[str]) -> None:
        """Give the server our barriers, raise *raised* anew, and take over what it has then."""
        with self._mutex:
            self._synchronise(raised)

    def raise_barriers(self, scopes: Sequence[str]) -> list[Barrier]:
        """Invalidate *scopes* on the server."""
        microseconds = f"{self._retention * 1e6:.0f}"
        told, before, previous = self._wire.run(scripts.RAISE, self._keys(), microseconds, MOST_ROWS, *scopes)
        version = int(told)
        with self._mutex:
            self._barriers.learn(dict.fromkeys(scopes, version), version)
            is_all = before == self.mark and self._wire.runs == self.run
            if is_all:
                self.mark = told
        if not is_all:  # others raised it meanwhile
            self.catch_up()
        return [Barrier(scope, version, int(had)) for scope, had in zip(scopes, previous, strict=True)]

    def restore(self, barriers: Sequence[Barrier]) -> bool:
        """Take back *barriers* on the server, then here."""
        arguments = [part for found in barriers for part in (found.scope, found.version, found.previous)]
        restored = self._wire.run(scripts.RESTORE, self._keys(), *arguments)
        self.catch_up()
        return int(restored) == len(barriers)

    def _synchronise(self, raised: Sequence[str]) -> None:
        run, barriers = self._wire.runs, self._barriers
        pending = dict(barriers.pending)
        rows = [part for row in barriers.rows().items() if pending.get(row[0]) != row[1] for part in row]
        mark, table = self._wire.run(
            scripts.SYNCHRONISE, self._keys(), barriers.version, len(rows) // 2, *rows, *raised
        )
        barriers.settle({scope: pending[scope] for scope in raised if scope in pending})
        barriers.replace(_scopes(dict(_rows(table))), self.of(mark))
        self.mark, self.run = mark, run

    def _keys(self) -> list[str]:
        return [self.key, self._table]


def _checked(answer: Any) -> Any:
    if not isinstance(answer, list):
        raise TypeError("not the answer to this question")
    return answer


def _rows(told: Any) -> Iterator[tuple[bytes, int]]:
    """Member and score by turns, or in pairs: protocols differ in that."""
    if told and isinstance(told[0], list):
        told = [part for pair in told for part in pair]
    for member, score in zip(told[::2], told[1::2], strict=True):
        yield member, int(float(score))


def _scopes(rows: Mapping[bytes, int]) -> dict[str, int]:
    """The rows that are scopes; what is not understood (another version of this package wrote it) covers everything."""
    found: dict[str, int] = {}
    for member, version in rows.items():
        if member in {scripts.WHOLE, scripts.FETCH_ALL}:
            continue
        scope = _scope(member)
        found[scope] = max(version, found.get(scope, 0))
    return found


def _scope(member: bytes) -> str:
    try:
        scope = member.decode()
        if scope.startswith("p:"):
            Pattern(scope[2:])
    except (UnicodeDecodeError, InvalidInput):
        return EVERYTHING_SCOPE
    return scope if scope[:2] in {"k:", "t:", "n:", "p:"} else EVERYTHING_SCOPE
