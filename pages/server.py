"""Is the store well, and what should be mended?"""

from __future__ import annotations

import streamlit as st

from avcache.ui.components.server import fallback, figures, findings, health, slow_log
from avcache.ui.components.tables import export_buttons
from avcache.ui.resources import SLOW_TICK, get_runtime, live_server
from avcache.ui.server.settings import settings_table
from avcache.ui.server.slow import exported


@st.fragment(run_every=SLOW_TICK)
def live() -> None:
    model = live_server()
    health(model)
    figures(model)
    findings(model)
    fallback(model)
    if model.view.kind != "memory":
        slow_log(model)


live()
runtime = get_runtime()
if runtime.facts is not None:
    export_buttons("Slow commands", lambda: exported(live_server().view.slow_log or ()), "slow_commands")
st.subheader("Settings in force")
settings = settings_table(runtime.settings, runtime.sources)
st.dataframe(
    settings,
    hide_index=True,
    column_config={
        "Setting": st.column_config.TextColumn(pinned=True, width=205),
        "Value": st.column_config.TextColumn(width=130),
        "Meaning": st.column_config.TextColumn(width=430),
        "Source": st.column_config.TextColumn(width=90),
        "Default": st.column_config.TextColumn(width=95),
    },
    height="content",
    alt="Settings with their value, source and default",
)
st.caption("What somebody has set stands first. A change needs a restart; secrets are never shown.")
export_buttons("Settings", lambda: settings, "settings")
