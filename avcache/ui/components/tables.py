"""What tables have in common: their columns, and their way into a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
import streamlit as st

from avcache.ui.export import csv_of, json_of
from avcache.ui.lens import json_of_value
from avcache.ui.numbers import Number
from avcache.ui.states import STATE_COLOURS

__all__ = [
    "day_column",
    "export_buttons",
    "number_columns",
    "rating_column",
    "score_column",
    "state_column",
    "value_button",
]


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


def export_buttons(what: str, make: Callable[[], pd.DataFrame], name: str) -> None:
    """
    The one way in which a table becomes a file, as CSV or JSON; *make* is called when the file is asked for.

    Not in a fragment that runs by itself: each run makes new buttons, and a click on those before finds nothing.

    Args:
        name: Of the file, without its ending.
    """
    with st.container(horizontal=True, gap="small", vertical_alignment="center", width="content"):
        _download(f"{what} as CSV", lambda: csv_of(make()), f"{name}.csv", "text/csv")
        _download("JSON", lambda: json_of(make()), f"{name}.json", "application/json")


def value_button(label: str, value: object, name: str) -> None:
    """A value as a file of JSON; *name* is that of the file, as far as a file may be called so."""
    safe = "".join(sign if sign.isalnum() or sign in "-._@" else "-" for sign in name)[:80]
    _download(label, lambda: json_of_value(value), f"{safe}.json", "application/json")


def _download(label: str, make: Callable[[], bytes], name: str, mime: str) -> None:
    st.download_button(
        label,
        make,
        name,
        mime=mime,
        icon=":material/download:",
        type="tertiary",
        on_click="ignore",
        key=f"file_{name}",
    )
