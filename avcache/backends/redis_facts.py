"""Asks a server about itself: INFO, the slow log, two parameters, and how long a PING takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from avcache.backends.facts import ServerFacts, SlowCommand, kind_of
from avcache.backends.wire import Wire, facts_of, pairs_of, translated
from avcache.clock import Clock
from avcache.errors import BackendError

__all__ = ["RedisFacts"]

T = TypeVar("T")

_PINGS: Final = 5
_PING_BUDGET: Final = 0.25
"""Seconds after which no further PING is sent: a slow server needs no more of them to be called slow."""

_SLOW_COMMANDS: Final = 32
_ARGUMENTS: Final = 4
_CHARACTERS: Final = 60
_THRESHOLD: Final = "slowlog-log-slower-than"
_MEMORY: Final = ("maxmemory", "maxmemory_policy")


class RedisFacts:
    """See `facts.FactsReader`. Nothing that it sends resets, changes or blocks anything; *clock* measures."""

    def __init__(self, wire: Wire, prefix: str, clock: Clock = time.perf_counter) -> None:
        self._wire = wire
        self._prefix = prefix.encode()
        self._clock = clock

    def last_known(self) -> Mapping[str, str]:
        return self._wire.server

    def read(self) -> ServerFacts:
        refused: dict[str, str] = {}
        told, slow, threshold = self._ask(("INFO",), ("SLOWLOG", "GET", _SLOW_COMMANDS), ("CONFIG", "GET", _THRESHOLD))
        info = _part("INFO", told, facts_of, refused) or None
        config = _part("CONFIG GET", threshold, _parameters, refused) or {}
        if "CONFIG GET" not in refused and not set(_MEMORY) <= set(info or ()):
            (limits,) = self._ask(("CONFIG", "GET", "maxmemory*"))
            config |= _part("CONFIG GET", limits, _parameters, refused) or {}
        return ServerFacts(
            kind=kind_of(info or self._wire.server),
            database=self._wire.database,
            info=info,
            config=config,
            slow_log=_part("SLOWLOG GET", slow, self._slow_log, refused),
            pings=self._pings(),
            refused=refused,
        )

    def _ask(self, *commands: Sequence[Any]) -> list[Any]:
        with translated("look at the server"):
            return self._wire.ask_all(commands)

    def _pings(self) -> tuple[float, ...]:
        took: list[float] = []
        while len(took) < _PINGS and sum(took) < _PING_BUDGET:
            began = self._clock()
            self._ask(("PING",))  # refused or not, the answer has come all the way
            took.append(self._clock() - began)
        return tuple(took)

    def _slow_log(self, answer: Any) -> tuple[SlowCommand, ...]:
        return tuple(self._slow_command(*line[1:]) for line in answer)

    def _slow_command(self, at: Any, microseconds: Any, words: Sequence[bytes], *client: bytes) -> SlowCommand:
        command, *arguments = words
        shown = tuple(_printable(argument) for argument in arguments[:_ARGUMENTS])
        return SlowCommand(
            at=float(at),
            microseconds=int(microseconds),
            command=_cut(_printable(command)),
            arguments=tuple(map(_cut, shown)),
            is_cut=len(arguments) > _ARGUMENTS or any(len(text) > _CHARACTERS for text in shown),
            client=" ".join(_cut(_printable(text)) for text in client if text),
            is_ours=any(argument.startswith(self._prefix) for argument in arguments),
        )


def _part(command: str, answer: Any, parse: Callable[[Any], T], refused: dict[str, str]) -> T | None:
    """What *parse* makes of an answer; None where *command* was refused, whose reason is then among *refused*."""
    try:
        with translated(command):
            if isinstance(answer, Exception):
                raise answer
            return parse(answer)
    except BackendError as exc:
        refused[command] = f"{type(exc.__cause__ or exc).__name__}: {exc.__cause__ or exc}".partition("\n")[0]
        return None


def _parameters(answer: Any) -> dict[str, str]:
    return {name.decode(errors="replace"): value.decode(errors="replace") for name, value in pairs_of(answer)}


def _printable(raw: bytes) -> str:
    text = raw.decode(errors="backslashreplace")
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")


def _cut(text: str) -> str:
    return text if len(text) <= _CHARACTERS else f"{text[: _CHARACTERS - 1]}…"
