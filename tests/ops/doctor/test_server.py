"""Rules about a server's set-up and pace, on real ones where it can be."""

from __future__ import annotations

import re
import socket
from contextlib import ExitStack

import pytest
import redis

from avcache.backends.facts import SlowCommand
from avcache.ops.doctor import DoctorFacts, Finding, SettingFacts, examine
from avcache.ops.server import Clients, Keys, Latency, Memory, ServerView
from tests.ops.doctor.cases import NOW, facts, find, rules, server
from tests.ops.stores import Store, store_on
from tests.proxy import FaultProxy
from tests.proxy import Latency as Late
from tests.servers import RealServer, find_server_binary

MB = 2**20

needs_server = pytest.mark.skipif(find_server_binary() is None, reason="no Redis on this machine")


def facts_of(store: Store, earlier: ServerView | None = None) -> DoctorFacts:
    view = store.look()
    return DoctorFacts(store.cache.state(), view.taken_at, server=view, earlier=earlier, settings=SettingFacts())


def fill(raw: redis.Redis, share: float, most: int) -> None:
    """Write until *share* of *most* bytes is used."""
    number = 0
    while raw.info("memory")["used_memory"] < share * most:
        raw.set(f"filling:{number}", b"x" * 50_000)
        number += 1


def follow(raw: redis.Redis, finding: Finding) -> None:
    """Do as the step says."""
    for name, value in re.findall(r"CONFIG SET (\S+) ([\w-]+)", finding.step):
        raw.config_set(name, value)


# Limits


def test_a_server_without_a_limit_is_warned_about_until_it_has_one(real_server: RealServer) -> None:
    with redis.Redis.from_url(real_server.url) as raw, store_on(real_server.url) as store:
        (found,) = examine(facts_of(store))
        follow(raw, found)
        after = examine(facts_of(store))

    assert (found.rule, found.severity) == ("no_maxmemory", "warning")
    assert found.evidence[0] == "maxmemory: 0"
    assert after == ()


@needs_server
def test_a_server_that_evicts_nothing_is_warned_about_and_a_problem_when_full() -> None:
    options = ("--maxmemory", "10mb", "--maxmemory-policy", "noeviction")
    with RealServer(*options) as own, redis.Redis.from_url(own.url) as raw, store_on(own.url) as store:
        empty = examine(facts_of(store))
        fill(raw, 0.91, 10 * MB)
        full = examine(facts_of(store))
        follow(raw, full[1])
        after = examine(facts_of(store))

    assert [(one.rule, one.severity) for one in empty] == [("policy", "warning")]
    assert [(one.rule, one.severity) for one in full] == [("nearly_full", "problem"), ("policy", "warning")]
    assert full[0].evidence[1] == "maxmemory-policy: noeviction"
    assert [(one.rule, one.severity) for one in after] == [("nearly_full", "advice")]


@pytest.mark.parametrize(
    ("policy", "severity"),
    [
        ("allkeys-lru", None),
        ("allkeys-lfu", None),
        (None, None),
        ("noeviction", "warning"),
        ("volatile-lru", "advice"),
        ("volatile-ttl", "advice"),
        ("allkeys-random", "advice"),
    ],
)
def test_a_policy_for_caches_is_wanted(policy: str | None, severity: str | None) -> None:
    memory = Memory(10, max_bytes=100, is_limited=True, policy=policy)

    found = [(one.rule, one.severity) for one in examine(facts(server=server(memory=memory)))]

    assert found == ([] if severity is None else [("policy", severity)])


@pytest.mark.parametrize("is_limited", [None, False])
def test_without_a_limit_no_policy_matters(is_limited: bool | None) -> None:
    memory = Memory(10, is_limited=is_limited, policy="noeviction")

    assert "policy" not in rules(facts(server=server(memory=memory)))


@pytest.mark.parametrize(("elsewhere", "is_told"), [(0, False), (None, False), (1, True)])
def test_who_shares_the_server_is_told_that_others_keys_may_go(elsewhere: int | None, is_told: bool) -> None:
    view = server(
        memory=Memory(10, max_bytes=100, is_limited=True, policy="noeviction"), keys=Keys(1, elsewhere=elsewhere)
    )

    found = find(facts(server=view), "policy")

    assert ("keys in other databases, which could go as well: 1" in found.evidence) is is_told
    assert "if the server is this cache's alone" in found.step


@pytest.mark.parametrize(("used", "fires"), [(900, False), (901, True)])
def test_more_than_nine_tenths_is_nearly_full(used: int, fires: bool) -> None:
    memory = Memory(used, max_bytes=1000, is_limited=True, policy="allkeys-lru")

    assert rules(facts(server=server(memory=memory))) == (["nearly_full"] if fires else [])


@pytest.mark.parametrize(
    ("used", "suggested"),
    [(None, 256), (0, 256), (128 * MB, 256), (128 * MB + 1, 512), (700 * MB, 2048)],
)
def test_the_limit_that_is_suggested_leaves_room_to_grow(used: int | None, suggested: int) -> None:
    found = find(facts(server=server(memory=Memory(used, is_limited=False))), "no_maxmemory")

    assert f"CONFIG SET maxmemory {suggested}mb" in found.step


# Evictions


@needs_server
def test_evictions_are_a_finding_while_they_go_on() -> None:
    options = ("--maxmemory", "5mb", "--maxmemory-policy", "allkeys-lru")
    with RealServer(*options) as own, redis.Redis.from_url(own.url) as raw, store_on(own.url) as store:
        first = store.look()
        for number in range(150):
            raw.set(f"filling:{number}", b"x" * 50_000)
        second = store.look()
        rising = examine(facts_of(store, earlier=first))
        over = rules(facts_of(store, earlier=second))
        without = rules(facts_of(store))

    (found,) = [one for one in rising if one.rule == "evictions"]
    assert found.severity == "warning"
    assert re.match(r"[\d,]+ keys in the last ", found.evidence[0])
    assert "evictions" not in [*over, *without]


@pytest.mark.parametrize(("before", "run_id"), [(500, "a"), (1, "b")])
def test_a_count_that_began_anew_is_of_the_time_since(before: int, run_id: str) -> None:
    earlier = server(keys=Keys(1, evicted=before), taken_at=NOW - 60, run_id="a")

    found = find(facts(server=server(keys=Keys(1, evicted=3), run_id=run_id), earlier=earlier), "evictions")

    assert found.evidence[0] == "3 keys since it started"


def test_a_count_that_was_not_known_earlier_says_nothing_of_evictions() -> None:
    assert rules(facts(server=server(keys=Keys(1, evicted=3)), earlier=server(keys=Keys()))) == []


# Pace


@pytest.mark.parametrize(("median", "fires"), [(20.0, False), (20.1, True)])
def test_a_median_above_twenty_milliseconds_is_slow(median: float, fires: bool) -> None:
    view = server(latency=Latency(median, 500.0))

    assert rules(facts(server=view)) == (["slow_server"] if fires else [])


def test_a_server_far_away_is_slow(real_server: RealServer) -> None:
    with redis.Redis.from_url(real_server.url) as raw:
        raw.config_set("maxmemory", "100mb")
        raw.config_set("maxmemory-policy", "allkeys-lru")
    with FaultProxy(real_server.port) as proxy, store_on(proxy.url) as store:
        near = rules(facts_of(store))
        proxy.fault = Late(0.015)
        far = rules(facts_of(store))

    assert (near, far) == ([], ["slow_server"])


def test_the_slowest_command_is_evidence() -> None:
    log = [SlowCommand(NOW, took, name, (), False, "", False) for name, took in (("GET", 11_000), ("SORT", 1_200_000))]

    found = find(facts(server=server(latency=Latency(25, 30), slow_log=tuple(log))), "slow_server")

    assert found.evidence == ("PING median: 25 ms", "longest: 30 ms", "slowest command logged: SORT, 1.2 s")


# Clients


def test_connections_that_were_rejected_are_a_finding_until_there_are_no_more(real_server: RealServer) -> None:
    with store_on(real_server.url) as store, redis.Redis.from_url(real_server.url) as raw, ExitStack() as held:
        before = store.look()
        raw.config_set("maxclients", raw.info("clients")["connected_clients"])
        for _ in range(3):
            link = held.enter_context(socket.create_connection(("127.0.0.1", real_server.port)))
            assert link.recv(100).startswith(b"-ERR max number of clients")
        total, later = facts_of(store), store.look()
        found = find(total, "rejected_connections")

        assert found.evidence[0] == "3 rejected since it started"
        assert "maxclients" in found.step
        assert "rejected_connections" in rules(facts_of(store, earlier=before))
        assert "rejected_connections" not in rules(facts_of(store, earlier=later))


@pytest.mark.parametrize("rejected", [0, None])
def test_no_rejections_are_no_finding(rejected: int | None) -> None:
    assert rules(facts(server=server(clients=Clients(rejected=rejected)))) == []
