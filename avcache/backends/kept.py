"""The file in which a board without a server keeps what a restart must not lose."""

from __future__ import annotations

import logging
import os
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from avcache.forks import renew_in_children

__all__ = ["Kept", "KeptFile"]

logger = logging.getLogger(__name__)

_PAUSE: Final = 1.0
"""Seconds in which changes are gathered: the file is written that often at most."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is in the file: records with the wall-clock reading at which they expire, and logs, newest first."""

    records: dict[str, tuple[bytes, float]] = field(default_factory=dict)
    logs: dict[str, list[bytes]] = field(default_factory=dict)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Kept).decode


class KeptFile:
    """
    `write_soon` writes what *collect* returns then, whole or not at all; `close` writes at once what still waits.

    A file that cannot be understood is set aside as `<name>.broken`; one that cannot be read is never written, for it
    may be good. Neither that nor a full disk is an error for the caller: it is logged.
    """

    def __init__(self, path: Path, collect: Callable[[], Kept]) -> None:
        self._path = path
        self._collect = collect
        self._is_usable = True
        self._is_failing = False
        self.begin_anew()
        renew_in_children(self)

    def begin_anew(self) -> None:
        """In a forked process: what waited there is written by the parent."""
        self._mutex = threading.Lock()
        self._writing = threading.Lock()
        self._is_waiting = False
        self._timer: threading.Timer | None = None

    def read(self) -> Kept:
        """What the file holds; nothing if there is none, or none that can be used."""
        try:
            return _decode(self._path.read_bytes())
        except FileNotFoundError:
            pass
        except OSError as exc:
            self._is_usable = False
            logger.warning("board.file_unreadable", extra={"file": str(self._path), "error": str(exc)})
        except msgspec.MsgspecError as exc:
            self._set_aside(exc)
        return Kept()

    def write_soon(self) -> None:
        """Have the file written within a second."""
        with self._mutex:
            self._is_waiting = True
            if self._timer is not None:
                return
            timer = threading.Timer(_PAUSE, self._write)
            timer.daemon = True
            with suppress(RuntimeError):  # no thread to be had: the next change tries again, or `close` writes
                timer.start()
                self._timer = timer

    def close(self) -> None:
        """Write now what waits to be written."""
        with self._mutex:
            if self._timer is not None:
                self._timer.cancel()
        self._write()

    def _write(self) -> None:
        with self._writing:
            with self._mutex:
                is_waiting, self._is_waiting, self._timer = self._is_waiting, False, None
            if not is_waiting or not self._is_usable:
                return
            try:
                self._replace(_encode(self._collect()))
            except OSError as exc:
                if not self._is_failing:
                    logger.warning("board.file_unwritten", extra={"file": str(self._path), "error": str(exc)})
                self._is_failing = True
                return
            if self._is_failing:
                logger.info("board.file_written", extra={"file": str(self._path)})
            self._is_failing = False

    def _replace(self, data: bytes) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # A name of its own, readable by this user alone: another process may write at the same time.
        handle, name = tempfile.mkstemp(prefix=f".{self._path.name}.", dir=self._path.parent)
        made = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            made.replace(self._path)
        except BaseException:
            made.unlink(missing_ok=True)
            raise

    def _set_aside(self, exc: Exception) -> None:
        aside = self._path.with_name(f"{self._path.name}.broken")
        logger.warning("board.file_broken", extra={"file": str(self._path), "aside": str(aside), "error": str(exc)})
        try:
            self._path.replace(aside)
        except OSError as failed:
            self._is_usable = False
            logger.warning("board.file_unreadable", extra={"file": str(self._path), "error": str(failed)})
