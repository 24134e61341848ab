"""Where a page may find its Redis, and what opening one should not cost."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import pytest
from streamlit.components.v2 import manifest_scanner

from avcache import runtime
from tests.servers import free_port


@pytest.fixture(scope="session", autouse=True)
def _one_search_for_components() -> Iterator[None]:
    """All installed packages are read for that: a server does it once, Streamlit's tests with each page they open."""
    with pytest.MonkeyPatch.context() as patch:
        search = functools.cache(manifest_scanner.scan_component_manifests)
        patch.setattr(manifest_scanner, "scan_component_manifests", search)
        yield


@pytest.fixture
def on_server(redis_env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings name a real server."""
    for name, value in redis_env.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis is wanted, and nothing listens."""
    monkeypatch.setenv("REDIS_ENABLED", "true")
    monkeypatch.setenv("REDIS_PORT", str(free_port()))
    runtime.shared().start()
