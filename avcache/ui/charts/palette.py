"""One colour per namespace, readable on light and dark. Red, orange and green mean states."""

from __future__ import annotations

import zlib
from collections.abc import Collection
from typing import Final

__all__ = ["MOST_APART", "REST", "colour_of", "colours_of"]

MOST_APART: Final = 6
"""So many namespaces can be told apart by their colours."""

REST: Final = "#94A3B8"
"""The colour of all others together."""

_KNOWN: Final = {
    "price": "#3B82F6",
    "momentum": "#8B5CF6",
    "portfolio": "#14B8A6",
    "history": "#64748B",
    "fundamentals": "#EC4899",
}
_OTHERS: Final = ("#0EA5E9", "#A16207", "#D946EF", "#4F46E5", "#0E7490", "#78716C")


def colour_of(namespace: str) -> str:
    """The colour of *namespace*; unknown ones get one by their name, so that it stays theirs."""
    return _KNOWN.get(namespace) or _turned(namespace)[0]


def colours_of(namespaces: Collection[str]) -> dict[str, str]:
    """
    The colours of *namespaces* in one figure: no two alike among `MOST_APART`.

    Of unknown ones whose own colour another one has, the later in the alphabet takes the next that is free.
    """
    made = {name: _KNOWN[name] for name in namespaces if name in _KNOWN}
    for name in sorted(set(namespaces) - made.keys()):
        turned = _turned(name)
        made[name] = next((colour for colour in turned if colour not in made.values()), turned[0])
    return made


def _turned(namespace: str) -> tuple[str, ...]:
    first = zlib.crc32(namespace.encode()) % len(_OTHERS)
    return (*_OTHERS[first:], *_OTHERS[:first])
