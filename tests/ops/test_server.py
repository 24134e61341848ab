"""The view of the store: what a real server tells, what it refuses to tell, and what is known while it is away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import redis

from avcache.backends.wire import Wire
from avcache.clock import ManualClock
from avcache.ops.server import Clients, Keys, Memory, MemoryLimits, look
from tests.ops.stores import PREFIX, Store, memory_cache, store_on
from tests.servers import RealServer, free_port
from tests.threads import until


@pytest.fixture
def store(real_server: RealServer) -> Iterator[Store]:
    with store_on(real_server.url) as made:
        yield made


@pytest.fixture
def raw(real_server: RealServer) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(real_server.url) as client:
        yield client


def limited(raw: redis.Redis, server: RealServer, *rights: str) -> str:
    """The address of a user who has these rights alone."""
    raw.acl_setuser("limited", enabled=True, passwords="+secret", keys="*", channels="*", commands=list(rights))
    return f"redis://limited:secret@127.0.0.1:{server.port}/0"


def commands_sent(raw: redis.Redis) -> dict[str, int]:
    return {name: told["calls"] for name, told in raw.info("commandstats").items()}


def test_a_server_tells_what_it_is_and_how_it_does(store: Store) -> None:
    view = store.look()

    assert view.kind == view.state.name
    assert view.version is not None
    assert view.version[0].isdecimal()
    assert (view.role, view.error, view.notes) == ("primary", None, ())
    assert view.uptime is not None
    assert view.operations_per_second is not None
    assert view.memory.used_bytes is not None
    assert view.memory.used_bytes > 100_000
    assert view.memory.fragmentation is not None
    assert view.clients.most == 10_000
    assert view.clients.connected is not None
    assert view.clients.connected >= 1
    assert (view.clients.blocked, view.clients.rejected) == (0, 0)
    assert view.slow_microseconds == 10_000


def test_a_server_without_a_limit_is_told_from_one_that_has_it(store: Store, raw: redis.Redis) -> None:
    unlimited = store.look().memory
    raw.config_set("maxmemory", "10mb")
    raw.config_set("maxmemory-policy", "allkeys-lfu")

    found = store.look().memory

    assert (unlimited.is_limited, unlimited.max_bytes, unlimited.share) == (False, None, None)
    assert (found.is_limited, found.max_bytes, found.policy) == (True, 10 * 2**20, "allkeys-lfu")
    assert found.share is not None
    assert 0 < found.share < 1


def test_keys_of_our_database_are_told_from_those_of_others(store: Store, raw: redis.Redis) -> None:
    raw.set("theirs", 1)
    raw.set("theirs:soon", 1, ex=100)
    with redis.Redis(port=raw.connection_pool.connection_kwargs["port"], db=3) as other:
        other.mset({"a": 1, "b": 2})

    keys = store.look().keys

    ours = int(raw.dbsize())
    assert (keys.number, keys.elsewhere, keys.other_databases) == (ours, 2, 1)
    assert keys.expiring is not None
    assert 1 <= keys.expiring < ours


def test_a_restart_is_another_run(store: Store, real_server: RealServer) -> None:
    first, again = store.look().run_id, store.look().run_id
    real_server.restart()

    assert first is not None
    assert first == again != store.look().run_id


def test_another_database_than_the_first_may_be_ours(real_server: RealServer, raw: redis.Redis) -> None:
    raw.mset({"a": 1, "b": 2})

    with store_on(real_server.url.removesuffix("0") + "5") as store:
        before = store.look().keys
        store.cache.set("price:A", 1)
        after = store.look().keys

    assert (before.number, before.elsewhere) == (0, 2)
    assert after.number is not None
    assert after.number >= 1


def test_what_went_for_room_and_by_age_is_counted(store: Store, raw: redis.Redis) -> None:
    raw.set("short", 1, px=1)
    until(lambda: raw.get("short") is None)
    raw.config_set("maxmemory-policy", "allkeys-lru")
    raw.config_set("maxmemory", "3mb")
    for number in range(60):
        raw.set(f"big:{number}", b"x" * 100_000)

    keys = store.look().keys

    assert (keys.expired or 0) >= 1
    assert (keys.evicted or 0) >= 1
    assert keys.stale_percent is not None


def test_a_snapshot_on_disk_has_its_age_and_its_outcome(store: Store, raw: redis.Redis) -> None:
    raw.config_set("appendonly", "yes")

    found = store.look().persistence

    assert found.rdb_age is not None
    assert 0 <= found.rdb_age < 3600
    assert (found.rdb_status, found.aof_on, found.aof_status) == ("ok", True, "ok")


def test_a_ping_is_measured_five_times(store: Store, raw: redis.Redis) -> None:
    before = commands_sent(raw).get("cmdstat_ping", 0)

    found = store.look().latency

    assert found is not None
    assert 0 < found.median_ms <= found.max_ms
    assert commands_sent(raw)["cmdstat_ping"] == before + 5


def test_nothing_is_asked_but_for_facts(store: Store, raw: redis.Redis) -> None:
    store.look()
    raw.config_resetstat()

    store.look()

    asked = {"cmdstat_info", "cmdstat_slowlog|get", "cmdstat_config|get", "cmdstat_ping"}
    assert asked <= set(commands_sent(raw)) <= asked | {"cmdstat_config|resetstat"}


# The slow log


def test_a_slow_command_is_shown_cut_and_stays_in_the_log(store: Store, raw: redis.Redis) -> None:
    raw.client_setname("importer")
    raw.config_set("slowlog-log-slower-than", 0)
    raw.mset({"theirs": "v" * 100, "other": "x", "further": "y"})
    raw.config_set("slowlog-log-slower-than", -1)
    held = raw.slowlog_len()

    store.look()
    view = store.look()

    assert view.slow_log is not None
    (found,) = [line for line in view.slow_log if line.command == "MSET"]
    assert found.arguments == ("theirs", "v" * 59 + "…", "other", "x")
    assert (found.is_cut, found.is_ours) == (True, False)
    assert found.client.startswith("127.0.0.1:")
    assert found.client.endswith(" importer")
    assert (found.at > 1e9, found.microseconds >= 0) == (True, True)
    assert raw.slowlog_len() == held
    assert view.slow_microseconds == -1


def test_a_slow_command_of_ours_is_known_by_its_key(store: Store, raw: redis.Redis) -> None:
    raw.config_set("slowlog-log-slower-than", 0)
    raw.exists(f"{PREFIX}price:A")
    raw.exists(f"other:{PREFIX}")
    raw.config_set("slowlog-log-slower-than", -1)

    lines = store.look().slow_log or ()

    ours = {line.arguments: line.is_ours for line in lines if line.command == "EXISTS"}
    assert ours == {(f"{PREFIX}price:A",): True, (f"other:{PREFIX}",): False}


@pytest.mark.parametrize(
    ("argument", "shown"),
    [(b"\xff\x00", r"\\xff\x00"), (b"two\nlines", r"two\nlines"), ("läßt".encode(), "läßt"), (b"a b", "a b")],
)
def test_what_is_no_text_is_shown_as_text(store: Store, raw: redis.Redis, argument: bytes, shown: str) -> None:
    raw.config_set("slowlog-log-slower-than", 0)
    raw.exists(argument)
    raw.config_set("slowlog-log-slower-than", -1)

    lines = store.look().slow_log or ()

    assert shown in [text for line in lines if line.command == "EXISTS" for text in line.arguments]


def test_of_a_long_log_the_last_32_are_shown(store: Store, raw: redis.Redis) -> None:
    raw.config_set("slowlog-log-slower-than", 0)
    for _ in range(50):
        raw.ping()

    assert len(store.look().slow_log or ()) == 32


# Who may not ask


def test_a_user_who_may_not_ask_sees_why_and_what_is_left(real_server: RealServer, raw: redis.Redis) -> None:
    url = limited(raw, real_server, "+@all", "-info", "-slowlog", "-config")

    with store_on(url) as store:
        store.cache.set("price:A", 1)
        view = store.look()

    assert (view.memory, view.clients, view.keys) == (Memory(), Clients(), Keys())
    assert (view.version, view.slow_log, view.slow_microseconds) == (None, None, None)
    assert sorted(view.notes) == [
        "CONFIG GET is refused: permission denied.",
        "INFO is refused: permission denied.",
        "SLOWLOG GET is refused: permission denied.",
    ]
    assert view.latency is not None
    assert not view.state.is_degraded


def test_the_limit_is_asked_for_where_info_may_not_be(real_server: RealServer, raw: redis.Redis) -> None:
    raw.config_set("maxmemory", "20mb")
    url = limited(raw, real_server, "+@all", "-info")

    with store_on(url) as store:
        view = store.look()

    assert (view.memory.is_limited, view.memory.max_bytes) == (True, 20 * 2**20)
    assert (view.memory.policy, view.memory.used_bytes) == ("noeviction", None)
    assert view.slow_log is not None
    assert view.notes == ("INFO is refused: permission denied.",)


def test_a_refused_ping_is_an_answer_as_quick_as_any(real_server: RealServer, raw: redis.Redis) -> None:
    url = limited(raw, real_server, "+@all", "-ping")

    with store_on(url) as store:
        assert store.look().latency is not None


# An answer that nobody expects


@pytest.mark.parametrize(
    ("answers", "notes"),
    [
        ([b"", [], {}], ()),
        ([b"no figures", [], {}], ()),
        ([7, [], {}], ()),
        ([b"used_memory:x\r\ndb0:keys\r\n", [], {}], ()),
        ([b"", [[1]], {}], ("SLOWLOG GET is refused: no usable answer.",)),
        ([b"", 7, {}], ("SLOWLOG GET is refused: no usable answer.",)),
        ([b"", [], [b"odd"]], ("CONFIG GET is refused: no usable answer.",)),
    ],
)
def test_an_answer_of_no_sense_leaves_its_part_unknown(
    store: Store, monkeypatch: pytest.MonkeyPatch, answers: list[Any], notes: tuple[str, ...]
) -> None:
    def ask_all(_: Wire, commands: list[tuple[object, ...]]) -> list[Any]:
        given = dict(zip(("INFO", "SLOWLOG", "CONFIG"), answers, strict=True))
        return [given.get(str(command[0]), b"PONG") for command in commands]

    monkeypatch.setattr(Wire, "ask_all", ask_all)

    view = store.look()

    assert view.notes == notes
    assert view.memory == Memory()


def test_a_slow_log_of_an_old_server_knows_no_client(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    line = [1, 1_700_000_000, 12_000, [b"DEBUG"]]
    monkeypatch.setattr(Wire, "ask_all", lambda _, commands: [[line] if c[0] == "SLOWLOG" else {} for c in commands])

    (found,) = store.look().slow_log or ()

    assert (found.command, found.arguments, found.client, found.is_cut) == ("DEBUG", (), "", False)


# Away


def test_while_the_server_is_away_its_state_is_known_and_nothing_is_asked(
    real_server: RealServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store_on(real_server.url, probe=60) as store:
        known = store.look()
        real_server.kill()
        store.cache.get("price:A")
        monkeypatch.setattr(Wire, "ask_all", _never)

        view = store.look()

        assert view.state.name == "degraded"
        assert view.error in ("connection refused", "the connection was closed")
        assert (view.kind, view.version) == (known.kind, known.version)
        assert (view.latency, view.slow_log, view.memory) == (None, None, Memory())


def _never(*_: object) -> list[object]:
    raise AssertionError("it was asked")


def test_a_server_that_dies_before_anybody_knows_is_told_as_away(real_server: RealServer, store: Store) -> None:
    real_server.kill()

    view = store.look()

    assert view.error in ("connection refused", "the connection was closed")
    assert view.version is not None
    assert view.memory == Memory()


def test_a_server_that_hangs_is_told_as_such(real_server: RealServer) -> None:
    with store_on(real_server.url, timeout=0.1) as store:
        real_server.pause()

        view = store.look()

        real_server.resume()
    assert view.error == "no answer in time"


def test_with_nothing_there_from_the_start_no_version_is_known() -> None:
    with store_on(f"redis://127.0.0.1:{free_port()}/0", probe=60) as store:
        view = store.look()

    assert (view.version, view.error, view.state.name) == (None, "connection refused", "degraded")


def test_a_wrong_password_is_told_as_such(real_server: RealServer, raw: redis.Redis) -> None:
    raw.config_set("requirepass", "right")

    with store_on(real_server.url, password="wrong", probe=60) as store:
        view = store.look()

    assert view.error == "the password is refused"


def test_a_server_that_refuses_writes_says_why(store: Store, raw: redis.Redis) -> None:
    raw.config_set("maxmemory", "1mb")
    with suppress(Exception):
        store.cache.set("price:A", 1)

    view = store.look()

    assert view.error == "it is out of memory, see maxmemory"
    assert not view.state.is_degraded


# Memory


def test_memory_inside_the_process_has_its_limits_and_evictions() -> None:
    cache, wall = memory_cache(max_entries=2), ManualClock()
    for name in "abc":
        cache.set(f"price:{name}", 1)

    view = look(cache, limits=MemoryLimits(entries=2, bytes=2**20), wall=wall)

    assert (view.kind, view.taken_at, view.latency) == ("memory", wall(), None)
    assert (view.keys.number, view.keys.most, view.keys.evicted) == (2, 2, 1)
    assert view.memory.max_bytes == 2**20
    assert view.memory.used_bytes is not None
    assert 0 < view.memory.used_bytes < 10_000


def test_where_nobody_can_ask_the_state_is_told(real_server: RealServer) -> None:
    with store_on(real_server.url) as store:
        view = look(store.cache)

    assert (view.memory, view.notes) == (Memory(), ())
    assert not view.state.is_degraded


def test_limits_that_nobody_gave_are_not_known() -> None:
    view = look(memory_cache())

    assert (view.memory.max_bytes, view.keys.most) == (None, None)
    assert view.memory.is_limited
