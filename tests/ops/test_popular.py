"""The most read tickers: the same as counting one access after the other says."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avcache.core import accesses as module
from avcache.core.accesses import HIT, LOAD, MISSED, STALE, Accesses
from avcache.errors import InvalidInput
from avcache.ops.popular import MOST_TICKERS, NAMESPACES, TickerActivity, top_tickers

KEYS = ("price:A", "price:B", "history:A", "momentum:A", "momentum:A@factor", "fundamentals:C", "portfolio:A", "A")


def write(accesses: Accesses, key: str, kind: int, at: float, seconds: float = 0.5) -> None:
    mark = accesses.mark(key, key.partition(":")[0] if ":" in key else "default")
    if kind == LOAD:
        accesses.loaded(mark, at, seconds)
    else:
        accesses.record(mark, kind, at)  # type: ignore[arg-type]


def test_all_that_names_a_ticker_is_added_up() -> None:
    accesses = Accesses()
    for key, kind in (("price:A", HIT), ("history:A", STALE), ("momentum:A@factor", MISSED), ("portfolio:A", HIT)):
        write(accesses, key, kind, 10.0)
    write(accesses, "momentum:A@factor", LOAD, 11.0, 2.0)
    write(accesses, "price:B", HIT, 12.0)

    found = top_tickers(accesses.columns(), 10)

    assert found.rows == (TickerActivity("A", 3, 2 / 3, 1, 2.0), TickerActivity("B", 1, 1.0, 0, 0.0))
    assert (found.reads, found.unnamed_reads, found.since, found.pid) == (4, 0, 10.0, os.getpid())


some_accesses = st.lists(
    st.tuples(st.sampled_from(KEYS), st.sampled_from([HIT, MISSED, STALE, LOAD]), st.integers(0, 50)), max_size=80
)


@given(some_accesses, st.integers(1, 4), st.one_of(st.none(), st.integers(0, 60)))
def test_the_ranking_is_that_of_counting_one_by_one(
    rows: list[tuple[str, int, int]], number: int, since: int | None
) -> None:
    accesses = Accesses()
    kinds: dict[str, Counter[int]] = defaultdict(Counter)
    for key, kind, at in rows:
        write(accesses, key, kind, float(at))
        namespace, _, rest = key.partition(":")
        if namespace in NAMESPACES and (since is None or at >= since):
            kinds[rest.partition("@")[0]][kind] += 1

    found = top_tickers(accesses.columns(), number, since)

    expected = [
        TickerActivity(ticker, reads, (seen[HIT] + seen[STALE]) / reads, seen[LOAD], 0.5 * seen[LOAD])
        for ticker, seen in kinds.items()
        if (reads := seen.total() - seen[LOAD])
    ]
    assert list(found.rows) == sorted(expected, key=lambda one: (-one.reads, one.ticker))[:number]
    assert found.reads == sum(one.reads for one in expected)


def test_reads_of_keys_without_a_name_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_NAMES", 8)
    accesses = Accesses()
    for number in range(30):
        write(accesses, f"price:T{number}", HIT, 1.0)

    found = top_tickers(accesses.columns(), 100)

    assert found.reads == 30
    assert found.unnamed_reads == 30 - len(found.rows) > 0


def test_a_ticker_that_was_loaded_but_not_read_is_in_no_row() -> None:
    accesses = Accesses()
    write(accesses, "price:A", LOAD, 1.0)

    assert top_tickers(accesses.columns(), 5).rows == ()


def test_a_ring_without_accesses_has_no_tickers() -> None:
    found = top_tickers(Accesses().columns(), 5, 100.0)

    assert (found.rows, found.reads, found.since) == ((), 0, None)


@pytest.mark.parametrize("number", [0, -1, MOST_TICKERS + 1, True, 2.0, "5", None])
def test_a_number_that_is_none_is_refused_by_name(number: Any) -> None:
    with pytest.raises(InvalidInput, match=r"^number=.*from 1 to 1000"):
        top_tickers(Accesses().columns(), number)
