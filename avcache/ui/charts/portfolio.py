"""The figures of the page Portfolio."""

from __future__ import annotations

import math
from typing import Final

import pandas as pd
import plotly.graph_objects as go

from avcache.ui.charts.momentum import LEGEND, NEUTRAL, name_panel
from avcache.ui.charts.texts import plain

__all__ = ["category_chart", "correlation_chart", "growth_chart", "treemap"]

_WEAK_TO_STRONG: Final = ((199, 210, 254), (99, 102, 241), (49, 46, 129))
"""One hue: red and green are states. Light text is readable from the middle on, dark text below."""

_APART_TO_ALIKE: Final = [[0.0, "#B45309"], [0.5, "#E2E8F0"], [1.0, "#1D4ED8"]]
_UNSCORED: Final = "#94A3B8"
_DARK, _LIGHT, _GROUP = "#0F172A", "#FFFFFF", "#334155"
_MIDDLE = 50.0
_MOST_NUMBERED = 14
_CELL, _LEAST_HEIGHT, _MOST_HEIGHT = 26, 300, 900
_BAR_HEIGHT = 34


def treemap(tiles: pd.DataFrame) -> go.Figure:
    """Rows of `tiles` as areas: the size is the value, the colour the score from 0 to 100; grey is without one."""
    groups = tiles.groupby("category", sort=False)["value"].sum()
    scores = [math.nan if pd.isna(score) else float(score) for score in tiles["composite_score"]]
    figure = go.Figure()
    figure.add_treemap(
        ids=[*(f"category {name}" for name in groups.index), *tiles["ticker"]],
        labels=[plain(name) for name in (*groups.index, *tiles["ticker"])],
        parents=[*[""] * len(groups), *(f"category {name}" for name in tiles["category"])],
        values=[*groups, *tiles["value"]],
        branchvalues="total",
        text=[*[""] * len(groups), *tiles["told"]],
        texttemplate="%{label}<br>%{text}",
        hovertemplate="%{label}<br>%{text}<extra></extra>",
        textfont={"color": [*[_LIGHT] * len(groups), *(_text_on(score) for score in scores)]},
        marker={
            "colors": [*[_GROUP] * len(groups), *(_colour_of(score) for score in scores)],
            "line": {"width": 0},
        },
        root={"color": "rgba(0, 0, 0, 0)"},
        pathbar={"visible": False},
        tiling={"pad": 2},
    )
    figure.update_layout(height=380, margin={"l": 0, "r": 0, "t": 8, "b": 8})
    return figure


def category_chart(table: pd.DataFrame) -> go.Figure:
    """Actual shares (rows of `category_view`, percent) as bars, targets as marks on them."""
    names = [plain(name) for name in table["category"]]
    figure = go.Figure()
    figure.add_bar(
        y=names,
        x=table["actual_percent"],
        orientation="h",
        name="Actual",
        hovertemplate="%{x:.1f} %",
        marker={"opacity": 0.75},
    )
    figure.add_scatter(
        y=names,
        x=table["target_percent"],
        mode="markers",
        name="Target",
        marker={"symbol": "line-ns-open", "size": 18, "line": {"width": 3}},
        hovertemplate="%{x:.0f} %",
    )
    figure.update_layout(
        height=_BAR_HEIGHT * len(table) + 90,
        margin={"l": 8, "r": 16, "t": 40, "b": 8},
        legend=LEGEND,
        showlegend=True,
        hovermode="y unified",
        bargap=0.45,
    )
    figure.update_xaxes(ticksuffix=" %", rangemode="tozero", title=None)
    figure.update_yaxes(autorange="reversed", title=None, showgrid=False, type="category", automargin=True)
    return figure


def growth_chart(over_time: pd.DataFrame, benchmark: str) -> go.Figure:
    """The growth of a portfolio (rows of `portfolio.history.growth`) and of its *benchmark*; drawdown below."""
    figure = go.Figure()
    growth = 100 * (over_time["growth"] - 1)
    figure.add_scatter(x=over_time.index, y=growth, mode="lines", name="Portfolio", line={"width": 2})
    if over_time["benchmark"].notna().any():
        market = 100 * (over_time["benchmark"] - 1)
        figure.add_scatter(x=over_time.index, y=market, mode="lines", name=plain(benchmark), line={"width": 1.5})
    figure.add_scatter(
        x=over_time.index,
        y=100 * over_time["drawdown"],
        mode="lines",
        name="Drawdown",
        yaxis="y2",
        line={"width": 1, "color": NEUTRAL},
        fill="tozeroy",
        fillcolor=NEUTRAL,
        showlegend=False,
    )
    figure.update_traces(hovertemplate="%{y:+.1f} %")
    figure.update_layout(
        height=420,
        margin={"l": 8, "r": 8, "t": 48, "b": 8},
        hovermode="x unified",
        legend=LEGEND,
        showlegend=True,
        yaxis={"domain": [0.36, 1], "title": None, "ticksuffix": " %"},
        yaxis2={"domain": [0, 0.24], "title": None, "ticksuffix": " %", "nticks": 3},
        xaxis={"title": None, "anchor": "y2"},
    )
    name_panel(figure, 2, "Drawdown: below the highest value so far")
    return figure


def correlation_chart(table: pd.DataFrame) -> go.Figure:
    """Correlations (tickers x tickers, -1 to 1) as colours, with their numbers where there are few."""
    names = [str(name) for name in table.columns]
    figure = go.Figure()
    figure.add_heatmap(
        z=table.to_numpy(),
        x=names,
        y=names,
        zmin=-1,
        zmax=1,
        colorscale=_APART_TO_ALIKE,
        texttemplate="%{z:.2f}" if len(names) <= _MOST_NUMBERED else None,
        hovertemplate="%{y} and %{x}: %{z:.2f}<extra></extra>",
        hoverongaps=False,
        xgap=1,
        ygap=1,
        colorbar={"thickness": 10, "tickvals": [-1, 0, 1]},
    )
    height = min(_MOST_HEIGHT, max(_LEAST_HEIGHT, _CELL * len(names) + 100))
    figure.update_layout(height=height, margin={"l": 8, "r": 8, "t": 8, "b": 8})
    figure.update_xaxes(type="category", title=None, showgrid=False)
    figure.update_yaxes(type="category", title=None, showgrid=False, autorange="reversed")
    return figure


def _colour_of(score: float) -> str:
    """Between the colours of `_WEAK_TO_STRONG`, by a score of 0 to 100."""
    if math.isnan(score):
        return _UNSCORED
    way = 2 * min(1.0, max(0.0, score / 100))
    at = 0 if way < 1 else 1
    below, above = _WEAK_TO_STRONG[at : at + 2]
    return "#" + "".join(f"{round(a + (way - at) * (b - a)):02X}" for a, b in zip(below, above, strict=True))


def _text_on(score: float) -> str:
    return _LIGHT if score >= _MIDDLE else _DARK
