"""One entry looked at closely: what is known of it, and its value as data. Pure."""

from __future__ import annotations

import json
from typing import Final

import pandas as pd

from avcache.core.peek import Peek
from avcache.formats import format_age, format_bytes, format_seconds
from avcache.ui.states import describe_age

__all__ = ["SHOWN_ROWS", "describe", "named_apart", "tables_in", "text_of"]

SHOWN_ROWS: Final = 100
"""So many of the last rows of a table are shown."""

_SHOWN_CHARACTERS = 20_000


def describe(entry: Peek) -> str:
    """One line about an entry."""
    if entry.is_foreign:
        size = format_bytes(entry.size)
        return f"Foreign data of {size}: not written by avcache, and neither read nor dropped by it."
    age = describe_age(entry, if_stale=f"stale, kept {format_age(entry.expires_in)} longer")
    how = f"loaded in {format_seconds(entry.load_seconds)}" if entry.load_seconds is not None else "set by a caller"
    source = f" from {entry.source}" if entry.source else ""
    return f"{age} · {how}{source} · {format_bytes(entry.size)}"


def tables_in(value: object) -> list[pd.DataFrame]:
    """The tables that *value* is or directly holds."""
    if isinstance(value, dict):
        parts = list(value.values())
    else:
        parts = list(value) if isinstance(value, list | tuple) else [value]
    return [part for part in parts if isinstance(part, pd.DataFrame)]


def named_apart(table: pd.DataFrame) -> pd.DataFrame:
    """*table*; where columns share a name, each has its place behind it: neither a browser nor JSON takes them else."""
    if table.columns.is_unique:
        return table
    return table.set_axis([f"{name} #{at}" for at, name in enumerate(table.columns, start=1)], axis=1)


def text_of(value: object) -> str:
    """*value* as JSON, what JSON lacks as Python writes it; cut where it is very long, its tables only mentioned."""
    try:
        text = json.dumps(value, indent=2, ensure_ascii=False, default=_described)
    except (TypeError, ValueError, RecursionError):  # keys that are no text
        text = repr(value)
    return text[:_SHOWN_CHARACTERS]


def _described(part: object) -> str:
    return "<the table above>" if isinstance(part, pd.DataFrame) else repr(part)
