"""Processes beside this one: seen while they live, gone when they die, and never an error for who asks."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from avcache.telemetry import neighbours
from avcache.telemetry.neighbours import Neighbours
from tests.servers import ROOT

pytest.importorskip("fcntl", reason="no locks on files here")

OTHER = """
import sys
from pathlib import Path
from avcache.telemetry.neighbours import Neighbours

here = Neighbours(Path(sys.argv[1]))
here.start()
print("started", flush=True)
sys.stdin.readline()
here.stop()
"""


@contextmanager
def another(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has started with *folder*."""
    child = subprocess.Popen(
        [sys.executable, "-c", OTHER, str(folder)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == "started\n"
        yield child
        child.communicate("\n")


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Neighbours]:
    made = Neighbours(tmp_path)
    made.start()
    yield made
    made.stop()


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.levelno >= logging.WARNING]


def test_alone_there_is_nobody_and_no_warning(here: Neighbours, caplog: pytest.LogCaptureFixture) -> None:
    assert here.others() == []
    assert not warnings_in(caplog)


def test_other_processes_are_seen_until_they_end(here: Neighbours, tmp_path: Path) -> None:
    with another(tmp_path) as first, another(tmp_path) as second:
        both = here.others()
    after = here.others()

    assert both == sorted([first.pid, second.pid])
    assert after == []


def test_one_that_was_killed_is_gone_and_so_is_its_file(here: Neighbours, tmp_path: Path) -> None:
    with another(tmp_path) as child:
        child.send_signal(signal.SIGKILL)
        child.wait()
        left_behind = len(list((tmp_path / "workers").iterdir()))

        assert here.others() == []

    assert (left_behind, len(list((tmp_path / "workers").iterdir()))) == (2, 1)


def test_who_starts_beside_others_warns_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with another(tmp_path) as child:
        here = Neighbours(tmp_path)
        here.start()
        here.start()
        here.others()
        here.stop()

    assert warnings_in(caplog) == ["memory.not_shared"]
    assert caplog.records[-1].others == [child.pid]  # type: ignore[attr-defined]


def test_another_folder_is_another_neighbourhood(here: Neighbours, tmp_path: Path) -> None:
    with another(tmp_path / "elsewhere"):
        assert here.others() == []


def test_two_of_one_process_see_each_other(here: Neighbours, tmp_path: Path) -> None:
    second = Neighbours(tmp_path)
    second.start()

    assert here.others() == second.others() == [os.getpid()]

    second.stop()
    assert here.others() == []


def test_who_has_not_started_or_has_stopped_knows_nobody(tmp_path: Path) -> None:
    here = Neighbours(tmp_path)

    before = here.others()
    here.start()
    here.stop()
    here.stop()

    assert (before, here.others()) == (None, None)
    assert not list((tmp_path / "workers").iterdir())


def test_other_files_of_the_folder_are_nobody_and_stay(here: Neighbours, tmp_path: Path) -> None:
    for name in ("notes.txt", ".123.abc"):
        (tmp_path / "workers" / name).touch()

    assert here.others() == []
    assert (tmp_path / "workers" / "notes.txt").exists()


def test_a_folder_that_cannot_be_made_leaves_it_unknown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    here = Neighbours(tmp_path / "file")

    here.start()

    assert here.others() is None
    assert not warnings_in(caplog)
    here.stop()


def test_a_folder_that_vanished_leaves_it_unknown(here: Neighbours, tmp_path: Path) -> None:
    (tmp_path / "workers").rename(tmp_path / "moved")

    assert here.others() is None


def test_where_files_cannot_be_locked_nobody_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", flock)
    here = Neighbours(tmp_path)

    here.start()

    assert here.others() is None
    assert not list((tmp_path / "workers").iterdir())


def test_without_locks_on_files_nobody_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "fcntl", None)
    here = Neighbours(tmp_path)

    here.start()

    assert here.others() is None
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_neither_claims_nor_ends_the_place_of_its_parent(here: Neighbours, tmp_path: Path) -> None:
    child = os.fork()
    if not child:
        knew = here.others()
        here.stop()
        here.start()
        os._exit(0 if knew is None and here.others() == [os.getppid()] else 1)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert here.others() == []
