"""What tables have in common: their columns, and their way into a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import pandas as pd
import streamlit as st

from avcache.market.scoring import RATED_FROM
from avcache.ui.export import csv_of, json_of
from avcache.ui.lens import json_of_value
from avcache.ui.numbers import Number
from avcache.ui.states import STATE_COLOURS

__all__ = [
    "choose_by_row",
    "choose_page",
    "day_column",
    "export_buttons",
    "moment_column",
    "number_columns",
    "rating_column",
    "score_column",
    "state_column",
    "value_button",
]

T = TypeVar("T")

_RATED = f"By the score of 100: from {', '.join(f'{least:g} {rating}' for least, rating in RATED_FROM)}, else Sell"


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
    return st.column_config.TextColumn("Rating", width=120, help=_RATED)


def day_column(label: str) -> Any:
    """A day, as in `28 Dec 2022`."""
    return st.column_config.DateColumn(label, format="D MMM YYYY")


def moment_column(width: int | None = None, explained: str | None = None) -> Any:
    """A moment, as in `28 Dec, 13:31:05`."""
    return st.column_config.DatetimeColumn(format="D MMM, HH:mm:ss", width=width, help=explained)


def state_column(label: str | None = None) -> Any:
    """A column whose cells are lists of one state, shown as coloured badges."""
    return st.column_config.MultiselectColumn(
        label, options=list(STATE_COLOURS), color=list(STATE_COLOURS.values()), width="small"
    )


def choose_page(rows: Sequence[T], length: int, key: str, total: str) -> Sequence[T]:
    """
    The page of *rows* that is chosen, *length* of them at most; what is shown is said, and behind it the *total*.

    Best below the table: there the choice stays where it is when one row more makes a second page.
    """
    with st.container(horizontal=True, vertical_alignment="center"):
        pages = -(-len(rows) // length)
        page = st.pagination(pages, key=key, bind="query-params") if pages > 1 else 1
        first = (page - 1) * length
        shown = rows[first : first + length]
        st.caption(f"{first + 1:,}–{first + len(shown):,} of {total}", width="content")
    return shown


def choose_by_row(table: str, names: Sequence[str], choice: str) -> Callable[[], None]:
    """
    Tie the rows of a table, before it is drawn, to the widget *choice*: the row of what is chosen there is picked.

    Args:
        table: The key of the table.
        names: What each row stands for.

    Returns:
        What to do when a row is picked: it becomes the choice, and so goes into the address.
    """

    def choose() -> None:
        for at in st.session_state[table].selection.rows:
            if at < len(names):
                st.session_state[choice] = names[at]

    chosen = st.session_state.get(choice)
    picked = [names.index(chosen)] if chosen in names else []
    st.session_state[table] = {"selection": {"rows": picked, "columns": [], "cells": []}}
    return choose


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
