"""Keys: what is in there, how old, what does it say? Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import pandas as pd

from avcache.core.peek import Peek
from avcache.formats import format_age, format_bytes, format_count, format_seconds
from avcache.ops.snapshot import Snapshot
from avcache.ui.states import state_of

__all__ = ["ALL", "MOST_OFFERED", "ORDERS", "PAGE_ROWS", "exported", "key_table", "ordered", "patterns_of", "prefixes"]

ALL: Final = ""
"""In place of a prefix: whatever it is."""

PAGE_ROWS: Final = 50
MOST_OFFERED: Final = 1000

ORDERS: Final[Mapping[str, Callable[[Peek], tuple[float, str]]]] = {
    # What is foreign does not say: it stands last.
    "Soonest to expire": lambda entry: (math.inf if entry.is_foreign else entry.ttl_left, entry.key),
    "Oldest": lambda entry: (math.inf if entry.is_foreign else -entry.age, entry.key),
    "Largest": lambda entry: (-entry.size, entry.key),
    "Name": lambda entry: (0.0, entry.key),
}


def prefixes(snapshot: Snapshot, kept: str = ALL) -> dict[str, str]:
    """
    What may be chosen, `ALL` first: each with its label, as in `price 125`, or `price ≈ 125,000` of a sample.

    Also *kept*, which somebody looks at, when none of its keys is left.
    """
    about = "" if snapshot.is_exact else "≈ "
    counts = {name: found.keys for name, found in snapshot.namespaces.items()}
    counts = {ALL: snapshot.keys, **({} if kept == ALL else {kept: 0}), **counts}
    return {name: f"{name or 'All'} {about}{format_count(keys)}" for name, keys in counts.items()}


def patterns_of(prefix: str | None, find: str) -> tuple[str, ...]:
    """
    What to look for below *prefix*, in turn: *find* as it was typed, then in upper case, as tickers are.

    Without a star or question mark it may stand anywhere in the key.
    """
    typed = find.strip()
    texts = [text if "*" in text or "?" in text else f"*{text}*" for text in dict.fromkeys((typed, typed.upper()))]
    if prefix is None:
        return tuple(texts)
    return tuple(f"{prefix}:{text.removeprefix(f'{prefix}:')}" for text in texts)


def ordered(entries: Sequence[Peek], order: str) -> list[Peek]:
    """*entries* in one of `ORDERS`."""
    return sorted(entries, key=ORDERS[order])


def key_table(entries: Sequence[Peek]) -> pd.DataFrame:
    """One row per entry: Key, Age, TTL left, Left (share of the ttl, 0..100), Size, Load took, State."""
    return pd.DataFrame(
        {
            "Key": [entry.key for entry in entries],
            "State": [[state_of(entry)] for entry in entries],
            "TTL left": [format_age(entry.ttl_left) if not entry.is_foreign else "–" for entry in entries],
            "Left": [_share_left(entry) for entry in entries],
            "Age": [format_age(entry.age) for entry in entries],
            "Size": [format_bytes(entry.size) for entry in entries],
            "Load took": [format_seconds(entry.load_seconds) for entry in entries],
            "Source": [entry.source or "–" for entry in entries],
        }
    )


def exported(entries: Sequence[Peek]) -> pd.DataFrame:
    """The entries as they go into a file: plain numbers, and empty where a foreign entry does not say."""
    return pd.DataFrame(
        {
            "key": [entry.key for entry in entries],
            "namespace": [entry.namespace for entry in entries],
            "state": [state_of(entry) for entry in entries],
            "age_seconds": [entry.age for entry in entries],
            "ttl_left_seconds": [None if entry.is_foreign else entry.ttl_left for entry in entries],
            "size_bytes": [entry.size for entry in entries],
            "load_seconds": [entry.load_seconds for entry in entries],
            "source": [entry.source for entry in entries],
        }
    )


def _share_left(entry: Peek) -> float:
    return 0.0 if entry.is_foreign or entry.ttl <= 0 else 100 * entry.ttl_left / entry.ttl
