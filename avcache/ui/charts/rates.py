"""Hit rates over time, and what happened meanwhile."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Final

import plotly.graph_objects as go

from avcache.formats import format_clock
from avcache.ops.audit import Event, EventKind
from avcache.ui.charts.palette import MOST_APART, colours_of
from avcache.ui.charts.texts import plain
from avcache.ui.overview.model import OverviewModel

__all__ = ["hit_rates"]

_GREY: Final = "#94A3B8"
_LOOKS: Final[dict[EventKind, tuple[str, str]]] = {
    "clear": ("triangle-down", _GREY),
    "warm-up": ("triangle-up", _GREY),
    "undo": ("triangle-left", _GREY),
    "outage": ("x", "#DC2626"),
    "recovery": ("circle", "#059669"),
}
"""Symbol and colour of a mark; a colour says a state only."""

_MARKS_AT: Final = 106
_LEVELS: Final = (0, 20, 40, 60, 80, 100)
_LONGEST: Final = 90


def hit_rates(model: OverviewModel) -> go.Figure:
    """
    Hit rate in percent over the window, a line for each of the most read namespaces, a gap where nobody read; a mark
    for each event.

    A line has at most 48 points; nothing in the text of an event is taken as markup.
    """
    moments = [_local(moment) for moment in model.moments]
    # Built of plain dicts and checked by no one: a figure that is made at every tick has to be cheap.
    traces = [*_lines(model, moments), *_marks(model.marks or ())]
    start, end = model.moments[0] - model.width / 4, model.moments[-1] + model.width
    layout = {
        "height": 280,
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "hovermode": "x unified",
        "legend": {"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0},
        "showlegend": True,
        "uirevision": "hit-rates",
        "yaxis": {
            "range": [-3, 112],
            "tickvals": _LEVELS,
            "ticktext": [f"{level} %" for level in _LEVELS],
            "title": None,
        },
        "xaxis": {"type": "date", "range": [_local(start), _local(end)]},
    }
    return go.Figure({"data": traces, "layout": layout}, skip_invalid=False)


def _lines(model: OverviewModel, moments: Sequence[str]) -> list[dict[str, object]]:
    shown = sorted(list(model.rates)[:MOST_APART])
    colours = colours_of(shown)
    return [
        {
            "type": "scatter",
            "x": moments,
            "y": [None if rate is None else round(rate * 100, 2) for rate in model.rates[name]],
            "name": name,
            "mode": "lines+markers",
            "marker": {"size": 5, "color": colours[name]},
            "line": {"color": colours[name]},
            "hovertemplate": "%{y:.1f} %",
        }
        for name in shown
    ]


def _marks(events: Sequence[Event]) -> list[dict[str, object]]:
    return [
        trace
        for kind, (symbol, colour) in _LOOKS.items()
        if (found := [event for event in events if event.kind == kind])
        for trace in (_stems(kind, found, colour), _heads(kind, found, symbol, colour))
    ]


def _stems(kind: EventKind, events: Sequence[Event], colour: str) -> dict[str, object]:
    return {
        "type": "scatter",
        "x": [at for event in events for at in (_local(event.at), _local(event.at), None)],
        "y": [level for _ in events for level in (0, _MARKS_AT, None)],
        "mode": "lines",
        "line": {"color": colour, "width": 1, "dash": "dot"},
        "legendgroup": kind,
        "showlegend": False,
        "hoverinfo": "skip",
    }


def _heads(kind: EventKind, events: Sequence[Event], symbol: str, colour: str) -> dict[str, object]:
    return {
        "type": "scatter",
        "x": [_local(event.at) for event in events],
        "y": [_MARKS_AT] * len(events),
        "mode": "markers",
        "marker": {"symbol": symbol, "size": 10, "color": colour},
        "name": kind,
        "legendgroup": kind,
        "text": [f"{format_clock(event.at)} {plain(_cut(event.text))}" for event in events],
        "hovertemplate": "%{text}",
    }


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _local(moment: float) -> str:
    """As the figure takes it: the time of this machine, without its zone."""
    return f"{dt.datetime.fromtimestamp(moment).astimezone():%Y-%m-%d %H:%M:%S}"
