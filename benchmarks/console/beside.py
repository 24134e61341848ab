"""What else is felt while the tabs tick: how fast REST answers."""

from __future__ import annotations

import http.client
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

__all__ = ["Answers", "asking"]

_EVERY = 0.05
_TIMEOUT = 30.0


class Answers:
    """How long each answer took, in seconds; there once the asking has ended."""

    def __init__(self) -> None:
        self.seconds: list[float] = []


@contextmanager
def asking(port: int) -> Iterator[Answers]:
    """Ask REST for `info` twenty times a second, from a process of its own: the tabs' would make it wait."""
    answers, (here, there) = Answers(), multiprocessing.Pipe()
    # Nothing of this process is to be in that one.
    process = multiprocessing.get_context("spawn").Process(target=_ask, args=(port, there), daemon=True)
    process.start()
    try:
        here.recv()  # it has its first answer
        yield answers
        here.send(None)
        answers.seconds = here.recv()
    finally:
        process.terminate()
        process.join()


def _ask(port: int, boss: Connection) -> None:
    link, taken = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT), list[float]()
    while not boss.poll():
        begun = time.perf_counter()
        link.request("GET", "/api/v1/cache/info")
        answer = link.getresponse()
        answer.read()
        if answer.status != http.HTTPStatus.OK:
            raise ValueError(f"wanted: 200, found: {answer.status}")
        taken.append(time.perf_counter() - begun)
        if len(taken) == 1:
            boss.send(None)
        time.sleep(max(0.0, _EVERY - taken[-1]))
    boss.recv()
    boss.send(taken)
