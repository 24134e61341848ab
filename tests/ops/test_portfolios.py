"""A portfolio's key is a hash; what it stands for can be told all the same."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from avcache.market.holdings import portfolio_key
from avcache.ops.portfolios import holdings_of
from tests.market.doubles import MemoryProvider, steady
from tests.ops.graph import Graph


@pytest.fixture
def graph() -> Iterator[Graph]:
    made = Graph(MemoryProvider({ticker: steady(0.001, ticker=ticker) for ticker in ("AAPL", "KO", "MKT")}))
    yield made
    made.close()


def test_the_holdings_of_a_cached_portfolio_are_told_and_nothing_is_counted(graph: Graph) -> None:
    held = {"KO": 10.0, "AAPL": 200.5, "NONE1": 3.0}
    graph.market.portfolio(held)
    before = graph.cache.stats().total.requests

    found = holdings_of(graph.cache, portfolio_key(held))

    assert found == {"AAPL": 200.5, "KO": 10.0, "NONE1": None}
    assert list(found) == ["AAPL", "KO", "NONE1"]
    assert graph.cache.stats().total.requests == before


def test_what_is_no_portfolio_stands_for_nothing(graph: Graph) -> None:
    graph.cache.set("portfolio:odd", {"a": 1})
    graph.cache.set("portfolio:text", "x")

    assert holdings_of(graph.cache, "portfolio:odd") is None
    assert holdings_of(graph.cache, "portfolio:text") is None
    assert holdings_of(graph.cache, "portfolio:none") is None
