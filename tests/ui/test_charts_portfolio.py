from __future__ import annotations

import itertools
import json

import numpy as np
import pandas as pd
import pytest

from avcache.ui.charts.portfolio import category_chart, correlation_chart, growth_chart, treemap


@pytest.fixture
def tiles() -> pd.DataFrame:
    rows = [("A", "Tech", 60.0, 90.0, "60 %"), ("B", "Tech", 30.0, 10.0, "30 %"), ("C", "Other", 10.0, np.nan, "10 %")]
    return pd.DataFrame(rows, columns=["ticker", "category", "value", "composite_score", "told"])


def shares() -> pd.DataFrame:
    rows = [("Tech", 40.0, 60.0), ("Bonds", 20.0, 0.0)]
    return pd.DataFrame(rows, columns=["category", "target_percent", "actual_percent"])


def over_time() -> pd.DataFrame:
    days = pd.date_range("2022-01-03", periods=3)
    return pd.DataFrame({"growth": [1.0, 1.1, 0.9], "drawdown": [0.0, 0.0, -0.18], "benchmark": np.nan}, index=days)


def test_areas_are_values_in_their_categories(tiles: pd.DataFrame) -> None:
    (area,) = treemap(tiles).data

    assert dict(zip(area.labels, area.values, strict=True)) == {"Tech": 90.0, "Other": 10.0, "A": 60, "B": 30, "C": 10}
    assert dict(zip(area.labels, area.parents, strict=True))["A"] == "category Tech"


def test_a_stronger_score_is_darker_and_none_is_grey(tiles: pd.DataFrame) -> None:
    (area,) = treemap(tiles).data

    colours = dict(zip(area.labels, area.marker.colors, strict=True))
    brightness = {name: sum(int(colours[name][at : at + 2], 16) for at in (1, 3, 5)) for name in "AB"}
    assert brightness["A"] < brightness["B"]
    assert colours["C"] == "#94A3B8"


@pytest.mark.parametrize("score", [-5.0, 0.0, 49.9, 50.0, 100.0, 105.0])
def test_every_score_has_a_colour(tiles: pd.DataFrame, score: float) -> None:
    (area,) = treemap(tiles.assign(composite_score=score)).data

    assert all(len(colour) == 7 for colour in area.marker.colors)


def test_a_category_called_like_a_ticker_is_not_taken_for_it(tiles: pd.DataFrame) -> None:
    (area,) = treemap(tiles.assign(category="A")).data

    assert len(set(area.ids)) == len(area.ids)


def test_the_name_of_a_category_is_no_markup(tiles: pd.DataFrame) -> None:
    name = '<a href="javascript:alert(1)">x</a>'

    (area,), (actual, target) = (
        treemap(tiles.assign(category=name)).data,
        category_chart(shares().assign(category=name)).data,
    )

    assert not [label for label in (*area.labels, *actual.y, *target.y) if "<" in label]


def test_targets_are_marks_on_the_bars_of_what_is() -> None:
    actual, target = category_chart(shares()).data

    assert (actual.type, list(actual.x)) == ("bar", [60.0, 0.0])
    assert (target.mode, list(target.x)) == ("markers", [40.0, 20.0])


def test_a_few_correlations_have_their_numbers_and_many_do_not() -> None:
    few, many = (pd.DataFrame(np.eye(size), columns=[f"T{n}" for n in range(size)]) for size in (3, 40))

    figures = [correlation_chart(few), correlation_chart(many)]

    assert [figure.data[0].texttemplate for figure in figures] == ["%{z:.2f}", None]
    assert all((figure.data[0].zmin, figure.data[0].zmax) == (-1, 1) for figure in figures)


def test_an_unknown_benchmark_has_no_line() -> None:
    assert [trace.name for trace in growth_chart(over_time(), "^GSPC").data] == ["Portfolio", "Drawdown"]


def test_drawdown_stands_below_growth() -> None:
    layout = growth_chart(over_time(), "^GSPC").layout

    assert layout.yaxis.domain[0] > layout.yaxis2.domain[1]


def test_figures_without_tiles_bring_no_colour_of_light_or_dark() -> None:
    figures = [category_chart(shares()), growth_chart(over_time(), "^GSPC")]

    drawn = [json.dumps(figure.update_layout(template="none").to_plotly_json(), default=str) for figure in figures]

    words = ("#fff", "#FFF", "#000", "white", "black", "bgcolor")
    assert not [word for text, word in itertools.product(drawn, words) if word in text]
