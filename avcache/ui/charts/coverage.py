"""Who is missing, at a glance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import plotly.graph_objects as go

__all__ = ["coverage_map"]

_COLOURS: Final = {
    "fresh": "#10B981",
    "expiring": "#FBBF24",
    "stale": "#F97316",
    "missing": "rgba(220, 38, 38, 0.28)",
    "failed": "#DC2626",
}
_MARKS: Final = {"failed": "✕"}
_ROW: Final = 30


def coverage_map(kinds: Sequence[str], states: Mapping[str, Sequence[str]]) -> go.Figure:
    """A cell for each ticker and kind, coloured by its state; *states*: by ticker, one for each kind."""
    places = {state: at for at, state in enumerate(_COLOURS)}
    rows = [[states[ticker][at] for ticker in states] for at in range(len(kinds))]
    steps = len(places)
    scale = [
        [(at + edge) / steps, colour] for at, colour in enumerate(_COLOURS.values()) for edge in (0, 1)
    ]  # a step for each state, with no shade in between
    figure = go.Figure()
    figure.add_heatmap(
        x=list(states),
        y=[kind.capitalize() for kind in kinds],
        z=[[places[state] for state in row] for row in rows],
        zmin=-0.5,
        zmax=steps - 0.5,
        text=[[_MARKS.get(state, "") for state in row] for row in rows],
        customdata=rows,
        texttemplate="%{text}",
        textfont={"color": "white"},
        colorscale=scale,
        showscale=False,
        xgap=2,
        ygap=2,
        hovertemplate="%{x} %{y}: %{customdata}<extra></extra>",
    )
    figure.update_layout(height=_ROW * len(kinds) + 64, margin={"l": 8, "r": 8, "t": 8, "b": 8}, uirevision="coverage")
    figure.update_xaxes(type="category", tickangle=-90, showgrid=False, title=None)
    figure.update_yaxes(autorange="reversed", showgrid=False, title=None)
    return figure
