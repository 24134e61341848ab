"""The operator's figures."""

from __future__ import annotations

import datetime as dt

import plotly.graph_objects as go

from avcache.formats import format_age, format_bytes
from avcache.ui.charts.palette import colour_of
from avcache.ui.expiry import ExpiryModel
from avcache.ui.overview import OverviewModel

__all__ = ["expiry_histogram", "hit_rates"]

_MARGINS = {"l": 8, "r": 8, "t": 8, "b": 8}


def hit_rates(model: OverviewModel) -> go.Figure:
    """Hit rate in percent over the window, a line per namespace; a gap where nobody read."""
    moments = [dt.datetime.fromtimestamp(moment).astimezone() for moment in model.moments]
    figure = go.Figure()
    for name, rates in model.rates.items():
        figure.add_scatter(
            x=moments,
            y=[None if rate is None else rate * 100 for rate in rates],
            name=name,
            mode="lines+markers",
            marker={"size": 5, "color": colour_of(name)},
            line={"color": colour_of(name)},
            hovertemplate="%{y:.1f} % at %{x|%H:%M:%S}",
        )
    figure.update_layout(
        height=260,
        margin=_MARGINS,
        hovermode="x unified",
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0},
        showlegend=True,
        uirevision="hit-rates",
    )
    figure.update_yaxes(range=[-3, 103], ticksuffix=" %", title=None, nticks=6)
    if len(moments) > 1:
        figure.update_xaxes(range=[moments[0], moments[-1] + (moments[1] - moments[0])])
    return figure


def expiry_histogram(model: ExpiryModel, *, by_size: bool) -> go.Figure:
    """What loses its freshness when: stacked bars over the time from now."""
    labels = [f"{format_age(start)}–{format_age(start + model.width)}" for start in model.starts]
    figure = go.Figure()
    for name, values in (model.sizes if by_size else model.counts).items():
        texts = [format_bytes(value) if by_size else f"{value:,} keys" for value in values]
        figure.add_bar(
            x=[(start + model.width / 2) / 60 for start in model.starts],
            y=values,
            width=model.width / 60 * 0.9,
            name=name,
            marker={"color": colour_of(name)},
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
