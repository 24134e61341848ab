"""Commands as a shell runs them, on a real server or against a real console."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from typer.testing import CliRunner

from avcache.cli.app import app
from avcache.runtime import Runtime


@dataclass(frozen=True)
class Done:
    """What a command printed and ended with."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """What it printed as JSON."""
        return json.loads(self.out)


Run = Callable[..., Done]


def run(*words: str, typed: str | None = None) -> Done:
    """Run `python -m avcache *words*` in this process."""
    found = CliRunner().invoke(app, list(words), input=typed)
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return Done(found.exit_code, found.stdout, found.stderr)


@pytest.fixture
def on_redis(redis_env: dict[str, str], process: Callable[[], Runtime], monkeypatch: pytest.MonkeyPatch) -> Runtime:
    """The settings name a real server; a runtime of another process on it."""
    for name, value in redis_env.items():
        monkeypatch.setenv(name, value)
    other = process()
    other.start()
    return other
