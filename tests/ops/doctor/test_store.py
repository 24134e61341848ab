"""Rules about what serves: each fires where it should, and only there."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
import redis

from avcache.ops.doctor import Action, DoctorFacts, SettingFacts, examine
from avcache.ops.server import Keys, MemoryLimits, look
from tests.ops.doctor.cases import NOW, facts, find, rules, server, state
from tests.ops.stores import PREFIX, Store, memory_cache, store_on
from tests.servers import RealServer

SETTINGS = SettingFacts(PREFIX, "redis-cli -p 7000")


def facts_of(store: Store) -> DoctorFacts:
    state = store.cache.state()
    return DoctorFacts(state, state.since + 5, server=store.look(), settings=SETTINGS)


# Several processes


def test_memory_in_several_processes_is_a_problem() -> None:
    found = find(facts(state=state("memory"), other_workers=[12, 13]), "not_shared")

    assert found.severity == "problem"
    assert found.what.startswith("3 processes run")
    assert found.evidence == ("other processes: 12, 13",)
    assert "REDIS_ENABLED=true" in found.step


@pytest.mark.parametrize("others", [None, []])
def test_memory_in_one_process_or_nobody_knows_how_many_is_none(others: list[int] | None) -> None:
    assert examine(facts(state=state("memory"), other_workers=others)) == ()


def test_several_processes_on_a_server_share_it() -> None:
    assert examine(facts(other_workers=[12])) == ()


# Away


def test_a_server_that_died_is_a_problem_with_its_reason(real_server: RealServer) -> None:
    with store_on(real_server.url, probe=60) as store:
        before = rules(facts_of(store))
        real_server.kill()
        store.cache.get("price:A")
        store.cache.set("price:A", 1)

        found = find(facts_of(store), "redis_away")

    assert "redis_away" not in before
    assert found.severity == "problem"
    assert "connection" in found.what
    assert found.evidence[0].endswith("for 0:05")
    assert found.evidence[1] == "invalidations waiting: 1"
    assert "redis-cli -p 7000 PING" in found.step


def test_a_refused_password_is_its_own_finding(real_server: RealServer) -> None:
    with redis.Redis.from_url(real_server.url) as raw:
        raw.config_set("requirepass", "right")

    with store_on(real_server.url, password="wrong", probe=60) as wrong, store_on(real_server.url, probe=60) as none:
        found = [examine(facts_of(store)) for store in (wrong, none)]
    with store_on(real_server.url, password="right") as store:
        after = rules(facts_of(store))

    for (finding,) in found:
        assert (finding.rule, finding.severity) == ("wrong_password", "problem")
        assert "REDIS_PASSWORD" in finding.step
    assert "wrong_password" not in after


@pytest.mark.parametrize(
    ("error", "step"),
    [
        ("ConnectionError: Error 111 connecting. Connection refused.", "REDIS_HOST and REDIS_PORT"),
        ("ConnectionError: Error -2 connecting. Name or service not known.", "Mend REDIS_HOST"),
        ("TimeoutError: Timeout reading from socket", "REDIS_TIMEOUT"),
        ("ConnectionError: max number of clients reached", "maxclients"),
        ("BusyLoadingError: loading", "loading_eta_seconds"),
        ("MasterDownError: Link with MASTER is down", "primary"),
        ("InvalidResponse: Protocol Error", "another service"),
        ("NoPermissionError: no permissions", "ACL SETUSER"),
        ("ConnectionError: Connection closed by server.", "has died"),
        ("SomethingElse: no idea", "backend.degraded"),
        (None, "backend.degraded"),
    ],
)
def test_each_reason_of_an_outage_has_its_step(error: str | None, step: str) -> None:
    (found,) = examine(facts(state=state("degraded", error), server=None, settings=SETTINGS))

    assert found.rule == "redis_away"
    assert step in found.step


def test_the_rights_that_the_step_grants_suffice(real_server: RealServer) -> None:
    with redis.Redis.from_url(real_server.url) as raw:
        raw.acl_setuser("worker", enabled=True, passwords="+secret", keys="*", commands=["+ping", "+info"])
        url = f"redis://worker:secret@127.0.0.1:{real_server.port}/0"
        with store_on(url, probe=60) as store:
            found = find(facts_of(store), "redis_away")
        granted = re.search(r"ACL SETUSER <user> on (.*), sent", found.step)
        assert granted is not None
        command = ["ACL", "SETUSER", "worker", "resetkeys", "resetchannels", *granted[1].split()]

        raw.execute_command(*command)

        with store_on(url) as store:
            store.cache.set("price:A", 1, tags=["t"])
            loaded = store.cache.get_or_load("price:B", lambda: 2)
            cleared = store.cache.clear("price:*")
            view = store.look()
        denied = raw.execute_command("ACL", "LOG")
    assert (loaded, int(cleared), view.notes, view.error) == (2, 2, (), None)
    assert not view.state.is_degraded
    assert not [line for line in denied if b"worker" in line and b"scan" in line]


# Refusing


def test_a_server_that_is_full_and_refuses_is_a_problem(real_server: RealServer) -> None:
    with redis.Redis.from_url(real_server.url) as raw, store_on(real_server.url) as store:
        before = rules(facts_of(store))
        raw.config_set("maxmemory", "1mb")
        with suppress(Exception):
            store.cache.set("price:A", 1)

        found = find(facts_of(store), "writes_refused")

        raw.config_set("maxmemory-policy", "allkeys-lru")
        raw.config_set("maxmemory", "10mb")
        store.cache.set("price:A", 1)
        after = rules(facts_of(store))

    assert found.severity == "problem"
    assert "out of memory" in found.what
    assert "CONFIG SET maxmemory-policy allkeys-lru" in found.step
    assert "writes_refused" not in [*before, *after]


@pytest.mark.parametrize(
    ("error", "step"),
    [
        ("ReadOnlyError: You can't write against a read only replica.", "master_host"),
        ("ResponseError: NOREPLICAS Not enough good replicas", "min-replicas-to-write 0"),
        ("ResponseError: MISCONF configured to save RDB snapshots", "stop-writes-on-bgsave-error no"),
        ("NoPermissionError: no permissions", "+@all -@admin"),
        ("ResponseError: no idea", "backend.refuses_writes"),
    ],
)
def test_each_reason_of_a_refusal_has_its_step(error: str, step: str) -> None:
    assert step in find(facts(state=state(error=error)), "writes_refused").step


# Flapping


@pytest.mark.parametrize(
    ("ago", "fires"),
    [
        ((1, 2, 3), True),
        ((1, 2, 3600), True),
        ((1, 2, 3601), False),
        ((1, 2), False),
        ((-5, 1, 2), False),  # of a clock that was ahead
        ((), False),
    ],
)
def test_three_outages_within_an_hour_are_flapping(ago: tuple[float, ...], fires: bool) -> None:
    found = rules(facts(outages=[NOW - seconds for seconds in ago]))

    assert found == (["flapping"] if fires else [])


def test_of_many_outages_the_last_five_are_named() -> None:
    found = find(facts(outages=[NOW - 10 * at for at in range(8)]), "flapping")

    assert len(found.evidence) == 6
    assert found.evidence[-1] == "and 3 more"


# Evictions in memory


@pytest.mark.parametrize(
    ("max_entries", "max_bytes", "setting"),
    [(3, 2**20, "CACHE_MEMORY_MAX_ENTRIES"), (100, 2_500, "CACHE_MEMORY_MAX_BYTES")],
)
def test_a_cache_in_memory_that_evicts_names_the_limit_that_it_met(
    max_entries: int, max_bytes: int, setting: str
) -> None:
    cache = memory_cache(max_entries=max_entries, max_bytes=max_bytes)
    limits = MemoryLimits(max_entries, max_bytes)
    for name in "ab":
        cache.set(f"price:{name}", 1)
    before = look(cache, limits=limits)
    for name in "cdefg":
        cache.set(f"price:{name}", 1)
    after = look(cache, limits=limits)

    found = find(facts(state=cache.state(), server=after), "memory_evictions")

    assert setting in found.step
    assert rules(facts(state=cache.state(), server=before)) == []
    assert rules(facts(state=cache.state(), server=after, earlier=before)) == ["memory_evictions"]


def test_a_cache_in_memory_that_evicts_no_more_is_well() -> None:
    view, earlier = (server("memory", keys=Keys(2, most=2, evicted=7), taken_at=NOW - ago) for ago in (0, 60))

    assert examine(facts(state=state("memory"), server=view, earlier=earlier)) == ()
    assert rules(facts(state=state("memory"), server=view)) == ["memory_evictions"]


def test_who_flaps_is_led_to_the_server() -> None:
    assert find(facts(outages=[NOW] * 3), "flapping").action == Action("open", "server")
