"""A real Chromium and a real console. While `browser` is alive, no test of this folder can be `async def`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.servers import ConsoleServer

# Read now: when fixtures run, the environment has been cleaned.
_ASKED_CHROMIUM = os.environ.get("AVCACHE_CHROMIUM")
_SKIP = os.environ.get("AVCACHE_SKIP_BROWSER") == "1"

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_MACOS = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
_FLAGS = (
    "--no-sandbox",  # the sandbox refuses to run as root, as in CI
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The browser to drive: AVCACHE_CHROMIUM, else one on PATH or where macOS keeps it."""
    if _SKIP:
        pytest.skip("AVCACHE_SKIP_BROWSER=1")
    candidates = (_ASKED_CHROMIUM,) if _ASKED_CHROMIUM else (*_NAMES, *_MACOS)
    for candidate in candidates:
        if found := shutil.which(candidate):
            return found
    pytest.fail(
        f"no browser found (tried {', '.join(candidates)}). Install Chromium: apt-get install chromium / "
        "brew install --cask chromium, or set AVCACHE_CHROMIUM; AVCACHE_SKIP_BROWSER=1 skips these tests",
        pytrace=False,
    )


# Not "session": Playwright keeps an event loop running in this thread until it is stopped, and every async
# test after it would fail. A package's fixture ends with the folder's last test.
@pytest.fixture(scope="package")
def browser(chromium_path: str) -> Iterator[Browser]:
    """One headless Chromium; a test opens its own page or context and closes it."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=chromium_path, headless=True, args=list(_FLAGS))
        yield chromium
        chromium.close()


@pytest.fixture
def console_server(tmp_path: Path) -> Iterator[Callable[..., ConsoleServer]]:
    """`console_server({"NAME": "value"})` starts a console of this test alone, with these settings."""
    with ExitStack() as running:

        def start(env: Mapping[str, str] | None = None) -> ConsoleServer:
            folder = tmp_path / f"console-{len(list(tmp_path.glob('console-*')))}"
            folder.mkdir()
            return running.enter_context(ConsoleServer(folder, env))

        yield start
