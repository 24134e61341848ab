"""The ring of the last accesses: what it keeps, what it costs, and that nobody sees half a row."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avcache.core import accesses as module
from avcache.core.accesses import HIT, LOAD, MISSED, STALE, Access, Accesses, Kind
from avcache.core.counters import OTHER
from tests.threads import together

ROWS = 2**20


@pytest.fixture
def _busy_switching() -> Iterator[None]:
    """Threads take turns as often as the interpreter lets them."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Accesses:
    """A ring of 64 rows and 8 names."""
    for name, value in (("_ROWS", 64), ("_MASK", 63), ("_MAX_NAMES", 8), ("_SAMPLE", 64)):
        monkeypatch.setattr(module, name, value)
    return Accesses()


def told(accesses: Accesses) -> list[tuple[str | None, int, float]]:
    return [(access.name, access.kind, access.at) for access in accesses.replay()]


def test_an_empty_ring_tells_nothing() -> None:
    accesses = Accesses()

    assert list(accesses.replay()) == []
    assert accesses.most_read(10) == []
    assert len(accesses.columns().keys) == 0


def test_accesses_come_back_in_their_order_with_all_that_is_known() -> None:
    accesses = Accesses()
    price, score = accesses.mark("price:A", "price"), accesses.mark("momentum:A", "momentum")

    accesses.record(price, MISSED, 100.0)
    accesses.loaded(price, 100.5, 0.5)
    accesses.record(price, HIT, 101.0)
    accesses.record(score, STALE, 102.25)

    found = list(accesses.replay())
    assert found[1] == Access(found[0].key, "price:A", "price", LOAD, 100.5, 0.5)
    assert [access.kind for access in found] == [MISSED, LOAD, HIT, STALE]
    assert [access.at for access in found] == [100.0, 100.5, 101.0, 102.25]
    assert found[3].namespace == "momentum"
    assert found[3].key != found[0].key
    assert found[0].seconds is None


def test_the_columns_say_the_same_as_the_replay() -> None:
    accesses = Accesses()
    price, score = accesses.mark("price:A", "price"), accesses.mark("momentum:A", "momentum")
    accesses.record(price, HIT, 1.0)
    accesses.loaded(score, 2.0, 0.25)

    columns = accesses.columns()

    replayed = list(accesses.replay())
    assert columns.keys.tolist() == [access.key for access in replayed]
    assert columns.kinds.tolist() == [HIT, LOAD]
    assert columns.at.tolist() == [1.0, 2.0]
    assert [columns.namespace_names[at] for at in columns.namespaces] == ["price", "momentum"]
    assert [columns.names[key] for key in columns.keys.tolist()] == ["price:A", "momentum:A"]
    assert np.isnan(columns.seconds[0])
    assert columns.seconds[1] == 0.25


@given(st.lists(st.integers(0, 2), max_size=200))
def test_a_ring_holds_the_last_rows_whatever_came_before(kinds: list[Kind]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_ROWS", 64)
        patch.setattr(module, "_MASK", 63)
        accesses = Accesses()
        mark = accesses.mark("k", "default")

        for at, kind in enumerate(kinds):
            accesses.record(mark, kind, float(at))

        assert told(accesses) == [("k", kind, float(at)) for at, kind in enumerate(kinds)][-64:]
        assert dict(accesses.most_read(3)) == ({"k": min(64, len(kinds))} if kinds else {})


def test_a_load_is_no_read(small: Accesses) -> None:
    mark = small.mark("k", "default")
    small.record(mark, MISSED, 1.0)
    small.loaded(mark, 2.0, 0.5)

    assert small.most_read(1) == [("k", 1)]


def test_the_duration_of_an_older_load_is_not_that_of_a_read(small: Accesses) -> None:
    mark = small.mark("k", "default")
    for _ in range(64):
        small.loaded(mark, 1.0, 9.0)
    small.record(mark, HIT, 2.0)

    assert list(small.replay())[-1].seconds is None
    assert np.isnan(small.columns().seconds[-1])


def test_the_most_read_keys_come_first_and_equals_in_the_order_of_their_marks() -> None:
    accesses = Accesses()
    for name, reads in (("a", 3), ("b", 5), ("c", 1), ("d", 3)):
        mark = accesses.mark(name, "default")
        for number in range(reads):
            accesses.record(mark, HIT if number % 2 else MISSED, 1.0)

    assert accesses.most_read(3) == [("b", 5), ("a", 3), ("d", 3)]
    assert accesses.most_read(0) == []
    assert accesses.most_read(-1) == []


def test_few_accesses_are_counted_anew_each_time() -> None:
    accesses = Accesses()
    mark = accesses.mark("a", "default")

    for reads in range(1, 4):
        accesses.record(mark, HIT, 1.0)
        assert accesses.most_read(1) == [("a", reads)]


def test_the_same_key_marked_twice_is_one_key() -> None:
    accesses = Accesses()
    accesses.record(accesses.mark("a", "default"), HIT, 1.0)
    accesses.record(accesses.mark("a", "default"), HIT, 1.0)

    assert accesses.most_read(2) == [("a", 2)]


def test_past_64_namespaces_the_rest_shares_one() -> None:
    accesses = Accesses()
    for number in range(100):
        accesses.record(accesses.mark(f"n{number}:k", f"n{number}"), HIT, 1.0)

    namespaces = [access.namespace for access in accesses.replay()]
    assert namespaces[:64] == [f"n{number}" for number in range(64)]
    assert set(namespaces[64:]) == {OTHER}


def test_when_there_are_too_many_names_those_read_most_are_kept(small: Accesses) -> None:
    popular = small.mark("popular", "default")
    for _ in range(20):
        small.record(popular, HIT, 1.0)

    for number in range(30):
        small.record(small.mark(f"once:{number}", "default"), MISSED, 2.0)

    assert small.most_read(1) == [("popular", 20)]
    assert len(small._names) <= 8
    assert small._names == {access.key: access.name for access in small.replay() if access.name is not None}, (
        "the names kept are those of keys in the ring"
    )


def test_a_forgotten_name_comes_back_with_the_next_load(small: Accesses) -> None:
    mark = small.mark("forgotten", "default")
    for number in range(30):
        small.record(small.mark(f"once:{number}", "default"), MISSED, 2.0)
    small.record(mark, HIT, 3.0)
    assert "forgotten" not in dict(small.most_read(10))

    small.loaded(mark, 3.0, 0.1)

    assert dict(small.most_read(10))["forgotten"] == 1


def test_long_names_count_by_their_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_NAME_BYTES", 100_000)
    accesses = Accesses()

    for number in range(1_000):
        accesses.record(accesses.mark(f"{number:0>500}", "default"), HIT, 1.0)

    assert sum(map(sys.getsizeof, accesses._names.values())) < 100_000
    assert len(accesses._names) > 70


def test_a_million_accesses_of_a_million_keys_take_less_than_40_megabytes() -> None:
    accesses = Accesses()
    for number in range(ROWS):
        accesses.record(accesses.mark(f"portfolio:{number:032x}", "portfolio"), HIT, 1.0)

    columns = sum(map(len, (accesses._codes, accesses._times, accesses._seconds)))
    items = sum(sys.getsizeof(number) + sys.getsizeof(text) for number, text in accesses._names.items())
    assert columns + items + sys.getsizeof(accesses._names) < 40_000_000
    began = time.perf_counter()
    assert len(accesses.most_read(10)) == 10
    assert time.perf_counter() - began < 1.5, "0.09 s where it was measured"


def test_where_there_are_many_accesses_the_ranking_rests() -> None:
    accesses = Accesses()
    mark = accesses.mark("a", "default")
    for _ in range(70_000):
        accesses.record(mark, HIT, 1.0)
    assert accesses.most_read(1) == [("a", 70_000)]

    accesses.record(mark, HIT, 1.0)

    assert accesses.most_read(1) == [("a", 70_000)]
    assert accesses.most_read(500) == [("a", 70_001)], "more than the ranking has is counted anew"


def test_a_ring_costs_nothing_before_it_is_written() -> None:
    began = time.perf_counter()
    rings = [Accesses() for _ in range(100)]

    assert time.perf_counter() - began < 1.0
    assert len(rings) == 100


@pytest.mark.usefixtures("_busy_switching")
def test_threads_that_write_at_once_lose_no_row_and_mix_none() -> None:
    accesses = Accesses()
    marks = [accesses.mark(f"k{index}", "default") for index in range(8)]

    def write(index: int) -> None:
        for number in range(50_000):
            if number % 5:
                accesses.record(marks[index], HIT, float(index))
            else:
                accesses.loaded(marks[index], float(index), float(index))

    together(8, write)

    rows = list(accesses.replay())
    assert Counter(access.name for access in rows) == {f"k{index}": 50_000 for index in range(8)}
    assert all(access.name == f"k{access.at:g}" for access in rows)
    assert all(access.seconds == access.at for access in rows if access.kind == LOAD)


@pytest.mark.usefixtures("_busy_switching")
def test_who_reads_while_others_write_sees_whole_rows_in_their_order(small: Accesses) -> None:
    marks = [small.mark(f"k{number}", "default") for number in range(4)]
    stopped = threading.Event()

    def write() -> None:
        number = 0
        while not stopped.is_set():
            for _ in range(100):
                small.record(marks[number % 4], HIT, float(number))
                number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(300):
            rows = told(small)
            assert all(name == f"k{int(at) % 4}" for name, _, at in rows)
            assert [at for _, _, at in rows] == [rows[0][2] + step for step in range(len(rows))] if rows else True
    finally:
        stopped.set()
        writer.join()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_writes_into_a_ring_of_its_own() -> None:
    accesses = Accesses()
    mark = accesses.mark("a", "default")
    accesses.record(mark, HIT, 1.0)

    child = os.fork()
    if not child:
        accesses.record(mark, HIT, 2.0)
        os._exit(len(list(accesses.replay())))
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 2
    assert [access.at for access in accesses.replay()] == [1.0]
