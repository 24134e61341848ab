"""What a command prints: figures to stdout as a table or as JSON, all else to stderr."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, TypeAlias

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

__all__ = ["Column", "console", "note", "plain", "print_facts", "print_json", "print_table"]

Column: TypeAlias = str | tuple[str, Literal["right"]]
"""A heading; with "right" where figures stand below it."""

_WIDE: Final = 200


def console(*, is_error: bool = False) -> Console:
    """Where to print: as wide as the terminal; where there is none, wide enough for whole rows."""
    file = sys.stderr if is_error else sys.stdout
    width = None if file.isatty() or "COLUMNS" in os.environ else _WIDE
    return Console(file=file, width=width, highlight=False, markup=False, emoji=False)


def note(text: str) -> None:
    """Say something that is no figure."""
    console(is_error=True).print(Text(plain(text)), soft_wrap=True)


def plain(text: object) -> str:
    """*text* with everything that steers a terminal, and all that cannot be seen, written out: `\\x1b`."""
    shown = str(text)
    if shown.isprintable():
        return shown
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in shown
    )


def print_facts(facts: Mapping[str, object]) -> None:
    """Print each name with its value behind it."""
    made = Table(box=None, show_header=False, pad_edge=False)
    for name, value in facts.items():
        made.add_row(Text(plain(name)), Text(plain(value)))
    console().print(made)


def print_table(columns: Sequence[Column], rows: Iterable[Sequence[object]], *, title: str = "") -> None:
    """Print *rows*, whose cells are shown as they are; nothing is cut off, whatever the width."""
    made = Table(box=SIMPLE_HEAD, title=Text(plain(title)) if title else None, title_justify="left", pad_edge=False)
    for column in columns:
        is_text = isinstance(column, str)
        heading = column if isinstance(column, str) else column[0]
        made.add_column(Text(heading), justify="left" if is_text else "right", overflow="fold")
    for row in rows:
        made.add_row(*(Text(plain(cell)) for cell in row))
    console().print(made)


def print_json(data: object) -> None:
    """Print *data*; what is no number is null, and what is not ASCII is escaped."""
    sys.stdout.write(json.dumps(_finite(data), indent=2, allow_nan=False) + "\n")


def _finite(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(name): _finite(held) for name, held in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
