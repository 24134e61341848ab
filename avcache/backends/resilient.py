"""Redis, else memory: the first fault switches over, a prober in the background finds the way back."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Literal, Protocol, TypeVar

from avcache.backends.base import Backend, BackendInfo, Cleared, Miss, Page, State, Stored
from avcache.backends.pattern import EVERYTHING, Pattern
from avcache.clock import Clock
from avcache.errors import BackendError, BackendUnavailable

__all__ = ["ResilientBackend", "Shared"]

logger = logging.getLogger(__name__)
T = TypeVar("T")

_PROBE_SPREAD = 0.2
_MAX_PENDING = 10_000
_MAX_SCOPES = 100
"""Each scope walks the keyspace once: many of them would take longer than dropping everything."""


class Shared(Backend, Protocol):
    """A backend on a server, which can be asked whether it is there."""

    def ping(self) -> None:
        """Return if the server answers and may be read."""
        ...

    def learn(self) -> None:
        """Find out what kind of server it is."""
        ...


Wanted = Callable[[bytes], bool]


class ResilientBackend:
    """
    Use *primary*; while it does not answer, use *secondary*, whose entries then live *fallback_ttl* seconds at most.

    Nothing that was invalidated or written meanwhile comes back in its old form: what could not be dropped from the
    primary is kept as pending, and dropped there before it is read again.
    """

    def __init__(
        self,
        primary: Shared,
        secondary: Backend,
        *,
        fallback_ttl: float = 60.0,
        probe_interval: float = 2.0,
        wall: Clock = time.time,
    ) -> None:
        self._primary = primary
        self._secondary = secondary
        self._fallback_ttl = fallback_ttl
        self._probe_interval = probe_interval
        self._wall = wall
        self._mutex = threading.Lock()
        self._degraded: State | None = None
        self._pending = _Pending()
        self._applying = 0
        self._prober: threading.Thread | None = None
        self._closed = threading.Event()

    def start(self) -> None:
        """Find out now, rather than at the first read, whether the primary answers."""
        self._read(lambda backend: backend.learn() if backend is self._primary else None)

    def get(self, key: str) -> bytes | Literal[Miss.MISS]:
        return self._read(lambda backend: backend.get(key))

    def get_many(self, keys: Sequence[str]) -> list[bytes | Literal[Miss.MISS]]:
        return self._read(lambda backend: backend.get_many(keys))

    def scan(self, pattern: Pattern, cursor: str = "", limit: int = 1000) -> Page:
        def ask(backend: Backend) -> Page:
            # A server's cursor is a number, that of memory a key: one of the other store means from the beginning.
            is_own = cursor.isdecimal() == (backend is self._primary)
            return backend.scan(pattern, cursor if is_own else "", limit)

        return self._read(ask)

    def inspect(self, keys: Sequence[str]) -> list[Stored | None]:
        return self._read(lambda backend: backend.inspect(keys))

    def info(self) -> BackendInfo:
        return self._read(lambda backend: backend.info())

    def set(self, key: str, data: bytes, *, ttl: float) -> None:
        self.set_many({key: (data, ttl)})

    def set_many(self, items: Mapping[str, tuple[bytes, float]]) -> None:
        def on_primary() -> None:
            if len(items) == 1:
                ((key, (data, ttl)),) = items.items()
                self._primary.set(key, data, ttl=ttl)
            else:
                self._primary.set_many(items)

        def on_secondary() -> None:
            short = {key: (data, min(ttl, self._fallback_ttl)) for key, (data, ttl) in items.items()}
            self._secondary.set_many(short)
            # The primary may hold older values of these keys, or even got this write: neither may come back.
            self._pending.add_keys(items)

        try:
            self._write(on_primary, on_secondary, leaving_on=BackendUnavailable)
        except BackendError:
            # Refused (out of memory, read-only): the caller goes on without it, but no older value may answer for it.
            self.delete(items)
            raise

    def delete(self, keys: Iterable[str]) -> Cleared:
        names = list(keys)

        def on_secondary() -> Cleared:
            self._pending.add_keys(names)
            return Cleared(self._secondary.delete(names), pending=True)

        return self._write(lambda: self._primary.delete(names), on_secondary, leaving_on=BackendError)

    def clear(self, pattern: Pattern, wanted: Wanted | None = None) -> Cleared:
        def on_secondary() -> Cleared:
            self._pending.add_scope(pattern, wanted)
            return Cleared(self._secondary.clear(pattern, wanted), pending=True)

        return self._write(lambda: self._primary.clear(pattern, wanted), on_secondary, leaving_on=BackendError)

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
        degraded = self._degraded
        if degraded is None:
            return self._primary.state()
        return State(degraded.name, degraded.since, degraded.error, pending=len(self._pending) + self._applying)

    def close(self) -> None:
        self._closed.set()
        self._primary.close()
        self._secondary.close()

    def _read(self, ask: Callable[[Backend], T]) -> T:
        if self._degraded is None:
            try:
                return ask(self._primary)
            except BackendError as exc:
                # A server that answers but refuses even a read (no permission, say) is of no use either.
                self._degrade(exc)
        self._keep_probing()
        return ask(self._secondary)

    def _write(
        self, on_primary: Callable[[], T], on_secondary: Callable[[], T], *, leaving_on: type[BackendError]
    ) -> T:
        """
        Write to the primary; after an error of *leaving_on* to memory, and to the pending list in the same step.

        What refuses to drop (read-only, no permission) is left as well: what it holds can't be trusted then.
        """
        while True:
            if self._degraded is None:
                try:
                    return on_primary()
                except leaving_on as exc:
                    self._degrade(exc)
            self._keep_probing()
            with self._mutex:
                if self._degraded is not None:  # else the primary came back just now: it must get this
                    return on_secondary()

    def _shared_lock(self, name: str, *, lease: float, wait: float) -> AbstractContextManager[None]:
        """The primary's lock, held already; nothing where it cannot be had and that of this process has to do."""
        if self._degraded is None:
            try:
                return _Entered(self._primary.lock(name, lease=lease, wait=wait))
            except BackendUnavailable as exc:
                self._degrade(exc)
            except BackendError as exc:  # refuses writes (out of memory, read-only), but can be read
                logger.warning("lock.not_shared", extra={"lock": name, "error": _first_line(exc)})
        return nullcontext()

    def _degrade(self, exc: BackendError) -> None:
        with self._mutex:
            if self._degraded is not None:
                return
            reason = type(exc.__cause__ or exc).__name__
            self._degraded = State("degraded", since=self._wall(), error=f"{reason}: {_first_line(exc)}")
        logger.warning("backend.degraded", extra={"error": reason})
        self._keep_probing()

    def _keep_probing(self) -> None:
        """See to it that a prober runs: after a fork it does not, nor if there was no thread to be had."""
        if self._prober is not None and self._prober.is_alive():
            return
        with self._mutex:
            is_alive = self._prober is not None and self._prober.is_alive()
            if self._degraded is None or is_alive or self._closed.is_set():
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
        while not self._closed.wait(self._probe_interval * random.uniform(1 - _PROBE_SPREAD, 1 + _PROBE_SPREAD)):  # noqa: S311 - no secret
            try:
                self._primary.ping()
                self._recover()
            except BackendError as exc:
                self._note("degraded", f"{type(exc.__cause__ or exc).__name__}: {_first_line(exc)}")
            except Exception:  # the prober is the only way back: it must survive
                logger.exception("backend.probe_failed")
                self._note("degraded", None)
            else:
                return

    def _recover(self) -> None:
        """Drop from the primary what must not come back, then from memory what outlived its purpose, then read."""
        self._note("recovering", None)
        self._primary.learn()
        while True:
            with self._mutex:
                due = self._pending.take()
                if not due:
                    self._secondary.clear(EVERYTHING)
                    # Told before it shows, so that whoever sees the new state finds it in the log.
                    logger.warning("backend.recovered")
                    self._degraded = self._prober = None
                    return
                self._applying = len(due)
            try:
                due.apply(self._primary)
            except BaseException:
                with self._mutex:
                    self._pending.merge(due)
                raise
            finally:
                self._applying = 0

    def _note(self, name: Literal["degraded", "recovering"], error: str | None) -> None:
        with self._mutex:
            if self._degraded is not None:
                self._degraded = State(name, self._degraded.since, error or self._degraded.error)


class _Pending:
    """Invalidations that wait for the primary. Past the bound they collapse into one that covers them all."""

    def __init__(self) -> None:
        self._keys: dict[str, None] = {}
        self._scopes: list[tuple[Pattern, Wanted | None]] = []

    def __len__(self) -> int:
        return len(self._keys) + len(self._scopes)

    def add_keys(self, keys: Iterable[str]) -> None:
        self._keys.update(dict.fromkeys(keys))
        self._bound()

    def add_scope(self, pattern: Pattern, wanted: Wanted | None) -> None:
        if (pattern, wanted) not in self._scopes:
            self._scopes.append((pattern, wanted))
            self._bound()

    def take(self) -> _Pending:
        """Move everything into a new list."""
        taken = _Pending()
        taken._keys, self._keys = self._keys, taken._keys
        taken._scopes, self._scopes = self._scopes, taken._scopes
        return taken

    def merge(self, other: _Pending) -> None:
        """Put back what *other* holds."""
        self._scopes = other._scopes + self._scopes
        self.add_keys(other._keys)

    def apply(self, backend: Backend) -> None:
        """Drop from *backend* all that is meant."""
        for pattern, wanted in self._scopes:
            backend.clear(pattern, wanted)
        keys = list(self._keys)
        for start in range(0, len(keys), 500):
            backend.delete(keys[start : start + 500])

    def _bound(self) -> None:
        if len(self) > _MAX_PENDING or len(self._scopes) > _MAX_SCOPES:
            self._keys, self._scopes = {}, [(EVERYTHING, None)]


class _Entered:
    """A context that was entered already, so that a fault on the way in can still be answered elsewhere."""

    def __init__(self, context: AbstractContextManager[None]) -> None:
        self._context = context
        context.__enter__()

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: object) -> None:
        self._context.__exit__(*exc)  # type: ignore[arg-type]


def _first_line(exc: Exception) -> str:
    return str(exc).partition("\n")[0][:200]
