"""Broken variants of the core are caught, each by a short story of the machine's rules that the core lives through."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from avcache.backends import scripts
from avcache.backends.barriers import Barriers
from avcache.backends.resilient import ResilientBackend
from avcache.backends.scripts import Script
from avcache.backends.versions import Versions
from avcache.core.keeping import Keeping, LoadPlan
from tests.invariant.machine import Machine
from tests.servers import RealServer

A, B = 0, 1
KEY = "price:A"
Story = Callable[[Machine], None]
Patch = pytest.MonkeyPatch


@pytest.fixture(scope="module")
def servers(server_binary: Path) -> Iterator[tuple[int, int]]:
    with RealServer() as first, RealServer() as second:
        yield first.port, second.port


@pytest.fixture
def play(servers: tuple[int, int]) -> Callable[[Story], None]:
    def run(story: Story) -> None:
        machine = type("Here", (Machine,), {"servers": servers})()
        machine.begin()
        try:
            story(machine)
        finally:
            machine.teardown()

    return run


def clear_during_load(game: Machine) -> None:
    game.delete(A, KEY)
    game.start_load(A, KEY)
    game.clear(B, "price:*", sweep=True)
    game.finish_load(A)
    game.get(A, KEY)
    game.get(B, KEY)


def set_during_load(game: Machine) -> None:
    game.delete(B, KEY)
    game.start_load(A, KEY)
    game.set(B, KEY)
    game.finish_load(A)
    game.get(A, KEY)
    game.get(B, KEY)


def clear_in_an_outage(game: Machine) -> None:
    game.set(B, KEY)
    game.get(A, KEY)
    game.break_off(A)
    game.clear(A, "price:*", sweep=True)
    game.heal(A)
    game.get(A, KEY)
    game.get(B, KEY)


def set_in_an_outage(game: Machine) -> None:
    game.set(B, KEY)
    game.get(A, KEY)
    game.break_off(A)
    game.set(A, KEY)
    game.heal(A)
    game.get(A, KEY)
    game.get(B, KEY)


def clear_elsewhere(game: Machine) -> None:
    game.set(A, KEY)
    game.get(B, KEY)
    game.clear(A, "price:*", sweep=False)
    game.get(B, KEY)


def failover_to_a_copy_from_before_a_clear(game: Machine) -> None:
    game.set(A, KEY)
    game.get(B, KEY)
    game.take_a_copy()
    game.clear(A, "price:*", sweep=True)
    game.fail_over()
    game.get(A, KEY)
    game.get(B, KEY)


def failover_hidden_by_a_newer_version(game: Machine) -> None:
    """The copy's version is past the one that the node knows, since the other node has cleared something meanwhile."""
    game.set(A, KEY)
    game.get(B, KEY)
    game.take_a_copy()
    game.clear(A, "price:*", sweep=True)
    game.fail_over()
    game.clear(B, "user:*", sweep=True)
    game.get(A, KEY)
    game.get(B, KEY)


def failover_after_a_first_word(game: Machine) -> None:
    """The node has invalidated something, and has not read anything yet."""
    game.take_a_copy()
    game.delete(B, KEY)
    game.fail_over()
    game.get(A, KEY)
    game.get(B, KEY)


def undone_clear_before_another(game: Machine) -> None:
    game.set(A, KEY)
    game.clear(B, "price:*", sweep=False)
    game.clear(A, "price:*", sweep=False)
    game.undo(A)
    game.get(A, KEY)
    game.get(B, KEY)


def stamp_loads_when_they_are_stored(patch: Patch) -> None:
    real = Keeping.keep

    def keep(self: Keeping, plan: LoadPlan, value: object, begun: Any, took: float) -> Any:
        late = type(begun)(begun.blob, self._store.backend.barriers.version, begun.lease, begun.wait)
        with suppress(Exception):
            self._store.backend.get(plan.key)  # so that it knows the newest version
            late = type(begun)(begun.blob, self._store.backend.barriers.version, begun.lease, begun.wait)
        return real(self, plan, value, late, took)

    patch.setattr(Keeping, "keep", keep)


def skip_what_is_pending(patch: Patch) -> None:
    real = Versions.synchronise

    def synchronise(self: Versions, raised: Sequence[str]) -> None:
        pending = self._barriers.pending
        self._barriers.settle(dict(pending))
        for scope in raised:
            self._barriers._rows.pop(scope, None)
        real(self, [])

    patch.setattr(Versions, "synchronise", synchronise)


def ignore_failed_sets(patch: Patch) -> None:
    def put(self: ResilientBackend, items: Mapping[str, tuple[bytes, float]]) -> None:
        self._write(lambda: self._primary.put(items), lambda: self._secondary.put(items))

    patch.setattr(ResilientBackend, "put", put)


def do_not_compare_versions(patch: Patch) -> None:
    def catch_up(self: Versions) -> None:
        if self.mark == b"never asked":
            real(self)

    real = Versions.catch_up
    patch.setattr(Versions, "catch_up", catch_up)


def let_leases_outlive_a_set(patch: Patch) -> None:
    text = scripts.PUT.text.replace("redis.call('DEL', unpack(KEYS, 2 + entries))\n", "")
    assert text != scripts.PUT.text
    patch.setattr(scripts, "PUT", Script(text))


def push_nothing_after_a_failover(patch: Patch) -> None:
    real = Versions._synchronise

    def synchronise(self: Versions, raised: Iterable[str]) -> None:
        kept = self._barriers.rows
        self._barriers.rows = dict  # type: ignore[method-assign]
        try:
            real(self, list(raised))
        finally:
            self._barriers.rows = kept  # type: ignore[method-assign]

    patch.setattr(Versions, "_synchronise", synchronise)


def do_not_look_which_run_it_is(patch: Patch) -> None:
    real = Versions.catch_up

    def catch_up(self: Versions) -> None:
        self.run = self._wire.runs
        real(self)

    patch.setattr(Versions, "catch_up", catch_up)


def undo_more_than_the_last(patch: Patch) -> None:
    def take_back(self: Versions, barriers: Sequence[Any]) -> bool:
        return real(self, [type(found)(found.scope, found.version, 0) for found in barriers])

    real = Versions.restore
    patch.setattr(Versions, "restore", take_back)


def forget_rows_of_namespaces(patch: Patch) -> None:
    real = Barriers.floor

    def floor(self: Barriers, key: str, tags: Iterable[str] = ()) -> int:
        return real(self, key.replace(":", "-", 1), tags)

    patch.setattr(Barriers, "floor", floor)


MUTANTS: list[tuple[Callable[[Patch], None], Story]] = [
    (stamp_loads_when_they_are_stored, clear_during_load),
    (skip_what_is_pending, clear_in_an_outage),
    (skip_what_is_pending, set_in_an_outage),
    (ignore_failed_sets, set_in_an_outage),
    (do_not_compare_versions, clear_elsewhere),
    (let_leases_outlive_a_set, set_during_load),
    (push_nothing_after_a_failover, failover_to_a_copy_from_before_a_clear),
    (do_not_look_which_run_it_is, failover_hidden_by_a_newer_version),
    (push_nothing_after_a_failover, failover_after_a_first_word),
    (undo_more_than_the_last, undone_clear_before_another),
    (forget_rows_of_namespaces, clear_elsewhere),
]


@pytest.mark.parametrize("story", list(dict.fromkeys(story for _, story in MUTANTS)))
def test_the_core_as_it_is_lives_through_each_story(play: Callable[[Story], None], story: Story) -> None:
    play(story)


@pytest.mark.parametrize(
    ("mutate", "story"), MUTANTS, ids=[f"{mutate.__name__}-{story.__name__}" for mutate, story in MUTANTS]
)
def test_a_broken_variant_is_caught(
    play: Callable[[Story], None], mutate: Callable[[Patch], None], story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutate(monkeypatch)

    with pytest.raises(AssertionError, match="below"):
        play(story)


@pytest.mark.parametrize(
    "mutate",
    [stamp_loads_when_they_are_stored, skip_what_is_pending, ignore_failed_sets, do_not_compare_versions],
    ids=lambda mutate: mutate.__name__,
)
def test_the_machine_finds_a_broken_variant_by_itself(
    servers: tuple[int, int], mutate: Callable[[Patch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mutate(monkeypatch)

    with pytest.raises(AssertionError, match="below"):
        run_state_machine_as_test(
            type("Here", (Machine,), {"servers": servers}),
            settings=settings(
                max_examples=400,
                stateful_step_count=50,
                derandomize=True,
                deadline=None,
                phases=(Phase.generate,),
                suppress_health_check=list(HealthCheck),
            ),
        )
