"""Tables as files that people open in a spreadsheet. Pure."""

from __future__ import annotations

import datetime as dt
import re

import pandas as pd

__all__ = ["csv_of", "dated", "json_of", "stamp"]

_FORMULA = re.compile(
    r"(?:\A(?=[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20])|(?<=[;\t\r\n])(?=[=+\-@\uff1d\uff0b\uff0d\uff20]))"
)
"""Where one would begin; behind a semicolon or tab, too, at which other countries' spreadsheets part the cells."""


def csv_of(frame: pd.DataFrame) -> bytes:
    """
    Return *frame* as CSV in UTF-8, without its index.

    Text that a spreadsheet would run as a formula gets an apostrophe in front (OWASP, "CSV injection");
    numbers stay numbers, and what is unknown is an empty cell.
    """
    safe = frame.map(_as_text).rename(columns=_as_text)
    return safe.to_csv(index=False, lineterminator="\n").encode()


def json_of(frame: pd.DataFrame) -> bytes:
    """
    Return *frame* as a JSON array of one object per row, in UTF-8; what is unknown is null, a moment is in ISO 8601.
    """
    return (frame.to_json(orient="records", date_format="iso", force_ascii=False, indent=1) or "[]").encode()


def dated(frame: pd.DataFrame, as_of: str | None, computed_at: float) -> pd.DataFrame:
    """*frame* with the day of its prices (ISO date) and the moment it was computed (epoch seconds) in two columns."""
    return frame.assign(as_of=as_of, computed_at=stamp(computed_at))


def stamp(moment: float) -> str:
    """Epoch seconds in ISO 8601, UTC."""
    return dt.datetime.fromtimestamp(moment, dt.UTC).isoformat(timespec="seconds")


def _as_text(cell: object) -> object:
    return _FORMULA.sub("'", cell) if isinstance(cell, str) else cell
