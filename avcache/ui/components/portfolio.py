"""What drives a portfolio: its weights, its categories, its way through time."""

from __future__ import annotations

import streamlit as st

from avcache.market.portfolio import PortfolioAnalysis
from avcache.ui.charts.analyse import growth_chart, weight_chart
from avcache.ui.components.tables import export_buttons, number_columns
from avcache.ui.portfolio import PortfolioView, category_numbers, category_view, risk_metrics
from avcache.ui.resources import get_runtime

__all__ = ["portfolio_details"]


def portfolio_details(analysis: PortfolioAnalysis, view: PortfolioView) -> None:
    """Everything about a portfolio that has a priced position."""
    st.subheader("Weights")
    weights = view.table.set_index("ticker")["weight_percent"]
    st.plotly_chart(weight_chart(weights), key="portfolio_weights", alt="Share of each position in the value")
    _categories(analysis)
    _over_time(analysis)


def _categories(analysis: PortfolioAnalysis) -> None:
    table = category_view(get_runtime().market.categories(analysis))
    st.subheader("Categories against their targets")
    st.dataframe(
        table,
        hide_index=True,
        placeholder="–",
        column_config=number_columns(category_numbers(analysis.currency))
        | {"category": st.column_config.TextColumn("Category", pinned=True), "priority": "Priority"},
        alt="Categories with target, actual share and gap",
    )
    export_buttons("Categories", lambda: table, "categories")


def _over_time(analysis: PortfolioAnalysis) -> None:
    over_time = analysis.over_time
    st.subheader("Had these shares always been held")
    with st.grid(3, min_column_width=150):
        for label, value in risk_metrics(analysis).items():
            st.metric(label, value, border=True)
    if len(over_time) > 1:
        benchmark = get_runtime().market.benchmark
        st.plotly_chart(growth_chart(over_time, benchmark), key="portfolio_growth", alt="Growth and drawdown over time")
        first = over_time.index[0].date()
        st.caption(f"Since {first:%d %b %Y}, when all positions have prices; dividends included, no trades.")
