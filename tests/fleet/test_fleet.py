"""Four workers of REST and two consoles on one Redis: whoever is asked says the same, and any of them may die."""

from __future__ import annotations

import http
import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from avcache.market.sample import SampleProvider
from avcache.ops.clearing import UNDO_SECONDS, cleared_keys
from avcache.ops.jobs import Job
from avcache.runtime import Runtime
from avcache.telemetry.totals import Totals
from tests.fleet.fleet import CONSOLES, WORKERS, Fleet
from tests.ops.graph import wait_until

_PATIENCE = 60.0
_TICKERS = ("AAPL", "MSFT", "NVDA")
_BULK = 50_000


@pytest.fixture(scope="module")
def fleet(server_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with Fleet(tmp_path_factory.mktemp("fleet")) as made:
        yield made


@pytest.fixture
def observer(fleet: Fleet) -> Iterator[Runtime]:
    """A process that looks, gives in jobs, and does none of them."""
    made = fleet.observer()
    yield made
    made.close()


@pytest.fixture
def member(fleet: Fleet) -> Iterator[Callable[[], Runtime]]:
    """Each call is one more process that serves."""
    with ExitStack() as stack:

        def start() -> Runtime:
            made = fleet.member()
            stack.callback(made.close)
            made.start()
            return made

        yield start


def test_each_process_is_asked_and_one_of_them_leads(fleet: Fleet, observer: Runtime) -> None:
    pids = {door.pid for door in fleet.doors}

    assert len(pids) == WORKERS + CONSOLES
    wait_until(lambda: fleet.leader() in pids)
    assert fleet.rest.output().count("server.started") == WORKERS
    wait_until(lambda: pids <= {one.process.pid for one in totals(observer).by_process(60) if one.is_alive})


def test_what_one_loads_all_have(fleet: Fleet) -> None:
    first, *others = fleet.doors

    cached = first.warm_up(*_TICKERS)

    assert cached == len(_TICKERS)
    for door in (first, *others):
        assert door.keys("momentum:*") == [f"momentum:{ticker}" for ticker in _TICKERS]
        assert (door.count("price"), door.count("momentum")) == (3, 3)
        assert door.get("info")["total_keys"] == first.get("info")["total_keys"]


def test_a_clear_by_any_door_holds_at_every_door_when_it_returns(fleet: Fleet, observer: Runtime) -> None:
    fleet.doors[0].warm_up(*_TICKERS)
    loads = loaded(observer)

    for clearing, loading in itertools.pairwise([*fleet.doors, fleet.doors[0]]):
        observer.cache.set("momentum:OLD", 1)
        went = clearing.clear("momentum:*")
        found = [(door.keys("momentum:*"), door.count("momentum")) for door in fleet.doors]
        answer = observer.cache.get("momentum:OLD")

        assert went == len(_TICKERS) + 1
        assert found == [([], 0)] * len(fleet.doors)
        assert answer is None
        assert loading.warm_up(*_TICKERS) == len(_TICKERS)

    assert loaded(observer) == loads + len(fleet.doors) * len(_TICKERS)


def test_a_warm_up_is_refused_at_every_door_while_one_is_under_way(fleet: Fleet, observer: Runtime) -> None:
    job = observer.ops.warmup.start(_TICKERS, actor="test", rate=0.01)
    wait_until(lambda: job.job.state == "running")

    refused = [door.ask("POST", "warmup?tickers=KO") for door in fleet.doors]
    job.cancel()
    ended = job.wait(_PATIENCE)

    assert [status for status, _ in refused] == [http.HTTPStatus.CONFLICT] * len(fleet.doors)
    assert {document["detail"].partition(" (")[0] for _, document in refused} == {"a warm-up is under way"}
    assert ended
    assert [latest.id for latest in [observer.ops.warmup.latest] if latest] == [job.id]
    assert fleet.doors[-1].warm_up("KO") == 1


def test_the_reads_of_all_are_counted_together(member: Callable[[], Runtime], observer: Runtime) -> None:
    first, second = member(), member()
    observer.cache.set_many({f"user:{number}": number for number in range(10)})

    for _ in range(3):
        assert first.cache.get_many([f"user:{number}" for number in range(10)])
    for number in range(10):
        second.cache.get(f"user:{number + 5}")

    def counted(runtime: Runtime) -> tuple[int, int]:
        found = totals(runtime).stats().by_namespace["user"]
        return found.hits, found.misses

    everyone = (first, second, observer)
    wait_until(lambda: [counted(one) for one in everyone] == [(35, 5)] * 3)
    assert {one.cache.analytics.get_hit_rate(namespace="user") for one in everyone} == {35 / 40}


def test_a_clear_is_seen_by_all_and_taken_back_by_any(fleet: Fleet, member: Callable[[], Runtime]) -> None:
    clearing, undoing, reading = member(), member(), member()
    names = [f"report:{number}" for number in range(5)]
    clearing.cache.set_many(dict.fromkeys(names, "whole"))
    everyone = (clearing, undoing, reading)

    job = clearing.ops.clearing.start("report:*", actor="ann", undo_seconds=UNDO_SECONDS)
    listed = [one.ops.jobs.open() for one in everyone]
    missed = [one.cache.get_many(names) for one in everyone]
    shown = [(door.keys("report:*"), door.count("report")) for door in fleet.doors]
    undone = undoing.ops.clearing.undo(job.id, actor="bob")

    assert listed == [[job]] * 3
    assert missed == [{}] * 3
    assert shown == [([], 0)] * len(fleet.doors)
    assert (undone.state, undone.result) == ("cancelled", "taken back")
    assert [one.cache.get_many(names) for one in everyone] == [dict.fromkeys(names, "whole")] * 3
    assert [(door.keys("report:*"), door.count("report")) for door in fleet.doors] == [(names, 5)] * len(fleet.doors)
    assert [one.ops.jobs.open() for one in everyone] == [[]] * 3


def test_a_clear_outlives_the_process_that_sweeps_it_and_counts_every_key_once(fleet: Fleet, observer: Runtime) -> None:
    observer.cache.set_many(dict.fromkeys((f"bulk:{number}" for number in range(_BULK)), 0))
    assert all(door.count("bulk") > 0 for door in fleet.doors)
    full = fleet.stored()
    job = observer.ops.clearing.start("bulk:*", actor="ann")
    wait_until(lambda: fleet.stored() < full - _BULK / 50)  # the sweep is under way

    dead = fleet.kill_leader()
    left = known(observer, job)
    missed = observer.cache.get("bulk:1")
    ended = observer.ops.jobs.wait(job.id, _PATIENCE)

    assert missed is None
    assert not left.is_ended
    assert ended is not None
    assert (ended.state, ended.result) == ("done", f"{_BULK:,} keys cleared")
    assert cleared_keys(ended) == _BULK
    assert fleet.leader() != dead
    for door in fleet.doors:
        assert (door.keys("bulk:*"), door.count("bulk")) == ([], 0)


def test_a_warm_up_outlives_the_process_that_does_it(fleet: Fleet, observer: Runtime) -> None:
    tickers = SampleProvider().tickers
    observer.cache.clear("*")
    job = observer.ops.warmup.start(tickers, actor="ann", rate=10)
    wait_until(lambda: 0 < job.job.done < len(tickers))

    dead = fleet.kill_leader()
    left = known(observer, job.job)
    ended = job.wait(_PATIENCE)

    assert not left.is_ended
    assert ended
    assert job.job.result == f"{len(tickers)} of {len(tickers)} cached"
    assert fleet.leader() != dead
    for door in fleet.doors:
        assert door.keys("momentum:*") == [f"momentum:{ticker}" for ticker in tickers]
        assert door.count("momentum") == len(tickers)


def known(runtime: Runtime, job: Job) -> Job:
    found = runtime.ops.jobs.get(job.id)
    assert found is not None
    return found


def loaded(runtime: Runtime) -> int:
    """How many scores were computed so far, by all processes; waits until each has told what it did."""
    asked_at = time.time()
    wait_until(lambda: all(one.last_seen > asked_at for one in totals(runtime).by_process(60) if one.is_alive))
    counts = totals(runtime).stats().by_namespace.get("momentum")
    return 0 if counts is None else counts.loads


def totals(runtime: Runtime) -> Totals:
    assert runtime.totals is not None
    return runtime.totals
