"""What a board without a server keeps in a file: schedules and the audit survive a restart, whatever the file holds."""

from __future__ import annotations

import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from avcache.backends.board import MemoryBoard
from avcache.clock import ManualClock

Make = Callable[[], MemoryBoard]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "board.msgpack"


@pytest.fixture
def wall() -> ManualClock:
    return ManualClock()


@pytest.fixture
def start(file: Path, wall: ManualClock) -> Make:
    """A process' board; its own clock begins where it likes."""
    return lambda: MemoryBoard(ManualClock(7.0), file, wall=wall)


def fill(board: MemoryBoard) -> None:
    board.write("schedules", b"all of them")
    board.write("schedule-run:1", b"ran")
    board.write("job:1", b"running")
    board.append("audit", b"first", most=10)
    board.append("audit", b"second", most=10)
    board.append("other", b"row", most=10)


def timers() -> set[threading.Thread]:
    return {one for one in threading.enumerate() if isinstance(one, threading.Timer)}


def test_schedules_and_the_audit_survive_a_restart_and_nothing_else_does(start: Make) -> None:
    board = start()
    fill(board)
    board.close()

    after = start()

    assert after.read(["schedules", "schedule-run:1", "job:1"]) == [b"all of them", b"ran", None]
    assert after.tail("audit", 10) == [b"second", b"first"]
    assert after.tail("other", 10) == []


def test_what_is_kept_expires_by_the_wall_clock(start: Make, wall: ManualClock) -> None:
    board = start()
    board.write("schedules", b"short", ttl=100)
    board.write("schedule-run:1", b"long", ttl=1_000)
    board.close()

    wall.advance(100)
    after = start()

    assert after.read(["schedules", "schedule-run:1"]) == [None, b"long"]


def test_what_was_erased_does_not_come_back(start: Make) -> None:
    board = start()
    fill(board)
    board.close()
    board.erase(["schedule-run:1"])
    board.swap("schedules", b"all of them", b"fewer")
    board.close()

    assert start().read(["schedules", "schedule-run:1"]) == [b"fewer", None]


def test_a_change_is_written_without_being_asked_for(start: Make, file: Path) -> None:
    before = timers()
    board = start()
    fill(board)
    assert not file.exists()  # gathered for a second

    (timer,) = timers() - before
    timer.join(10)

    assert start().read(["schedules"]) == [b"all of them"]


def test_many_changes_wait_for_one_write(start: Make) -> None:
    before = timers()
    board = start()
    for number in range(100):
        board.append("audit", b"%d" % number, most=1_000)

    assert len(timers() - before) == 1
    board.close()


def test_what_is_not_kept_is_never_written(start: Make, file: Path) -> None:
    board = start()
    board.write("job:1", b"running")
    board.append("other", b"row", most=10)
    board.take("leader", "me", 60)
    board.close()

    assert not file.exists()


def test_the_file_is_for_this_user_alone_and_nothing_is_left_beside_it(start: Make, file: Path) -> None:
    board = start()
    for _ in range(3):
        fill(board)
        board.close()

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize(
    "content",
    [b"", b"\xc1", b"not ours", b"\x93\x01\x02\x03", b"\x81\xa7records\x01", b"\x81\xa7records\x81\x01\x02"],
)
def test_a_broken_file_is_set_aside_with_a_warning(
    start: Make, file: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    file.parent.mkdir()
    file.write_bytes(content)

    board = start()
    fill(board)
    board.close()

    assert [record.message for record in caplog.records] == ["board.file_broken"]
    assert file.with_name("board.msgpack.broken").read_bytes() == content
    assert start().read(["schedules"]) == [b"all of them"]


def test_half_a_file_is_a_broken_one(start: Make, file: Path) -> None:
    board = start()
    fill(board)
    board.close()
    whole = file.read_bytes()

    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        assert start().read(["schedules"]) == [None]


def test_a_file_that_cannot_be_read_is_left_alone(start: Make, file: Path, caplog: pytest.LogCaptureFixture) -> None:
    file.mkdir(parents=True)

    board = start()
    fill(board)
    board.close()

    assert [record.message for record in caplog.records] == ["board.file_unreadable"]
    assert board.read(["schedules"]) == [b"all of them"]
    assert file.is_dir()


def test_a_folder_that_cannot_be_written_is_told_once(
    tmp_path: Path, wall: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    in_the_way = tmp_path / "folder"
    board = MemoryBoard(ManualClock(), in_the_way / "board", wall=wall)
    in_the_way.write_text("a file, not a folder")
    for _ in range(3):
        fill(board)
        board.close()
    in_the_way.unlink()
    fill(board)
    board.close()

    assert [record.message for record in caplog.records] == ["board.file_unwritten"]
    assert MemoryBoard(ManualClock(), in_the_way / "board", wall=wall).read(["schedules"]) == [b"all of them"]


def test_of_two_processes_on_one_file_the_last_writer_wins(start: Make) -> None:
    one, other = start(), start()
    one.write("schedules", b"of one")
    other.write("schedules", b"of the other")

    one.close()
    other.close()

    assert start().read(["schedules"]) == [b"of the other"]


def test_processes_that_write_at_once_leave_a_whole_file(start: Make, file: Path) -> None:
    boards = [start() for _ in range(4)]

    def write_often(board: MemoryBoard) -> None:
        for _ in range(25):
            fill(board)
            board.close()

    threads = [threading.Thread(target=write_often, args=(board,)) for board in boards]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert start().read(["schedules"]) == [b"all of them"]
    assert list(file.parent.iterdir()) == [file]


def test_an_emptied_board_is_empty_after_a_restart_too(start: Make) -> None:
    board = start()
    fill(board)
    board.close()
    board.take("leader", "me", 60)

    board.empty()
    board.close()

    assert board.take("leader", "you", 60)
    assert start().read(["schedules"]) == [None]
    assert start().tail("audit", 10) == []


def test_a_forked_process_leaves_what_waits_to_its_parent(start: Make, file: Path) -> None:
    board = start()
    fill(board)
    kept = board._file
    assert kept is not None

    kept.begin_anew()  # what a child does first
    board.close()

    assert not file.exists()
    fill(board)
    board.close()
    assert file.exists()
