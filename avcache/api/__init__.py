"""
The admin REST API: `/api/v1/cache/{info,keys,stats,plan,coverage,doctor,clear,warmup}`.

The console serves it from its own process; `uvicorn avcache.api:app` serves it alone, beside a Redis.
"""

from __future__ import annotations

__all__ = ["app"]


def __getattr__(name: str) -> object:
    # Built on demand: whoever only mounts the routes needs no second app, and who reads its answers none.
    if name == "app":
        from avcache.api.standalone import app  # noqa: PLC0415

        return app
    raise AttributeError(name)
