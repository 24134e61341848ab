"""The board on a server: records, leases and logs below `<prefix>!o:`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from redis.exceptions import ResponseError

from avcache.backends import scripts
from avcache.backends.board import LONGEST_KEPT
from avcache.backends.wire import Wire, refusal, translated

__all__ = ["RedisBoard"]

_NOTHING: Final = b""
"""What a record that is not there is compared as: none is empty."""


class RedisBoard:
    """See `board.Board`."""

    is_shared = True

    def __init__(self, wire: Wire, prefix: str) -> None:
        self._wire = wire
        self._prefix = f"{prefix}!o:"

    def read(self, names: Sequence[str]) -> list[bytes | None]:
        if not names:
            return []
        found = self._ask("read", "MGET", *map(self._name, names))
        return [one if isinstance(one, bytes) else None for one in found]

    def write(self, name: str, data: bytes, ttl: float = LONGEST_KEPT) -> None:
        self._ask("write", "SET", self._name(name), data, "PX", _milliseconds(ttl))

    def swap(self, name: str, expected: bytes | None, data: bytes, ttl: float = LONGEST_KEPT) -> bool:
        with translated("swap"):
            was = _NOTHING if expected is None else expected
            return bool(self._wire.run(scripts.SWAP, [self._name(name)], was, data, _milliseconds(ttl)))

    def erase(self, names: Sequence[str]) -> None:
        if names:
            self._ask("erase", "UNLINK", *map(self._name, names))

    def take(self, name: str, token: str, seconds: float) -> bool:
        with translated("take"):
            return bool(self._wire.run(scripts.TAKE, [self._lease(name)], token, _milliseconds(seconds)))

    def give_back(self, name: str, token: str) -> None:
        with translated("give back"):
            self._wire.run(scripts.GIVE_BACK, [self._lease(name)], token)

    def append(self, log: str, data: bytes, most: int) -> None:
        with translated("append"):
            answers = self._wire.ask_all(
                [
                    ("LPUSH", self._log(log), data),
                    ("LTRIM", self._log(log), 0, most - 1),
                    ("PEXPIRE", self._log(log), _milliseconds(LONGEST_KEPT)),
                ]
            )
            for answer in answers:
                if isinstance(answer, ResponseError):
                    raise refusal("append", answer)

    def tail(self, log: str, number: int) -> list[bytes]:
        return list(self._ask("tail", "LRANGE", self._log(log), 0, number - 1)) if number > 0 else []

    def _name(self, name: str) -> str:
        return f"{self._prefix}{name}"

    def _lease(self, name: str) -> str:
        return f"{self._prefix}lease:{name}"

    def _log(self, log: str) -> str:
        return f"{self._prefix}log:{log}"

    def _ask(self, action: str, *command: Any) -> Any:
        with translated(action):
            return self._wire.ask(*command)


def _milliseconds(ttl: float) -> int:
    return max(1, int(ttl * 1000))
