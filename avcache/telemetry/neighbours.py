"""Which other processes keep a cache in memory of their own beside this one: each holds a lock while it lives."""

from __future__ import annotations

import logging
import os
import secrets
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

from avcache.forks import renew_in_children

__all__ = ["Neighbours"]

logger = logging.getLogger(__name__)


class Neighbours:
    """
    The processes that started with one log folder. `start` joins them, `stop` leaves; whoever dies has left as well.

    Below `<folder>/workers/` each has a file named after its number, which it holds locked. Nothing here ever raises:
    where files cannot be written or locked (a read-only folder, Windows) nobody knows of anybody.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "workers"
        self._claim: IO[str] | None = None
        self._name = ""
        renew_in_children(self)

    def begin_anew(self) -> None:
        """In a forked process: what its parent holds is not its own. It may `start` itself."""
        claim, self._claim = self._claim, None
        if claim is not None:
            claim.close()  # the parent's lock stays: it goes with the last one who has the file open

    def start(self) -> None:
        """Join, and warn if there are others: none of them sees what another one caches or clears."""
        if fcntl is None or self._claim is not None:
            return
        try:
            self._join()
        except OSError as exc:
            logger.info("neighbours.unknown", extra={"error": str(exc)})
            return
        others = self.others()
        if others:
            logger.warning("memory.not_shared", extra={"others": others})

    def stop(self) -> None:
        """Leave; a second call changes nothing."""
        claim, self._claim = self._claim, None
        if claim is not None:
            _remove(self._folder / self._name)
            claim.close()

    def others(self) -> list[int] | None:
        """The numbers of the other processes that live, ascending; None if that cannot be known."""
        if self._claim is None:
            return None
        try:
            return sorted(_number(path) for path in self._folder.iterdir() if self._is_other(path) and _lives(path))
        except OSError as exc:
            logger.debug("neighbours.unknown", extra={"error": str(exc)})
            return None

    def _join(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        # A number may come again, a name does not: so nobody removes the file of a later process of that number.
        name = f"{os.getpid()}.{secrets.token_hex(4)}"
        unseen = self._folder / f".{name}"
        claim = unseen.open("w", encoding="ascii")
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Locked before it can be seen: else another process might take it for one whose owner has died.
            unseen.rename(self._folder / name)
        except OSError:
            claim.close()
            _remove(unseen)
            raise
        self._claim, self._name = claim, name

    def _is_other(self, path: Path) -> bool:
        return path.name != self._name and path.name.partition(".")[0].isdecimal()


def _number(path: Path) -> int:
    return int(path.name.partition(".")[0])


def _lives(path: Path) -> bool:
    """Whether somebody holds the lock of this file; one that nobody holds is removed."""
    try:
        # Shared: two that look at the same time do not take each other for its owner.
        with path.open(encoding="ascii") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:  # it left just now
        return False
    _remove(path)
    return False


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as exc:
        logger.debug("neighbours.left_behind", extra={"error": str(exc)})
