"""A search of a large store goes on only when somebody asks, and keeps what it found."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from avcache.errors import InvalidInput
from avcache.ops.keyspace import Keyspace
from avcache.ui import key_search
from avcache.ui.key_search import begin, go_on, known_names
from tests.ops.census import Kept, snapshot
from tests.ops.graph import Graph


@pytest.fixture
def graph() -> Iterator[Graph]:
    made = Graph()
    yield made
    made.close()


@pytest.fixture
def keyspace(graph: Graph) -> Keyspace:
    graph.cache.set_many({f"user:{number:04}": number for number in range(500)} | {"price:AAPL": 1})
    return graph.ops.keyspace


def test_each_step_adds_to_what_was_found(keyspace: Keyspace) -> None:
    first = begin(keyspace, ("user:*",), ())
    second = go_on(keyspace, first)
    third = go_on(keyspace, second)

    assert [first.may_go_on, second.may_go_on, third.may_go_on] == [True, True, False]
    assert 200 <= len(first.rows) < len(second.rows) < len(third.rows) == 500
    assert 0 < first.done < second.done < third.done == 1
    assert go_on(keyspace, third) is third


def test_a_ticker_is_there_at_once_by_its_name(keyspace: Keyspace) -> None:
    names = known_names(None, "aapl", snapshot([Kept("price:A"), Kept("user:1")]), ())

    found = begin(keyspace, ("*aapl*", "*AAPL*"), names)

    assert names == ("price:AAPL", "user:AAPL")
    assert list(found.rows) == ["price:AAPL"]


def test_a_pattern_without_any_match_gives_way_to_the_next(keyspace: Keyspace) -> None:
    found = begin(keyspace, ("*aapl*", "*AAPL*"), ())

    while found.may_go_on:
        found = go_on(keyspace, found)

    assert list(found.rows) == ["price:AAPL"]
    assert found.is_over


def test_enough_is_enough(keyspace: Keyspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_search, "MOST_KEPT", 100)

    assert not begin(keyspace, ("user:*",), ()).may_go_on


@pytest.mark.parametrize(
    ("prefix", "find", "names"),
    [
        (None, "", ()),
        (None, "A*", ()),
        ("price", "aapl", ("price:AAPL",)),
        ("price", "", ("price:B", "price:MRK")),
        ("gone", "", ()),
        (None, "momentum:AAPL@factor", ("momentum:AAPL@factor",)),
    ],
)
def test_what_is_a_name_is_told_from_a_pattern(prefix: str | None, find: str, names: tuple[str, ...]) -> None:
    assert known_names(prefix, find, snapshot([Kept("price:B")]), ["MRK"]) == names


def test_what_is_no_key_may_still_be_a_part_of_one(keyspace: Keyspace) -> None:
    assert not begin(keyspace, ("*a b*",), ("a b:c",)).rows


def test_what_is_no_pattern_is_refused(keyspace: Keyspace) -> None:
    with pytest.raises(InvalidInput):
        begin(keyspace, ("*a*b*c*d*e*f*g*h*i*",), ())
