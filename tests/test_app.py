"""The launcher as a process: when it refuses to start, and how it ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import ROOT, ConsoleServer, free_port


def launch(*options: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(free_port()), *options]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **env}, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("address", ["0.0.0.0", "::"])  # noqa: S104 - what is refused
def test_it_refuses_an_address_beyond_this_machine_without_a_token(address: str) -> None:
    ended = launch("--server.address", address)

    assert ended.returncode == 1
    assert "AVCACHE_API_TOKEN" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_it_refuses_a_wrong_setting_by_name() -> None:
    ended = launch(REDIS_PORT="abc")

    assert ended.returncode == 1
    assert "REDIS_PORT='abc'" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_it_says_when_it_starts_and_ends(tmp_path: Path) -> None:
    with ConsoleServer(tmp_path) as console:
        started = console.output()
        console.stop()
        ended = console.output()

    assert "server.started backend='memory' source='sample'" in started
    assert "server.stopped" in ended
    assert "Traceback" not in ended
