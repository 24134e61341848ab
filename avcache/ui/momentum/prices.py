"""What the price chart shows. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from avcache.formats import counted
from avcache.market.provider import PriceHistory
from avcache.market.scoring.indicators import wilder_rsi

__all__ = ["SPANS", "PriceView", "first_day", "price_view"]

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

    *frame*: one row per session, columns `open high low close volume sma_20 sma_50 sma_200 rsi relative`: `rsi` is
    Wilder's over 14 sessions, `relative` how many percent ahead of *benchmark* it is since the first session shown (NaN
    where *benchmark*, its ticker, is None). *note* says what the source does not give.
    """

    ticker: str
    frame: pd.DataFrame
    currency: str | None
    has_candles: bool
    has_volume: bool
    note: str
    benchmark: str | None = None


def price_view(history: PriceHistory, span: str, benchmark: PriceHistory | None = None) -> PriceView:
    """The last *span* of `SPANS` of *history*; averages and RSI reach further back than what is shown."""
    prices = history.prices[history.prices["adj_close"].notna()]
    factor = prices["adj_close"] / prices["close"]
    frame = prices[["open", "high", "low"]].mul(factor, axis=0)
    frame["close"], frame["volume"] = prices["adj_close"], prices["volume"]
    for rows in _AVERAGES:
        frame[f"sma_{rows}"] = prices["adj_close"].rolling(rows).mean()
    frame["rsi"] = wilder_rsi(np.asarray(prices["adj_close"], "float64"))
    shown = frame[frame.index >= first_day(frame.index[-1], span)].copy()
    relative = _relative(shown["close"], benchmark)
    shown["relative"] = np.nan if relative is None else relative
    whole = shown[["open", "high", "low"]].notna().all(axis=1)
    has_candles = bool(whole.mean() > _ALL_CANDLES)
    has_volume = bool(shown["volume"].sum() > 0)
    return PriceView(
        history.ticker,
        shown,
        history.currency,
        has_candles,
        has_volume,
        _note(has_candles=has_candles, has_volume=has_volume, broken=int((~whole).sum())),
        None if benchmark is None or relative is None else benchmark.ticker,
    )


def first_day(last: pd.Timestamp, span: str) -> pd.Timestamp:
    """The day with which *span* begins, if *last* is the last one."""
    offset = SPANS[span]
    return pd.Timestamp(last.year, 1, 1) if offset is None else last - offset


def _note(*, has_candles: bool, has_volume: bool, broken: int) -> str:
    lacking = [*([] if has_candles else ["open", "high", "low"]), *([] if has_volume else ["volume"])]
    note = "Adjusted for splits and dividends."
    if has_candles:
        note += " A blue candle closed above its open."
    if has_candles and broken:
        note += f" {counted(broken, 'session')} without open, high or low: no candle there."
    if lacking:
        note += f" The source gives no {', '.join(lacking)}" + ("." if has_candles else ": a line of closes.")
    return note


def _relative(closes: pd.Series[float], benchmark: PriceHistory | None) -> pd.Series[float] | None:
    """How much more than the benchmark it has gained since the first session, in percent; None if not one is known."""
    if benchmark is None:
        return None
    market = benchmark.prices["adj_close"].dropna().reindex(closes.index, method="ffill")
    ratio = closes / market
    known = ratio.dropna()
    return 100 * (ratio / known.iloc[0] - 1) if len(known) else None
