"""
What a portfolio is worth, how it scores, and what drives both. Pure: holdings, prices and scores in, figures out.

    positions   one row per position
    history     the portfolio over time, and how its positions move together
    categories  what is held against what was meant to be
    analysis    `PortfolioAnalysis`: all of it
"""

from __future__ import annotations

from avcache.market.portfolio.analysis import PortfolioAnalysis, analyze, from_record, to_record
from avcache.market.portfolio.categories import category_table

__all__ = ["PortfolioAnalysis", "analyze", "category_table", "from_record", "to_record"]
