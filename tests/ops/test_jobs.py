"""Jobs: one process does them, all see them, and they outlive whoever began them."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest
import redis

from avcache.backends.board import Board, MemoryBoard
from avcache.errors import CacheError, InvalidInput
from avcache.ops.jobs import Job, JobRunning, Jobs, Run, Worker
from avcache.runtime import Runtime
from tests.ops.graph import wait_until
from tests.servers import RealServer
from tests.threads import together


class Counting:
    """Counts to the job's total, a step at a time; *steps* lets one through."""

    kind = "counting"

    def __init__(self) -> None:
        self.steps = threading.Semaphore(0)
        self.begun: list[int] = []

    def run(self, run: Run) -> str:
        self.begun.append(run.job.done)
        while run.job.done < run.job.total:
            while not self.steps.acquire(timeout=0.05):
                run.check()
            run.check()
            run.tell(done=run.job.done + 1)
        return f"counted to {run.job.total}"

    def cancelled(self, job: Job) -> str:
        return f"stopped at {job.done}"

    def let(self, steps: int) -> None:
        self.steps.release(steps)


class Failing(Counting):
    kind = "failing"

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def run(self, run: Run) -> str:  # noqa: ARG002 - it gets nowhere
        raise self._error


class Process:
    """What one process has of it."""

    def __init__(self, board: Board, *works: Any, chores: Any = ()) -> None:
        self.jobs = Jobs(board)
        self.worker = Worker(board, self.jobs, works, chores)

    def __enter__(self) -> Process:
        self.worker.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.worker.stop()


@pytest.fixture(params=["memory", "server"])
def boards(request: pytest.FixtureRequest) -> Callable[[], Board]:
    """Each call is the board as another process has it."""
    if request.param == "memory":
        board = MemoryBoard()
        return lambda: board
    process: Callable[[], Runtime] = request.getfixturevalue("process")

    def shared() -> Board:
        found = process().shared_board
        assert found is not None
        return found

    return shared


def test_a_job_is_done_and_says_so(boards: Callable[[], Board]) -> None:
    counting = Counting()
    with Process(boards(), counting) as process:
        job = process.jobs.submit("counting", {"by": 1}, actor="ann", reason="why not", total=3)
        counting.let(3)
        ended = process.jobs.wait(job.id, 10)

    assert ended is not None
    assert (ended.state, ended.done, ended.result, ended.what) == ("done", 3, "counted to 3", {"by": 1})
    assert ended.seconds is not None
    assert process.jobs.open() == []
    assert process.jobs.latest("counting") == [ended]
    assert process.jobs.latest("other") == []


def test_all_processes_see_one_job_and_one_of_them_does_it(boards: Callable[[], Board]) -> None:
    works = [Counting(), Counting()]
    with Process(boards(), works[0]) as first, Process(boards(), works[1]) as second:
        wait_until(lambda: first.worker.is_leader or second.worker.is_leader)
        job = second.jobs.submit("counting", {}, actor="ann", total=2)
        for work in works:
            work.let(1)
        wait_until(lambda: getattr(first.jobs.get(job.id), "done", 0) == 1)
        seen = second.jobs.get(job.id)
        for work in works:
            work.let(1)
        ended = first.jobs.wait(job.id, 10)

    assert seen is not None
    assert (seen.state, seen.done) == ("running", 1)
    assert ended is not None
    assert ended.state == "done"
    assert sorted(len(work.begun) for work in works) == [0, 1]
    assert not first.worker.is_leader
    assert not second.worker.is_leader


def test_the_lease_says_which_process_leads(process: Callable[[], Runtime], redis_url: str, prefix: str) -> None:
    wired = process()
    wired.ops.start()
    wait_until(lambda: wired.ops.worker.is_leader)

    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        host, pid, _ = str(client.get(f"{prefix}!o:lease:leader")).split(":")

    assert (host, int(pid)) == (socket.gethostname(), os.getpid())


def test_what_a_process_leaves_another_one_goes_on_with(boards: Callable[[], Board]) -> None:
    first, second = Counting(), Counting()
    with Process(boards(), first) as dying:
        job = dying.jobs.submit("counting", {}, actor="ann", total=5)
        first.let(2)
        wait_until(lambda: getattr(dying.jobs.get(job.id), "done", 0) == 2)
    with Process(boards(), second) as heir:
        second.let(3)
        ended = heir.jobs.wait(job.id, 20)

    assert second.begun == [2]
    assert ended is not None
    assert (ended.state, ended.done) == ("done", 5)


def test_whoever_loses_the_lease_stops_and_tells_nothing_more() -> None:
    board, counting = MemoryBoard(), Counting()
    process = Process(board, counting)
    process.worker.start()
    job = process.jobs.submit("counting", {}, actor="ann", total=5)
    counting.let(1)
    wait_until(lambda: getattr(process.jobs.get(job.id), "done", 0) == 1)

    process.worker._lease._board = Elsewhere(board)
    wait_until(lambda: not any(thread.is_alive() for thread in process.worker._under_way.values()))
    counting.let(4)
    left = process.jobs.get(job.id)
    process.worker.stop()

    assert left is not None
    assert (left.state, left.done) == ("running", 1)


class Elsewhere:
    """A board whose lease another process has."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def take(self, *_lease: object) -> bool:
        return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._board, name)


def test_it_pauses_goes_on_and_ends_when_told(boards: Callable[[], Board]) -> None:
    counting = Counting()
    with Process(boards(), counting) as process:
        other = Jobs(boards())
        job = process.jobs.submit("counting", {}, actor="ann", total=9)

        other.tell(job.id, "pause")
        wait_until(lambda: getattr(other.get(job.id), "state", "") == "paused")
        counting.let(5)
        held = other.wait(job.id, 0.5)
        other.tell(job.id, "resume")
        wait_until(lambda: getattr(other.get(job.id), "done", 0) == 5)
        other.tell(job.id, "cancel")
        ended = other.wait(job.id, 10)

    assert held is not None
    assert (held.state, held.done) == ("paused", 0)
    assert ended is not None
    assert (ended.state, ended.result) == ("cancelled", "stopped at 5")


def test_a_cancelled_job_is_heard_of_within_a_second(boards: Callable[[], Board]) -> None:
    counting = Counting()
    with Process(boards(), counting) as process:
        other = Jobs(boards())
        job = process.jobs.submit("counting", {}, actor="ann", total=9)
        wait_until(lambda: getattr(other.get(job.id), "state", "") == "running")

        other.tell(job.id, "cancel")
        ended = other.wait(job.id, 1.0)

    assert ended is not None
    assert ended.state == "cancelled"


def test_what_has_ended_hears_nothing_more(boards: Callable[[], Board]) -> None:
    counting = Counting()
    with Process(boards(), counting) as process:
        job = process.jobs.submit("counting", {}, actor="ann", total=0)
        assert process.jobs.wait(job.id, 10) is not None

        with pytest.raises(InvalidInput, match="job="):
            process.jobs.tell(job.id, "cancel")
        with pytest.raises(InvalidInput, match="job='nothing'"):
            process.jobs.tell("nothing", "cancel")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (CacheError("the store is full"), "the store is full"),
        (ZeroDivisionError("secret"), "an error of this program; see its log"),
    ],
)
def test_what_goes_wrong_is_told_and_ends_no_other(error: Exception, said: str) -> None:
    counting = Counting()
    with Process(MemoryBoard(), Failing(error), counting) as process:
        failed = process.jobs.wait(process.jobs.submit("failing", {}, actor="ann").id, 10)
        other = process.jobs.wait(process.jobs.submit("counting", {}, actor="ann").id, 10)

    assert failed is not None
    assert (failed.state, failed.result) == ("failed", said)
    assert other is not None
    assert other.state == "done"


def test_of_many_that_are_to_be_alone_one_is_taken(boards: Callable[[], Board]) -> None:
    board = boards()
    taken: list[Job] = []
    refused: list[JobRunning] = []

    def submit(_number: int) -> None:
        try:
            taken.append(Jobs(board).submit("counting", {}, actor="ann", alone=True))
        except JobRunning as exc:
            refused.append(exc)

    together(8, submit)

    assert (len(taken), len(refused)) == (1, 7)
    assert {exc.job.id for exc in refused} == {taken[0].id}
    assert Jobs(board).open() == taken


def test_a_job_of_which_nothing_is_known_any_more_blocks_no_other(boards: Callable[[], Board]) -> None:
    board = boards()
    lost = Jobs(board).submit("counting", {}, actor="ann", alone=True)
    board.erase([f"job:{lost.id}"])
    counting = Counting()

    with Process(board, counting) as process:
        job = process.jobs.submit("counting", {}, actor="ann", alone=True)
        ended = process.jobs.wait(job.id, 10)

    assert ended is not None
    assert ended.state == "done"


def test_a_record_that_is_none_of_ours_is_no_trouble(boards: Callable[[], Board]) -> None:
    board = boards()
    board.write("jobs-open", b"\xc1 of another version")
    counting = Counting()

    with Process(board, counting) as process:
        job = process.jobs.submit("counting", {}, actor="ann")
        board.write("job:odd", b"\xc1")

        assert process.jobs.get("odd") is None
        assert process.jobs.wait(job.id, 10) is not None


class Chore:
    name = "chore"

    def __init__(self) -> None:
        self.ticks = threading.Semaphore(0)
        self.may_go_on: bool | None = None

    def tick(self, go_on: Callable[[], bool]) -> None:
        self.may_go_on = go_on()
        self.ticks.release()
        raise ZeroDivisionError  # ends no worker


def test_chores_are_the_leaders_and_a_mistake_ends_none() -> None:
    board = MemoryBoard()
    leading, waiting = Chore(), Chore()

    with Process(board, chores=[leading]), Process(board, chores=[waiting]):
        for _ in range(2):
            assert leading.ticks.acquire(timeout=10) or waiting.ticks.acquire(timeout=10)

    assert {leading.may_go_on, waiting.may_go_on} == {True, None}


def test_a_paused_job_stays_so_whoever_has_it(boards: Callable[[], Board]) -> None:
    first, second = Counting(), Counting()
    with Process(boards(), first) as dying:
        job = dying.jobs.submit("counting", {}, actor="ann", total=3)
        dying.jobs.tell(job.id, "pause")
        wait_until(lambda: getattr(dying.jobs.get(job.id), "state", "") == "paused")
    board = boards()
    board.erase([f"wish:{job.id}"])  # evicted, say
    second.let(3)
    with Process(board, second) as heir:
        held = heir.jobs.wait(job.id, 1.0)
        heir.jobs.tell(job.id, "resume")
        ended = heir.jobs.wait(job.id, 10)

    assert held is not None
    assert (held.state, held.done) == ("paused", 0)
    assert ended is not None
    assert ended.state == "done"


def test_what_a_leader_did_in_an_earlier_term_it_does_not_go_on_with() -> None:
    board, counting = MemoryBoard(), Counting()
    process = Process(board, counting)
    process.worker.start()
    job = process.jobs.submit("counting", {}, actor="ann", total=2)
    wait_until(lambda: bool(counting.begun))

    process.worker._lease._until = 0.0  # lost, and taken anew with the next renewal
    wait_until(lambda: len(counting.begun) == 2)
    counting.let(2)
    ended = process.jobs.wait(job.id, 10)
    process.worker.stop()

    assert ended is not None
    assert (ended.state, ended.done) == ("done", 2)
    assert process.worker._lease.term == 2


def test_a_job_that_ended_while_the_board_was_away_does_not_begin_anew(
    real_server: RealServer, build: Callable[..., Runtime]
) -> None:
    wired = build({"REDIS_ENABLED": "true", "REDIS_URL": real_server.url})
    counting = Counting()
    board = wired.ops.board
    jobs = Jobs(board)
    worker = Worker(board, jobs, [counting], is_away=lambda: wired.cache.state().is_degraded)
    job = jobs.submit("counting", {}, actor="ann", total=3)
    wait_until(lambda: bool(counting.begun))

    real_server.pause()
    wired.cache.get("default:any")
    counting.let(3)
    wait_until(lambda: job.id in worker._unclosed)
    real_server.resume()
    wait_until(lambda: not wired.cache.state().is_degraded and job.id not in worker._unclosed)
    ended = jobs.get(job.id)
    worker.stop()

    assert ended is not None
    assert (ended.state, ended.result) == ("done", "counted to 3")
    assert len(counting.begun) == 1


def test_a_full_server_takes_jobs_and_lets_clears_free_it(build: Callable[..., Runtime]) -> None:
    with RealServer("--maxmemory", "3mb", "--maxmemory-policy", "noeviction") as server:
        wired = build({"REDIS_ENABLED": "true", "REDIS_URL": server.url})
        for number in range(2000):  # until it refuses
            wired.cache.set(f"user:{number}", "x" * 2000)
            if wired.cache.state().error is not None:
                break
        refused = wired.cache.state().error

        job = wired.ops.clearing.start("user:*", actor="ann")
        ended = wired.ops.jobs.wait(job.id, 20)
        acts = {entry.action for entry in wired.ops.audit.latest()}
        wired.cache.set("user:1", "fits again")
        again = wired.cache.get("user:1")
        wired.close()

    assert refused is not None
    assert ended is not None
    assert ended.state == "done"
    assert ended.done > 100
    assert acts == {"swept", "clear"}
    assert again == "fits again"
