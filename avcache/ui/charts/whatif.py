"""What another ttl would have made of the last reads."""

from __future__ import annotations

from typing import Final

import plotly.graph_objects as go

from avcache.formats import format_percent, format_seconds
from avcache.ops.whatif import WhatIf
from avcache.ui.whatif import labels

__all__ = ["what_if_curve"]

_MINUTES_FROM: Final = 180.0


def what_if_curve(found: WhatIf, setting: float, colour: str) -> go.Figure:
    """Hit rate against the mean age of a hit, a point per ttl; the *setting* (seconds) stands out."""
    rows = [row for row in found.rows if row.hit_rate is not None]
    ages = [row.mean_age or 0.0 for row in rows]
    unit, seconds = ("minutes", 60.0) if max(ages, default=0.0) >= _MINUTES_FROM else ("seconds", 1.0)
    figure = go.Figure()
    figure.add_scatter(
        x=[age / seconds for age in ages],
        y=[100 * (row.hit_rate or 0.0) for row in rows],
        mode="lines+markers+text",
        text=labels(rows),
        textposition=["bottom right" if at % 2 else "top left" for at in range(len(rows))],
        cliponaxis=False,
        marker={
            "size": [16 if row.ttl == setting else 8 for row in rows],
            "symbol": ["diamond" if row.ttl == setting else "circle" for row in rows],
            "color": colour,
        },
        line={"color": colour},
        customdata=[
            f"{format_seconds(row.ttl)}: {format_percent(row.hit_rate)} hits, {format_seconds(row.mean_age)} old; "
            f"{row.loads:,} loads, {format_seconds(row.load_seconds)}"
            for row in rows
        ],
        hovertemplate="%{customdata}<extra></extra>",
        showlegend=False,
    )
    figure.update_layout(height=340, margin={"l": 8, "r": 48, "t": 24, "b": 8}, uirevision="what-if")
    figure.update_xaxes(title=f"mean age of a hit, {unit}", rangemode="tozero")
    figure.update_yaxes(title="hit rate", ticksuffix=" %")
    return figure
