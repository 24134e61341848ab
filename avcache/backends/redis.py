"""The shared store: Redis or Valkey through redis-py, with short timeouts and no retries on the request path."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import redis
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError, LockError, MasterDownError, NoPermissionError, ResponseError
from redis.retry import Retry

from avcache.backends.base import HEAD_BYTES, MISS, BackendInfo, Cleared, Miss, Page, State, StateName, Stored
from avcache.backends.pattern import EVERYTHING, Pattern
from avcache.clock import Clock
from avcache.errors import BackendError, BackendUnavailable, LockTimeout

__all__ = ["RedisBackend", "connect"]

logger = logging.getLogger(__name__)

_SCAN_COUNT = 500
_SWEEP_PAUSE = 0.002
"""Seconds between two batches of a clear: as long as a batch takes, so that other clients are served."""
_COUNT_BUDGET = 0.2
_POOL_WAIT = 1.0
_CURSOR_DIGITS = 20


def connect(
    url: str,
    *,
    timeout: float,
    max_connections: int,
    password: str | None = None,
) -> redis.Redis:
    """
    Make a client with a connection pool; opens no connection yet.

    Args:
        url: `redis://`, `rediss://` or `unix://`.
        timeout: Seconds to connect and to wait for an answer; a cache that is slower than its source is of no use.
    """
    pool = redis.BlockingConnectionPool.from_url(
        url,
        max_connections=max_connections,
        timeout=_POOL_WAIT,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        # A cache miss is the retry: with retries a dead server costs (n + 1) timeouts for each command.
        retry=Retry(NoBackoff(), 0),
        health_check_interval=0,
        **({"password": password} if password else {}),
    )
    return redis.Redis(connection_pool=pool)


class RedisBackend:
    """Entries below *prefix*; no other key of the server is ever named, read or dropped."""

    def __init__(self, client: redis.Redis, prefix: str, *, wall: Clock = time.time) -> None:
        self._client = client
        self._prefix = prefix
        self._kind: Literal["redis", "valkey"] | None = None
        self._since = wall()

    def ping(self) -> None:
        """Return if the server answers and may be read."""
        with _translated("ping"):
            # A replica without its primary and a server that still loads answer PING, but no read.
            self._client.exists(self._prefix + "!ping")

    def get(self, key: str) -> bytes | Literal[Miss.MISS]:
        # GET fails on a foreign key of another type; for MGET it is not there, which is all we want to know.
        with _translated("get"):
            return _answers(self._client.mget(self._prefix + key), 1)[0]

    def get_many(self, keys: Sequence[str]) -> list[bytes | Literal[Miss.MISS]]:
        if not keys:
            return []
        with _translated("mget"):
            return _answers(self._client.mget([self._prefix + key for key in keys]), len(keys))

    def set(self, key: str, data: bytes, *, ttl: float) -> None:
        with _translated("set"):
            self._client.set(self._prefix + key, data, px=_milliseconds(ttl))

    def set_many(self, items: Mapping[str, tuple[bytes, float]]) -> None:
        with _translated("set_many"):
            pipe = self._client.pipeline(transaction=False)
            for key, (data, ttl) in items.items():
                pipe.set(self._prefix + key, data, px=_milliseconds(ttl))
            pipe.execute()

    def delete(self, keys: Iterable[str]) -> Cleared:
        names = [self._prefix + key for key in keys]
        if not names:
            return Cleared(0)
        with _translated("unlink"):
            return Cleared(self._client.unlink(*names))

    def clear(self, pattern: Pattern, wanted: Callable[[bytes], bool] | None = None) -> Cleared:
        cleared = 0
        for keys in self._batches(pattern):
            cleared += self.delete(keys if wanted is None else self._wanted(keys, wanted))
            time.sleep(_SWEEP_PAUSE)
        return Cleared(cleared)

    def scan(self, pattern: Pattern, cursor: str = "", limit: int = 1000) -> Page:
        position, keys = _position(cursor), dict[str, None]()
        while True:
            position, found = self._scan_once(pattern, position)
            keys.update(dict.fromkeys(found))
            if not position or len(keys) >= limit:
                return Page(tuple(keys), str(position) if position else "")

    def inspect(self, keys: Sequence[str]) -> list[Stored | None]:
        if not keys:
            return []
        with _translated("inspect"):
            pipe = self._client.pipeline(transaction=False)
            for name in (self._prefix + key for key in keys):
                pipe.pttl(name)
                pipe.strlen(name)
                pipe.getrange(name, 0, HEAD_BYTES - 1)
            # A key of another type answers the last two with an error: it is there, but it is not ours to read.
            answers = pipe.execute(raise_on_error=False)
            for answer in answers[::3]:
                if isinstance(answer, redis.RedisError):  # PTTL takes any type: the server itself refuses
                    raise answer
        return [_stored(*answers[at : at + 3]) for at in range(0, len(answers), 3)]

    @contextmanager
    def lock(self, name: str, *, lease: float, wait: float) -> Iterator[None]:
        # Not bound to the thread: who works in a coroutine may leave on another thread than he came in.
        held = self._client.lock(
            f"{self._prefix}!lock:{name}", timeout=max(lease, 0.001), blocking_timeout=wait, thread_local=False
        )
        with _translated("lock"):
            taken = held.acquire()
        if not taken:
            raise LockTimeout(f"lock {name!r} stayed taken for {wait:g} s")
        try:
            yield
        finally:
            # The work is done: that the lease ran out meanwhile, or the server went away, must not undo it.
            try:
                held.release()
            except (LockError, redis.RedisError, OSError) as exc:
                logger.warning("lock.lost", extra={"lock": name, "error": type(exc).__name__})

    def info(self) -> BackendInfo:
        keys, exact = self._count()
        facts = self._facts()
        kind = self._learn_kind(facts)
        return BackendInfo(
            kind,
            keys,
            exact,
            memory_bytes=facts.get("used_memory"),
            version=facts.get(f"{kind}_version") or facts.get("redis_version"),
            clients=facts.get("connected_clients"),
            evictions=int(facts.get("evicted_keys", 0)),
        )

    def state(self) -> State:
        name: StateName = self._kind or "redis"
        return State(name, since=self._since)

    def close(self) -> None:
        self._client.close()
        self._client.connection_pool.disconnect()

    def learn(self) -> None:
        """Ask the server for its name, so that `state` can say it."""
        self._learn_kind(self._facts("server"))

    def _facts(self, *section: str) -> dict[str, Any]:
        """What the server tells about itself; nothing if this user may not ask, or a proxy knows no such question."""
        with _translated("info"):
            try:
                facts: dict[str, Any] = self._client.info(*section)
            except ResponseError as exc:
                if not isinstance(exc, NoPermissionError) and "unknown command" not in str(exc):
                    raise
                return {}
        return facts

    def _learn_kind(self, facts: Mapping[str, Any]) -> Literal["redis", "valkey"]:
        is_valkey = facts.get("server_name") == "valkey" or "valkey_version" in facts
        self._kind = "valkey" if is_valkey else "redis"
        return self._kind

    def _batches(self, pattern: Pattern) -> Iterator[list[str]]:
        if pattern.is_literal:  # no need to walk a million keys for one
            if not pattern.text.startswith("!"):
                yield [pattern.text]
            return
        position = 0
        while True:
            position, keys = self._scan_once(pattern, position)
            if keys:
                yield keys
            if not position:
                return

    def _scan_once(self, pattern: Pattern, position: int) -> tuple[int, list[str]]:
        """One SCAN; both a pattern and every name that comes back are held to the prefix."""
        with _translated("scan"):
            # Entries are strings: a list or hash below our prefix is somebody else's.
            position, names = self._client.scan(
                position, match=pattern.redis_glob(self._prefix), count=_SCAN_COUNT, _type="string"
            )
        keys = []
        for raw in names:
            try:
                name = raw.decode() if isinstance(raw, bytes) else raw
            except UnicodeDecodeError:  # no name of ours
                continue
            key = name.removeprefix(self._prefix)
            if name.startswith(self._prefix) and not key.startswith("!") and pattern.matches(key):
                keys.append(key)
        return position, keys

    def _wanted(self, keys: list[str], wanted: Callable[[bytes], bool]) -> list[str]:
        looked = zip(keys, self.inspect(keys), strict=True)
        return [key for key, stored in looked if stored is not None and wanted(stored.head)]

    def _count(self) -> tuple[int, bool]:
        """How many keys are ours, and whether the time allowed sufficed to see them all."""
        deadline, keys = time.monotonic() + _COUNT_BUDGET, set[str]()
        for batch in self._batches(EVERYTHING):
            keys.update(batch)
            if time.monotonic() > deadline:
                return len(keys), False
        return len(keys), True


@contextmanager
def _translated(action: str) -> Iterator[None]:
    """Turn what redis-py raises into our own errors, keeping the cause."""
    try:
        yield
    except (ResponseError, NoPermissionError) as exc:
        if isinstance(exc, MasterDownError):
            raise BackendUnavailable(f"redis {action}: {exc}") from exc
        raise BackendError(f"redis {action}: {exc}") from exc
    except (BusyLoadingError, redis.RedisError, OSError) as exc:
        raise BackendUnavailable(f"redis {action}: {exc}") from exc
    except (TypeError, ValueError, LookupError, MemoryError, RecursionError) as exc:
        # The parser choked, or the answer is that of another command: nothing is known about what was asked.
        raise BackendUnavailable(f"redis {action}: unusable answer ({type(exc).__name__})") from exc


def _answers(found: object, number: int) -> list[bytes | Literal[Miss.MISS]]:
    if not isinstance(found, list) or len(found) != number:
        raise ValueError("not the answer to this question")
    return [data if isinstance(data, bytes) else MISS for data in found]


def _position(cursor: str) -> int:
    """Where to go on; a cursor of another store (Redis came back in between) means from the beginning."""
    is_ours = cursor.isascii() and cursor.isdecimal() and len(cursor) <= _CURSOR_DIGITS
    return int(cursor) if is_ours and int(cursor) < 2**64 else 0


def _milliseconds(ttl: float) -> int:
    return max(1, int(ttl * 1000))


def _stored(pttl: object, size: object, head: object) -> Stored | None:
    if not isinstance(pttl, int) or pttl == -2:  # noqa: PLR2004 - Redis' word for "no such key"
        return None
    expires_in = pttl / 1000 if pttl >= 0 else float("inf")
    return Stored(expires_in, size if isinstance(size, int) else 0, head if isinstance(head, bytes) else b"")
