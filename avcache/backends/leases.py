"""The right of one process to load a key: a key of the server that ends by itself unless it is renewed."""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from avcache.backends import scripts
from avcache.backends.wire import Wire, translated
from avcache.errors import BackendError
from avcache.forks import renew_in_children

__all__ = ["Keeper", "RedisLease"]

logger = logging.getLogger(__name__)

_RENEWALS: Final = 3
"""Renewed so many times while a lease lasts: one may come late."""


class RedisLease:
    """One load that this process may do; *token* tells it from all others."""

    def __init__(self, wire: Wire, keeper: Keeper, prefix: str, key: str, token: str) -> None:
        self._wire = wire
        self._keeper = keeper
        self._entry = prefix + key
        self._channel = f"{prefix}!loaded:{key}"
        self.name = f"{prefix}!load:{key}"
        self.token = token
        keeper.keep(self)

    def store(self, data: bytes, ttl: float) -> bool:
        self._keeper.drop(self)
        with translated("store"):
            return bool(self._store(data, max(1, int(ttl * 1000))))

    def discard(self) -> None:
        self._keeper.drop(self)
        with _logged(self.name), translated("discard"):
            self._store(b"", 0)

    def release(self) -> None:
        self._keeper.drop(self)
        with _logged(self.name), translated("release"):
            self._wire.run(scripts.RELEASE, [self.name], self.token, self._channel, self._keeper.milliseconds)

    def abandon(self) -> None:
        self._keeper.drop(self)

    def _store(self, data: bytes, milliseconds: int) -> object:
        return self._wire.run(scripts.STORE, [self._entry, self.name], self.token, data, milliseconds, self._channel)


@contextmanager
def _logged(name: str) -> Iterator[None]:
    """A lease that cannot be given back ends by itself soon."""
    try:
        yield
    except BackendError as exc:
        logger.info("lease.not_released", extra={"lease": name, "error": str(exc)})


class Keeper:
    """
    Renews the leases of this process while their loads go on, all of them in one command.

    A lease that nobody holds any more (its load was cancelled, or its thread is gone) is forgotten, and ends by itself.
    """

    def __init__(self, wire: Wire, lease: float) -> None:
        self._wire = wire
        self.milliseconds = int(lease * 1000)
        self._pause = lease / _RENEWALS
        self._is_closed = False
        self.begin_anew()
        renew_in_children(self)

    def begin_anew(self) -> None:
        """In a forked process: the leases of its parent are the parent's to renew."""
        self._kept: weakref.WeakSet[RedisLease] = weakref.WeakSet()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def keep(self, lease: RedisLease) -> None:
        """Renew *lease* until it is dropped."""
        with self._changed:
            if self._thread is None or not self._thread.is_alive():
                self._start()
            self._kept.add(lease)
            self._changed.notify()

    def drop(self, lease: RedisLease) -> None:
        """Renew *lease* no more."""
        with self._changed:
            self._kept.discard(lease)

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()

    def _start(self) -> None:
        thread = threading.Thread(target=self._renew, name="avcache-leases", daemon=True)
        try:
            thread.start()
        except RuntimeError as exc:  # no thread to be had: a long load may then be done twice
            logger.warning("lease.not_renewed", extra={"error": str(exc)})
            return
        self._thread = thread

    def _renew(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._kept) or self._is_closed)
                if self._is_closed:
                    return
                self._changed.wait_for(lambda: self._is_closed, timeout=self._pause)
                # Names, not leases: held here, none would ever be forgotten.
                kept = [(lease.name, lease.token) for lease in self._kept]
            if not kept:
                continue
            names, tokens = zip(*kept, strict=True)
            try:
                with translated("renew"):
                    self._wire.run(scripts.RENEW, names, self.milliseconds, *tokens)
            except BackendError as exc:
                logger.info("lease.not_renewed", extra={"error": str(exc)})
