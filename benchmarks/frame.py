"""A year of daily prices: 250 × 6 floats below a date index. Apart from `data`, for it needs pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = ["FRAME", "FRAME_BYTES", "FRAME_KEY"]

FRAME_KEY = "history:AAPL"
FRAME = pd.DataFrame(
    np.random.default_rng(7).normal(180.0, 9.0, (250, 6)),
    index=pd.DatetimeIndex(pd.date_range("2024-01-02", periods=250, freq="B").to_numpy(), name="date"),
    columns=["open", "high", "low", "close", "adj_close", "volume"],
)
FRAME_BYTES = FRAME.to_numpy().nbytes + FRAME.index.nbytes
