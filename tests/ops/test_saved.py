"""Portfolios kept under a name: on a board of memory and on one of a server."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from avcache.backends.board import Board, MemoryBoard
from avcache.backends.connect import connect
from avcache.backends.redis_board import RedisBoard
from avcache.backends.wire import Wire
from avcache.clock import ManualClock
from avcache.errors import InvalidInput, SerializationError
from avcache.market.holdings import Holding
from avcache.ops.saved import MOST_SAVED, SavedPortfolios

APPLE = {"AAPL": Holding(100.0, 10_000.0), "NVDA": Holding(0.1)}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_000_000.0)


@pytest.fixture(params=["memory", "redis"])
def board(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[Board]:
    if request.param == "memory":
        yield MemoryBoard(clock)
        return
    wire = Wire(connect(request.getfixturevalue("redis_url"), timeout=5, max_connections=16).connection_pool)
    yield RedisBoard(wire, request.getfixturevalue("prefix"))
    wire.close()


@pytest.fixture
def saved(board: Board, clock: ManualClock) -> SavedPortfolios:
    return SavedPortfolios(board, clock)


def names(saved: SavedPortfolios) -> list[str]:
    return [one.name for one in saved.list()]


def test_what_is_saved_comes_back_with_its_costs_and_its_author(saved: SavedPortfolios, clock: ManualClock) -> None:
    saved.save(" Core ", APPLE, by="anna")
    clock.advance(60.0)

    found = saved.load("core")

    assert found.holdings == APPLE
    assert (found.name, found.saved_at, found.saved_by) == ("Core", 1_000_000.0, "anna")


def test_they_are_listed_by_name(saved: SavedPortfolios) -> None:
    for name in ("zeta", "Alpha", "beta"):
        saved.save(name, APPLE)

    assert names(saved) == ["Alpha", "beta", "zeta"]


def test_saving_under_a_name_that_is_taken_replaces_it(saved: SavedPortfolios) -> None:
    saved.save("Core", APPLE)

    saved.save("CORE", {"MRK": Holding(1.0)})

    assert names(saved) == ["CORE"]
    assert list(saved.load("Core").holdings) == ["MRK"]


def test_what_is_removed_is_gone(saved: SavedPortfolios) -> None:
    saved.save("Core", APPLE)

    saved.remove("core")

    assert not saved.list()
    with pytest.raises(InvalidInput, match="may have been removed"):
        saved.load("Core")
    with pytest.raises(InvalidInput, match="may have been removed"):
        saved.remove("Core")


@pytest.mark.parametrize("name", ["", "   ", "x" * 61, "two\nlines", "tab\there", "turned \u202e around"])
def test_a_name_is_up_to_sixty_printable_characters(saved: SavedPortfolios, name: str) -> None:
    with pytest.raises(InvalidInput, match="printable"):
        saved.save(name, APPLE)

    assert not saved.list()


def test_holdings_that_are_none_are_refused(saved: SavedPortfolios) -> None:
    with pytest.raises(InvalidInput, match="positions are allowed"):
        saved.save("Empty", {})
    with pytest.raises(InvalidInput, match="not understood"):
        saved.save("Short", {"AAPL": Holding(-1.0)})


def test_one_more_than_a_hundred_is_refused_but_a_hundredth_can_be_changed(saved: SavedPortfolios) -> None:
    for number in range(MOST_SAVED):
        saved.save(f"P{number}", APPLE)

    with pytest.raises(InvalidInput, match="remove one first"):
        saved.save("One more", APPLE)
    saved.save("P7", {"MRK": Holding(1.0)})

    assert len(saved.list()) == MOST_SAVED


def test_those_who_save_at_the_same_time_lose_nothing(saved: SavedPortfolios) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: saved.save(f"P{number}", APPLE), range(8)))

    assert len(saved.list()) == 8


def test_those_of_another_release_are_not_overwritten(saved: SavedPortfolios, board: Board) -> None:
    board.write("portfolios", b"\x91\x81\xa4name\xa1x")

    with pytest.raises(SerializationError):
        saved.save("Core", APPLE)

    assert board.read(["portfolios"]) == [b"\x91\x81\xa4name\xa1x"]


def test_in_memory_they_survive_a_restart(tmp_path: Path, clock: ManualClock) -> None:
    board = MemoryBoard(keep=tmp_path / "board")
    SavedPortfolios(board, clock).save("Core", APPLE)
    board.close()

    restarted = SavedPortfolios(MemoryBoard(keep=tmp_path / "board"), clock)

    assert restarted.load("Core").holdings == APPLE
