"""Redis, else memory: the first fault switches over, a prober in the background finds the way back."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import Any, Final, Literal, Protocol, TypeVar

from avcache.backends.barriers import Barrier, Barriers, key_scope
from avcache.backends.base import (
    HEAD_BYTES,
    Backend,
    BackendInfo,
    Begun,
    Blob,
    Cleared,
    Lease,
    Page,
    Slice,
    State,
    Stored,
)
from avcache.backends.memory import MemoryBackend
from avcache.backends.pattern import Pattern
from avcache.clock import Clock
from avcache.errors import BackendError, BackendMisconfigured, BackendUnavailable
from avcache.forks import renew_in_children

__all__ = ["ResilientBackend", "Shared"]

logger = logging.getLogger(__name__)
T = TypeVar("T")

_PROBE_SPREAD: Final = 0.2
_FREE_ROUNDS: Final = 3
_chance = random.Random()  # noqa: S311 - no secret; our own, for a thread in the background must not disturb who seeds theirs
_MISCONFIGURED_INTERVAL: Final = 30.0
"""Seconds between two tries with a password that was refused: more of them may lock the user out."""


class Shared(Backend, Protocol):
    """A backend on a server, which can be asked whether it is there."""

    def ping(self) -> None:
        """Return if the server answers and may be read."""
        ...

    def synchronise(self, raised: Iterable[str] = ()) -> None:
        """Bring the server's barriers and ours together, and raise the scopes of *raised* anew."""
        ...


class ResilientBackend:
    """
    Use *primary*; while it does not answer, use *secondary*, whose entries then live *fallback_ttl* seconds at most.

    Nothing that was invalidated or written meanwhile comes back in its old form: what the primary could not be told is
    pending, and becomes a barrier there before it is read again. Both share their `barriers`.

    A primary that can be read but refuses what is written stays in use: what it would not take is pending as well, and
    holds in this process from then on.
    """

    def __init__(
        self,
        primary: Shared,
        secondary: MemoryBackend,
        *,
        fallback_ttl: float = 60.0,
        probe_interval: float = 2.0,
        wall: Clock = time.time,
    ) -> None:
        if primary.barriers is not secondary.barriers:
            raise ValueError("primary and secondary must share their barriers")
        self.barriers: Barriers = secondary.barriers
        self._primary = primary
        self._secondary = secondary
        self.fallback_ttl = fallback_ttl
        self._probe_interval = probe_interval
        self._wall = wall
        self.begin_anew()
        renew_in_children(self)
        self._away: State | None = None
        self._back_at: float | None = None
        self._refusal: str | None = None
        self._pause = probe_interval
        self._closed = threading.Event()

    def begin_anew(self) -> None:
        """In a forked process: no thread of its parent holds a lock, or probes."""
        self._mutex = threading.RLock()
        self._probing = threading.Lock()
        self._prober: threading.Thread | None = None

    @property
    def is_local(self) -> bool:
        return self._away is not None

    def start(self) -> None:
        """Find out now, rather than at the first read, whether the primary answers."""
        self._read(lambda backend: self._primary.ping() if backend is self._primary else None)

    def get(self, key: str) -> Blob | None:
        if self._away is None:
            try:
                return self._primary.get(key)
            except BackendError as exc:
                self._leave(exc)
        self._keep_probing()
        return self._secondary.get(key)

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        return self._read(lambda backend: backend.get_many(keys))

    def begin(self, key: str, *, at_once: bool = False) -> Begun:
        serving, begun = self._read(lambda backend: (backend, backend.begin(key, at_once=at_once)))
        if begun.refused is not None:
            self._refused(begun.refused)
        if begun.lease is None:
            return begun
        self._refusal = None
        is_secondary = serving is self._secondary
        return replace(begun, lease=_InOutage(self, begun.lease, key) if is_secondary else _Watched(self, begun.lease))

    def owe(self, key: str) -> None:
        """What was loaded in an outage was newer than what the primary has."""
        with self._mutex:
            if self._away is not None:
                self.barriers.owe(key_scope(key))

    def waiting(self, key: str) -> AbstractContextManager[Callable[[float], None]]:
        return self._read(lambda backend: _Entered(backend.waiting(key)))

    def scan(self, pattern: Pattern, cursor: str = "", limit: int = 1000, budget: float | None = None) -> Page:
        def ask(backend: Backend) -> Page:
            # A server's cursor is a number, that of memory a key: one of the other store means from the beginning.
            is_own = cursor.isdecimal() == (backend is self._primary)
            return backend.scan(pattern, cursor if is_own else "", limit, budget)

        return self._read(ask)

    def inspect(self, keys: Sequence[str], head_bytes: int = HEAD_BYTES) -> list[Stored | None]:
        return self._read(lambda backend: backend.inspect(keys, head_bytes))

    def survey(self, *, fair: bool = False) -> Iterator[Slice]:
        """Of what serves at first; ends in an error if that is the primary, and it goes away meanwhile."""
        if self._away is not None:
            yield from self._secondary.survey(fair=fair)
            return
        try:
            yield from self._primary.survey(fair=fair)
        except BackendError as exc:
            self._leave(exc)
            raise

    def info(self) -> BackendInfo:
        return self._read(lambda backend: backend.info())

    def sweep(
        self, pattern: Pattern, below: int, wanted: Callable[[bytes], bool] | None = None, *, tally: str = ""
    ) -> Iterator[int]:
        """As long as the primary answers; what is left of it then is invalid already, and expires."""
        if self._away is not None:
            yield from self._secondary.sweep(pattern, below, wanted, tally=tally)
            return
        try:
            yield from self._primary.sweep(pattern, below, wanted, tally=tally)
        except BackendUnavailable as exc:
            self._leave(exc)
        except BackendError as exc:
            self._refused(exc)

    def put(self, items: Mapping[str, tuple[bytes, float]]) -> None:
        def on_secondary() -> None:
            # The primary may hold older values of these keys, or even got this write: neither may come back.
            self._raise_pending([key_scope(key) for key in items])
            self._secondary.put({key: (data, min(ttl, self.fallback_ttl)) for key, (data, ttl) in items.items()})

        def on_primary() -> None:
            if self.barriers.pending:  # else they would stand above what is written now
                self._primary.synchronise(list(self.barriers.pending))
            self._primary.put(items)
            self._refusal = None

        try:
            self._write(on_primary, on_secondary)
        except BackendError as exc:
            # Refused (out of memory, read-only): the caller goes on without it, but no older value may answer for it.
            self._refused(exc)
            self.invalidate([key_scope(key) for key in items], list(items))
            raise

    def invalidate(self, scopes: Sequence[str], drop: Sequence[str] = ()) -> Cleared:
        def on_secondary() -> Cleared:
            made = self._raise_pending(scopes)
            return Cleared(self._secondary.drop(drop), pending=True, barriers=made)

        try:
            return self._write(lambda: self._primary.invalidate(scopes, drop), on_secondary)
        except BackendError as exc:
            self._refused(exc)
            made = self._raise_pending(scopes)
            self._keep_probing()
            return Cleared(0, pending=True, barriers=made)

    def restore(self, barriers: Sequence[Barrier]) -> bool:
        """Pending ones here, all others on the primary; while that is away, those cannot be taken back."""
        with self._mutex:
            here = [found for found in barriers if self.barriers.pending.get(found.scope) == found.version]
            restored = sum(map(self.barriers.take_back, here)) == len(here)
        there = [found for found in barriers if found not in here]
        if not there:
            return restored
        return self._write(lambda: self._primary.restore(there), lambda: False) and restored

    @contextmanager
    def lock(self, name: str, *, lease: float, wait: float) -> Iterator[None]:
        give_up_at = time.monotonic() + wait
        # The lock of this process first: it goes on excluding its threads when the server goes away, or comes back.
        with (
            self._secondary.lock(name, lease=lease, wait=wait),
            self._shared_lock(name, lease=lease, wait=max(0.0, give_up_at - time.monotonic())),
        ):
            yield

    def state(self) -> State:
        away, pending = self._away, len(self.barriers.pending)
        if away is None:
            found = self._primary.state()
            since = found.since if self._back_at is None else self._back_at
            return State(found.name, since, self._refusal, pending)
        return State(away.name, away.since, away.error, pending)

    def close(self) -> None:
        self._closed.set()
        self._primary.close()
        self._secondary.close()

    def probe(self) -> bool:
        """Ask the primary once; if it answers, tell it what it has missed and go back to it. Says whether it serves."""
        with self._probing:
            try:
                self._primary.ping()
                self._recover()
            except BackendError as exc:
                self._pause = self._probe_interval
                if isinstance(exc, BackendMisconfigured):
                    self._pause = max(self._pause, _MISCONFIGURED_INTERVAL)
                self._note("degraded", _reason(exc))
                return False
            return True

    def notice(self, exc: BackendError) -> None:
        """Take note of what happened to a lease."""
        if isinstance(exc, BackendUnavailable):
            self._leave(exc)
        else:
            self._refused(exc)

    def _read(self, ask: Callable[[Backend], T]) -> T:
        if self._away is None:
            try:
                return ask(self._primary)
            except BackendError as exc:
                # A server that answers but refuses even a read (no permission, say) is of no use either.
                self._leave(exc)
        self._keep_probing()
        return ask(self._secondary)

    def _write(self, on_primary: Callable[[], T], on_secondary: Callable[[], T]) -> T:
        """Write to the primary; if it does not answer to memory, and to what is pending in the same step."""
        while True:
            if self._away is None:
                try:
                    return on_primary()
                except BackendUnavailable as exc:
                    self._leave(exc)
            with self._mutex:
                if self._away is not None:  # else the primary came back just now: it must get this
                    return on_secondary()

    def _raise_pending(self, scopes: Sequence[str]) -> list[Barrier]:
        with self._mutex:
            return self.barriers.raise_locally(scopes, pending=True)

    def _shared_lock(self, name: str, *, lease: float, wait: float) -> AbstractContextManager[Any]:
        """The primary's lock, held already; nothing where it cannot be had and that of this process has to do."""
        if self._away is None:
            try:
                return _Entered(self._primary.lock(name, lease=lease, wait=wait))
            except BackendUnavailable as exc:
                self._leave(exc)
            except BackendError as exc:  # refuses writes (out of memory, read-only), but can be read
                logger.warning("lock.not_shared", extra={"lock": name, "error": _first_line(exc)})
        return nullcontext()

    def _leave(self, exc: BackendError) -> None:
        with self._mutex:
            if self._away is not None:
                self._keep_probing()
                return
            self._pause = self._probe_interval
            if isinstance(exc, BackendMisconfigured):
                self._pause = max(self._pause, _MISCONFIGURED_INTERVAL)
            self._away = State("degraded", since=self._wall(), error=_reason(exc))
        logger.warning("backend.degraded", extra={"error": type(exc.__cause__ or exc).__name__})
        self._keep_probing()

    def _refused(self, exc: BackendError) -> None:
        """Tell, once for each change, that what is written is refused."""
        if self._refusal is None:
            logger.warning("backend.refuses_writes", extra={"error": _reason(exc)})
        self._refusal = _reason(exc)

    def _keep_probing(self) -> None:
        """See to it that a prober runs: after a fork it does not, nor if there was no thread to be had."""
        if self._prober is not None and self._prober.is_alive():
            return
        with self._mutex:
            is_alive = self._prober is not None and self._prober.is_alive()
            if is_alive or self._closed.is_set():
                return
            prober = threading.Thread(target=self._find_way_back, name="avcache-prober", daemon=True)
            try:
                prober.start()
            except RuntimeError as exc:
                logger.warning("backend.no_prober", extra={"error": str(exc)})
                return
            self._prober = prober

    def _find_way_back(self) -> None:
        # Spread out, so that many processes don't probe a struggling server in step.
        while not self._closed.wait(self._pause * _chance.uniform(1 - _PROBE_SPREAD, 1 + _PROBE_SPREAD)):
            try:
                self.probe()
            except Exception:  # the prober is the only way back: it must survive
                logger.exception("backend.probe_failed")
                self._note("degraded", None)
            with self._mutex:
                if self._away is None and not self.barriers.pending:
                    self._prober = None
                    return

    def _recover(self) -> None:
        """Tell the primary what was invalidated, then drop what memory collected, then read from the primary again."""
        self._note("recovering", None)
        for _ in range(_FREE_ROUNDS):
            if self._away is None and not self.barriers.pending:
                return
            self._primary.synchronise(list(self.barriers.pending))
            if self._is_back():
                return
        with self._mutex:  # who goes on invalidating waits for one round trip, lest this never ends
            self._primary.synchronise(list(self.barriers.pending))
            self._is_back()

    def _is_back(self) -> bool:
        """Read from the primary again, if it knows all that was invalidated meanwhile."""
        with self._mutex:
            if self.barriers.pending:
                return False
            if self._away is not None:
                self._secondary.empty()
                # Told before it shows, so that whoever sees the new state finds it in the log.
                logger.warning("backend.recovered")
                self._back_at = self._wall()
                self._away = None
            return True

    def _note(self, name: Literal["degraded", "recovering"], error: str | None) -> None:
        with self._mutex:
            if self._away is not None:
                self._away = State(name, self._away.since, error or self._away.error)


class _Watched:
    """A lease whose faults are the backend's."""

    def __init__(self, backend: ResilientBackend, lease: Lease) -> None:
        self._backend = backend
        self._lease = lease

    def store(self, data: bytes, ttl: float) -> bool:
        try:
            return self._lease.store(data, ttl)
        except BackendError as exc:
            self._backend.notice(exc)
            raise

    def discard(self) -> None:
        self._lease.discard()

    def release(self) -> None:
        self._lease.release()

    def abandon(self) -> None:
        self._lease.abandon()


class _InOutage(_Watched):
    """A lease of the secondary: what is loaded under it must not be followed by an older value of the primary's."""

    def __init__(self, backend: ResilientBackend, lease: Lease, key: str) -> None:
        super().__init__(backend, lease)
        self._key = key

    def store(self, data: bytes, ttl: float) -> bool:
        stored = super().store(data, min(ttl, self._backend.fallback_ttl))
        if stored:
            self._backend.owe(self._key)
        return stored


class _Entered:
    """A context that was entered already, so that a fault on the way in can still be answered elsewhere."""

    def __init__(self, context: AbstractContextManager[Any]) -> None:
        self._context = context
        self._value = context.__enter__()

    def __enter__(self) -> Any:
        return self._value

    def __exit__(self, *exc: object) -> None:
        self._context.__exit__(*exc)  # type: ignore[arg-type]


def _reason(exc: BackendError) -> str:
    return f"{type(exc.__cause__ or exc).__name__}: {_first_line(exc)}"


def _first_line(exc: Exception) -> str:
    return str(exc).partition("\n")[0][:200]
