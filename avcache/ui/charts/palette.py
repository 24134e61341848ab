"""One colour per namespace, the same in every figure; readable on light and dark. Red, orange and green mean states."""

from __future__ import annotations

import zlib
from typing import Final

__all__ = ["colour_of"]

_KNOWN: Final = {
    "price": "#3B82F6",
    "momentum": "#8B5CF6",
    "portfolio": "#14B8A6",
    "history": "#64748B",
    "fundamentals": "#EC4899",
}
_OTHERS: Final = ("#0EA5E9", "#A855F7", "#6366F1", "#0891B2", "#D946EF", "#94A3B8")


def colour_of(namespace: str) -> str:
    """The colour of *namespace*; unknown ones get one by their name, so that it stays theirs."""
    return _KNOWN.get(namespace) or _OTHERS[zlib.crc32(namespace.encode()) % len(_OTHERS)]
