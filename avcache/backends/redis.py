"""The shared store: Redis or Valkey, with short timeouts and no retries on the request path."""

from __future__ import annotations

import functools
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, Literal, cast

import redis
from redis.exceptions import LockError, NoPermissionError, ResponseError

from avcache.backends import scripts
from avcache.backends.barriers import Barrier, Barriers
from avcache.backends.base import (
    HEAD_BYTES,
    BackendInfo,
    Begun,
    Blob,
    Cleared,
    Page,
    Slice,
    State,
    StateName,
    Stored,
)
from avcache.backends.connect import connect
from avcache.backends.leases import Keeper, RedisLease
from avcache.backends.pattern import Pattern
from avcache.backends.versions import Versions
from avcache.backends.walk import BATCH, Walk
from avcache.backends.wire import Wire, facts_of, packed, refusal, translated
from avcache.clock import Clock
from avcache.errors import LockTimeout

__all__ = ["RedisBackend", "connect"]

logger = logging.getLogger(__name__)

_POLL: Final = 0.05
_COUNT_LIVES: Final = 30.0
_MOST_FORMER: Final = 8
_LISTENERS: Final = 16
_KNOWN_NAMES: Final = 4_096
_VERSION: Final = "!v"
_ANSWERS: Final = frozenset({bytes, type(None)})
_RETENTION: Final = 14 * 24 * 3600.0


class RedisBackend:
    """
    Entries below *prefix*; no other key of the server is ever named, read or dropped.

    Args:
        lease: Seconds after which the load of a process that died may begin anew elsewhere.
        retention: Seconds for which invalidations are remembered: as long as an entry may live.
    """

    is_local = False

    def __init__(
        self,
        client: redis.Redis,
        prefix: str,
        *,
        barriers: Barriers | None = None,
        lease: float = 1.0,
        retention: float = _RETENTION,
        wall: Clock = time.time,
    ) -> None:
        self.barriers = barriers or Barriers()
        self._client = client
        self._prefix = prefix
        self.wire = self._wire = Wire(client.connection_pool)
        self._walk = Walk(self._wire, prefix)
        self._versions = Versions(self._wire, prefix, self.barriers, retention)
        self._packed = functools.lru_cache(_KNOWN_NAMES)(lambda key: packed(prefix + key))
        self._packed_version = packed(self._versions.key)
        self._lease = lease
        self._keeper = Keeper(self._wire, lease)
        most = getattr(client.connection_pool, "max_connections", _LISTENERS)
        self._listeners = threading.BoundedSemaphore(max(1, min(_LISTENERS, most // 2)))
        self._many: tuple[int, float] | None = None
        self._since = wall()

    def ping(self) -> None:
        """Return if the server answers and may be read."""
        with translated("ping"):
            # A replica without its primary and a server that still loads answer PING, but no read.
            self._wire.ask("EXISTS", self._prefix + "!ping")

    def get(self, key: str) -> Blob | None:
        # MGET: a foreign key of another type is not there for it, where GET would fail.
        with translated("get"):
            data, mark = self._wire.ask_packed(b"*3\r\n$4\r\nMGET\r\n" + self._packed(key) + self._packed_version)
            if mark != self._versions.mark or self._wire.runs != self._versions.run:
                self._versions.catch_up()
        return Blob(data) if isinstance(data, bytes) else None

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        if not keys:
            return []
        with translated("mget"):
            names = b"".join(map(self._packed, keys))
            found = self._wire.ask_packed(b"*%d\r\n$4\r\nMGET\r\n" % (len(keys) + 2) + names + self._packed_version)
            if len(found) != len(keys) + 1:
                raise ValueError("not the answer to this question")
            self._versions.check(found.pop())
            if not _ANSWERS.issuperset(map(type, found)):
                raise TypeError("not the answer to this question")
        return cast("list[bytes | None]", found)

    def put(self, items: Mapping[str, tuple[bytes, float]]) -> None:
        names = list(items)
        batches = [names[start : start + BATCH] for start in range(0, len(names), BATCH)]
        with translated("put"):
            late = self._put(items, batches, self._versions.mark)
            # Where our version was an old one, all is stamped anew and sent once more, whatever happens meanwhile.
            self._put(items, late, b"")

    def begin(self, key: str, *, at_once: bool = False) -> Begun:
        lease_key, milliseconds = self._lease_key(key), int(self._lease * 1000)
        with translated("begin"):
            self._versions.meet()
            seen = self._versions.current
            token = f"{seen}:{uuid.uuid4().hex}"
            taken, holder, left, found = self._wire.ask_all(
                [
                    ("SET", lease_key, token, "NX", "PX", milliseconds),
                    ("GET", lease_key),
                    ("PTTL", lease_key),
                    ("MGET", self._prefix + key, self._versions.key),
                ]
            )
            if isinstance(found, ResponseError):
                raise found
            data, mark = found
            self._versions.check(mark)
            blob = Blob(data) if isinstance(data, bytes) else None
            version = self._versions.current  # the load has not begun yet: it will see all that is known by now
            if isinstance(taken, ResponseError):  # refuses writes: then nothing of it could be kept either
                return Begun(blob, version, refused=refusal("begin", taken))
            if taken is None and not at_once and not self._is_overtaken(key, holder):
                return Begun(blob, version, wait=max(0.001, left / 1000) if isinstance(left, int) else self._lease)
            # Nobody waits for a load that an invalidation has made worthless. And what this answer told of newer ones
            # has to stand in our own token, or others would take this load for worthless.
            if taken is None or version != seen:
                token = f"{version}:{uuid.uuid4().hex}"
                former = self._former(key, holder) if taken is None else ""
                self._wire.ask("SET", lease_key, token + former, "PX", milliseconds)
        return Begun(blob, version, RedisLease(self._wire, self._keeper, self._prefix, key, token))

    def _former(self, key: str, holder: object) -> str:
        """Whom a lease is taken over from, as it stands behind the new token: who may still keep what is loaded."""
        if not isinstance(holder, bytes) or self._is_overtaken(key, holder):
            return ""
        return "".join(f"<{token}" for token in holder.decode().split("<")[:_MOST_FORMER])

    def _is_overtaken(self, key: str, holder: object) -> bool:
        """Whether the load under a lease began before an invalidation of its key; its token says when it did."""
        begun = holder.partition(b":")[0] if isinstance(holder, bytes) else b""
        return begun.isdigit() and not self.barriers.allows(key, (), int(begun))

    @contextmanager
    def waiting(self, key: str) -> Iterator[Callable[[float], None]]:
        # Each that listens has a connection of its own: some do, the others look again and again.
        if not self._listeners.acquire(blocking=False):
            yield lambda seconds: time.sleep(min(seconds, _POLL))
            return
        try:
            with self._told(key) as wait:
                yield wait
        finally:
            self._listeners.release()

    @contextmanager
    def _told(self, key: str) -> Iterator[Callable[[float], None]]:
        with translated("subscribe"):
            told = self._client.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
            told.subscribe(f"{self._prefix}!loaded:{key}")
            told.get_message(timeout=self._lease)  # that it is heard from here on
        try:

            def wait(seconds: float) -> None:
                with translated("wait"):
                    told.get_message(timeout=seconds)

            yield wait
        finally:
            told.close()

    def invalidate(self, scopes: Sequence[str], drop: Sequence[str] = ()) -> Cleared:
        with translated("invalidate"):
            barriers = self._versions.raise_barriers(scopes)
            return Cleared(self._drop(drop), barriers=barriers)

    def restore(self, barriers: Sequence[Barrier]) -> bool:
        with translated("restore"):
            return self._versions.restore(barriers)

    def synchronise(self, raised: Iterable[str] = ()) -> None:
        """Bring the server's table and ours together, and raise the scopes of *raised* anew."""
        with translated("synchronise"):
            self._versions.synchronise(list(raised))

    def sweep(
        self, pattern: Pattern, below: int, wanted: Callable[[bytes], bool] | None = None, *, tally: str = ""
    ) -> Iterator[int]:
        return self._walk.sweep(pattern, below, wanted, tally=tally)

    def scan(self, pattern: Pattern, cursor: str = "", limit: int = 1000, budget: float | None = None) -> Page:
        return self._walk.scan(pattern, cursor, limit, budget)

    def inspect(self, keys: Sequence[str], head_bytes: int = HEAD_BYTES) -> list[Stored | None]:
        if not keys:
            return []
        # The version comes with them: who only looks must not take for valid what another process has invalidated.
        *found, mark = self._walk.inspect([*keys, _VERSION], head_bytes)
        with translated("inspect"):
            self._versions.check(None if mark is None else mark.head)
        return found

    def survey(self, *, fair: bool = False) -> Iterator[Slice]:
        with translated("survey"):
            self._versions.check(self._wire.ask("GET", self._versions.key))
        yield from self._walk.survey(fair=fair)

    @contextmanager
    def lock(self, name: str, *, lease: float, wait: float) -> Iterator[None]:
        # Not bound to the thread: who works in a coroutine may leave on another thread than he came in.
        held = self._client.lock(
            f"{self._prefix}!lock:{name}", timeout=max(lease, 0.001), blocking_timeout=wait, thread_local=False
        )
        with translated("lock"):
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
        keys, exact = self._counted()
        facts, kind = self._facts(), self._kind()
        return BackendInfo(
            kind,
            keys,
            exact,
            memory_bytes=_number(facts.get("used_memory")),
            version=facts.get(f"{kind}_version") or facts.get("redis_version"),
            clients=_number(facts.get("connected_clients")),
            evictions=_number(facts.get("evicted_keys")) or 0,
        )

    def state(self) -> State:
        name: StateName = self._kind()
        return State(name, since=self._since)

    def close(self) -> None:
        self._keeper.close()
        self._wire.close()
        self._client.close()
        self._client.connection_pool.disconnect()

    def _put(
        self, items: Mapping[str, tuple[bytes, float]], batches: list[list[str]], expected: bytes
    ) -> list[list[str]]:
        """Send *batches*; returns those that met another version than *expected*, which unless b"" were not kept."""
        stamp = self._versions.current.to_bytes(8)
        calls = (self._put_arguments(items, batch, expected, stamp) for batch in batches)
        marks = self._wire.run_all(scripts.PUT, calls)
        for mark in marks:
            self._versions.check(mark)
        return [batch for batch, mark in zip(batches, marks, strict=True) if mark != expected]

    def _put_arguments(
        self, items: Mapping[str, tuple[bytes, float]], names: list[str], expected: bytes, stamp: bytes
    ) -> tuple[list[str], list[object]]:
        prefix, leases = self._prefix, f"{self._prefix}!load:"
        arguments: list[object] = [expected]
        for name in names:
            data, ttl = items[name]
            arguments += (data[:4] + stamp + data[12:], _milliseconds(ttl))
        return [self._versions.key, *[prefix + name for name in names], *[leases + name for name in names]], arguments

    def _drop(self, keys: Sequence[str]) -> int:
        if not keys:
            return 0
        gone, _ = self._wire.ask_all(
            [
                ("UNLINK", *[self._prefix + key for key in keys]),
                ("UNLINK", *[self._lease_key(key) for key in keys]),
            ]
        )
        if isinstance(gone, ResponseError):
            raise gone
        return int(gone)

    def _lease_key(self, key: str) -> str:
        return f"{self._prefix}!load:{key}"

    def _facts(self) -> dict[str, str]:
        """What the server tells about itself; nothing if this user may not ask, or a proxy knows no such question."""
        with translated("info"):
            try:
                return facts_of(self._wire.ask("INFO"))
            except ResponseError as exc:
                if not isinstance(exc, NoPermissionError) and "unknown command" not in str(exc):
                    raise
                return {}

    def _counted(self) -> tuple[int, bool]:
        """How many keys are ours; of a large store what was seen in the time allowed, and not again for a while."""
        if self._many is None or time.monotonic() - self._many[1] > _COUNT_LIVES:
            keys, is_exact = self._walk.count()
            if is_exact:
                self._many = None
                return keys, True
            self._many = (keys, time.monotonic())
        return self._many[0], False

    def _kind(self) -> Literal["redis", "valkey"]:
        told = self._wire.server
        return "valkey" if told.get("server_name") == "valkey" or "valkey_version" in told else "redis"


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None


def _milliseconds(ttl: float) -> int:
    return max(1, int(ttl * 1000))
