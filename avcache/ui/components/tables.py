"""What tables have in common: their columns, and their way into a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
import streamlit as st

from avcache.ui.export import csv_of
from avcache.ui.numbers import Number
from avcache.ui.states import STATE_COLOURS

__all__ = ["csv_button", "day_column", "number_columns", "rating_column", "score_column", "state_column"]


def number_columns(looks: Mapping[str, Number]) -> dict[str, Any]:
    """The columns of numbers, by their names."""
    return {
        name: st.column_config.NumberColumn(look.label, format=look.format, help=look.help)
        for name, look in looks.items()
    }


def score_column() -> Any:
    """A score of 0 to 10, as a bar."""
    return st.column_config.ProgressColumn("Score", format="%.1f", min_value=0, max_value=10, width=110)


def rating_column() -> Any:
    """A rating; wide enough for the longest, as a table keeps the widths of what it showed first."""
    return st.column_config.TextColumn("Rating", width=120)


def day_column(label: str) -> Any:
    """A day, as in `28 Dec 2022`."""
    return st.column_config.DateColumn(label, format="D MMM YYYY")


def state_column(label: str | None = None) -> Any:
    """A column whose cells are lists of one state, shown as coloured badges."""
    return st.column_config.MultiselectColumn(
        label, options=list(STATE_COLOURS), color=list(STATE_COLOURS.values()), width="small"
    )


def csv_button(label: str, make: Callable[[], pd.DataFrame], name: str) -> None:
    """
    The one way in which a table becomes a file; *make* is called when the file is asked for.

    Not in a fragment that runs by itself: each run makes a new button, and a click on the one before finds nothing.
    """
    st.download_button(
        label,
        lambda: csv_of(make()),
        name,
        mime="text/csv",
        icon=":material/download:",
        type="tertiary",
        on_click="ignore",
        key=f"csv_{name}",
    )
