"""Schedules: what is kept of them, when they are due, and that each run is begun once in a whole cluster."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from avcache.backends.board import Board, MemoryBoard
from avcache.backends.connect import connect
from avcache.backends.redis_board import RedisBoard
from avcache.backends.wire import Wire
from avcache.clock import ManualClock
from avcache.errors import BackendError, BackendUnavailable, InvalidInput, SerializationError
from avcache.ops.schedule import Due, LastRun, Schedule
from avcache.ops.schedules import MOST_SCHEDULES, Schedules
from tests.servers import ROOT, free_port
from tests.threads import together

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
MANY = 8


def moment(text: str) -> float:
    """Epoch seconds of `2026-06-01 08:00`, UTC."""
    return dt.datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=dt.UTC).timestamp()


BEGIN = moment("2026-06-01 07:00")


def is_known(universe: str) -> bool:
    return universe in {"Sample 25", "Mine"}


def on(board: Board, clock: ManualClock) -> Schedules:
    return Schedules(board, clock, known_universe=is_known)


def add(schedules: Schedules, **given: Any) -> Schedule:
    """A schedule of every day at eight; *given* says otherwise."""
    return schedules.add(
        **{"name": "Morning", "cron": "0 8 * * *", "zone": "UTC", "universe": "Sample 25", "by": "anna", **given}
    )


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(BEGIN)


@pytest.fixture(params=["memory", "redis"])
def board(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[Board]:
    if request.param == "memory":
        yield MemoryBoard(clock)
        return
    wire = Wire(connect(request.getfixturevalue("redis_url"), timeout=5, max_connections=2 * MANY).connection_pool)
    yield RedisBoard(wire, request.getfixturevalue("prefix"))
    wire.close()


@pytest.fixture
def schedules(board: Board, clock: ManualClock) -> Schedules:
    return on(board, clock)


def remove(schedules: Schedules, schedule: Schedule) -> bool:
    schedules.remove(schedule.id)
    return True


def last_run(schedules: Schedules) -> LastRun | None:
    (view,) = schedules.all()
    return view.last_run


def test_a_schedule_is_found_again_as_it_was_made(schedules: Schedules, board: Board, clock: ManualClock) -> None:
    made = add(schedules, name="  Morning ", cron=" 0  8 * * 1-5", zone="America/New_York")

    (view,) = on(board, clock).all()
    assert view.schedule == made
    assert (made.name, made.cron, made.universe, made.tickers) == ("Morning", "0 8 * * 1-5", "Sample 25", ())
    assert (made.kinds, made.policy, made.is_paused) == (("price", "momentum"), "catch_up", False)
    assert (made.created_by, made.created_at) == ("anna", BEGIN)
    assert view.next_at == moment("2026-06-01 12:00")
    assert view.last_run is None


def test_a_schedule_may_name_tickers(schedules: Schedules) -> None:
    made = add(schedules, universe=None, tickers="aapl, brk.b AAPL", kinds=["momentum"])

    assert (made.universe, made.tickers, made.kinds) == (None, ("AAPL", "BRK-B"), ("momentum",))


def test_there_is_nothing_to_begin_with(schedules: Schedules) -> None:
    assert schedules.all() == []
    assert schedules.due() == []


def test_a_run_is_told_once_when_its_time_has_come(schedules: Schedules, clock: ManualClock) -> None:
    made = add(schedules)
    assert schedules.due() == []
    clock.advance(HOUR)

    assert schedules.due() == [Due(made, moment("2026-06-01 08:00"), is_late=False)]
    assert schedules.due() == []
    clock.advance(DAY)
    assert [run.fire_at for run in schedules.due()] == [moment("2026-06-02 08:00")]


def test_a_run_is_on_time_for_a_minute(schedules: Schedules, clock: ManualClock) -> None:
    add(schedules, policy="skip")
    clock.advance(HOUR + MINUTE)

    (run,) = schedules.due()

    assert not run.is_late


def test_each_schedule_has_runs_of_its_own(schedules: Schedules, clock: ManualClock) -> None:
    add(schedules, name="A")
    add(schedules, name="B", cron="30 8 * * *")
    add(schedules, name="C")
    clock.advance(HOUR)

    assert [run.schedule.name for run in schedules.due()] == ["A", "C"]
    clock.advance(HOUR / 2)
    assert [run.schedule.name for run in schedules.due()] == ["B"]


def test_what_becomes_of_a_run_is_noted(schedules: Schedules, clock: ManualClock) -> None:
    made = add(schedules)
    clock.advance(HOUR)
    (run,) = schedules.due()
    assert last_run(schedules) == LastRun(run.fire_at, "started", clock())
    clock.advance(20)

    schedules.ended(made.id, run.fire_at, "25 loaded", "job-1")

    assert last_run(schedules) == LastRun(run.fire_at, "ended", clock(), "25 loaded", "job-1")
    assert schedules.due() == []


def test_a_run_that_ends_after_the_next_has_begun_changes_nothing(schedules: Schedules, clock: ManualClock) -> None:
    made = add(schedules)
    clock.advance(HOUR)
    (first,) = schedules.due()
    clock.advance(DAY)
    (second,) = schedules.due()

    schedules.ended(made.id, first.fire_at, "late")
    schedules.ended("nothing", first.fire_at, "of no schedule")

    assert last_run(schedules) == LastRun(second.fire_at, "started", clock())


def test_missed_runs_are_caught_up_with_one(schedules: Schedules, clock: ManualClock) -> None:
    add(schedules, cron="*/10 * * * *")
    clock.advance(5 * DAY + 5 * MINUTE)

    (run,) = schedules.due()

    assert (run.fire_at, run.is_late) == (moment("2026-06-06 07:00"), True)
    assert schedules.due() == []
    clock.advance(5 * MINUTE)
    (run,) = schedules.due()
    assert (run.fire_at, run.is_late) == (moment("2026-06-06 07:10"), False)


def test_missed_runs_are_skipped_if_that_is_wanted_and_that_is_noted(schedules: Schedules, clock: ManualClock) -> None:
    add(schedules, cron="*/10 * * * *", policy="skip")
    clock.advance(5 * DAY + 5 * MINUTE)

    assert schedules.due() == []

    assert last_run(schedules) == LastRun(moment("2026-06-06 07:00"), "skipped", clock())
    clock.advance(5 * MINUTE)
    assert [run.fire_at for run in schedules.due()] == [moment("2026-06-06 07:10")]


def test_a_run_on_time_is_begun_even_if_those_before_it_were_missed(schedules: Schedules, clock: ManualClock) -> None:
    add(schedules, cron="*/10 * * * *", policy="skip")
    clock.advance(5 * DAY)

    assert [run.is_late for run in schedules.due()] == [False]


def test_a_new_schedule_is_never_due_for_a_time_before_it_was_made(schedules: Schedules, clock: ManualClock) -> None:
    clock.advance(2 * HOUR)
    add(schedules)
    add(schedules, cron="* * * * *")

    assert schedules.due() == []
    assert schedules.due(clock() - HOUR) == []
    clock.advance(MINUTE)
    assert [run.schedule.cron for run in schedules.due()] == ["* * * * *"]


def test_a_paused_schedule_is_not_due_and_makes_up_for_nothing(schedules: Schedules, clock: ManualClock) -> None:
    made = add(schedules)

    assert schedules.pause(made.id).is_paused
    clock.advance(DAY)
    assert schedules.due() == []
    assert [view.next_at for view in schedules.all()] == [None]
    assert not schedules.resume(made.id).is_paused

    assert schedules.due() == []
    clock.advance(HOUR)
    assert [run.fire_at for run in schedules.due()] == [moment("2026-06-02 08:00")]


def test_an_edit_changes_what_is_given_and_nothing_else(schedules: Schedules, clock: ManualClock) -> None:
    made = add(schedules)
    clock.advance(10)

    changed = schedules.edit(made.id, name="Evening", policy="skip", kinds=["price"])

    assert changed.name == "Evening"
    assert (changed.cron, changed.universe, changed.since) == (made.cron, made.universe, made.since)
    assert (changed.policy, changed.kinds) == ("skip", ("price",))
    assert [view.schedule for view in schedules.all()] == [changed]


def test_a_universe_takes_the_place_of_tickers_and_tickers_that_of_a_universe(schedules: Schedules) -> None:
    made = add(schedules)

    changed = schedules.edit(made.id, tickers="KO")
    assert (changed.universe, changed.tickers) == (None, ("KO",))
    changed = schedules.edit(made.id, universe="Mine")
    assert (changed.universe, changed.tickers) == ("Mine", ())


def test_other_times_count_from_the_change_on(schedules: Schedules, clock: ManualClock) -> None:
    made = add(schedules)
    clock.advance(30 * MINUTE)

    schedules.edit(made.id, cron="15 7 * * *")

    assert schedules.due() == []
    assert [view.next_at for view in schedules.all()] == [moment("2026-06-02 07:15")]


def test_another_name_delays_no_run(schedules: Schedules, clock: ManualClock) -> None:
    made = add(schedules)
    clock.advance(HOUR)

    schedules.edit(made.id, name="Other")

    assert [run.schedule.name for run in schedules.due()] == ["Other"]


def test_a_removed_schedule_is_gone_with_its_last_run(schedules: Schedules, board: Board, clock: ManualClock) -> None:
    made, other = add(schedules), add(schedules, name="Other")
    clock.advance(HOUR)
    schedules.due()

    schedules.remove(made.id)

    assert [view.schedule for view in schedules.all()] == [other]
    assert board.read([f"schedule-run:{made.id}"]) == [None]
    schedules.remove(other.id)
    assert schedules.all() == []


@pytest.mark.parametrize("act", ["edit", "pause", "resume", "remove"])
def test_a_schedule_that_is_not_there_is_named(schedules: Schedules, act: str) -> None:
    add(schedules)

    with pytest.raises(InvalidInput, match="id='nothing'"):
        getattr(schedules, act)("nothing")


WRONG: dict[str, list[tuple[object, str]]] = {
    "name": [("", "1 to 80"), (" ", "1 to 80"), ("x" * 81, "1 to 80"), ("two\nlines", "one line"), (None, "1 to 80")],
    "cron": [("0 8 * *", "five fields"), ("0 25 * * *", "hour '25'"), ("0 0 30 2 *", "no such day")],
    "zone": [("Mars/Base", "IANA"), ("", "IANA")],
    "universe": [("Other", "name of a universe"), ("", "name of a universe")],
    "tickers": [("not a ticker!", "ticker"), ([], "tickers")],
    "kinds": [([], "price, momentum"), (["price", "news"], "price, momentum"), ("price", "price, momentum")],
    "policy": [("later", "catch_up, skip"), ("", "catch_up, skip")],
}


@pytest.mark.parametrize(("field", "value", "allowed"), [(f, v, a) for f, cases in WRONG.items() for v, a in cases])
def test_what_is_not_usable_is_refused_and_nothing_has_changed(
    clock: ManualClock, field: str, value: object, allowed: str
) -> None:
    schedules = on(MemoryBoard(clock), clock)
    made = add(schedules)
    given = {field: value} if field != "tickers" else {"universe": None, "tickers": value}
    before = schedules.all()

    with pytest.raises(InvalidInput, match=allowed) as caught:
        add(schedules, **given)
    assert caught.value.field == field
    if value is not None:  # None leaves it as it is
        with pytest.raises(InvalidInput, match=allowed) as caught:
            schedules.edit(made.id, **{"name": "half done", **given})  # type: ignore[arg-type]
        assert caught.value.field == field

    assert schedules.all() == before


def test_either_a_universe_or_tickers_must_be_named(schedules: Schedules) -> None:
    with pytest.raises(InvalidInput, match="one of the two"):
        add(schedules, universe="Mine", tickers="KO")
    with pytest.raises(InvalidInput, match="tickers"):
        add(schedules, universe=None)

    assert schedules.all() == []


def test_there_are_fifty_schedules_at_most(schedules: Schedules) -> None:
    for number in range(MOST_SCHEDULES):
        add(schedules, name=str(number))

    with pytest.raises(InvalidInput, match="at most 50"):
        add(schedules)

    assert len(schedules.all()) == MOST_SCHEDULES


def test_a_universe_that_is_gone_hinders_no_other_change(board: Board, clock: ManualClock) -> None:
    names = {"Gone"}
    schedules = Schedules(board, clock, known_universe=lambda name: name in names)
    made = add(schedules, universe="Gone")
    names.clear()

    schedules.pause(made.id)
    schedules.resume(made.id)

    assert schedules.edit(made.id, name="Other").universe == "Gone"


def test_schedules_of_another_release_are_not_lost_by_a_change(schedules: Schedules, board: Board) -> None:
    board.write("schedules", b"\x81\xa1x\x01")

    for act in (schedules.all, schedules.due, lambda: add(schedules)):
        with pytest.raises(SerializationError, match="cannot be understood"):
            act()

    assert board.read(["schedules"]) == [b"\x81\xa1x\x01"]


def test_a_last_run_that_cannot_be_understood_is_none(schedules: Schedules, board: Board, clock: ManualClock) -> None:
    made = add(schedules)
    board.write(f"schedule-run:{made.id}", b"\xc1")
    clock.advance(HOUR)

    assert last_run(schedules) is None
    assert len(schedules.due()) == 1
    assert schedules.due() == []


def test_a_zone_that_this_machine_does_not_know_disturbs_no_other_schedule(
    schedules: Schedules, board: Board, clock: ManualClock
) -> None:
    add(schedules, name="Far", zone="Europe/Berlin", cron="0 10 * * *")
    add(schedules)
    (raw,) = board.read(["schedules"])
    assert raw is not None
    board.write("schedules", raw.replace(b"Europe/Berlin", b"Europe/Nowher"))
    clock.advance(HOUR)

    assert [run.schedule.name for run in schedules.due()] == ["Morning"]
    far, _ = schedules.all()
    assert far.next_at is None
    assert schedules.pause(far.schedule.id).is_paused


def test_of_many_who_ask_at_once_exactly_one_is_told_of_each_run(
    board: Board, clock: ManualClock, schedules: Schedules
) -> None:
    processes = [on(board, clock) for _ in range(MANY)]
    for number in range(5):
        add(schedules, name=str(number), cron="*/10 * * * *")
    for _ in range(10):
        clock.advance(10 * MINUTE)

        told = [run for found in together(MANY, lambda number: processes[number].due()) for run in found]

        assert sorted(run.schedule.name for run in told) == ["0", "1", "2", "3", "4"]


def test_of_many_who_come_back_at_once_one_catches_up(board: Board, clock: ManualClock, schedules: Schedules) -> None:
    processes = [on(board, clock) for _ in range(MANY)]
    add(schedules, cron="*/10 * * * *")
    clock.advance(DAY + 5 * MINUTE)

    told = [run for found in together(MANY, lambda number: processes[number].due()) for run in found]

    assert [run.is_late for run in told] == [True]


def test_processes_whose_clocks_differ_begin_each_run_once(board: Board) -> None:
    ahead, behind = ManualClock(BEGIN + 3), ManualClock(BEGIN)
    first, second = on(board, ahead), on(board, behind)
    add(first, cron="* * * * *")
    told = []

    for _ in range(600):
        told += [run.fire_at for schedules in (second, first) for run in schedules.due()]
        ahead.advance(1)
        behind.advance(1)

    assert len(told) == len(set(told)) == 10


def test_changes_made_at_once_are_all_made(board: Board, clock: ManualClock, schedules: Schedules) -> None:
    processes = [on(board, clock) for _ in range(MANY)]

    made = together(MANY, lambda number: [add(processes[number], name=f"{number}.{turn}") for turn in range(5)])
    together(MANY, lambda number: [remove(processes[number], one) for one in made[number][:2]])

    left = {one.name for mine in made for one in mine[2:]}
    assert {view.schedule.name for view in schedules.all()} == left
    assert len(left) == MANY * 3


def test_the_number_of_schedules_is_held_to_by_many_at_once(board: Board, clock: ManualClock) -> None:
    schedules = on(board, clock)
    for number in range(MOST_SCHEDULES - 2):
        add(schedules, name=str(number))

    def try_to_add(number: int) -> bool:
        try:
            add(on(board, clock), name=f"by {number}")
        except InvalidInput:
            return False
        return True

    assert together(MANY, try_to_add).count(True) == 2
    assert len(schedules.all()) == MOST_SCHEDULES


def test_who_never_gets_a_change_in_is_told(clock: ManualClock) -> None:
    class Contended(MemoryBoard):
        def swap(self, *_given: object, **_named: object) -> bool:
            return False

    with pytest.raises(BackendError, match="others changed it"):
        add(on(Contended(clock), clock))


PROCESS = """
import sys
from avcache.backends.connect import connect
from avcache.backends.redis_board import RedisBoard
from avcache.backends.wire import Wire
from avcache.ops.schedules import Schedules

url, prefix, begin = sys.argv[1:]
board = RedisBoard(Wire(connect(url, timeout=5, max_connections=2).connection_pool), prefix)
schedules = Schedules(board, known_universe=lambda name: True)
print("ready", flush=True)
sys.stdin.readline()
for minute in range(50):
    for run in schedules.due(float(begin) + 60.0 * minute):
        print(run.fire_at, flush=True)
"""


def test_of_several_processes_one_begins_each_run(redis_url: str, prefix: str, clock: ManualClock) -> None:
    wire = Wire(connect(redis_url, timeout=5, max_connections=2).connection_pool)
    add(on(RedisBoard(wire, prefix), clock), cron="*/5 * * * *")
    command = [sys.executable, "-c", PROCESS, redis_url, prefix, str(BEGIN)]

    with ExitStack() as stack:
        processes = [stack.enter_context(_started(command)) for _ in range(3)]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        with ThreadPoolExecutor(3) as pool:
            answers = list(pool.map(lambda process: process.communicate("go\n", timeout=60)[0], processes))

    told = [float(line) for answer in answers for line in answer.split()]
    assert sorted(told) == [BEGIN + minute * MINUTE for minute in range(5, 50, 5)]
    wire.close()


@contextmanager
def _started(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            yield process
        finally:
            process.kill()


def test_while_the_server_is_away_nothing_is_due_or_changed(clock: ManualClock) -> None:
    nowhere = connect(f"redis://127.0.0.1:{free_port()}", timeout=0.2, max_connections=2)
    schedules = on(RedisBoard(Wire(nowhere.connection_pool), "t:"), clock)

    for act in (schedules.due, schedules.all, lambda: add(schedules)):
        with pytest.raises(BackendUnavailable):
            act()


def test_schedules_and_their_runs_survive_a_restart_without_a_server(tmp_path: Path, clock: ManualClock) -> None:
    def start() -> tuple[MemoryBoard, Schedules]:
        board = MemoryBoard(clock, tmp_path / "board", wall=clock)
        return board, on(board, clock)

    board, schedules = start()
    made = add(schedules)
    clock.advance(HOUR)
    assert len(schedules.due()) == 1
    board.close()

    board, schedules = start()

    assert [view.schedule for view in schedules.all()] == [made]
    assert schedules.due() == []
    clock.advance(DAY)
    assert len(schedules.due()) == 1


def test_schedules_that_run_once_a_year_are_not_forgotten(clock: ManualClock) -> None:
    schedules = on(MemoryBoard(clock), clock)
    add(schedules, cron="0 8 1 6 *")
    clock.advance(HOUR)
    assert len(schedules.due()) == 1
    for _ in range(364):
        clock.advance(DAY)
        assert schedules.due() == []

    clock.advance(DAY)

    assert [run.fire_at for run in schedules.due()] == [moment("2027-06-01 08:00")]
