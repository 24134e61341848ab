from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pandas as pd
import pytest

from avcache.market.portfolio import PortfolioAnalysis
from avcache.runtime import Runtime
from avcache.ui.portfolio.categories import category_view
from avcache.ui.portfolio.risk import alike_together, risk_metrics, risk_table


def test_categories_without_target_or_position_are_not_shown(wired: Runtime, analysis: PortfolioAnalysis) -> None:
    whole = wired.market.categories(analysis)

    shown = category_view(whole)

    assert list(shown["category"])[:2] == ["Large-Cap Anchors", "Small-Cap Specialists"]
    assert "Uncategorised" not in set(shown["category"])  # AAPL and NVDA are both in a category
    assert shown["gap_percent"].iloc[0] == pytest.approx(20 - 100)


def test_candidates_are_named_with_their_scores(wired: Runtime, analysis: PortfolioAnalysis) -> None:
    strong = wired.market.score("MRK")

    shown = category_view(wired.market.categories(analysis), {"Small-Cap Specialists": [strong, strong]})

    assert shown["candidates"].tolist()[:2] == ["", "MRK 9.2, MRK 9.2"]


def test_the_portfolio_as_a_whole_has_units(analysis: PortfolioAnalysis) -> None:
    found = risk_metrics(
        dataclasses.replace(analysis, risk=dict.fromkeys(analysis.risk), returns=dict.fromkeys(analysis.returns))
    )

    assert set(found.values()) == {"–"}
    assert all(
        value.endswith("%")
        for name, value in risk_metrics(analysis).items()
        if name not in {"Beta", "Effective positions"}
    )


def test_the_portfolio_stands_above_its_positions(analysis: PortfolioAnalysis) -> None:
    table = risk_table(analysis)

    assert table["name"].tolist() == ["Portfolio", "AAPL", "NVDA"]
    assert table["weight_percent"].iloc[1:].sum() == pytest.approx(100)
    assert table["volatility_percent"].iloc[0] < table["volatility_percent"].iloc[2]


def test_a_figure_of_the_portfolio_that_is_unknown_is_empty(analysis: PortfolioAnalysis) -> None:
    bare = dataclasses.replace(analysis, risk=dict.fromkeys(analysis.risk))

    assert math.isnan(risk_table(bare)["beta"].iloc[0])


def test_what_moves_alike_stands_side_by_side() -> None:
    names = ["A", "x", "B", "y", "C", "z"]
    groups = np.array([name.isupper() for name in names])
    alike = np.where(groups[:, None] == groups[None, :], 0.9, 0.1)
    np.fill_diagonal(alike, 1.0)

    ordered = alike_together(pd.DataFrame(alike, index=names, columns=names))

    cases = [name.isupper() for name in ordered.columns]
    assert sum(left != right for left, right in itertools.pairwise(cases)) == 1
    assert sorted(ordered.columns) == sorted(names)
    assert list(ordered.index) == list(ordered.columns)


def test_correlations_that_are_unknown_do_not_stop_the_ordering() -> None:
    unknown = pd.DataFrame(np.nan, index=list("ABC"), columns=list("ABC"))

    assert sorted(alike_together(unknown).columns) == ["A", "B", "C"]
