"""The operator's figures."""

from __future__ import annotations

from collections.abc import Mapping

import plotly.graph_objects as go

from avcache.formats import format_age, format_bytes, format_seconds
from avcache.ops.forecast import Forecast
from avcache.ui.charts.palette import MOST_APART, REST, colours_of
from avcache.ui.charts.texts import plain
from avcache.ui.expiry import ExpiryModel

__all__ = ["due_load", "expiry_histogram"]

_MARGINS = {"l": 8, "r": 8, "t": 8, "b": 8}


def expiry_histogram(model: ExpiryModel, *, by_size: bool) -> go.Figure:
    """What loses its freshness when: stacked bars over the time from now, the largest namespaces by name."""
    labels = [f"{format_age(start)}–{format_age(start + model.width)}" for start in model.starts]
    figure = go.Figure()
    shown = _largest(model.sizes if by_size else model.counts)
    colours = colours_of([name for name in shown if name in model.counts])
    for name, values in shown.items():
        texts = [format_bytes(value) if by_size else f"{value:,} keys" for value in values]
        figure.add_bar(
            x=[(start + model.width / 2) / 60 for start in model.starts],
            y=values,
            width=model.width / 60 * 0.9,
            name=plain(name),
            marker={"color": colours.get(name, REST)},
            customdata=list(zip(labels, texts, strict=True)),
            hovertemplate="%{customdata[1]} in %{customdata[0]}<extra>%{fullData.name}</extra>",
        )
    figure.update_layout(
        barmode="stack",
        height=320,
        margin=_MARGINS,
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0},
        showlegend=True,
        uirevision="expiry",
    )
    end = (model.starts[-1] + model.width) / 60 if model.starts else 1
    figure.update_xaxes(title="minutes from now", range=[0, end])
    figure.update_yaxes(title="bytes" if by_size else "keys", rangemode="tozero", tickformat="~s" if by_size else ",d")
    return figure


def _largest(values: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """As many as can be told apart, in their order, and what the others come to together."""
    if len(values) <= MOST_APART:
        return dict(values)
    ranked = sorted(values, key=lambda name: -sum(values[name]))
    most, rest = set(ranked[: MOST_APART - 1]), ranked[MOST_APART - 1 :]
    folded = tuple(map(sum, zip(*(values[name] for name in rest), strict=True)))
    return {name: values[name] for name in values if name in most} | {f"{len(rest)} others": folded}


def due_load(due: Forecast, colour: str) -> go.Figure:
    """Seconds of loading that fall due in each minute of the next hour; those that hold a cliff in *colour* fully."""
    cliffs = {cliff.minute for cliff in due.cliffs}
    minutes = range(len(due.keys))
    texts = [
        f"{keys:,} keys, {format_seconds(seconds)}" for keys, seconds in zip(due.keys, due.load_seconds, strict=True)
    ]
    figure = go.Figure()
    figure.add_bar(
        x=[minute + 0.5 for minute in minutes],
        y=list(due.load_seconds),
        width=0.9,
        marker={"color": colour, "opacity": [1.0 if minute in cliffs else 0.45 for minute in minutes]},
        customdata=[(f"{minute}–{minute + 1} min", text) for minute, text in zip(minutes, texts, strict=True)],
        hovertemplate="%{customdata[1]} in %{customdata[0]}<extra></extra>",
    )
    figure.update_layout(height=220, margin=_MARGINS, showlegend=False, uirevision="due-load")
    figure.update_xaxes(title="minutes from now", range=[0, len(due.keys)])
    figure.update_yaxes(title="seconds of loading", rangemode="tozero")
    return figure
