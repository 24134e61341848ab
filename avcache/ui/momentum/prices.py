"""What the price chart shows. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pandas as pd

from avcache.market.provider import PriceHistory

__all__ = ["SPANS", "PriceView", "price_view"]

SPANS: Final[Mapping[str, pd.DateOffset | None]] = {
    "1M": pd.DateOffset(months=1),
    "3M": pd.DateOffset(months=3),
    "6M": pd.DateOffset(months=6),
    "YTD": None,
    "1Y": pd.DateOffset(years=1),
    "5Y": pd.DateOffset(years=5),
}
"""What the price chart can show, up to the last session; None begins with the year of that session."""

_AVERAGES = (20, 50, 200)
_ALL_CANDLES = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class PriceView:
    """
    What the price chart shows, adjusted for splits and dividends, in *currency*.

    *frame*: one row per session, columns `open high low close volume sma_20 sma_50 sma_200`. *note* says what
    the source does not give.
    """

    ticker: str
    frame: pd.DataFrame
    currency: str | None
    has_candles: bool
    has_volume: bool
    note: str


def price_view(history: PriceHistory, span: str) -> PriceView:
    """The last *span* of `SPANS` of *history*; averages reach further back than what is shown."""
    prices = history.prices[history.prices["adj_close"].notna()]
    factor = prices["adj_close"] / prices["close"]
    frame = prices[["open", "high", "low"]].mul(factor, axis=0)
    frame["close"], frame["volume"] = prices["adj_close"], prices["volume"]
    for rows in _AVERAGES:
        frame[f"sma_{rows}"] = prices["adj_close"].rolling(rows).mean()
    shown = frame[frame.index >= _first_day(frame.index[-1], span)]
    has_candles = bool(shown[["open", "high", "low"]].notna().all(axis=1).mean() > _ALL_CANDLES)
    has_volume = bool(shown["volume"].sum() > 0)
    lacking = [*([] if has_candles else ["open", "high", "low"]), *([] if has_volume else ["volume"])]
    note = "Adjusted for splits and dividends."
    if lacking:
        note += f" The source gives no {', '.join(lacking)}" + ("." if has_candles else ": a line of closes.")
    return PriceView(history.ticker, shown, history.currency, has_candles, has_volume, note)


def _first_day(last: pd.Timestamp, span: str) -> pd.Timestamp:
    offset = SPANS[span]
    return pd.Timestamp(last.year, 1, 1) if offset is None else last - offset
