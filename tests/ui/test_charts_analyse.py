from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from avcache.market.sample import SampleProvider
from avcache.ui.charts.analyse import contribution_chart, price_chart, weight_chart
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
    ]
    assert figure.layout.yaxis.domain[0] > figure.layout.yaxis2.domain[1]


def test_closes_alone_are_a_line_over_the_whole_height(sample: SampleProvider) -> None:
    figure = price_chart(view(sample, "MRK"))

    assert kinds(figure)[0] == ("scatter", "MRK")
    assert not [trace for trace in figure.data if trace.type in {"bar", "candlestick"}]
    assert figure.layout.yaxis.domain[0] == 0


def test_an_average_without_a_value_has_no_trace() -> None:
    short = price_view(history([100.0 + day for day in range(30)]), "5Y")

    assert kinds(price_chart(short)) == [("scatter", "AAPL"), ("scatter", "SMA 20")]


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


def test_the_heaviest_position_is_first() -> None:
    (bar,) = weight_chart(pd.Series({"B": 30.0, "A": 70.0})).data

    assert list(bar.y) == ["A", "B"]
    assert list(bar.text) == ["70.0 %", "30.0 %"]


def test_beyond_twenty_positions_the_rest_is_one_bar() -> None:
    weights = pd.Series({f"T{number}": 4.0 for number in range(25)})

    (bar,) = weight_chart(weights).data

    assert len(bar.y) == 20
    assert bar.y[-1] == "6 others"
    assert sum(bar.x) == pytest.approx(100)


def test_no_figure_brings_a_colour_of_light_or_dark(sample: SampleProvider) -> None:
    figures = [
        price_chart(view(sample, "AAPL")),
        contribution_chart(parts(sample, "AAPL")),
        weight_chart(pd.Series({"A": 100.0})),
    ]

    drawn = [json.dumps(figure.update_layout(template="none").to_plotly_json(), default=str) for figure in figures]

    assert not [word for text in drawn for word in ("#fff", "#000", "white", "black", "bgcolor") if word in text]
