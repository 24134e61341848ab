"""What was invalidated: which version an entry has to reach, and what is owed to the server."""

from __future__ import annotations

import pytest

from avcache.backends import barriers as module
from avcache.backends.barriers import Barrier, Barriers, key_scope, pattern_scope, tag_scope
from avcache.backends.pattern import Pattern


@pytest.fixture
def barriers() -> Barriers:
    return Barriers()


@pytest.mark.parametrize(
    ("pattern", "scope"),
    [("*", "*"), ("price:*", "n:price"), ("price:A", "k:price:A"), ("pr*:*", "p:pr*:*"), ("price:A*", "p:price:A*")],
)
def test_a_pattern_is_the_widest_scope_that_says_the_same(pattern: str, scope: str) -> None:
    assert pattern_scope(Pattern(pattern)) == scope


@pytest.mark.parametrize("scope", [key_scope("price:A"), tag_scope("t"), "n:price", "p:*:A", "p:price:?", "*"])
def test_every_scope_covers_the_key_it_means(barriers: Barriers, scope: str) -> None:
    (made,) = barriers.raise_locally([scope])

    assert not barriers.allows("price:A", ["t"], made.version - 1)
    assert barriers.allows("price:A", ["t"], made.version)
    assert barriers.floor("user:B", ["u"]) == (made.version if scope == "*" else 0)


def test_the_newest_pattern_that_matches_counts(barriers: Barriers) -> None:
    for scope in ("p:a*", "p:*b", "p:x*"):
        barriers.raise_locally([scope])

    assert [barriers.floor(key) for key in ("a:1", "c:b", "a:b", "q:1")] == [1, 2, 2, 0]


def test_what_a_process_raises_is_one_more_than_all_it_knows(barriers: Barriers) -> None:
    barriers.learn({"n:price": 1_000_000}, 2_000_000)

    assert barriers.raise_locally(["*"]) == [Barrier("*", 2_000_001, 0)]


def test_taking_back_restores_what_was_before_and_nothing_newer(barriers: Barriers) -> None:
    (first,) = barriers.raise_locally(["n:a"])
    (second,) = barriers.raise_locally(["n:a"])

    assert not barriers.take_back(first)
    assert barriers.take_back(second)
    assert barriers.floor("a:1") == first.version
    assert barriers.take_back(Barrier("n:a", first.version, 0))
    assert barriers.floor("a:1") == 0


def test_learning_never_lowers_and_replacing_does_but_for_what_is_pending(barriers: Barriers) -> None:
    barriers.learn({"n:a": 10, "n:b": 10}, 10)
    barriers.learn({"n:a": 5}, 5)
    (owed,) = barriers.raise_locally(["n:c"], pending=True)

    barriers.replace({"n:a": 7}, 20)

    assert [barriers.floor(key) for key in ("a:1", "b:1", "c:1")] == [7, 0, owed.version]
    assert barriers.version == 20


def test_what_is_pending_is_settled_unless_it_was_raised_again(barriers: Barriers) -> None:
    (first,) = barriers.raise_locally(["n:a"], pending=True)
    barriers.raise_locally(["n:a", "n:b"], pending=True)

    barriers.settle({"n:a": first.version, "n:b": 2})

    assert list(barriers.pending) == ["n:a"]


def test_what_is_owed_binds_the_server_alone(barriers: Barriers) -> None:
    barriers.owe("k:a:1")
    barriers.owe("k:a:1")

    assert (list(barriers.pending), barriers.floor("a:1")) == (["k:a:1"], 0)


def test_too_many_rows_become_one_for_everything_below_them(
    barriers: Barriers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", 20)
    monkeypatch.setattr(module, "_COLLAPSED", 5)
    for number in range(30):
        barriers.raise_locally([f"k:a:{number}"])

    assert len(barriers.rows()) <= 21
    assert barriers.floor("a:29") == 30
    assert 0 < barriers.floor("other:1") <= 16
    assert barriers.floor("a:0") >= 1


def test_too_many_pending_keys_widen_to_their_namespaces_and_then_to_everything(
    barriers: Barriers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", 5)
    monkeypatch.setattr(module, "_COLLAPSED", 1)
    for number in range(6):
        barriers.raise_locally([f"k:a:{number}"], pending=True)
    assert list(barriers.pending) == ["n:a"]

    for number in range(6):
        barriers.raise_locally([f"t:{number}"], pending=True)

    assert "*" in barriers.pending
    assert not barriers.allows("never:seen", (), 6)
