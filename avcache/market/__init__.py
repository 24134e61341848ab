"""
Market data and what is computed from it: providers, momentum score, portfolio analysis.

    tickers     what people type -> tickers, holdings, portfolio keys
    provider    the seam to a source of prices, and what every source must deliver
    sample      bundled real prices 2018-2022, no network
    yahoo       Yahoo Finance, the only module that imports yfinance
    auto        the sample until the live source answers
    scoring     the momentum score (pure)
    portfolio   positions, weights and the scores of a portfolio (pure)
    service     `Market`: all of the above, through the cache

Importing this package imports neither pandas nor yfinance.
"""

from __future__ import annotations

__all__: list[str] = []
