"""
Market data and what is computed from it: providers, momentum score, portfolio analysis.

    tickers     what people type -> tickers
    holdings    what people hold -> tickers, shares, cost basis; portfolio keys
    universe    named lists of tickers, and categories with targets
    provider    the seam to a source of prices, and what every source must deliver
    sample      bundled real prices 2018-2022, no network
    replay      the sample with a today that moves
    csv_folder  a folder of the user's own files
    price_file  one of them: headings, dates, numbers
    yahoo       Yahoo Finance, the only module that imports yfinance
    throttle    how often a source may be asked, by all processes that share a cache
    auto        the sample until the live source answers
    price       the last price of a ticker
    scoring     the momentum score and published measures (pure)
    portfolio   a portfolio's positions, weights, scores, risk and past (pure)
    calendar    when an exchange trades
    freshness   how long results stay fresh, and what their age means
    caching     how records are read from the cache, one or many
    records     what providers deliver, as it is kept
    reader      what is kept of each ticker, and how it is loaded
    service     `Market`: all of the above, for those who ask

Importing this package imports neither pandas nor yfinance.
"""

from __future__ import annotations

__all__: list[str] = []
