"""The analyst's figures."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from avcache.formats import money_affixes
from avcache.ui.momentum.prices import PriceView

__all__ = ["contribution_chart", "growth_chart", "price_chart", "weight_chart"]

_LEGEND = {"orientation": "h", "yanchor": "bottom", "y": 1.02, "xanchor": "left", "x": 0, "title": None}
_NEUTRAL = "rgba(128, 128, 128, 0.5)"  # grey enough on white and on dark
_SATURDAY = 5
_MOST_BARS = 20
_BAR_HEIGHT = 30


def price_chart(view: PriceView) -> go.Figure:
    """Candles, or a line where there are none, with averages of 20, 50 and 200 sessions; volume below."""
    frame = view.frame
    figure = go.Figure()
    if view.has_candles:
        figure.add_candlestick(
            x=frame.index,
            open=frame["open"],
            high=frame["high"],
            low=frame["low"],
            close=frame["close"],
            name=view.ticker,
            line={"width": 1},
        )
    else:
        figure.add_scatter(x=frame.index, y=frame["close"], mode="lines", name=view.ticker, line={"width": 2})
    for rows in (20, 50, 200):
        average = frame[f"sma_{rows}"]
        if average.notna().any():
            figure.add_scatter(x=frame.index, y=average, mode="lines", name=f"SMA {rows}", line={"width": 1.5})
    if view.has_volume:
        figure.add_bar(
            x=frame.index,
            y=frame["volume"],
            name="Volume",
            yaxis="y2",
            marker={"color": _NEUTRAL},
            showlegend=False,
        )
    figure.update_traces(hovertemplate="%{y:,.2f}", selector={"type": "scatter"})
    figure.update_traces(hovertemplate="%{y:.3s}", selector={"type": "bar"})
    figure.update_layout(
        height=460 if view.has_volume else 380,
        margin={"l": 8, "r": 8, "t": 48, "b": 8},
        hovermode="x unified",
        legend=_LEGEND,
        showlegend=True,
        yaxis={"domain": [0.26 if view.has_volume else 0, 1], "title": None, **_money_axis(view.currency)},
        xaxis={"rangeslider": {"visible": False}, "rangebreaks": _weekends(frame), "title": None},
    )
    if view.has_volume:
        figure.update_layout(yaxis2={"domain": [0, 0.2], "title": None, "tickformat": "~s", "nticks": 3})
        figure.update_xaxes(anchor="y2")
    return figure


def contribution_chart(parts: pd.DataFrame) -> go.Figure:
    """How contributions (rows of `breakdown`) add up to the composite, from 0 to 100 points."""
    shown = parts["contribution"]
    starts = shown.cumsum().shift(fill_value=0.0)
    starts.iloc[-1] = 0.0  # the composite is the sum, not one more part
    texts = [
        "no data" if why else f"{value:.2f}" if last else f"+{value:.2f}"
        for value, why, last in zip(shown, parts["missing"], parts.index == parts.index[-1], strict=True)
    ]
    figure = go.Figure()
    figure.add_bar(
        y=parts["component"],
        x=shown,
        base=starts,
        orientation="h",
        text=texts,
        textposition="outside",
        cliponaxis=False,
        marker={"opacity": [0.55] * (len(parts) - 1) + [1.0]},
        customdata=parts[["value", "effective_weight_percent"]],
        hovertemplate="%{y}: %{customdata[0]:.1f} × %{customdata[1]:.0f} % = %{text}<extra></extra>",
        showlegend=False,
    )
    figure.update_layout(height=_BAR_HEIGHT * len(parts) + 60, margin={"l": 8, "r": 56, "t": 8, "b": 8})
    figure.update_xaxes(range=[0, 100], title="points", dtick=20)
    figure.update_yaxes(autorange="reversed", title=None, showgrid=False)
    return figure


def weight_chart(weights: pd.Series[float]) -> go.Figure:
    """Bars of *weights* (percent, index: tickers), the heaviest first; beyond 20 the rest is one bar."""
    ordered = weights.sort_values(ascending=False, kind="stable")
    if len(ordered) > _MOST_BARS:
        rest = ordered.iloc[_MOST_BARS - 1 :]
        others = pd.Series({f"{len(rest)} others": rest.sum()})
        ordered = pd.concat([ordered.iloc[: _MOST_BARS - 1], others])
    figure = go.Figure()
    figure.add_bar(
        y=[str(name) for name in ordered.index],
        x=ordered,
        orientation="h",
        text=[f"{weight:.1f} %" for weight in ordered],
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: %{text} of the value<extra></extra>",
        showlegend=False,
    )
    figure.update_layout(height=_BAR_HEIGHT * len(ordered) + 32, margin={"l": 8, "r": 64, "t": 8, "b": 8})
    figure.update_xaxes(visible=False, range=[0, max(ordered.max(), 1.0)])
    figure.update_yaxes(autorange="reversed", title=None, showgrid=False, type="category")
    return figure


def growth_chart(over_time: pd.DataFrame, benchmark: str) -> go.Figure:
    """The growth of a portfolio (rows of `portfolio.history.growth`) and of its *benchmark*; drawdown below."""
    figure = go.Figure()
    growth = 100 * (over_time["growth"] - 1)
    figure.add_scatter(x=over_time.index, y=growth, mode="lines", name="Portfolio", line={"width": 2})
    if over_time["benchmark"].notna().any():
        market = 100 * (over_time["benchmark"] - 1)
        figure.add_scatter(x=over_time.index, y=market, mode="lines", name=benchmark, line={"width": 1.5})
    figure.add_scatter(
        x=over_time.index,
        y=100 * over_time["drawdown"],
        mode="lines",
        name="Drawdown",
        yaxis="y2",
        line={"width": 1, "color": _NEUTRAL},
        fill="tozeroy",
        fillcolor=_NEUTRAL,
        showlegend=False,
    )
    figure.update_traces(hovertemplate="%{y:+.1f} %")
    figure.update_layout(
        height=420,
        margin={"l": 8, "r": 8, "t": 48, "b": 8},
        hovermode="x unified",
        legend=_LEGEND,
        showlegend=True,
        yaxis={"domain": [0.32, 1], "title": None, "ticksuffix": " %"},
        yaxis2={"domain": [0, 0.24], "title": None, "ticksuffix": " %", "nticks": 3},
        xaxis={"title": None, "anchor": "y2"},
    )
    return figure


def _money_axis(currency: str | None) -> dict[str, str]:
    before, after = money_affixes(currency)
    return {name: text for name, text in (("tickprefix", before), ("ticksuffix", after)) if text}


def _weekends(frame: pd.DataFrame) -> list[dict[str, list[str]]]:
    """Leave weekends out, unless something was traded on them."""
    has_weekends = bool((pd.DatetimeIndex(frame.index).day_of_week >= _SATURDAY).any())
    return [] if has_weekends else [{"bounds": ["sat", "mon"]}]
