"""The access log: one line per read, one writer per file, and never an error for those who read."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from avcache import runtime
from avcache.config import Settings
from avcache.core.keys import Key
from avcache.telemetry import access_log
from avcache.telemetry.access_log import AccessLog
from tests.servers import ROOT

WRITER = """
import sys
from pathlib import Path
from avcache.core.keys import Key
from avcache.telemetry.access_log import AccessLog

log = AccessLog(Path(sys.argv[1]))
log.start()
log(Key("price:AAPL", "price"), True)
print(log.path.name, flush=True)
sys.stdin.readline()
log.stop()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "logs"


@pytest.fixture
def log(folder: Path) -> Iterator[AccessLog]:
    made = AccessLog(folder)
    made.start()
    yield made
    made.stop()


def key(text: str) -> Key:
    return Key(text, text.partition(":")[0])


def lines(folder: Path, name: str = "alphavelocity.log") -> list[str]:
    return (folder / name).read_text(encoding="utf-8").splitlines()


def test_each_read_is_a_line_that_grep_finds(log: AccessLog, folder: Path) -> None:
    log(key("price:AAPL"), True)
    log(key("momentum:MSFT"), False)
    log.stop()

    first, second = lines(folder)
    stamp = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO "
    assert re.fullmatch(stamp + "Cache HIT price:AAPL", first)
    assert re.fullmatch(stamp + "Cache MISS momentum:MSFT", second)


def test_a_runtime_logs_what_its_cache_is_asked(folder: Path) -> None:
    settings = Settings.from_env(
        {"AVCACHE_ACCESS_LOG": "true", "AVCACHE_LOG_DIR": str(folder), "AVCACHE_PROVIDER": "sample"}
    )
    wired = runtime.build(settings)
    wired.start()

    wired.cache.get("price:AAPL")
    wired.cache.set("price:AAPL", 175.5)
    wired.cache.get("price:aapl")
    wired.cache.peek("price:AAPL")
    wired.close()

    assert [line.split(" INFO ")[1] for line in lines(folder)] == ["Cache MISS price:AAPL", "Cache HIT price:AAPL"]


def test_stop_writes_all_that_waits(log: AccessLog, folder: Path) -> None:
    for number in range(5000):
        log(key(f"user:{number}"), True)
    log.stop()

    assert len(lines(folder)) == 5000
    assert lines(folder)[-1].endswith("Cache HIT user:4999")


def test_stop_leaves_no_thread_and_a_second_one_changes_nothing(log: AccessLog) -> None:
    log.stop()
    log.stop()

    assert "avcache-access-log" not in {thread.name for thread in threading.enumerate()}


def test_a_second_start_changes_nothing(log: AccessLog, folder: Path) -> None:
    log.start()
    log(key("price:AAPL"), True)
    log.stop()

    assert len(lines(folder)) == 1
    assert not list(folder.glob("alphavelocity.*.log"))


def test_it_can_be_started_again(log: AccessLog, folder: Path) -> None:
    log(key("price:AAPL"), True)
    log.stop()
    log.start()
    log(key("price:MSFT"), True)
    log.stop()

    assert [line.rpartition(" ")[2] for line in lines(folder)] == ["price:AAPL", "price:MSFT"]


def test_reads_before_start_and_after_stop_are_let_go(folder: Path) -> None:
    log = AccessLog(folder)
    log(key("user:early"), True)
    log.start()
    log(key("user:between"), True)
    log.stop()
    log(key("user:late"), True)

    assert [line.rpartition(" ")[2] for line in lines(folder)] == ["user:between"]


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\n", "\r\n", "\x1b[31m", "\u0085"])
def test_no_key_begins_a_line_of_its_own(log: AccessLog, folder: Path, separator: str) -> None:
    log(key(f"user:1{separator}Cache HIT price:FAKE"), True)
    log.stop()

    (line,) = lines(folder)
    assert line.isprintable()
    assert not re.search("^Cache HIT price:FAKE", line, re.MULTILINE)


def test_a_percent_sign_in_a_key_is_one(log: AccessLog, folder: Path) -> None:
    log(key("user:%s%d%(x)s"), False)
    log.stop()

    assert lines(folder)[0].endswith("Cache MISS user:%s%d%(x)s")


def test_letters_of_all_languages_are_kept(log: AccessLog, folder: Path) -> None:
    log(key("user:Jürgen 日本"), True)
    log.stop()

    assert lines(folder)[0].endswith("Cache HIT user:Jürgen 日本")


# -- one writer per file ---------------------------------------------------------------------------


def test_a_second_process_writes_a_file_of_its_own(log: AccessLog, folder: Path) -> None:
    log(key("price:MSFT"), True)

    with writer(folder) as other:
        name = first_line(other)
        other.communicate("\n", timeout=30)
    log.stop()

    assert name == f"alphavelocity.{other.pid}.log"
    assert lines(folder, name)[0].endswith("Cache HIT price:AAPL")
    assert [line.rpartition(" ")[2] for line in lines(folder)] == ["price:MSFT"]


def test_of_several_processes_that_start_at_once_one_has_the_file(folder: Path) -> None:
    others = [writer(folder) for _ in range(4)]
    names = [first_line(other) for other in others]
    for other in others:
        other.communicate("\n", timeout=30)

    assert names.count("alphavelocity.log") == 1
    assert len(set(names)) == 4


def test_the_file_of_a_process_that_was_killed_is_taken_over(folder: Path) -> None:
    with writer(folder) as other:
        assert first_line(other) == "alphavelocity.log"
        other.kill()
    log = AccessLog(folder)

    log.start()
    log(key("price:MSFT"), True)
    log.stop()

    assert lines(folder)[-1].endswith("Cache HIT price:MSFT")


@pytest.mark.parametrize("content", ["", "1\n", "999999999", "no number", "-1"])
def test_a_claim_that_nobody_holds_is_taken_over(folder: Path, content: str) -> None:
    folder.mkdir()
    (folder / "alphavelocity.pid").write_text(content)
    log = AccessLog(folder)

    log.start()
    log.stop()

    assert log.path == folder / "alphavelocity.log"


def test_stop_lets_another_have_the_file(log: AccessLog, folder: Path) -> None:
    log.stop()

    other = AccessLog(folder)
    other.start()
    other.stop()

    assert other.path == folder / "alphavelocity.log"


def writer(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(folder)]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


# -- faults ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("obstacle", ["a file in place of the folder", "a folder in place of the file"])
def test_where_nothing_can_be_written_the_cache_goes_on(
    folder: Path, obstacle: str, caplog: pytest.LogCaptureFixture
) -> None:
    if obstacle == "a file in place of the folder":
        folder.write_text("")
    else:
        (folder / "alphavelocity.log").mkdir(parents=True)
    log = AccessLog(folder)

    log.start()
    log(key("price:AAPL"), True)
    log.stop()

    (record,) = caplog.records
    assert record.message == "access_log.unwritable"
    assert "alphavelocity" in vars(record)["error"] or "exists" in vars(record)["error"]
    assert log.path is None


def test_a_full_disk_is_told_once(
    log: AccessLog,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def full(self: object, record: object) -> bool:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(logging.handlers.RotatingFileHandler, "shouldRollover", full)

    for _ in range(10):
        log(key("price:AAPL"), True)
    log.stop()

    (record,) = caplog.records
    assert record.message == "access_log.write_failed"
    assert "No space left" in vars(record)["error"]
    assert capsys.readouterr().err == ""


def test_a_full_file_is_rotated_and_a_few_old_ones_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_log, "_MAX_BYTES", 1000)
    log = AccessLog(folder)
    log.start()

    for number in range(500):
        log(key(f"user:{number}"), True)
    log.stop()

    files = sorted(file.name for file in folder.glob("*.log*"))
    assert files == ["alphavelocity.log", *(f"alphavelocity.log.{number}" for number in range(1, 6))]
    assert all((folder / name).stat().st_size <= 1000 for name in files)
    assert lines(folder)[-1].endswith("user:499")


def test_a_writer_that_falls_behind_drops_lines_and_not_memory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_log, "_MAX_WAITING", 10)
    blocked, opened = threading.Event(), threading.Event()

    def slow(self: object, record: object) -> bool:
        blocked.set()
        opened.wait(10)
        return False

    monkeypatch.setattr(logging.handlers.RotatingFileHandler, "shouldRollover", slow)
    log = AccessLog(folder)
    log.start()
    log(key("user:first"), True)
    assert blocked.wait(10)

    for number in range(1000):
        log(key(f"user:{number}"), True)
    opened.set()
    log.stop()

    assert len(lines(folder)) == 11
