"""The former place of `avcache.api.routes`; a module of this name hides `avcache.api:app` once it is imported."""

from __future__ import annotations

from avcache.api.routes import build_app

__all__ = ["build_app"]
