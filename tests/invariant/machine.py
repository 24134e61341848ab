"""Everything that may happen to two nodes, and the check of each read."""

from __future__ import annotations

import fnmatch
import itertools
import os
from contextlib import ExitStack
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from avcache.backends.base import Cleared
from tests.invariant.nodes import TAGS, TTL, Load, Node, world
from tests.invariant.oracle import Event, Oracle

__all__ = ["Machine"]

NODES = st.integers(0, 1)
KEYS = st.sampled_from(sorted(TAGS))
PATTERNS = st.sampled_from(["price:*", "user:*", "*", "*:A", "price:?"])
ACTS = st.lists(
    st.tuples(st.sampled_from(["set", "get", "delete", "clear", "flush"]), NODES, KEYS), min_size=1, max_size=3
)
"""What happens within something else: most interleavings that go wrong are that short."""

_numbers = itertools.count()


class Machine(RuleBasedStateMachine):
    """The rules; `servers` are the ports of two servers that nobody else uses."""

    servers: ClassVar[tuple[int, int]]

    @initialize()
    def begin(self) -> None:
        self.stack = ExitStack()
        self.world = self.stack.enter_context(world(self.servers, f"inv{os.getpid()}-{next(_numbers)}:"))
        self.oracle = Oracle(len(self.world.nodes))
        self.undoable: tuple[int, Cleared, Event] | None = None
        self.copies: list[tuple[dict[bytes, bytes], set[Event]]] = []
        for key in TAGS:
            self.set(0, key)

    def teardown(self) -> None:
        if hasattr(self, "stack"):
            self.stack.close()

    @rule(at=NODES, key=KEYS)
    def set(self, at: int, key: str) -> None:
        node, number = self.world.nodes[at], self.oracle.turn()
        before = node.is_away
        node.cache.set(key, [key, number], ttl=TTL, tags=TAGS[key])
        self.oracle.was_set(at, key, number, on_server=not (before or node.is_away))

    @rule(at=NODES, key=KEYS)
    def get(self, at: int, key: str) -> None:
        node = self.world.nodes[at]
        value = node.cache.get(key)
        on_server = not node.is_away
        floor = self.oracle.floor(at, key, on_server=on_server)
        if value is None:
            return
        assert value[0] == key, f"the value of {value[0]} under {key}"
        assert value[1] >= floor, (
            f"node {at} read {value} below {floor}; on the server: {on_server}, events: {self.oracle.known[at]}"
        )

    @rule(at=NODES)
    def get_all(self, at: int) -> None:
        for key in TAGS:
            self.get(at, key)

    @rule(at=NODES, key=KEYS, acts=ACTS)
    def act_during_a_load(self, at: int, key: str, acts: list[tuple[str, int, str]]) -> None:
        self.delete(at, key)
        self.start_load(at, key)
        self._act(acts)
        self.finish_load(at)
        self._look_around()

    @rule(at=NODES, acts=ACTS)
    def act_in_an_outage(self, at: int, acts: list[tuple[str, int, str]]) -> None:
        self.break_off(at)
        self._act(acts)
        self.heal(at)
        self._look_around()

    @rule(acts=ACTS)
    def act_before_a_failover(self, acts: list[tuple[str, int, str]]) -> None:
        self.copies.clear()
        self.take_a_copy()
        self._act(acts)
        self.fail_over()
        self._look_around()

    @rule(at=NODES, by=NODES, pattern=PATTERNS)
    def clear_twice_and_undo(self, at: int, by: int, pattern: str) -> None:
        self.clear(at, pattern, sweep=False)
        self.clear(by, pattern, sweep=False)
        self.undo(at)
        self._look_around()

    @rule(at=NODES, key=KEYS)
    def start_load(self, at: int, key: str) -> None:
        node = self.world.nodes[at]
        if sum(not load.ended.is_set() for load in node.loads) < 3:
            node.loads.append(Load(node.cache, key, self._source))
            self._noticed(at, node)

    @rule(at=NODES)
    def finish_load(self, at: int) -> None:
        node = self.world.nodes[at]
        if node.loads:
            load = node.loads.pop(0)
            load.finish()
            assert load.error is None
            if not load.ended.is_set():  # it waits for the other node's
                node.loads.append(load)
            self._noticed(at, node)

    @rule(at=NODES, key=KEYS)
    def delete(self, at: int, key: str) -> None:
        self._invalidated(at, self.world.nodes[at].cache.delete(key), [key])

    @rule(at=NODES, pattern=PATTERNS, sweep=st.booleans())
    def clear(self, at: int, pattern: str, sweep: bool) -> None:
        keys = [key for key in TAGS if fnmatch.fnmatchcase(key, pattern)]
        cleared = self.world.nodes[at].cache.clear(pattern, sweep=sweep)
        event = self._invalidated(at, cleared, keys)
        self.undoable = None if sweep else (at, cleared, event)

    @rule(at=NODES, tag=st.sampled_from(["x", "y"]))
    def flush_tag(self, at: int, tag: str) -> None:
        keys = [key for key, tags in TAGS.items() if tag in tags]
        self._invalidated(at, self.world.nodes[at].cache.flush_tag(tag), keys)

    @precondition(lambda self: self.undoable is not None)
    @rule(at=NODES)
    def undo(self, at: int) -> None:
        if self.undoable is None:
            return
        _, cleared, event = self.undoable
        if self.world.nodes[at].cache.undo(cleared):
            event.is_active = False
        self.undoable = None
        self._noticed(at, self.world.nodes[at])

    @rule(at=NODES)
    def break_off(self, at: int) -> None:
        self.world.nodes[at].break_off()

    @rule(at=NODES)
    def heal(self, at: int) -> None:
        node = self.world.nodes[at]
        assert node.heal()
        assert node.backend.state().pending == 0
        self.oracle.met(at)

    @rule()
    def restart_empty(self) -> None:
        self.world.restart_empty()
        self.oracle.server.clear()

    @rule()
    def take_a_copy(self) -> None:
        self.copies.append((self.world.copy(), set(self.oracle.server)))

    @precondition(lambda self: self.copies)
    @rule()
    def fail_over(self) -> None:
        copy, server = self.copies.pop(0)
        self.copies.clear()
        self.world.fail_over(copy)
        self.oracle.rolled_back(server)
        # An invalidation that an older copy knows nothing of cannot be taken back there.
        self.undoable = None

    @rule(seconds=st.sampled_from([1.0, 100.0, TTL]))
    def wait(self, seconds: float) -> None:
        self.world.clock.advance(seconds)

    def _act(self, acts: list[tuple[str, int, str]]) -> None:
        for name, at, key in acts:
            match name:
                case "set":
                    self.set(at, key)
                case "get":
                    self.get(at, key)
                case "delete":
                    self.delete(at, key)
                case "clear":
                    self.clear(at, f"{key.partition(':')[0]}:*", sweep=key.endswith("B"))
                case "flush":
                    self.flush_tag(at, TAGS[key][0])

    def _look_around(self) -> None:
        for at in range(len(self.world.nodes)):
            self.get_all(at)

    def _source(self, key: str) -> list[Any]:
        return [key, self.oracle.turn()]

    def _invalidated(self, at: int, cleared: Cleared, keys: list[str]) -> Event:
        return self.oracle.was_invalidated(at, keys, on_server=not cleared.pending)

    def _noticed(self, at: int, node: Node) -> None:
        if not node.is_away:
            self.oracle.met(at)
