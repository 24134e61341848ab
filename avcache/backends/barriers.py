"""
What was invalidated: scope → version. An entry is valid while its version reaches every barrier that covers it.

One number is raised by every invalidation. An entry carries the number that was seen before its value was loaded, so
a barrier raised meanwhile is above it, wherever and however late it is stored.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from avcache.backends.pattern import Pattern
from avcache.forks import renew_in_children

__all__ = ["EVERYTHING_SCOPE", "Barrier", "Barriers", "key_scope", "pattern_scope", "tag_scope"]

EVERYTHING_SCOPE: Final = "*"
MOST_ROWS: Final = 10_000
"""Past these the oldest rows become one for everything: what is as old as that is loaded anew, nothing is wrong."""

_COLLAPSED = 1_000


def key_scope(key: str) -> str:
    """The scope of one key."""
    return f"k:{key}"


def tag_scope(tag: str) -> str:
    """The scope of all entries that carry *tag*."""
    return f"t:{tag}"


def pattern_scope(pattern: Pattern) -> str:
    """The scope of all keys that match; of a namespace, or of everything, where that is all the pattern says."""
    if pattern.text == "*":
        return EVERYTHING_SCOPE
    if pattern.is_literal:
        return key_scope(pattern.text)
    name, colon, rest = pattern.text.partition(":")
    if colon and rest == "*" and not set(name) & set("*?"):
        return f"n:{name}"
    return f"p:{pattern.text}"


@dataclass(frozen=True, slots=True)
class Barrier:
    """One invalidation; *previous* is the version that the same scope had before, 0 if none."""

    scope: str
    version: int
    previous: int = 0


class Barriers:
    """
    The barriers that this process knows, shared by all parts of a backend.

    Attributes:
        version: The highest version known; it only rises.
        newest: The highest barrier; an entry that reaches it is valid.
        pending: What the server is still to be told: scope → the version of its barrier here, 0 if it has none here.

    Reading takes no lock.
    """

    def __init__(self) -> None:
        self.version = 0
        self.pending: dict[str, int] = {}
        self.begin_anew()
        renew_in_children(self)
        self._rows: dict[str, int] = {}
        self._patterns: tuple[tuple[int, Pattern], ...] = ()
        self.newest = 0

    def begin_anew(self) -> None:
        """In a forked process: no thread of its parent holds the lock."""
        self._mutex = threading.RLock()

    def rows(self) -> dict[str, int]:
        """A copy of scope → version."""
        with self._mutex:
            return dict(self._rows)

    def allows(self, key: str, tags: Iterable[str], version: int) -> bool:
        """Whether an entry of *key* and *tags* that carries *version* is valid."""
        return version >= self.newest or version >= self.floor(key, tags)

    def floor(self, key: str, tags: Iterable[str] = ()) -> int:
        """The version that an entry of *key* and *tags* has to reach."""
        rows = self._rows
        name = key.partition(":")[0]
        floor = max(rows.get("*", 0), rows.get(f"k:{key}", 0), rows.get(f"n:{name}", 0))
        for tag in tags:
            floor = max(floor, rows.get(f"t:{tag}", 0))
        for version, pattern in self._patterns:  # newest first: the first that matters ends it
            if version <= floor:
                break
            if pattern.matches(key):
                return version
        return floor

    def raise_locally(self, scopes: Sequence[str], *, pending: bool = False) -> list[Barrier]:
        """
        Put barriers where only this process sees them; *pending* remembers them for the server.

        By one, not by the time: a version made here must stay below those that a server makes.
        """
        with self._mutex:
            version = self.version + 1
            made = [Barrier(scope, version, self._rows.get(scope, 0)) for scope in scopes]
            if pending:
                self._remember(scopes, version)
            self._merge(dict.fromkeys(scopes, version), version)
        return made

    def owe(self, scope: str) -> None:
        """The server's entries of *scope* have become too old, those in memory have not."""
        with self._mutex:
            if scope not in self.pending:
                self._remember([scope], 0)

    def learn(self, rows: Mapping[str, int], version: int) -> None:
        """Add what the server told: rows newer than those known, and its version."""
        with self._mutex:
            self._merge(rows, version)

    def replace(self, rows: Mapping[str, int], version: int) -> None:
        """Take over the server's whole table; what is pending stays in force above it."""
        with self._mutex:
            self._rows = dict(rows)
            self._merge(self.pending, version)
            self._find_patterns()
            self.newest = max(self._rows.values(), default=0)

    def take_back(self, barrier: Barrier) -> bool:
        """Undo *barrier* in this process, unless its scope was invalidated again since."""
        with self._mutex:
            if self._rows.get(barrier.scope) != barrier.version:
                return False
            if barrier.previous:
                self._rows[barrier.scope] = barrier.previous
            else:
                del self._rows[barrier.scope]
            self.pending.pop(barrier.scope, None)
            self._find_patterns()
            self.version += 1
            return True

    def settle(self, written: Mapping[str, int]) -> None:
        """Forget those pending barriers that the server has now; what was invalidated again since stays pending."""
        with self._mutex:
            for scope, version in written.items():
                if self.pending.get(scope) == version:
                    del self.pending[scope]

    def _remember(self, scopes: Sequence[str], version: int) -> None:
        self.pending.update(dict.fromkeys(scopes, version))
        if len(self.pending) <= MOST_ROWS:
            return
        wider = {_namespace_of(scope) for scope in self.pending}
        self.pending = dict.fromkeys(wider if len(wider) <= MOST_ROWS else {EVERYTHING_SCOPE}, self.version + 1)
        self._merge(self.pending, self.version + 1)

    def _merge(self, rows: Mapping[str, int], version: int) -> None:
        """In place, each row before the version that tells readers to look for it."""
        known = self._rows
        for scope, row in rows.items():
            if row > known.get(scope, 0):
                known[scope] = row
                self.newest = max(self.newest, row)
        if len(known) > MOST_ROWS:
            self._rows = _collapsed(known)
        if any(scope.startswith("p:") for scope in rows):
            self._find_patterns()
        self.version = max(self.version, version, self.newest)

    def _find_patterns(self) -> None:
        patterns = [(row, Pattern(scope[2:])) for scope, row in self._rows.items() if scope.startswith("p:")]
        self._patterns = tuple(sorted(patterns, key=lambda found: -found[0]))


def _namespace_of(scope: str) -> str:
    """The scope of the namespace around a key's scope; everything around any other."""
    return f"n:{scope[2:].partition(':')[0]}" if scope.startswith("k:") else EVERYTHING_SCOPE


def _collapsed(rows: Mapping[str, int]) -> dict[str, int]:
    """The newest rows, and one for everything at the height of the others."""
    by_age = sorted(rows, key=rows.__getitem__)
    oldest, kept = by_age[: -(MOST_ROWS - _COLLAPSED)], by_age[-(MOST_ROWS - _COLLAPSED) :]
    made = {scope: rows[scope] for scope in kept}
    made[EVERYTHING_SCOPE] = max(made.get(EVERYTHING_SCOPE, 0), rows[oldest[-1]])
    return made
