"""The REST API as a server builds it, over a cache of each test alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from avcache.api.guard import guards
from avcache.api.lifespan import lifespan_of
from avcache.api.routes import build_app
from avcache.market.provider import PriceProvider
from avcache.runtime import Runtime
from tests.servers import ConsoleServer, free_port

BASE = "/api/v1/cache"


@dataclass(frozen=True)
class Service:
    """A served runtime; the client speaks to it as a program on this machine would."""

    runtime: Runtime
    client: TestClient
    app: Starlette


Serve = Callable[..., Service]


@pytest.fixture
def serve(build: Callable[..., Runtime]) -> Serve:
    """Builds a service from settings, with another *provider* where one is given; closed after the test."""

    def made(env: Mapping[str, str] | None = None, provider: PriceProvider | None = None) -> Service:
        wired = build(env)
        if provider is not None:
            vars(wired)["provider"] = provider
        app = stack(wired)
        return Service(wired, TestClient(app, "http://localhost:8501", raise_server_exceptions=False), app)

    return made


def stack(wired: Runtime) -> Starlette:
    """As `avcache.api.standalone` builds it from the shared runtime."""
    return Starlette(
        routes=[Mount("/api", build_app(lambda: wired))],
        middleware=guards(wired.settings),
        lifespan=lifespan_of(lambda: wired),
    )


@pytest.fixture
def memory(serve: Serve) -> Service:
    """Everything in this process."""
    return serve()


@pytest.fixture
def on_redis(redis_env: dict[str, str], serve: Serve) -> Service:
    """On a real server."""
    service = serve(redis_env)
    service.runtime.start()
    return service


@pytest.fixture
def away(serve: Serve) -> Service:
    """Redis is wanted, and nothing listens."""
    service = serve({"REDIS_ENABLED": "true", "REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(free_port())})
    service.runtime.start()
    return service


@pytest.fixture(params=["memory", "on_redis", "away"])
def anywhere(request: pytest.FixtureRequest) -> Service:
    """Each of the three in turn."""
    service: Service = request.getfixturevalue(request.param)
    return service


@pytest.fixture(scope="package")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleServer]:
    """The console as a user starts it, pages and REST in one process."""
    folder: Path = tmp_path_factory.mktemp("console")
    with ConsoleServer(folder) as server:
        yield server
