"""Processes that take orders and answer them, one line of JSON each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, cast

__all__ = ["Worker", "answer", "orders", "resident_bytes", "started"]


class Worker:
    """The near end of one process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._ears, self._mouth = cast("IO[str]", process.stdin), cast("IO[str]", process.stdout)

    def tell(self, order: object) -> None:
        """Give it an order; it may still be busy with another."""
        self._ears.write(json.dumps(order) + "\n")
        self._ears.flush()

    def hear(self) -> Any:
        """Its next answer. Raises `ChildProcessError` if it ended instead."""
        if line := self._mouth.readline():
            return json.loads(line)
        raise ChildProcessError(f"a worker ended with {self._process.wait()}")


@contextmanager
def started(number: int, module: str, *arguments: str) -> Iterator[list[Worker]]:
    """Processes of `python -m module`, all begun at once; they end when nothing more can come from here."""
    command = [sys.executable, "-m", module, *arguments]
    with ExitStack() as stack:
        yield [
            Worker(
                stack.enter_context(
                    subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603 - ours
                )
            )
            for _ in range(number)
        ]


def orders() -> Iterator[Any]:
    """In the process: what it is told, until there is no more to come."""
    for line in sys.stdin:
        yield json.loads(line)


def answer(found: object) -> None:
    """In the process: say it."""
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


def resident_bytes(pid: int) -> int:
    """Memory that process *pid* holds."""
    told = Path(f"/proc/{pid}/statm")
    if told.exists():
        return int(told.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    said = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], check=True, capture_output=True, text=True)  # noqa: S603, S607
    return int(said.stdout) * 1024
