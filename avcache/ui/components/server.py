"""The parts of the page Server."""

from __future__ import annotations

import streamlit as st

from avcache.formats import format_clock
from avcache.ops.doctor import Finding
from avcache.ui import PAGES
from avcache.ui.components.tables import moment_column
from avcache.ui.resources import get_runtime
from avcache.ui.server.health import SEVERITY_COLOURS, SEVERITY_ICONS, describe_fallback
from avcache.ui.server.links import link_of
from avcache.ui.server.model import ServerModel
from avcache.ui.server.slow import describe_slow_log, slow_table
from avcache.ui.words import lines, literal

__all__ = ["fallback", "figures", "findings", "health", "slow_log"]


def health(model: ServerModel) -> None:
    """How it is, in one sentence."""
    badge = model.health.badge
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.badge(badge.text, icon=badge.icon, color=badge.colour, help=badge.help)
        st.write(literal(model.health.sentence))


def figures(model: ServerModel) -> None:
    """What is known of the store, and what it would not tell."""
    if model.figures:
        with st.grid(4, min_column_width=165):
            for figure in model.figures:
                st.metric(
                    figure.label,
                    literal(figure.value),
                    literal(figure.about) or None,
                    delta_color="off",
                    delta_arrow="off",
                    help=literal(figure.help),
                    border=True,
                    height="stretch",
                )
    as_of = format_clock(model.view.taken_at)
    st.caption(f"As of {as_of}." if model.figures else f"As of {as_of}. Its figures are seen again when it answers.")
    if model.view.notes:
        st.caption(lines(["Where a dash stands, this user may not ask:", *model.view.notes]))


def findings(model: ServerModel) -> None:
    """What the doctor has found, each with its step."""
    if model.findings:
        st.subheader("What to mend")
    for finding in model.findings:
        _finding(finding)


def _finding(finding: Finding) -> None:
    severity = finding.severity
    link = link_of(finding, get_runtime().market.universes.default)
    with st.container(border=True, gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.badge(severity.capitalize(), icon=SEVERITY_ICONS[severity], color=SEVERITY_COLOURS[severity])
            st.write(f"**{literal(finding.what)}**")
        st.caption(literal(" · ".join(finding.evidence)))
        st.write(literal(finding.why))
        st.write(f"**What to do:** {literal(finding.step)}")
        if link is not None:
            label, page = literal(link.label), PAGES / f"{link.page}.py"
            st.page_link(page, label=label, icon=":material/arrow_forward:", help="", query_params=dict(link.query))


def slow_log(model: ServerModel) -> None:
    """What took the server long."""
    st.subheader("Slow commands")
    commands = model.view.slow_log
    if commands:
        st.dataframe(
            slow_table(commands),
            hide_index=True,
            column_config={
                "When": moment_column(),
                "Took": st.column_config.NumberColumn(format="%.1f ms", help="Waiting and the network not counted"),
                "Arguments": st.column_config.TextColumn(width="large"),
            },
            alt="Slow commands with when, how long, what and from whom",
        )
    st.caption(literal(describe_slow_log(model.view)))


def fallback(model: ServerModel) -> None:
    """Whether memory serves for the server, and how often it did."""
    st.subheader("Fallback")
    st.write(literal(describe_fallback(model.view)))
    outages = model.outages
    if outages is None:
        st.caption("Earlier outages could not be read: the server refuses.")
    elif not outages.empty:
        st.dataframe(
            outages,
            hide_index=True,
            column_config={"When": moment_column(width=140)},
            alt="Outages and recoveries of the last 24 hours",
        )
    elif model.view.kind != "memory":
        st.caption("No outage in the last 24 h.")
