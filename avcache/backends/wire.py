"""
Commands to a server over redis-py's connections, without its layers above them: those cost a third of a round trip.

A connection that fails is closed, one that has something to say before it was asked is closed too: it may hold the
answer to somebody else's question.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import redis
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    InvalidResponse,
    MasterDownError,
    NoScriptError,
    ResponseError,
)

from avcache.backends.scripts import Script
from avcache.errors import BackendError, BackendMisconfigured, BackendUnavailable
from avcache.forks import renew_in_children

__all__ = ["Wire", "facts_of", "packed", "pairs_of", "refusal", "translated"]

logger = logging.getLogger(__name__)

_POOL_WAIT: Final = 1.0
_BUSY = ("LOADING", "MASTERDOWN")
Command = Sequence[Any]


class Wire:
    """
    Args:
        pool: Says how to connect, and to how many connections at most.

    Attributes:
        server: What the server said of itself (INFO server) at the last connection; empty if it may not be asked.
        runs: How often another run of a server was found behind the address: a restart, or a failover.
    """

    def __init__(self, pool: redis.ConnectionPool) -> None:
        self._pool = pool
        self._most = pool.max_connections
        self._plain: dict[Script, Script] = {}
        self.server: dict[str, Any] = {}
        self.runs = 0
        self._run_id: str | None = None
        self._idle: list[Any] = []
        self._made = 0
        self._waiting = 0
        self._changed = threading.Condition()
        self._is_closed = False
        renew_in_children(self)

    @property
    def database(self) -> int:
        """Number of the database that commands go to."""
        return int(self._pool.connection_kwargs.get("db") or 0)

    def ask(self, *command: Any) -> Any:
        """The answer to one command."""
        with self._connection() as connection:
            connection.send_packed_command(connection.pack_command(*command), check_health=False)
            return connection.read_response()

    def ask_packed(self, command: bytes) -> Any:
        """The answer to one command that stands as it goes over the wire."""
        with self._connection() as connection:
            connection.send_packed_command([command], check_health=False)
            return connection.read_response()

    def ask_all(self, commands: Sequence[Command]) -> list[Any]:
        """The answers to several, in one round trip; a refusal is the answer to its command alone."""
        with self._connection() as connection:
            connection.send_packed_command(connection.pack_commands(commands), check_health=False)
            return [_answer(connection) for _ in commands]

    def run(self, script: Script, keys: Sequence[Any], *arguments: Any) -> Any:
        """What *script* answers."""
        script = self._plain.get(script, script)
        try:
            return self.ask("EVALSHA", script.sha, len(keys), *keys, *arguments)
        except NoScriptError:
            pass
        try:
            return self.ask("EVAL", script.text, len(keys), *keys, *arguments)
        except ResponseError as exc:
            if script == script.plain() or "symbol near '#'" not in str(exc):
                raise
            self._plain[script] = script.plain()
        return self.run(script, keys, *arguments)

    def run_all(self, script: Script, calls: Iterable[tuple[Sequence[Any], Sequence[Any]]]) -> list[Any]:
        """What *script* answers to each (keys, arguments). While the server works on one, the next is made."""
        sha, sent, answers = self._plain.get(script, script).sha, [], []
        with self._connection() as connection:
            for keys, arguments in calls:
                packed = connection.pack_command("EVALSHA", sha, len(keys), *keys, *arguments)
                connection.send_packed_command(packed, check_health=False)
                sent.append((keys, arguments))
            answers = [_answer(connection) for _ in sent]
        for at, answer in enumerate(answers):
            if isinstance(answer, NoScriptError):
                answers[at] = self.run(script, sent[at][0], *sent[at][1])
            elif isinstance(answer, Exception):
                raise answer
        return answers

    def close(self) -> None:
        """Close the connections that nobody uses; those in use are closed when they are given back."""
        with self._changed:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.disconnect()

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        connection = self._take()
        try:
            yield connection
        except BaseException as exc:
            # A refusal leaves the connection as it was. After all else nobody knows what comes over it next, and the
            # others may lead to a server that is not the primary any more.
            if not isinstance(exc, ResponseError):
                connection.disconnect()
                self._drop_idle()
            raise
        finally:
            self._give_back(connection)

    def _take(self) -> Any:
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._new_or_next()
        try:
            if not connection.is_connected or not _is_quiet(connection):
                connection.disconnect()
                self._open(connection)
        except BaseException:
            self._give_back(connection)
            raise
        return connection

    def _drop_idle(self) -> None:
        dropped = []
        try:
            while True:  # popped: then no other thread can take one meanwhile
                dropped.append(self._idle.pop())
        except IndexError:
            for connection in dropped:
                connection.disconnect()
            self._idle.extend(dropped)

    def _give_back(self, connection: Any) -> None:
        if self._is_closed:
            connection.disconnect()
        self._idle.append(connection)
        if self._waiting:
            with self._changed:
                self._changed.notify()

    def _new_or_next(self) -> Any:
        give_up_at = time.monotonic() + _POOL_WAIT
        with self._changed:
            self._waiting += 1
            try:
                while True:
                    if self._idle:
                        return self._idle.pop()
                    if self._made < self._most:
                        self._made += 1
                        return self._pool.connection_class(**self._pool.connection_kwargs)
                    if not self._changed.wait(give_up_at - time.monotonic()):
                        raise redis.ConnectionError(f"all {self._most} connections stayed in use for {_POOL_WAIT:g} s")
            finally:
                self._waiting -= 1

    def _open(self, connection: Any) -> None:
        try:
            connection.connect()
        except InvalidResponse as exc:  # later it may have been damaged on its way
            raise BackendMisconfigured(f"redis connect: what answers is no Redis ({exc})") from exc
        try:
            connection.send_command("INFO", "server")
            told = facts_of(connection.read_response())
        except ResponseError:  # not for this user, or a proxy that knows no such question
            return
        self.server = told
        run_id = told.get("run_id")
        if run_id is not None and run_id != self._run_id:
            self._run_id = run_id
            self.runs += 1

    def begin_anew(self) -> None:
        """In a child process: with no connection, for it must not share those of its parent."""
        self._idle = []
        self._made = self._waiting = 0
        self._changed = threading.Condition()


@contextmanager
def translated(action: str) -> Iterator[None]:
    """Turn what redis-py raises into our own errors, keeping the cause."""
    try:
        yield
    except (AuthenticationError, AuthorizationError) as exc:
        raise BackendMisconfigured(f"redis {action}: {exc}") from exc
    except ResponseError as exc:
        if isinstance(exc, MasterDownError) or str(exc).startswith(_BUSY):
            raise BackendUnavailable(f"redis {action}: {exc}") from exc
        raise refusal(action, exc) from exc
    except (redis.RedisError, OSError) as exc:
        raise BackendUnavailable(f"redis {action}: {exc}") from exc
    except (TypeError, ValueError, LookupError, MemoryError, RecursionError) as exc:
        # The parser choked, or the answer is that of another command: nothing is known about what was asked.
        raise BackendUnavailable(f"redis {action}: unusable answer ({type(exc).__name__})") from exc


def packed(text: str) -> bytes:
    """A part of a command as it goes over the wire."""
    data = text.encode()
    return b"$%d\r\n%b\r\n" % (len(data), data)


def _answer(connection: Any) -> Any:
    try:
        return connection.read_response()
    except ResponseError as exc:
        return exc


def _is_quiet(connection: Any) -> bool:
    try:
        return not connection.can_read()
    except (redis.RedisError, OSError):  # closed by the server
        return False


def refusal(action: str, exc: ResponseError) -> BackendError:
    """The server answered, but refused."""
    made = BackendError(f"redis {action}: {exc}")
    made.__cause__ = exc
    return made


def facts_of(told: object) -> dict[str, str]:
    """What a server answers to INFO, by name."""
    text = told.decode(errors="replace") if isinstance(told, bytes) else ""
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


def pairs_of(answer: Any) -> list[tuple[bytes, bytes]]:
    """The pairs of an answer, in whichever way the server puts them: a map, a list of pairs, a flat list."""
    if isinstance(answer, dict):
        return list(answer.items())
    if answer and isinstance(answer[0], list):
        return [(name, value) for name, value in answer]
    return list(zip(answer[::2], answer[1::2], strict=True))
