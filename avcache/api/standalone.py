"""REST alone, for `uvicorn avcache.api:app`."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.routing import Mount

from avcache import runtime
from avcache.api.guard import guards
from avcache.api.lifespan import lifespan_of
from avcache.api.routes import build_app
from avcache.telemetry import logs

__all__ = ["app"]

logs.configure()

app = Starlette(
    routes=[Mount("/api", build_app(runtime.shared))],
    middleware=guards(runtime.shared().settings),
    lifespan=lifespan_of(runtime.shared),
)
