"""REST alone, for `uvicorn avcache.api:app`."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.routing import Mount

from avcache import runtime
from avcache.api.app import build_app
from avcache.api.guard import guards
from avcache.api.lifespan import lifespan_of

__all__ = ["app"]

app = Starlette(
    routes=[Mount("/api", build_app(runtime.shared))],
    middleware=guards(runtime.shared().settings),
    lifespan=lifespan_of(runtime.shared),
)
