"""`Cache HIT <key>` and `Cache MISS <key>` in a rotating file, written by a thread of its own."""

from __future__ import annotations

import logging
import os
import queue
import threading
from logging.handlers import RotatingFileHandler
from pathlib import Path

from avcache.core.keys import Key

__all__ = ["AccessLog"]

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
        self._claim: Path | None = None
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
            handler = RotatingFileHandler(
                self._own_file(), maxBytes=_MAX_BYTES, backupCount=_KEPT_FILES, encoding="utf-8"
            )
        except OSError as exc:
            logging.getLogger(__name__).warning("access_log.unwritable", extra={"error": str(exc)})
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
        if self._claim is not None:
            self._claim.unlink(missing_ok=True)
            self._claim = None

    def _own_file(self) -> Path:
        claim = self._folder / "alphavelocity.pid"
        try:
            claim.touch(exist_ok=False)
        except FileExistsError:
            if _is_running(claim):
                return self._folder / f"alphavelocity.{os.getpid()}.log"
        claim.write_text(str(os.getpid()))
        self._claim = claim
        return self._folder / "alphavelocity.log"

    def _write(self, handler: RotatingFileHandler) -> None:
        while (waiting := self._waiting.get()) is not None:
            hit, key = waiting
            message = f"Cache {'HIT' if hit else 'MISS'} {key}"
            handler.handle(logging.makeLogRecord({"levelname": "INFO", "levelno": logging.INFO, "msg": message}))
        handler.close()


def _is_running(claim: Path) -> bool:
    """Whether the process that claimed the file still runs (and is not this one under an old number)."""
    try:
        pid = int(claim.read_text())
        os.kill(pid, 0)
    except (ValueError, OSError):
        return False
    return pid != os.getpid()
