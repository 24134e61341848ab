"""The sockets that a server was given to listen on, before it began to."""

from __future__ import annotations

import os
import socket
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ["send_at_once"]

_OPEN_FILES: Final = Path("/dev/fd")
_INTERNET: Final = frozenset({socket.AF_INET, socket.AF_INET6})


def send_at_once() -> None:
    """
    Set TCP_NODELAY on every socket of this process; connections that are accepted later inherit it.

    asyncio does so itself for listeners that it makes, but not for one that was bound beforehand without naming TCP, as
    Streamlit and `uvicorn --workers` do it. Then the body of an answer waits until the client has acknowledged its
    head: for 40 ms on Linux (uvicorn issue 3149). No door says to the app which sockets it listens on; on the others
    the option changes nothing for the worse.
    """
    with suppress(OSError):  # there is no such folder on Windows
        for entry in _OPEN_FILES.iterdir():
            with suppress(OSError):  # closed meanwhile, or no socket of this kind
                _set_nodelay(int(entry.name))


def _set_nodelay(number: int) -> None:
    # Looked at first: to close the copy of a file would end the locks that the process holds on it.
    if not stat.S_ISSOCK(os.fstat(number).st_mode):
        return
    with socket.socket(fileno=os.dup(number)) as copy:
        if copy.family in _INTERNET and copy.type == socket.SOCK_STREAM:
            copy.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
