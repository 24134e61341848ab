"""The doctor as a whole: order, silence where nothing is known, and findings a person can act on."""

from __future__ import annotations

import dataclasses
import itertools

import pytest

from avcache.backends.base import StateName
from avcache.clock import ManualClock
from avcache.config import Settings
from avcache.core.counters import Counters, Counts
from avcache.ops.doctor import SEVERITIES, DoctorFacts, NamespaceFacts, SettingFacts, examine, hour_and_yesterday
from avcache.ops.forecast import Cliff
from avcache.ops.server import Clients, Keys, Latency, Memory, ServerView
from tests.ops.doctor.cases import NOW, facts, rules, server, state

SICK = facts(
    state=state(error="OutOfMemoryError: redis put"),
    server=server(
        memory=Memory(98, max_bytes=100, is_limited=True, policy="noeviction"),
        keys=Keys(10, elsewhere=5, evicted=9),
        clients=Clients(3, most=3, rejected=7),
        latency=Latency(30, 40),
    ),
    earlier=server(taken_at=NOW - 60),
    outages=(NOW - 1, NOW - 2, NOW - 3),
    namespaces=(NamespaceFacts("price", 10, 5_000, no_ttl=1, foreign=1, biggest=(("price:A", 900),)),),
    cliffs=(Cliff("price", 3, 40, 100.0),),
    hour={"price": Counts(hits=10, misses=990, absent=990, refused=3)},
    yesterday={"price": Counts(hits=900, misses=100)},
    settings=SettingFacts(max_value_bytes=1000),
)


def test_all_well_is_no_finding() -> None:
    assert examine(facts()) == ()


def test_the_most_severe_comes_first() -> None:
    ranks = [SEVERITIES.index(finding.severity) for finding in examine(SICK)]

    assert ranks == sorted(ranks)
    assert set(ranks) == {0, 1, 2}


def test_every_finding_says_what_why_and_what_to_do() -> None:
    for finding in examine(SICK):
        assert finding.what.endswith("."), finding
        assert finding.why.endswith("."), finding
        assert finding.step.endswith("."), finding
        assert finding.evidence, finding
        assert not {"{", "}"} & set("".join((finding.what, finding.step, *finding.evidence))), finding


@pytest.mark.parametrize("name", ["memory", "redis", "valkey", "degraded", "recovering"])
def test_nothing_known_but_the_state_is_no_trouble(name: StateName) -> None:
    found = rules(DoctorFacts(state(name), NOW))

    assert found == (["redis_away"] if name in ("degraded", "recovering") else [])


@pytest.mark.parametrize("kind", ["memory", "redis", "valkey"])
def test_a_store_that_tells_nothing_brings_no_finding(kind: str) -> None:
    silent = ServerView(kind, state(), NOW)  # type: ignore[arg-type]

    assert examine(facts(server=silent, earlier=silent)) == ()


def test_whichever_fact_is_missing_nothing_breaks() -> None:
    parts = [one.name for one in dataclasses.fields(DoctorFacts) if one.name not in ("state", "now")]
    blank = DoctorFacts(state(), NOW)
    whole = rules(SICK)

    for left_out in itertools.combinations(parts, 2):
        some = dataclasses.replace(SICK, **{name: getattr(blank, name) for name in left_out})

        assert set(rules(some)) <= set(whole)


# What the facts are filled with


def test_the_hour_and_the_same_hour_of_yesterday_are_told_apart() -> None:
    clock = ManualClock(NOW)
    counters = Counters(clock)
    # 24 h 40 min, 23 h 30 min, 12 h and 40 min before they are asked for.
    for hits, minutes in ((1, 70), (2, 690), (4, 680), (8, 40)):
        counters.count("price", "hits", hits)
        clock.advance(minutes * 60)

    hour, yesterday = hour_and_yesterday(counters, clock())

    assert (hour["price"].hits, yesterday["price"].hits) == (8, 1)


def test_of_a_time_in_which_nothing_was_counted_nothing_is_told() -> None:
    counters = Counters(ManualClock(NOW))
    counters.count("price", "hits", 5)

    hour, yesterday = hour_and_yesterday(counters, NOW)

    assert hour["price"].hits == 5
    assert yesterday == {}


@pytest.mark.parametrize(
    ("env", "cli"),
    [
        ({}, "redis-cli -h localhost -p 6379"),
        ({"REDIS_HOST": "cache", "REDIS_PORT": "7000", "REDIS_DB": "3"}, "redis-cli -h cache -p 7000 -n 3"),
        ({"REDIS_URL": "rediss://user:secret@cache:7000/2"}, "redis-cli -h cache -p 7000 --tls -n 2"),
        ({"REDIS_URL": "redis://:secret@cache"}, "redis-cli -h cache -p 6379"),
        ({"REDIS_URL": "redis://:secret@cache?db=4"}, "redis-cli -h cache -p 6379 -n 4"),
        ({"REDIS_URL": "unix:///run/redis.sock?db=1"}, "redis-cli -s /run/redis.sock -n 1"),
        ({"REDIS_URL": "redis+sentinel://:secret@a:1,b:2/main/0"}, "redis-cli"),
    ],
)
def test_commands_name_our_server_and_no_password(env: dict[str, str], cli: str) -> None:
    found = SettingFacts.of(Settings.from_env({"REDIS_PASSWORD": "secret", **env}))

    assert found == SettingFacts("alphavelocity:", cli, 2**20)
