"""Moments in tables. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import pandas as pd

__all__ = ["local_time"]


def local_time(moments: Sequence[float]) -> pd.Series:
    """*moments* (epoch seconds) in the time of this machine, so that a table can sort by them."""
    zone = dt.datetime.now().astimezone().tzinfo
    return pd.Series(pd.to_datetime(list(moments), unit="s", utc=True)).dt.tz_convert(zone)
