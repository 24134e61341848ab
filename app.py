"""The launcher: `streamlit run app.py` serves pages and REST from one process, over one cache."""

from __future__ import annotations

import sys

import streamlit as st
from starlette.routing import Mount

from avcache import runtime
from avcache.api.guard import check_bind, guards
from avcache.api.lifespan import lifespan_of
from avcache.api.routes import build_app
from avcache.errors import ConfigError
from avcache.telemetry import logs
from avcache.ui import SHELL
from avcache.ui.components.theme import keep_theme

logs.configure()
try:
    settings = runtime.shared().settings
    check_bind(st.get_option("server.address") or "0.0.0.0", settings)  # noqa: S104 - Streamlit's own default, refused here
except ConfigError as exc:
    sys.exit(f"avcache does not start: {exc}")

keep_theme()
app = st.App(
    SHELL,
    routes=[Mount("/api", build_app(runtime.shared))],
    middleware=guards(settings),
    lifespan=lifespan_of(runtime.shared),
)
