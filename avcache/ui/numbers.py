"""How columns of numbers look. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["RETURNS", "Number"]


@dataclass(frozen=True, slots=True)
class Number:
    """How a column of numbers looks: its heading, its printf format and what it means."""

    label: str
    format: str
    help: str


RETURNS: Final[Mapping[str, Number]] = {
    "return_1m_percent": Number("1 m", "%+.1f %%", "Return over 20 sessions"),
    "return_3m_percent": Number("3 m", "%+.1f %%", "Return over 62 sessions"),
    "momentum_12_1_percent": Number("12-1", "%+.1f %%", "12-month return without the newest month"),
}
"""The returns of one stock, by the name of their column."""
