from __future__ import annotations

import dataclasses
import itertools
import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from avcache.market.sample import SampleProvider
from avcache.ui.charts.momentum import compare_chart, contribution_chart, price_chart
from avcache.ui.momentum.prices import PriceView, price_view
from avcache.ui.momentum.score import breakdown
from tests.market.doubles import history, score_of


@pytest.fixture(scope="module")
def sample() -> SampleProvider:
    return SampleProvider()


def view(sample: SampleProvider, ticker: str, span: str = "1Y") -> PriceView:
    return price_view(sample.history(ticker), span)


def parts(sample: SampleProvider, ticker: str) -> pd.DataFrame:
    score = score_of(sample.history(ticker), sample.history("^GSPC"))
    return breakdown(score)


def kinds(figure: Any) -> list[tuple[str, str]]:
    return [(trace.type, trace.name) for trace in figure.data]


def test_candles_have_averages_and_volume_below(sample: SampleProvider) -> None:
    figure = price_chart(view(sample, "AAPL"))

    assert kinds(figure) == [
        ("candlestick", "AAPL"),
        ("scatter", "SMA 20"),
        ("scatter", "SMA 50"),
        ("scatter", "SMA 200"),
        ("bar", "Volume"),
        ("scatter", "RSI 14"),
    ]
    assert figure.layout.yaxis.domain[0] > figure.layout.yaxis2.domain[1]


def test_what_somebody_calls_a_stock_its_money_or_the_market_is_no_markup(sample: SampleProvider) -> None:
    link = '<a href="https://evil.example">x</a>'
    named = dataclasses.replace(sample.history("AAPL"), ticker=link, currency=link)
    market = dataclasses.replace(sample.history("^GSPC"), ticker=link)

    figures = [
        price_chart(price_view(named, "1Y", market)),
        price_chart(dataclasses.replace(price_view(named, "1Y"), has_candles=False)),
        contribution_chart(parts(sample, "AAPL").assign(component=link)),
    ]

    assert not [figure for figure in figures if "<a" in json.dumps(figure.to_dict(), default=str)]


def test_closes_alone_are_a_line(sample: SampleProvider) -> None:
    figure = price_chart(view(sample, "MRK"))

    assert kinds(figure)[0] == ("scatter", "MRK")
    assert not [trace for trace in figure.data if trace.type in {"bar", "candlestick"}]


def test_no_candle_is_drawn_of_a_session_that_lacks_its_open() -> None:
    given = history([100.0 + day for day in range(40)])
    for name in ("open", "high", "low"):
        given.prices[name] = given.prices["close"]
    given.prices.loc[given.prices.index[5:7], ["open", "low"]] = math.nan

    candles = price_chart(price_view(given, "5Y")).data[0]

    assert candles.type == "candlestick"
    assert len(candles.x) == 38
    assert not pd.isna(pd.Series(candles.open)).any()


def test_the_price_of_a_penny_stock_is_told_to_four_digits() -> None:
    figure = price_chart(price_view(history([0.0014 + day / 1e6 for day in range(30)]), "5Y"))

    assert figure.data[0].hovertemplate == "%{y:,.6f}"


def test_an_average_without_a_value_has_no_trace() -> None:
    short = price_view(history([100.0 + day for day in range(30)]), "5Y")

    assert kinds(price_chart(short)) == [("scatter", "AAPL"), ("scatter", "SMA 20"), ("scatter", "RSI 14")]


def test_panels_stand_below_each_other_and_do_not_overlap(sample: SampleProvider) -> None:
    whole = price_view(sample.history("AAPL"), "1Y", sample.history("^GSPC"))

    layout = price_chart(whole).layout

    axes = [layout.yaxis, layout.yaxis2, layout.yaxis3, layout.yaxis4]
    assert axes[0].domain[1] == 1
    assert axes[-1].domain[0] == 0
    assert all(above.domain[0] > below.domain[1] for above, below in itertools.pairwise(axes))
    assert layout.xaxis.anchor == "y4"


def test_rsi_has_its_bounds_and_the_benchmark_is_named(sample: SampleProvider) -> None:
    figure = price_chart(price_view(sample.history("MRK"), "1Y", sample.history("^GSPC")))

    assert [shape.y0 for shape in figure.layout.shapes] == [30, 50, 70, 0]
    assert kinds(figure)[-2:] == [("scatter", "RSI 14"), ("scatter", "Against ^GSPC")]
    assert "ahead of ^GSPC" in figure.layout.annotations[-1].text


def test_the_log_scale_is_that_of_the_prices_alone(sample: SampleProvider) -> None:
    layout = price_chart(view(sample, "AAPL"), is_log=True).layout

    assert (layout.yaxis.type, layout.yaxis2.type) == ("log", None)


def test_a_contribution_below_zero_is_signed_and_in_sight() -> None:
    rows = [("A", 10.0, 60.0, ""), ("B", 5.0, -80.0, ""), ("Composite", None, -20.0, "")]
    table = pd.DataFrame(rows, columns=["component", "value", "contribution", "missing"])

    figure = contribution_chart(table.assign(effective_weight_percent=50.0))

    assert list(figure.data[0].text) == ["+60.00", "-80.00", "-20.00"]
    assert list(figure.layout.xaxis.range) == [-20.0, 100.0]


def test_the_price_axis_names_the_currency(sample: SampleProvider) -> None:
    dollars = view(sample, "MRK")

    figures = [price_chart(dataclasses.replace(dollars, currency=currency)) for currency in ("USD", "EUR", None)]

    axes = [figure.layout.yaxis for figure in figures]
    assert [(axis.tickprefix, axis.ticksuffix) for axis in axes] == [
        ("$", None),
        (None, " EUR"),
        (None, None),
    ]


def test_weekends_are_left_out_unless_they_are_traded(sample: SampleProvider) -> None:
    stock = view(sample, "MRK")
    every_day = stock.frame.set_axis(pd.date_range("2022-01-01", periods=len(stock.frame)))
    coin = dataclasses.replace(stock, frame=every_day)

    assert price_chart(stock).layout.xaxis.rangebreaks
    assert not price_chart(coin).layout.xaxis.rangebreaks


@pytest.mark.parametrize("ticker", ["MRK", "AAPL", "META"])
def test_bars_start_where_the_one_before_ends_and_end_at_the_composite(sample: SampleProvider, ticker: str) -> None:
    (bar,) = contribution_chart(parts(sample, ticker)).data

    starts, lengths = np.array(bar.base), np.array(bar.x)
    assert starts[0] == 0
    assert np.allclose(starts[1:-1], np.cumsum(lengths)[:-2])
    assert starts[-1] == 0
    assert lengths[-1] == pytest.approx(lengths[:-1].sum())


def test_a_missing_part_says_no_data(sample: SampleProvider) -> None:
    (bar,) = contribution_chart(parts(sample, "MRK")).data

    assert dict(zip(bar.y, bar.text, strict=True)) == {
        "Price": "+53.33",
        "Technical": "+25.59",
        "Fundamental": "no data",
        "Relative": "+13.33",
        "Composite": "92.25",
    }


def test_no_figure_brings_a_colour_of_light_or_dark(sample: SampleProvider) -> None:
    figures = [
        price_chart(view(sample, "AAPL")),
        contribution_chart(parts(sample, "AAPL")),
        compare_chart(pd.DataFrame({"A": [0.0, 1.0]}, index=pd.date_range("2022-01-03", periods=2))),
    ]

    drawn = [json.dumps(figure.update_layout(template="none").to_plotly_json(), default=str) for figure in figures]

    assert not [word for text in drawn for word in ("#fff", "#000", "white", "black", "bgcolor") if word in text]
