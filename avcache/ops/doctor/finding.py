"""What a rule says. Its texts may hold names from the store: they are plain text, never markup."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["ALONE", "SEVERITIES", "Action", "Finding", "Severity", "listed"]

Severity = Literal["problem", "warning", "advice"]
SEVERITIES: Final[tuple[Severity, ...]] = ("problem", "warning", "advice")
"""Most severe first: it does not work, it will cost, it could be better."""

ALONE: Final = "(if the server is this cache's alone: any key may go then)"
"""Whoever lets a server drop any key has to know whose keys there are."""

_LISTED: Final = 5


@dataclass(frozen=True, slots=True)
class Action:
    """
    What a button could do. *target* is, to `warm`, one of `coverage.KINDS`; to `clear`, a pattern; to `open`, the name
    of a page (`keys`, `server`, …), which *about*, if it is given, narrows down to what matches it.
    """

    kind: Literal["warm", "clear", "open"]
    target: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """
    Attributes:
        rule: Which rule found it; a rule may find several things.
        what: One sentence.
        evidence: The figures it rests on.
        why: Why it matters, one sentence.
        step: What mends it: a command or a setting.
    """

    rule: str
    severity: Severity
    what: str
    evidence: tuple[str, ...]
    why: str
    step: str
    action: Action | None = None


def listed(items: Sequence[str]) -> tuple[str, ...]:
    """The first five, and how many more there are."""
    left = len(items) - _LISTED
    return (*items[:_LISTED], f"and {left} more") if left > 0 else tuple(items)
