"""The analysis of a portfolio: its positions, its categories, its way through time, its risk."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from avcache.formats import format_day
from avcache.market.holdings import Holding
from avcache.market.portfolio import PortfolioAnalysis
from avcache.market.portfolio.categories import UNCATEGORISED
from avcache.ui.charts.portfolio import category_chart, correlation_chart, growth_chart, treemap
from avcache.ui.components.tables import (
    day_column,
    export_buttons,
    number_columns,
    rating_column,
    score_column,
    state_column,
)
from avcache.ui.export import dated
from avcache.ui.portfolio.analysis import PortfolioView, exported, tiles
from avcache.ui.portfolio.categories import category_numbers, category_view
from avcache.ui.portfolio.risk import RISK_NUMBERS, alike_together, risk_metrics, risk_table
from avcache.ui.resources import get_runtime
from avcache.ui.words import lines, literal

__all__ = ["portfolio_details", "portfolio_totals", "portfolio_warnings", "positions"]


def portfolio_totals(view: PortfolioView) -> None:
    """What it is worth, and how strong it is."""
    with st.grid(4 if view.profit is None else 5, min_column_width=140):
        _figure("Total value", view.total_value, None)
        if view.profit is not None:
            money, share = view.profit
            _figure("Profit", money, "Of the positions with a cost basis.", below=share)
        _figure("Average score", view.average_score, "Plain mean of the scored positions.")
        _figure("Weighted score", view.weighted_score, "Weighted by value.")
        _figure("Positions priced", view.positions, "The others count in no total and no mean.")


def _figure(label: str, value: str, meaning: str | None, below: str | None = None) -> None:
    said = None if below is None else literal(below)
    st.metric(
        label, literal(value), said, delta_color="off", delta_arrow="off", help=meaning, border=True, height="stretch"
    )


def portfolio_warnings(view: PortfolioView) -> None:
    """What counts in no total, and what is of another time."""
    if view.missing:
        st.warning(lines(view.missing), title="Left out", icon=":material/warning:")
    if view.elsewhere is not None:
        st.warning(literal(view.elsewhere), title="Currencies are not summed", icon=":material/currency_exchange:")
    if view.mixed is not None:
        st.warning(literal(view.mixed), title="Prices of mixed age", icon=":material/schedule:")


def positions(analysis: PortfolioAnalysis, view: PortfolioView, holdings: Mapping[str, Holding]) -> None:
    """The table of positions, and its way into a file that can be read again."""
    if not view.table.empty:
        st.subheader("Positions")
        st.dataframe(
            view.table,
            hide_index=True,
            placeholder="–",
            column_config=number_columns(view.numbers)
            | {
                "ticker": st.column_config.TextColumn("Ticker", pinned=True, width=76),
                "score": score_column(),
                "rating": rating_column(),
                "state": state_column("State"),
                "as_of": day_column("As of"),
            },
            alt="Positions with weight, value, score and returns",
        )
    export_buttons("Positions", lambda: exported(analysis, holdings), "portfolio")


def portfolio_details(analysis: PortfolioAnalysis) -> None:
    """Everything else about a portfolio that has a priced position."""
    st.subheader("Value by category, colour by score")
    st.plotly_chart(
        treemap(tiles(analysis, _category_of)), key="portfolio_tiles", alt="Positions by category, value and score"
    )
    st.caption("The darker, the stronger the score; grey has none.")
    _categories(analysis)
    _over_time(analysis)
    _risk(analysis)


def _category_of(ticker: str) -> str:
    found = get_runtime().market.universes.category_of(ticker)
    return UNCATEGORISED if found is None else found.name


def _categories(analysis: PortfolioAnalysis) -> None:
    market = get_runtime().market
    table = category_view(market.categories(analysis), market.candidates(analysis))
    has_candidates = bool((table["candidates"] != "").any())
    st.subheader("Categories against their targets")
    st.plotly_chart(category_chart(table), key="portfolio_categories", alt="Actual share of each category, and target")
    st.dataframe(
        table if has_candidates else table.drop(columns="candidates"),
        hide_index=True,
        placeholder="–",
        column_config=number_columns(category_numbers(analysis.currency))
        | {
            "category": st.column_config.TextColumn("Category", pinned=True, width=210),
            "priority": st.column_config.TextColumn("Priority", width=80, help="High: more than 2 points are lacking"),
            "candidates": st.column_config.TextColumn(
                "Candidates", width=220, help="Not held, of 7.0 or more; of the scores that are cached"
            ),
        },
        alt="Categories with target, actual share, gap and candidates",
    )
    if not has_candidates:
        st.caption(
            "No candidates to close a gap: none of the cached scores of these categories, not held, is 7.0 or more. "
            "Warm a category to have its scores."
        )
    export_buttons("Categories", lambda: _dated(table, analysis), "categories")


def _over_time(analysis: PortfolioAnalysis) -> None:
    over_time = analysis.over_time
    st.subheader("Had these shares always been held")
    with st.grid(4, min_column_width=140):
        for label, value in risk_metrics(analysis).items():
            st.metric(label, value, border=True)
    if len(over_time) > 1:
        benchmark = get_runtime().market.benchmark
        st.plotly_chart(growth_chart(over_time, benchmark), key="portfolio_growth", alt="Growth and drawdown over time")
        first = format_day(over_time.index[0].date().isoformat())
        st.caption(f"Since {first}, when all positions have prices; dividends included, no trades.")
        export_buttons("Growth", over_time.reset_index, "portfolio-growth")


def _dated(table: pd.DataFrame, analysis: PortfolioAnalysis) -> pd.DataFrame:
    """As of the day of the oldest price: no figure is newer than that."""
    return dated(table, analysis.as_of_oldest, analysis.computed_at)


def _risk(analysis: PortfolioAnalysis) -> None:
    table, correlation = risk_table(analysis), alike_together(analysis.correlation)
    st.subheader("Risk")
    st.dataframe(
        table,
        hide_index=True,
        placeholder="–",
        column_config=number_columns(RISK_NUMBERS)
        | {"name": st.column_config.TextColumn("Held", pinned=True, width=100)},
        alt="Volatility, beta and deepest fall of the portfolio and its positions",
    )
    export_buttons("Risk", lambda: _dated(table, analysis), "portfolio-risk")
    if len(correlation) > 1:
        st.subheader("What moves together")
        st.plotly_chart(correlation_chart(correlation), key="portfolio_correlation", alt="Correlation of daily returns")
        st.caption("Correlation of daily returns over a year, what moves alike side by side.")
        export_buttons("Correlation", lambda: correlation.rename_axis("ticker").reset_index(), "portfolio-correlation")
