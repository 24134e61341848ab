"""A search of a large store: a moment at a time, gone on with only when somebody asks. Pure, but for the look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from avcache.core.peek import Peek
from avcache.errors import InvalidInput
from avcache.ops.keyspace import Keyspace
from avcache.ops.snapshot import Snapshot

__all__ = ["MOST_KEPT", "KeySearch", "begin", "go_on", "known_names"]

MOST_FOUND: Final = 200
"""Of one step."""

MOST_KEPT: Final = 1000
"""Past these it is better to look for less."""


@dataclass(frozen=True, slots=True)
class KeySearch:
    """
    How far a search is.

    Attributes:
        patterns: Tried one after the other, until one of them matches anything.
        names: Looked at by name, before anything is searched.
        rows: What was found by now, by key.
        cursor: Where to go on with pattern number *at*.
        done: Share of the store that was searched with it, 0 to 1.
        is_over: Nothing is left to search.
    """

    patterns: tuple[str, ...]
    names: tuple[str, ...]
    rows: Mapping[str, Peek]
    at: int = 0
    cursor: str = ""
    done: float = 0.0
    is_over: bool = False

    @property
    def may_go_on(self) -> bool:
        """Whether there is more to find, and room for it."""
        return not self.is_over and len(self.rows) < MOST_KEPT


def known_names(prefix: str | None, find: str, snapshot: Snapshot, tickers: Sequence[str]) -> tuple[str, ...]:
    """
    Names that need no search. Of what was typed: as it is, or as a ticker of each namespace; none for a pattern.
    Of a prefix alone: what the *snapshot* remembers of it, and *tickers*.
    """
    typed = find.strip()
    if set(typed) & set("*?"):
        return ()
    if not typed:
        found = snapshot.namespaces.get(prefix or "")
        if found is None:
            return ()
        remembered = [*found.samples, *(key for key, _ in found.biggest)]
        return tuple(dict.fromkeys([*remembered, *(f"{prefix}:{ticker}" for ticker in tickers)]))
    if ":" in typed:
        return (typed,)
    return tuple(f"{namespace}:{typed.upper()}" for namespace in ([prefix] if prefix else snapshot.namespaces))


def begin(keyspace: Keyspace, patterns: Sequence[str], names: Sequence[str]) -> KeySearch:
    """Look at *names*, and search for a moment. Raises `InvalidInput` for what is no pattern."""
    try:
        rows = {peek.key: peek for peek in keyspace.page(names)}
    except InvalidInput:  # what was typed is no key, but may be a part of one
        rows = {}
    return go_on(keyspace, KeySearch(tuple(patterns), tuple(names), rows))


def go_on(keyspace: Keyspace, search: KeySearch) -> KeySearch:
    """Search for another moment; what was found before is kept. Raises `InvalidInput`."""
    if not search.may_go_on:
        return search
    page = keyspace.search(search.patterns[search.at], search.cursor, most=MOST_FOUND)
    rows = {**search.rows, **{peek.key: peek for peek in page.rows}}
    found = replace(search, rows=rows, cursor=page.cursor, done=page.done)
    if page.cursor:
        return found
    if not rows and search.at + 1 < len(search.patterns):
        return go_on(keyspace, replace(found, at=search.at + 1, done=0.0))
    return replace(found, is_over=True, done=1.0)
