"""Clears: said before what goes, in force at once, swept by a job, undone if wanted; nothing else is ever touched."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import islice

import pytest
import redis

from avcache.backends.barriers import Barrier
from avcache.backends.base import Cleared
from avcache.errors import CacheError, InvalidInput
from avcache.ops.clearing import UNDO_SECONDS, Clearing, PlanOutdated, cleared_keys, cleared_target
from avcache.runtime import Runtime
from tests.ops.graph import Graph, wait_until
from tests.servers import RealServer


@pytest.fixture
def graph() -> Iterator[Graph]:
    made = Graph()
    yield made
    made.close()


@pytest.fixture
def on_server(process: Callable[[], Runtime]) -> Runtime:
    return process()


# -- the plan --------------------------------------------------------------------------------------


def test_a_plan_says_what_would_go_and_what_it_costs(graph: Graph) -> None:
    cache = graph.cache
    cache.get_or_load("price:AAPL", lambda: 1)
    cache.set_many({f"price:B{number:02}": 1 for number in range(30)} | {"user:1": 1})

    plan = graph.ops.clearing.plan("price:*")

    assert (plan.pattern, plan.keys, plan.is_exact, plan.low, plan.high) == ("price:*", 31, True, 31, 31)
    assert plan.size == sum(peek.size for peek in cache.peek_many(cache.keys("price:*")) if peek)
    assert plan.refill_seconds is not None
    assert 0 <= plan.refill_seconds < 1
    assert plan.samples == ("price:AAPL", *(f"price:B{number:02}" for number in range(19)))
    assert len(cache.keys()) == 32
    assert cache.stats().total.hits == 0


def test_a_plan_of_values_that_were_set_knows_no_cost(graph: Graph) -> None:
    graph.cache.set("user:1", 1)

    assert graph.ops.clearing.plan("user:*").refill_seconds is None


def test_a_plan_of_nothing_is_exact(graph: Graph) -> None:
    plan = graph.ops.clearing.plan("user:*")

    assert (plan.keys, plan.is_exact, plan.size, plan.refill_seconds, plan.samples) == (0, True, 0, None, ())


def test_a_plan_past_its_time_is_reckoned_from_what_was_seen(on_server: Runtime) -> None:
    on_server.cache.set_many({f"user:{number}": number for number in range(3000)} | {"price:AAPL": 1})
    ops = on_server.ops
    hurried = Clearing(on_server.cache, ops.keyspace, ops.jobs, ops.audit, clock=iter([0.0, 9.0]).__next__)

    plan = hurried.plan("user:*")

    assert not plan.is_exact
    assert 0 < plan.low < plan.keys < plan.high
    assert plan.low * 0.8 < 3000 < plan.high * 1.25
    assert all(key.startswith("user:") for key in plan.samples)


def test_a_plan_of_memory_past_its_time_does_not_take_its_first_names_for_the_rest(graph: Graph) -> None:
    graph.cache.set_many({f"{name}:{number}": number for name in ("a", "user", "z") for number in range(3000)})
    ops = graph.ops
    hurried = Clearing(graph.cache, ops.keyspace, ops.jobs, ops.audit, clock=iter([0.0, 9.0]).__next__)

    plan = hurried.plan("user:*")

    assert not plan.is_exact
    assert plan.low * 0.8 < 3000 < plan.high * 1.25


# -- in force, swept, undone -----------------------------------------------------------------------


def test_a_clear_drops_what_the_plan_named_and_counts_it(graph: Graph) -> None:
    graph.cache.set_many({"price:AAPL": 1, "price:MSFT": 1, "user:1": 1})

    cleared = graph.ops.clearing.clear("price:*")

    assert (int(cleared), cleared.pending) == (2, False)
    assert graph.cache.keys() == ["user:1"]
    assert graph.ops.clearing.plan("price:*").keys == 0


def test_one_key_goes_at_once_and_without_a_job(graph: Graph) -> None:
    graph.cache.set("price:AAPL", 1)

    cleared = graph.ops.clearing.clear("price:aapl", actor="ann")

    assert int(cleared) == 1
    assert graph.ops.jobs.latest("clear") == []
    assert [(entry.action, entry.object, entry.done) for entry in graph.ops.audit.latest()] == [
        ("clear", "price:AAPL", 1)
    ]


def test_one_key_can_be_brought_back_as_many_can(graph: Graph) -> None:
    graph.cache.set_many({"price:AAPL": 1, "price:KO": 2})
    undone = graph.ops.clearing.start("price:aapl", actor="ann", undo_seconds=UNDO_SECONDS)
    swept = graph.ops.clearing.start("price:ko", actor="ann")

    missing = graph.cache.get("price:AAPL")
    graph.ops.clearing.undo(undone.id, actor="ann")
    ended = graph.ops.jobs.wait(swept.id, 10)

    assert missing is None
    assert graph.cache.get("price:AAPL") == 1
    assert ended is not None
    assert (ended.state, cleared_keys(ended)) == ("done", 1)


def test_a_clear_is_in_force_long_before_it_is_swept_and_can_be_undone(graph: Graph) -> None:
    graph.cache.set_many({"price:AAPL": 1, "price:MSFT": 2, "user:1": 3})
    clearing = graph.ops.clearing

    job = clearing.start("price:*", actor="ann", plan=clearing.plan("price:*"), undo_seconds=UNDO_SECONDS)
    cleared = graph.cache.get("price:AAPL")
    graph.cache.set("price:MSFT", 20)
    undone = clearing.undo(job.id, actor="bob")

    assert job.state == "waiting"
    assert cleared is None
    assert (graph.cache.get("price:AAPL"), graph.cache.get("price:MSFT")) == (1, 20)
    assert (undone.state, undone.result) == ("cancelled", "taken back")
    assert [(entry.actor, entry.action) for entry in graph.ops.audit.latest()] == [("bob", "undo"), ("ann", "clear")]


def test_when_the_time_for_undo_is_over_it_is_swept(graph: Graph) -> None:
    graph.cache.set_many({"price:AAPL": 1, "price:MSFT": 2})
    job = graph.ops.clearing.start("price:*", actor="ann", undo_seconds=UNDO_SECONDS)

    graph.clock.advance(UNDO_SECONDS - 1)
    graph.ops.worker.start()
    early = graph.ops.jobs.get(job.id)
    graph.clock.advance(1)
    ended = graph.ops.jobs.wait(job.id, 10)

    assert early is not None
    assert early.state == "waiting"
    assert ended is not None
    assert (ended.state, cleared_keys(ended)) == ("done", 2)
    assert graph.cache.backend.info().keys == 0
    with pytest.raises(InvalidInput, match="has not ended"):
        graph.ops.clearing.undo(job.id, actor="ann")


def test_whoever_does_not_want_to_wait_has_it_swept_now(graph: Graph) -> None:
    graph.cache.set("price:AAPL", 1)
    job = graph.ops.clearing.start("price:*", actor="ann", undo_seconds=UNDO_SECONDS)

    graph.ops.jobs.tell(job.id, "resume")
    ended = graph.ops.jobs.wait(job.id, 10)

    assert ended is not None
    assert ended.state == "done"


def test_two_clears_of_the_same_are_undone_the_last_one_first(graph: Graph) -> None:
    graph.cache.set("price:AAPL", 1)
    first, second = (graph.ops.clearing.start("price:*", actor="ann", undo_seconds=UNDO_SECONDS) for _ in range(2))

    with pytest.raises(CacheError, match=r"price:\* was cleared again since; undo that first"):
        graph.ops.clearing.undo(first.id, actor="ann")
    between = graph.cache.get("price:AAPL")
    results = [graph.ops.clearing.undo(job.id, actor="ann").result for job in (second, first)]

    assert between is None
    assert results == ["taken back", "taken back"]
    assert graph.cache.get("price:AAPL") == 1


def test_a_plan_that_is_outgrown_clears_nothing(graph: Graph) -> None:
    graph.cache.set_many({f"price:A{number}": 1 for number in range(10)})
    clearing = graph.ops.clearing
    plan = clearing.plan("price:*")
    graph.cache.set_many({f"price:B{number}": 1 for number in range(10)})

    within = clearing.start("user:*", actor="ann", plan=clearing.plan("user:*"))
    graph.cache.set("price:C", 1)
    with pytest.raises(PlanOutdated, match="matches 21 keys by now; the plan said 10"):
        clearing.start("price:*", actor="ann", plan=plan)

    assert len(graph.cache.keys("price:*")) == 21
    assert [job.id for job in graph.ops.jobs.latest("clear")] == [within.id]


@pytest.mark.parametrize("pattern", ["", "*" * 300, "a*" * 9, ":x"])
def test_a_clear_of_no_pattern_is_refused(graph: Graph, pattern: str) -> None:
    graph.cache.set("user:1", 1)

    with pytest.raises(InvalidInput):
        graph.ops.clearing.start(pattern, actor="ann")

    assert graph.cache.exists("user:1")
    assert graph.ops.jobs.latest("clear") == []


def test_a_reason_without_end_is_refused_before_anything_goes(graph: Graph) -> None:
    graph.cache.set("user:1", 1)

    with pytest.raises(InvalidInput, match="reason="):
        graph.ops.clearing.start("*", actor="ann", reason="x" * 501)

    assert graph.cache.exists("user:1")


# -- by tag ----------------------------------------------------------------------------------------


def test_a_plan_by_tag_names_all_that_rests_on_it(graph: Graph) -> None:
    graph.cache.set("momentum:AAPL", 1, tags=("AAPL", "SPY"))
    graph.cache.set("portfolio:x", 1, tags=("AAPL", "MSFT"))
    graph.cache.set("momentum:MSFT", 1, tags=("MSFT",))
    graph.cache.set("price:AAPL", 1)  # by a hand, which gave no tag

    plan = graph.ops.clearing.plan_tag("AAPL")

    assert (plan.tag, plan.pattern, plan.target) == ("AAPL", "", "AAPL")
    assert (plan.keys, plan.is_exact, plan.low, plan.high) == (2, True, 2, 2)
    assert plan.samples == ("momentum:AAPL", "portfolio:x")
    assert len(graph.cache.keys()) == 4


def test_a_clear_by_tag_can_be_undone_until_it_is_swept(graph: Graph) -> None:
    graph.cache.set("momentum:AAPL", 1, tags=("AAPL",))
    graph.cache.set("momentum:MSFT", 2, tags=("MSFT",))
    clearing = graph.ops.clearing

    job = clearing.start_tag("AAPL", actor="ann", plan=clearing.plan_tag("AAPL"), undo_seconds=UNDO_SECONDS)
    cleared = graph.cache.get("momentum:AAPL"), graph.cache.get("momentum:MSFT")
    undone = clearing.undo(job.id, actor="bob")

    assert (job.state, job.what, cleared_target(job)) == ("waiting", {"tag": "AAPL"}, "tag AAPL")
    assert cleared == (None, 2)
    assert graph.cache.get("momentum:AAPL") == 1
    assert undone.result == "taken back"
    assert [entry.object for entry in graph.ops.audit.latest()] == ["tag AAPL", "tag AAPL"]


def test_a_clear_by_tag_sweeps_what_carries_it_and_nothing_else(graph: Graph) -> None:
    graph.cache.set("momentum:AAPL", 1, tags=("AAPL",))
    graph.cache.set("portfolio:x", 1, tags=("AAPL", "MSFT"))
    graph.cache.set("momentum:MSFT", 2, tags=("MSFT",))

    ended = graph.ops.jobs.wait(graph.ops.clearing.start_tag("AAPL", actor="ann").id, 10)

    assert ended is not None
    assert (ended.state, cleared_keys(ended)) == ("done", 2)
    assert graph.cache.backend.info().keys == 1


def test_a_plan_by_tag_that_is_outgrown_clears_nothing(graph: Graph) -> None:
    graph.cache.set("momentum:AAPL", 1, tags=("AAPL",))
    plan = graph.ops.clearing.plan_tag("AAPL")
    graph.cache.set_many({f"portfolio:{number}": 1 for number in range(3)}, tags=("AAPL",))

    with pytest.raises(PlanOutdated, match="AAPL matches 4 keys by now; the plan said 1"):
        graph.ops.clearing.start_tag("AAPL", actor="ann", plan=plan)

    assert graph.cache.get("momentum:AAPL") == 1


@pytest.mark.parametrize("tag", ["", "x" * 2000, "a\nb"])
def test_a_clear_of_no_tag_is_refused(graph: Graph, tag: str) -> None:
    with pytest.raises(InvalidInput):
        graph.ops.clearing.start_tag(tag, actor="ann")

    assert graph.ops.jobs.latest("clear") == []


def test_a_plan_by_tag_past_its_time_is_reckoned_from_what_was_seen(on_server: Runtime) -> None:
    on_server.cache.set_many({f"user:{number}": number for number in range(6000)}, tags=("AAPL",))
    on_server.cache.set_many({f"other:{number}": number for number in range(2000)})
    ops = on_server.ops
    hurried = Clearing(on_server.cache, ops.keyspace, ops.jobs, ops.audit, clock=iter([0.0, 0.0, 9.0]).__next__)

    plan = hurried.plan_tag("AAPL")

    assert not plan.is_exact
    assert 0 < plan.low < plan.keys < plan.high
    assert plan.low * 0.8 < 6000 < plan.high * 1.25
    assert all(key.startswith("user:") for key in plan.samples)


def test_a_clear_by_tag_holds_for_all_processes_and_drops_by_tag_on_a_server(process: Callable[[], Runtime]) -> None:
    first, second = process(), process()
    first.cache.set_many({f"user:{number}": number for number in range(500)}, tags=("AAPL",))
    first.cache.set("user:other", 1)

    job = first.ops.clearing.start_tag("AAPL", actor="ann")
    missing = second.cache.get("user:1")
    ended = first.ops.jobs.wait(job.id, 20)

    assert missing is None
    assert ended is not None
    assert (ended.state, cleared_keys(ended)) == ("done", 500)
    assert second.cache.keys() == ["user:other"]


# -- on a real server ------------------------------------------------------------------------------


def test_neither_plan_nor_clear_means_what_is_no_entry_of_ours(on_server: Runtime, redis_url: str, prefix: str) -> None:
    on_server.cache.set("user:1", 1)
    with redis.Redis.from_url(redis_url) as client:
        client.set(f"{prefix}a b:c", b"of another program", ex=60)
        client.set(f"{prefix}price:AAPL", b"of another program", ex=60)

        plan = on_server.ops.clearing.plan("*")
        cleared = on_server.ops.clearing.clear("*")

        assert plan.samples == ("user:1",)
        assert plan.keys == cleared == 1
        assert client.exists(f"{prefix}a b:c", f"{prefix}price:AAPL") == 2


def test_a_cancelled_sweep_gives_back_what_is_left(on_server: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, ops = on_server.cache, on_server.ops
    cache.set_many({f"user:{number}": number for number in range(3000)})
    some, go_on = threading.Event(), threading.Event()
    sweep = cache.swept

    def slowly(cleared: Cleared, *, tally: str) -> Iterator[int]:
        for number in sweep(cleared, tally=tally):
            yield number
            if number and not some.is_set():
                some.set()
                go_on.wait(10)

    monkeypatch.setattr(cache, "swept", slowly)
    job = ops.clearing.start("user:*", actor="ann")
    assert some.wait(10)

    told = ops.jobs.tell(job.id, "cancel")
    go_on.set()
    ended = ops.jobs.wait(job.id, 10)

    assert ended is not None
    assert (told.id, ended.state) == (job.id, "cancelled")
    swept = cleared_keys(ended)
    assert 0 < swept < 3000
    assert ended.result == f"taken back; {swept:,} keys were dropped before"
    assert len(cache.keys("user:*")) == 3000 - swept


def test_a_worker_that_dies_leaves_its_clear_to_another(process: Callable[[], Runtime]) -> None:
    first, second = process(), process()
    first.cache.set_many({f"user:{number}": number for number in range(1000)})
    job = first.ops.clearing.start("user:*", actor="ann", undo_seconds=0.5)
    wait_until(lambda: first.ops.worker.is_leader)
    first.close()  # before it was time

    second.ops.start()
    ended = second.ops.jobs.wait(job.id, 20)

    assert ended is not None
    assert (ended.state, cleared_keys(ended)) == ("done", 1000)
    assert second.ops.keyspace.snapshot(max_age=0).keys == 0


def test_what_a_worker_dropped_and_had_no_time_to_tell_is_counted(process: Callable[[], Runtime]) -> None:
    dying, heir = process(), process()
    dying.cache.set_many({f"user:{number}": number for number in range(1000)})
    job = dying.ops.clearing.start("user:*", actor="ann", undo_seconds=UNDO_SECONDS)
    dying.close()
    steps = heir.cache.swept(Cleared(0, barriers=tuple(Barrier(*row) for row in job.notes["barriers"])), tally=job.id)
    untold = sum(islice(steps, 3))  # as the dying one swept

    heir.ops.jobs.tell(job.id, "resume")
    ended = heir.ops.jobs.wait(job.id, 20)

    assert 0 < untold < 1000
    assert ended is not None
    assert (ended.state, cleared_keys(ended), ended.result) == ("done", 1000, "1,000 keys cleared")


def test_a_count_that_the_server_evicts_begins_anew(on_server: Runtime, redis_url: str, prefix: str) -> None:
    on_server.cache.set_many({f"user:{number}": number for number in range(2000)})
    steps = on_server.cache.swept(on_server.cache.clear("user:*", sweep=False), tally="t")

    some = sum(islice(steps, 3))
    with redis.Redis.from_url(redis_url) as client:
        dropped = client.delete(f"{prefix}!swept:t:0")

    assert dropped == 1
    assert some + sum(steps) == 2000


def test_both_consoles_see_one_job_and_either_may_undo_it(process: Callable[[], Runtime]) -> None:
    first, second = process(), process()
    first.ops.start()
    second.ops.start()
    first.cache.set_many({"user:1": 1, "user:2": 2})

    job = first.ops.clearing.start("user:*", actor="ann", undo_seconds=UNDO_SECONDS)
    seen = second.ops.jobs.open()
    missing = second.cache.get("user:1")
    undone = second.ops.clearing.undo(job.id, actor="bob")

    assert seen == [job]
    assert missing is None
    assert undone.state == "cancelled"
    assert (first.cache.get("user:1"), second.cache.get("user:2")) == (1, 2)
    assert first.ops.jobs.open() == []


def test_whoever_only_looks_sees_at_once_what_another_process_cleared(process: Callable[[], Runtime]) -> None:
    clearing, looking = process(), process()
    cache, ops = looking.cache, looking.ops
    looking.market.score("AAPL")
    looking.market.price("AAPL")
    assert ops.warmup.coverage("AAPL").covered == 1

    clearing.cache.clear("momentum:*", sweep=False)
    covered = ops.warmup.coverage("AAPL").rows["AAPL"]
    clearing.cache.clear("price:*", sweep=False)
    namespaces = ops.keyspace.snapshot(max_age=0).namespaces
    clearing.cache.clear("history:*", sweep=False)

    assert covered == ("fresh", "missing")
    assert namespaces.keys() & {"price", "momentum", "history"} == {"history"}
    assert not cache.exists("history:AAPL")
    assert cache.ttl("history:AAPL") is None


def test_a_clear_during_an_outage_is_accepted_and_holds_afterwards(
    real_server: RealServer, build: Callable[..., Runtime]
) -> None:
    wired = build({"REDIS_ENABLED": "true", "REDIS_URL": real_server.url})
    wired.cache.set_many({"user:1": 1, "price:AAPL": 2})
    real_server.pause()

    cleared = wired.ops.clearing.clear("user:*")
    real_server.resume()
    wait_until(lambda: not wired.cache.state().is_degraded)

    assert cleared.pending
    assert (wired.cache.get("user:1"), wired.cache.get("price:AAPL")) == (None, 2)


def test_its_clock_is_the_wall(graph: Graph) -> None:
    graph.cache.set("user:1", 1)

    job = graph.ops.clearing.start("user:*", actor="ann", undo_seconds=5)

    assert (job.created_at, job.wakes_at) == (graph.clock(), graph.clock() + 5)
    assert UNDO_SECONDS == 600
