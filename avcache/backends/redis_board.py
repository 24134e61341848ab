"""The board on a server: records, leases and logs below `<prefix>!o:`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from avcache.backends import scripts
from avcache.backends.board import LONGEST_KEPT, checked
from avcache.backends.wire import Wire, translated

__all__ = ["RedisBoard"]

_NOTHING: Final = b""
"""What a record that is not there is compared as: none is empty."""

_LOG_KEPT: Final = 365 * 24 * 3600.0
"""Seconds for which a log is kept to which nobody adds: it must outlast a quiet season."""


class RedisBoard:
    """See `board.Board`."""

    is_shared = True

    def __init__(self, wire: Wire, prefix: str) -> None:
        self._wire = wire
        self._prefix = f"{prefix}!o:"

    def read(self, names: Sequence[str]) -> list[bytes | None]:
        if not names:
            return []
        with translated("read"):
            found = self._wire.ask("MGET", *map(self._record, names))
            if not isinstance(found, list) or len(found) != len(names):
                raise ValueError("not the answer to this question")
            return found

    def write(self, name: str, data: bytes, ttl: float = LONGEST_KEPT) -> None:
        checked(data)
        with translated("write"):
            self._wire.run(scripts.WRITE, [self._record(name)], data, _milliseconds(ttl))

    def swap(self, name: str, expected: bytes | None, data: bytes, ttl: float = LONGEST_KEPT) -> bool:
        checked(data)
        with translated("swap"):
            arguments = expected or _NOTHING, data, _milliseconds(ttl)
            return bool(self._wire.run(scripts.SWAP, [self._record(name)], *arguments) == 1)

    def erase(self, names: Sequence[str]) -> None:
        if names:
            with translated("erase"):
                self._wire.ask("UNLINK", *map(self._record, names))

    def take(self, name: str, token: str, seconds: float) -> bool:
        with translated("take"):
            return bool(self._wire.run(scripts.TAKE, [self._lease(name)], token, _milliseconds(seconds)) == 1)

    def give_back(self, name: str, token: str) -> None:
        with translated("give back"):
            self._wire.run(scripts.GIVE_BACK, [self._lease(name)], token)

    def append(self, log: str, data: bytes, most: int) -> None:
        with translated("append"):
            self._wire.run(scripts.APPEND, [self._log(log)], data, most, _milliseconds(_LOG_KEPT))

    def tail(self, log: str, number: int) -> list[bytes]:
        if number <= 0:
            return []
        with translated("tail"):
            found = self._wire.ask("LRANGE", self._log(log), 0, number - 1)
            if not isinstance(found, list):
                raise ValueError("not the answer to this question")
            return found

    def _record(self, name: str) -> str:
        return f"{self._prefix}record:{name}"

    def _lease(self, name: str) -> str:
        return f"{self._prefix}lease:{name}"

    def _log(self, log: str) -> str:
        return f"{self._prefix}log:{log}"


def _milliseconds(ttl: float) -> int:
    return max(1, math.ceil(ttl * 1000))
