"""`Cache HIT <key>` and `Cache MISS <key>` in a rotating file, written by a thread of its own."""

from __future__ import annotations

import logging
import os
import queue
import sys
import threading
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # Windows: one process to a folder there
    fcntl = None  # type: ignore[assignment]

from avcache.core.keys import Key

__all__ = ["AccessLog"]

logger = logging.getLogger(__name__)

_MAX_BYTES = 10 * 2**20
_KEPT_FILES = 5
_MAX_WAITING = 100_000


class AccessLog:
    """
    An observer of the cache's reads. `start` opens the file, `stop` writes what is left and closes it.

    The first process in *folder* writes `alphavelocity.log`, further ones `alphavelocity.<pid>.log`: a file that
    rotates can have one writer only. Where nothing can be written, the cache goes on and the reason is logged.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._waiting: queue.SimpleQueue[tuple[bool, str] | None] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None
        self._claim: IO[str] | None = None
        self.path: Path | None = None

    def __call__(self, key: Key, hit: bool) -> None:  # noqa: FBT001 - the signature of an AccessObserver
        if self._writer is not None and self._waiting.qsize() < _MAX_WAITING:
            self._waiting.put((hit, key.text))

    def start(self) -> None:
        """Open the file and begin to write; a second call changes nothing."""
        if self._writer is not None:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            handler = _File(self._own_file(), maxBytes=_MAX_BYTES, backupCount=_KEPT_FILES, encoding="utf-8")
        except OSError as exc:
            logger.warning("access_log.unwritable", extra={"error": str(exc)})
            self._release()
            return
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        self.path = Path(handler.baseFilename)
        self._writer = threading.Thread(target=self._write, args=(handler,), name="avcache-access-log", daemon=True)
        self._writer.start()

    def stop(self) -> None:
        """Write what waits, then close the file."""
        writer, self._writer = self._writer, None
        if writer is not None:
            self._waiting.put(None)
            writer.join(timeout=5)
        self._release()

    def _own_file(self) -> Path:
        claim = (self._folder / "alphavelocity.pid").open("a", encoding="ascii")
        if not _locked(claim):
            claim.close()
            return self._folder / f"alphavelocity.{os.getpid()}.log"
        # The number is for people; what counts is the lock, which ends with the process however that ends.
        claim.truncate(0)
        claim.write(f"{os.getpid()}\n")
        claim.flush()
        self._claim = claim
        return self._folder / "alphavelocity.log"

    def _release(self) -> None:
        # The file stays: if it went, a process that had just opened it would hold a lock that nobody else sees.
        claim, self._claim = self._claim, None
        if claim is not None:
            claim.close()

    def _write(self, handler: RotatingFileHandler) -> None:
        while (waiting := self._waiting.get()) is not None:
            hit, key = waiting
            # Keys have no control characters, but may have a line separator of Unicode.
            shown = key if key.isprintable() else key.encode("unicode_escape").decode("ascii")
            message = f"Cache {'HIT' if hit else 'MISS'} {shown}"
            handler.handle(logging.makeLogRecord({"levelname": "INFO", "levelno": logging.INFO, "msg": message}))
        handler.close()


class _File(RotatingFileHandler):
    """Says once that it cannot write (a full disk, say), not with a traceback for each line."""

    _failed = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - the signature is logging's
        if not self._failed:
            logger.error("access_log.write_failed", extra={"error": repr(sys.exception())})
        self._failed = True


def _locked(claim: IO[str]) -> bool:
    """Whether this process holds the claim now: no other one does."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
