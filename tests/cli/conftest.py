"""Commands as a shell runs them, on a real server or against a real console."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from typer.testing import CliRunner

from avcache import runtime
from avcache.cli.app import app
from avcache.config import Settings
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
def on_redis(monkeypatch: pytest.MonkeyPatch, redis_url: str, prefix: str) -> Iterator[Runtime]:
    """The settings name a real server; a runtime of another process on it."""
    env = {"REDIS_ENABLED": "true", "REDIS_URL": redis_url, "REDIS_PREFIX": prefix, "AVCACHE_PROVIDER": "sample"}
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    other = runtime.build(Settings.from_env(env))
    other.start()
    yield other
    other.close()
