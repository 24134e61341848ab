"""One Redis and all that may stand around it: workers of REST, consoles, and processes that only use the library."""

from __future__ import annotations

import http.client
import json
import os
import signal
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import redis

from avcache import runtime
from avcache.config import Settings
from avcache.runtime import Runtime
from tests.ops.graph import wait_until
from tests.servers import ConsoleServer, RealServer, RestServer

__all__ = ["Door", "Fleet"]

WORKERS = 4
CONSOLES = 2
_PATIENCE = 30.0
_MOST_LINKS = 500
_LEASE = "alphavelocity:!o:lease:leader"


class Door:
    """A way to one process of the fleet: where others listen on the same port, a connection that is kept."""

    def __init__(self, port: int, pid: int | None = None) -> None:
        self._link = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
        self._is_kept = pid is None
        self.pid = pid or 0

    def ask(self, method: str, target: str) -> tuple[int, dict[str, Any]]:
        """Status and document of the answer."""
        self._link.request(method, f"/api/v1/cache/{target}")
        answer = self._link.getresponse()
        document = json.loads(answer.read())
        if not self._is_kept:
            self._link.close()
        return answer.status, document

    def get(self, target: str) -> dict[str, Any]:
        """The document of an answer that is no error."""
        status, document = self.ask("GET", target)
        assert status == http.HTTPStatus.OK, document
        return document

    def keys(self, pattern: str) -> list[str]:
        found: list[str] = self.get(f"keys?pattern={pattern}")["keys"]
        return found

    def count(self, namespace: str) -> int:
        found: int = self.get("stats").get(namespace, {"count": 0})["count"]
        return found

    def clear(self, pattern: str) -> int:
        """How many went."""
        status, document = self.ask("DELETE", f"clear?pattern={pattern}")
        assert status == http.HTTPStatus.OK, document
        return int(document["keys_cleared"])

    def warm_up(self, *tickers: str) -> int:
        """How many are cached."""
        status, document = self.ask("POST", f"warmup?tickers={','.join(tickers)}")
        assert status == http.HTTPStatus.OK, document
        return int(document["successfully_cached"])

    def close(self) -> None:
        self._link.close()


class Fleet:
    """
    REST with four workers and two consoles on a server of their own; a context manager.

    Attributes:
        doors: One to each process that was not killed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running = ExitStack()
        self.doors: list[Door] = []

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._server = stack.enter_context(RealServer())
            self.env: Mapping[str, str] = {
                "REDIS_ENABLED": "true",
                "REDIS_HOST": "127.0.0.1",
                "REDIS_PORT": str(self._server.port),
                "AVCACHE_PROVIDER": "sample",
            }
            self._raw = stack.enter_context(redis.Redis.from_url(self._server.url, decode_responses=True))
            self.rest = RestServer(self._new_folder("rest"), self.env, workers=WORKERS)
            consoles = [ConsoleServer(self._new_folder(f"console-{at}"), self.env) for at in range(CONSOLES)]
            with ThreadPoolExecutor() as pool:
                list(pool.map(stack.enter_context, [self.rest, *consoles]))
            self.doors = [*self._doors_of_workers(), *(Door(one.port, one.pid) for one in consoles)]
            self._running = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        for door in self.doors:
            door.close()
        self._running.close()

    def member(self) -> Runtime:
        """One more process on this server, as far as the others can tell; whoever made it closes it."""
        return runtime.build(Settings.from_env(self.env))

    def observer(self) -> Runtime:
        """A `member` that gives in jobs, and leaves them to the others."""
        made = self.member()
        made.ops.jobs.given_in = lambda: None
        return made

    def leader(self) -> int | None:
        """The number of the process that does the jobs."""
        holder = self._raw.get(_LEASE)
        return None if holder is None else int(str(holder).split(":")[-2])

    def stored(self) -> int:
        """How many keys the server holds, whosesoever they are."""
        return int(self._raw.dbsize())

    def kill_leader(self) -> int:
        """End the process that does the jobs as a power failure would; returns its number."""
        pid = self.leader()
        # It may be a worker that took the place of one that was killed: to that there is no door.
        assert pid in {one.pid for one in self.doors} | self.rest.pids()
        os.kill(pid, signal.SIGKILL)
        for door in [one for one in self.doors if one.pid == pid]:
            self.doors.remove(door)
            door.close()
        return pid

    def _new_folder(self, name: str) -> Path:
        made = self._folder / name
        made.mkdir()
        return made

    def _doors_of_workers(self) -> list[Door]:
        """All workers listen on one socket: connect until each of them has accepted."""
        found: dict[int, Door] = {}
        for number in range(_MOST_LINKS):
            door = Door(self.rest.port)
            probe = f"keys?pattern=probe-{number}"
            door.get(probe)
            door.pid = self._worker_that_served(f"/api/v1/cache/{probe}")
            if found.setdefault(door.pid, door) is not door:
                door.close()
            if len(found) == WORKERS:
                break
        return list(found.values())

    def _worker_that_served(self, target: str) -> int:
        wait_until(lambda: self.rest.served_by(target) is not None)  # it tells after it has answered
        pid = self.rest.served_by(target)
        assert pid is not None
        return pid
