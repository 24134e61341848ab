"""The figures of the page Momentum."""

from __future__ import annotations

from typing import Final

import pandas as pd
import plotly.graph_objects as go

from avcache.formats import money_affixes, price_digits
from avcache.ui.charts.texts import plain
from avcache.ui.momentum.prices import PriceView

__all__ = ["compare_chart", "contribution_chart", "name_panel", "price_chart"]

LEGEND: Final = {"orientation": "h", "yanchor": "bottom", "y": 1.02, "xanchor": "left", "x": 0, "title": None}
NEUTRAL: Final = "rgba(128, 128, 128, 0.5)"
"""Grey enough on white and on dark."""

_RISING, _FALLING = "#3B82F6", "#94A3B8"
_SATURDAY = 5
_BAR_HEIGHT = 30
_PRICE_HEIGHT, _VOLUME_HEIGHT, _PANEL_HEIGHT, _GAP = 300, 60, 96, 34
_TOP, _BOTTOM = 48, 32


def price_chart(view: PriceView, *, is_log: bool = False) -> go.Figure:
    """
    Candles, or a line where there are none, with averages of 20, 50 and 200 sessions; below these, where known, volume,
    RSI with its bounds, and the strength relative to the benchmark.
    """
    figure = go.Figure()
    _add_prices(figure, view)
    panels = _panels(view)
    heights = [_PRICE_HEIGHT, *(height for _, height in panels)]
    domains = _stacked(heights)
    for number, ((name, _), domain) in enumerate(zip(panels, domains[1:], strict=True), start=2):
        _PANELS[name](figure, view, number)
        figure.update_layout({f"yaxis{number}": {"domain": domain, "title": None, "nticks": 4, **_AXES[name]}})
    figure.update_layout(
        height=sum(heights) + _GAP * len(panels) + _TOP + _BOTTOM,
        margin={"l": 8, "r": 8, "t": _TOP, "b": _BOTTOM},
        hovermode="x unified",
        legend=LEGEND,
        showlegend=True,
        yaxis={
            "domain": domains[0],
            "title": None,
            "type": "log" if is_log else "linear",
            **_money_axis(view.currency),
        },
        xaxis={"rangeslider": {"visible": False}, "rangebreaks": _weekends(view.frame), "title": None},
    )
    if panels:
        figure.update_xaxes(anchor=f"y{len(panels) + 1}")
    return figure


def compare_chart(lines: pd.DataFrame) -> go.Figure:
    """The returns (columns of `rebased`, percent) of several tickers since the same day."""
    figure = go.Figure()
    for ticker in lines.columns:
        figure.add_scatter(x=lines.index, y=lines[ticker], mode="lines", name=str(ticker), line={"width": 2})
    figure.update_traces(hovertemplate="%{y:+.1f} %")
    figure.update_layout(
        height=360,
        margin={"l": 8, "r": 8, "t": _TOP, "b": _BOTTOM},
        hovermode="x unified",
        legend=LEGEND,
        showlegend=True,
        yaxis={"title": None, "ticksuffix": " %"},
        xaxis={"title": None, "rangebreaks": _weekends(lines)},
    )
    return figure


def contribution_chart(parts: pd.DataFrame) -> go.Figure:
    """How contributions (rows of `breakdown`) add up to the composite, in points of 100."""
    shown = parts["contribution"]
    ends = shown.iloc[:-1].cumsum()
    starts = shown.cumsum().shift(fill_value=0.0)
    starts.iloc[-1] = 0.0  # the composite is the sum, not one more part
    texts = [
        "no data" if why else f"{value:.2f}" if last else f"{value:+.2f}"
        for value, why, last in zip(shown, parts["missing"], parts.index == parts.index[-1], strict=True)
    ]
    figure = go.Figure()
    figure.add_bar(
        y=list(map(plain, parts["component"])),
        x=shown,
        base=starts,
        orientation="h",
        text=texts,
        textposition="outside",
        cliponaxis=False,
        marker={"opacity": [0.55] * (len(parts) - 1) + [1.0]},
        customdata=parts[["value", "effective_weight_percent"]],
        hovertemplate="%{y}: %{text} points; value %{customdata[0]:.1f}, weight %{customdata[1]:.0f} %<extra></extra>",
        showlegend=False,
    )
    figure.update_layout(height=_BAR_HEIGHT * len(parts) + 60, margin={"l": 8, "r": 56, "t": 8, "b": 8})
    figure.update_xaxes(range=[min(0.0, ends.min()), max(100.0, ends.max())], title="points", dtick=20)
    figure.update_yaxes(autorange="reversed", title=None, showgrid=False)
    return figure


def _add_prices(figure: go.Figure, view: PriceView) -> None:
    frame = view.frame
    if view.has_candles:
        candles = frame.dropna(subset=["open", "high", "low"])  # of what is not whole, Plotly draws broken paths
        figure.add_candlestick(
            x=candles.index,
            open=candles["open"],
            high=candles["high"],
            low=candles["low"],
            close=candles["close"],
            name=plain(view.ticker),
            line={"width": 1},
            increasing={"line": {"color": _RISING}, "fillcolor": _RISING},
            decreasing={"line": {"color": _FALLING}, "fillcolor": _FALLING},
        )
    else:
        figure.add_scatter(x=frame.index, y=frame["close"], mode="lines", name=plain(view.ticker), line={"width": 2})
    digits = price_digits(float(frame["close"].iloc[-1]))
    for rows in (20, 50, 200):
        average = frame[f"sma_{rows}"]
        if average.notna().any():
            figure.add_scatter(x=frame.index, y=average, mode="lines", name=f"SMA {rows}", line={"width": 1.5})
    figure.update_traces(hovertemplate=f"%{{y:,.{digits}f}}", selector={"type": "scatter"})


def _panels(view: PriceView) -> list[tuple[str, int]]:
    """What stands below the prices, and how high it is in pixels."""
    panels = [("volume", _VOLUME_HEIGHT)] if view.has_volume else []
    if view.frame["rsi"].notna().any():
        panels.append(("rsi", _PANEL_HEIGHT))
    if view.benchmark is not None:
        panels.append(("relative", _PANEL_HEIGHT))
    return panels


def _stacked(heights: list[int]) -> list[list[float]]:
    """The parts of the vertical axis (0 to 1) of panels of these *heights*, one below the other."""
    whole = sum(heights) + _GAP * (len(heights) - 1)
    domains, top = [], float(whole)
    for height in heights:
        domains.append([max(0.0, (top - height) / whole), top / whole])
        top -= height + _GAP
    return domains


def _add_volume(figure: go.Figure, view: PriceView, number: int) -> None:
    figure.add_bar(
        x=view.frame.index,
        y=view.frame["volume"],
        name="Volume",
        yaxis=f"y{number}",
        marker={"color": NEUTRAL},
        hovertemplate="%{y:.3s}",
        showlegend=False,
    )
    name_panel(figure, number, "Volume")


def _add_rsi(figure: go.Figure, view: PriceView, number: int) -> None:
    _add_line(figure, view.frame["rsi"], number, "RSI 14", "%{y:.0f}")
    for bound in (30, 50, 70):
        figure.add_hline(y=bound, yref=f"y{number}", line={"width": 1, "dash": "dot", "color": NEUTRAL})
    name_panel(figure, number, "RSI 14 (Wilder): above 70 overbought, below 30 oversold")


def _add_relative(figure: go.Figure, view: PriceView, number: int) -> None:
    _add_line(figure, view.frame["relative"], number, f"Against {view.benchmark}", "%{y:+.1f} %")
    figure.add_hline(y=0, yref=f"y{number}", line={"width": 1, "dash": "dot", "color": NEUTRAL})
    name_panel(figure, number, f"Relative strength: ahead of {view.benchmark} since the first day shown")


def _add_line(figure: go.Figure, values: pd.Series[float], number: int, name: str, hover: str) -> None:
    figure.add_scatter(
        x=values.index,
        y=values,
        mode="lines",
        name=plain(name),
        yaxis=f"y{number}",
        line={"width": 1.5, "color": _RISING},
        hovertemplate=hover,
        showlegend=False,
    )


def name_panel(figure: go.Figure, number: int, title: str) -> None:
    """Write *title* above the panel of the vertical axis *number*."""
    figure.add_annotation(
        text=plain(title),
        x=0,
        xref="paper",
        y=1,
        yref=f"y{number} domain",
        xanchor="left",
        yanchor="bottom",
        showarrow=False,
        font={"size": 12},
    )


_PANELS: Final = {"volume": _add_volume, "rsi": _add_rsi, "relative": _add_relative}
_AXES: Final[dict[str, dict[str, object]]] = {
    "volume": {"tickformat": "~s", "nticks": 3},
    "rsi": {"range": [0, 100], "tickvals": [30, 50, 70]},
    "relative": {"ticksuffix": " %"},
}


def _money_axis(currency: str | None) -> dict[str, str]:
    before, after = money_affixes(currency)
    return {name: plain(text) for name, text in (("tickprefix", before), ("ticksuffix", after)) if text}


def _weekends(frame: pd.DataFrame) -> list[dict[str, list[str]]]:
    """Leave weekends out, unless something was traded on them."""
    has_weekends = bool((pd.DatetimeIndex(frame.index).day_of_week >= _SATURDAY).any())
    return [] if has_weekends else [{"bounds": ["sat", "mon"]}]
