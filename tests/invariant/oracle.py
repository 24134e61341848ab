"""
What a read may return, told from the acknowledgements alone.

Every value has a number, larger than all before it: of a `set` its turn, of a load the turn at which it read its
source. An invalidation is an event with a number too; it forbids smaller values of its keys.

* A node is bound at once by what it acknowledged itself.
* An acknowledgement that the server took binds every node that is on the server. One given in an outage binds the
  others once its node is on the server again.
* Who is on the server and asks it, knows what the server knows, and tells it what the server has forgotten (an older
  copy took over): from then on that binds the others as well.
* A `set` that the server took binds until an older copy takes over: a lost `set` is allowed, a lost invalidation not.
* A node that is cut off answers from memory, and is bound by what it knows.
* What was undone forbids nothing any more.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

__all__ = ["Event", "Oracle"]


@dataclass(eq=False)
class Event:
    """An invalidation: it forbids values of *keys* below *number*."""

    number: int
    keys: frozenset[str]
    is_active: bool = True

    def __repr__(self) -> str:
        return f"<{self.number}: {' '.join(sorted(self.keys))}>"


@dataclass
class Oracle:
    """What is known where."""

    nodes: int
    number: int = 0
    server: set[Event] = field(default_factory=set)
    known: list[set[Event]] = field(default_factory=list)
    kept_sets: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.known = [set() for _ in range(self.nodes)]

    def turn(self) -> int:
        """The next number."""
        self.number += 1
        return self.number

    def met(self, node: int) -> None:
        """*node* has asked the server: both know what either knew."""
        self.server |= self.known[node]
        self.known[node] |= self.server

    def was_set(self, node: int, key: str, number: int, *, on_server: bool) -> None:
        if on_server:
            self.met(node)
            self.kept_sets[key] = number
        else:
            self.known[node].add(Event(number, frozenset([key])))

    def was_invalidated(self, node: int, keys: Iterable[str], *, on_server: bool) -> Event:
        event = Event(self.turn(), frozenset(keys))
        self.known[node].add(event)
        if on_server:
            self.met(node)
        return event

    def floor(self, node: int, key: str, *, on_server: bool) -> int:
        """The least number that a read of *key* may return."""
        if on_server:
            self.met(node)
        floor = max((event.number for event in self.known[node] if event.is_active and key in event.keys), default=0)
        return max(floor, self.kept_sets.get(key, 0)) if on_server else floor

    def rolled_back(self, server: set[Event]) -> None:
        """An older copy has taken over, which knew of *server* alone."""
        self.server = set(server)
        self.kept_sets.clear()
