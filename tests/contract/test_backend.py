"""One contract, every backend: what `avcache.backends.base.Backend` promises."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import fakeredis
import pytest
import redis

from avcache.backends.barriers import Barriers, key_scope, pattern_scope
from avcache.backends.base import HEAD_BYTES, LONGEST_HEAD, Backend, stamp_of
from avcache.backends.memory import MemoryBackend
from avcache.backends.pattern import EVERYTHING, Pattern
from avcache.backends.redis import RedisBackend, connect
from avcache.backends.resilient import ResilientBackend
from avcache.clock import ManualClock
from avcache.core.entry import Head, encode, read_entry
from avcache.errors import LockTimeout
from tests.servers import free_port

ODD_KEYS = [
    *(f"odd:a{mark}b" for mark in "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ "),
    *("odd:[a-z]", "odd:[^a]*", "odd:\\*", "odd:{tag}", "odd:../x", "odd:%2a", "odd:é", "odd:日本", "odd:😀"),
]


@dataclass(frozen=True)
class Subject:
    """A backend, and what lets time pass for it: a clock's advance, or sleep."""

    backend: Backend
    sleep: Callable[[float], None]


def _memory() -> Subject:
    clock = ManualClock()
    return Subject(MemoryBackend(clock=clock), clock.advance)


def _degraded() -> Subject:
    """Redis is wanted, and away from the start."""
    clock = ManualClock()
    away = connect(f"redis://127.0.0.1:{free_port()}", timeout=0.25, max_connections=4)
    barriers = Barriers()
    backend = ResilientBackend(
        RedisBackend(away, "away:", barriers=barriers),
        MemoryBackend(barriers=barriers, clock=clock),
        probe_interval=60,
    )
    return Subject(backend, clock.advance)


def _of(kind: str, request: pytest.FixtureRequest) -> Subject:
    if kind == "memory":
        return _memory()
    if kind == "degraded":
        return _degraded()
    prefix: str = request.getfixturevalue("prefix")
    if kind == "fakeredis":
        return Subject(RedisBackend(fakeredis.FakeRedis(), prefix), time.sleep)
    url: str = request.getfixturevalue("redis_url")
    barriers = Barriers()
    redis_backend = RedisBackend(connect(url, timeout=2, max_connections=20), prefix, barriers=barriers)
    if kind == "redis":
        return Subject(redis_backend, time.sleep)
    return Subject(ResilientBackend(redis_backend, MemoryBackend(barriers=barriers)), time.sleep)


@pytest.fixture(params=["memory", "fakeredis", "redis", "resilient", "degraded"])
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    made = _of(request.param, request)
    yield made
    made.backend.close()


@pytest.fixture
def backend(subject: Subject) -> Backend:
    return subject.backend


def put(backend: Backend, items: Mapping[str, tuple[bytes, float]]) -> None:
    """Keep each (payload, ttl) as an entry of its key."""
    backend.put({key: (entry_of(key, payload), ttl) for key, (payload, ttl) in items.items()})


def entry_of(key: str, payload: bytes) -> bytes:
    return encode(Head(key, 0.0, 9e9), payload)


def read(backend: Backend, key: str) -> bytes | None:
    """The payload under *key*."""
    blob = backend.get(key)
    return None if blob is None else payload_of(blob.data, key)


def payload_of(data: bytes, key: str) -> bytes:
    entry = read_entry(data, key.encode())
    assert entry is not None
    return entry.payload


def read_many(backend: Backend, keys: list[str]) -> list[bytes | None]:
    found = zip(keys, backend.get_many(keys), strict=True)
    return [None if data is None else payload_of(data, key) for key, data in found]


def drop(backend: Backend, keys: Iterable[str]) -> int:
    """Make *keys* invalid and drop them."""
    names = list(keys)
    return backend.invalidate([key_scope(name) for name in names], names)


def clear(backend: Backend, pattern: Pattern, wanted: Callable[[bytes], bool] | None = None) -> int:
    """Make what matches invalid and sweep it."""
    (barrier,) = backend.invalidate([pattern_scope(pattern)]).barriers
    return sum(backend.sweep(pattern, barrier.version, wanted))


def keys_of(backend: Backend, pattern: str = "*", limit: int = 1000) -> list[str]:
    """All keys of a scan, page after page."""
    found, cursor, pages = list[str](), "", 0
    while True:
        page = backend.scan(Pattern(pattern), cursor, limit)
        found += page.keys
        cursor, pages = page.cursor, pages + 1
        assert pages < 2000, "the scan does not end"
        if not cursor:
            return found


def test_a_value_comes_back_under_its_key_and_under_no_other(backend: Backend) -> None:
    put(backend, {"price:A": (b"\x00\xff value", 10)})

    assert read(backend, "price:A") == b"\x00\xff value"
    assert read(backend, "price:B") is None
    assert read(backend, "price:a") is None


def test_a_value_is_gone_after_its_ttl(subject: Subject) -> None:
    put(subject.backend, {"price:A": (b"v", 0.05)})
    put(subject.backend, {"price:B": (b"v", 30)})

    subject.sleep(0.08)

    assert read_many(subject.backend, ["price:A", "price:B"]) == [None, b"v"]
    assert keys_of(subject.backend) == ["price:B"]
    assert subject.backend.inspect(["price:A"]) == [None]


def test_what_has_expired_is_not_counted_as_deleted_or_cleared(subject: Subject) -> None:
    put(subject.backend, {"price:A": (b"v", 0.05), "price:B": (b"v", 0.05)})

    subject.sleep(0.08)

    assert drop(subject.backend, ["price:A"]) == 0
    assert clear(subject.backend, EVERYTHING) == 0


def test_even_the_shortest_ttl_is_accepted_and_ends(subject: Subject) -> None:
    put(subject.backend, {"price:A": (b"v", 0.0004)})

    subject.sleep(0.02)

    assert read(subject.backend, "price:A") is None


def test_set_replaces_the_value_and_its_ttl(subject: Subject) -> None:
    put(subject.backend, {"price:A": (b"old, and longer", 0.05)})
    put(subject.backend, {"price:A": (b"new", 30)})

    subject.sleep(0.08)

    assert read(subject.backend, "price:A") == b"new"
    assert keys_of(subject.backend) == ["price:A"]


def test_an_empty_value_is_a_value(backend: Backend) -> None:
    put(backend, {"price:A": (b"", 10)})

    assert read(backend, "price:A") == b""
    assert drop(backend, ["price:A"]) == 1


def test_get_many_answers_in_the_order_asked(backend: Backend) -> None:
    put(backend, {f"n:{number}": (str(number).encode(), 10) for number in range(5)})

    assert read_many(backend, ["n:3", "n:x", "n:0", "n:3"]) == [b"3", None, b"0", b"3"]
    assert read_many(backend, []) == []


def test_set_many_gives_each_value_its_own_ttl(subject: Subject) -> None:
    put(subject.backend, {"n:short": (b"s", 0.05), "n:long": (b"l", 30)})
    put(subject.backend, {})

    subject.sleep(0.08)

    assert read_many(subject.backend, ["n:short", "n:long"]) == [None, b"l"]


def test_delete_counts_exactly_what_was_there(backend: Backend) -> None:
    put(backend, {f"n:{number}": (b"v", 10) for number in range(3)})

    assert drop(backend, ["n:0", "n:2", "n:missing"]) == 2
    assert drop(backend, (name for name in ["n:0", "n:1"])) == 1
    assert drop(backend, []) == 0
    assert keys_of(backend) == []


def test_clear_drops_and_counts_exactly_what_matches(backend: Backend) -> None:
    put(backend, {f"{name}:{number}": (b"v", 10) for name in ("price", "prices", "p") for number in range(7)})

    assert clear(backend, Pattern("price:*")) == 7
    assert clear(backend, Pattern("price:*")) == 0
    assert clear(backend, Pattern("p:?")) == 7
    assert sorted(keys_of(backend)) == [f"prices:{number}" for number in range(7)]


def test_clear_of_more_than_one_batch_is_complete(backend: Backend) -> None:
    put(backend, {f"n:{number}": (b"v", 30) for number in range(1700)})
    put(backend, {"m:1": (b"v", 30)})

    assert clear(backend, Pattern("n:*")) == 1700
    assert keys_of(backend) == ["m:1"]


def test_a_sweep_asks_for_the_beginning_of_each_entry_that_matches(backend: Backend) -> None:
    long = b"x" * (LONGEST_HEAD + 10)
    put(backend, {"a:1": (b"keep", 10), "a:2": (b"drop", 10), "a:3": (long, 10), "b:1": (b"drop", 10)})
    seen: list[bytes] = []

    def wanted(head: bytes) -> bool:
        seen.append(head)
        return head.endswith(b"drop")

    assert clear(backend, Pattern("a:*"), wanted) == 1
    assert sorted(map(len, seen)) == sorted([len(entry_of("a:1", b"keep"))] * 2 + [LONGEST_HEAD])
    assert sorted(keys_of(backend)) == ["a:1", "a:3", "b:1"]


def test_a_sweep_of_a_plain_name_drops_that_one_key_if_it_is_wanted(backend: Backend) -> None:
    put(backend, {"a:1": (b"v", 10), "a:11": (b"v", 10)})

    assert clear(backend, Pattern("a:1"), lambda head: not head.endswith(b"v")) == 0
    assert clear(backend, Pattern("a:1")) == 1
    assert keys_of(backend) == ["a:11"]


def test_a_sweep_spares_what_was_written_after_the_invalidation(backend: Backend) -> None:
    put(backend, {"a:1": (b"old", 10), "a:2": (b"old", 10)})
    (barrier,) = backend.invalidate(["n:a"]).barriers
    put(backend, {"a:1": (b"new", 10)})

    assert sum(backend.sweep(Pattern("a:*"), barrier.version)) == 1
    assert read_many(backend, ["a:1", "a:2"]) == [b"new", None]


def test_a_sweep_tells_first_what_went_under_its_tally_before(backend: Backend) -> None:
    put(backend, {"a:1": (b"v", 10), "a:2": (b"v", 10), "a:3": (b"v", 10)})
    (barrier,) = backend.invalidate(["n:a"]).barriers

    first = list(backend.sweep(Pattern("a:1"), barrier.version, tally="t"))
    rest = list(backend.sweep(Pattern("a:*"), barrier.version, tally="t"))
    again = list(backend.sweep(Pattern("a:*"), barrier.version, tally="t"))

    assert (sum(first), sum(rest), sum(again)) == (1, 3, 3)
    assert sum(backend.sweep(Pattern("a:*"), barrier.version, tally="another")) == 0


def is_valid(backend: Backend, key: str, tags: tuple[str, ...] = ()) -> bool:
    """Whether what is stored under *key* is covered by no invalidation."""
    blob = backend.get(key)
    version = None if blob is None else stamp_of(blob.data)
    return version is not None and backend.barriers.allows(key, tags, version)


@pytest.mark.parametrize("scope", ["k:a:1", "t:x", "n:a", "p:*:1", "p:a:?", "*"])
def test_an_invalidation_covers_what_is_there_and_not_what_comes_after_it(backend: Backend, scope: str) -> None:
    put(backend, {"a:1": (b"v", 10), "b:22": (b"v", 10)})

    made = backend.invalidate([scope])

    assert not is_valid(backend, "a:1", ("x",))
    assert is_valid(backend, "b:22") == (scope != "*")
    put(backend, {"a:1": (b"v", 10)})
    assert is_valid(backend, "a:1", ("x",))
    assert [barrier.scope for barrier in made.barriers] == [scope]


def test_what_is_restored_is_valid_again_unless_it_was_invalidated_once_more(backend: Backend) -> None:
    put(backend, {"a:1": (b"v", 10), "b:1": (b"v", 10)})
    first = backend.invalidate(["n:a", "n:b"])
    assert backend.restore(first.barriers)
    assert is_valid(backend, "a:1")

    again = backend.invalidate(["n:a"])
    backend.invalidate(["n:a"])

    assert not backend.restore(again.barriers)
    assert not is_valid(backend, "a:1")
    assert is_valid(backend, "b:1")


def test_restoring_puts_the_invalidation_before_it_in_force_again(backend: Backend) -> None:
    put(backend, {"a:1": (b"v", 10)})
    backend.invalidate(["n:a"])
    put(backend, {"a:2": (b"v", 10)})
    second = backend.invalidate(["n:a"])

    assert backend.restore(second.barriers)

    assert (is_valid(backend, "a:1"), is_valid(backend, "a:2")) == (False, True)


def test_a_load_that_holds_its_lease_is_stored_once(backend: Backend) -> None:
    begun = backend.begin("a:1")

    assert (begun.blob, begun.wait) == (None, None)
    assert begun.lease is not None
    assert begun.lease.store(entry_of("a:1", b"loaded"), 10)
    assert not begun.lease.store(entry_of("a:1", b"again"), 10)
    assert read(backend, "a:1") == b"loaded"


def test_a_load_does_not_overwrite_what_was_put_or_dropped_since_it_began(backend: Backend) -> None:
    put_over, dropped = backend.begin("a:1"), backend.begin("a:2")
    put(backend, {"a:1": (b"put", 10)})
    drop(backend, ["a:2"])

    for begun, key in ((put_over, "a:1"), (dropped, "a:2")):
        assert begun.lease is not None
        assert not begun.lease.store(entry_of(key, b"loaded"), 10)
    assert read_many(backend, ["a:1", "a:2"]) == [b"put", None]


def test_who_begins_sees_what_was_stored_meanwhile(backend: Backend) -> None:
    put(backend, {"a:1": (b"v", 10)})

    begun = backend.begin("a:1")

    assert begun.blob is not None
    assert payload_of(begun.blob.data, "a:1") == b"v"
    assert begun.lease is not None
    begun.lease.release()


def test_the_version_of_a_load_is_below_each_invalidation_after_its_beginning(backend: Backend) -> None:
    begun = backend.begin("a:1")
    assert backend.barriers.allows("a:1", (), begun.version)

    backend.invalidate(["n:a"])

    assert not backend.barriers.allows("a:1", (), begun.version)
    assert backend.barriers.allows("b:1", (), begun.version)


@pytest.mark.parametrize("kind", ["fakeredis", "redis", "resilient"])
def test_a_second_process_waits_for_the_lease_and_is_told_of_its_end(kind: str, request: pytest.FixtureRequest) -> None:
    one = _of(kind, request).backend
    begun = one.begin("a:1")
    assert begun.lease is not None
    second = one.begin("a:1")
    assert second.lease is None
    assert second.wait is not None
    assert 0 < second.wait <= 1

    with one.waiting("a:1") as wait:
        thread = threading.Timer(0.05, begun.lease.release)
        thread.start()
        began = time.monotonic()
        wait(5)
        waited = time.monotonic() - began
        thread.join()
    third = one.begin("a:1")
    one.close()

    assert waited < 1
    assert third.lease is not None


@pytest.mark.parametrize("key", ODD_KEYS)
def test_a_key_of_odd_characters_is_a_key_like_any_other(backend: Backend, key: str) -> None:
    put(backend, {key: (b"odd", 10)})
    put(backend, {"odd:other": (b"other", 10)})

    assert read(backend, key) == b"odd"
    assert keys_of(backend, "odd:a*") == ([key] if key.startswith("odd:a") else [])
    assert drop(backend, [key]) == 1
    assert keys_of(backend) == ["odd:other"]


def test_a_pattern_means_nothing_but_stars_and_question_marks(backend: Backend) -> None:
    names = ["p:[x]", "p:x", "p:^x", "p:\\x", "p:a-c", "p:b", "p:{x}", "p:(x)", "p:."]
    put(backend, dict.fromkeys(names, (b"v", 10)))

    assert keys_of(backend, "p:[x]*") == ["p:[x]"]
    assert keys_of(backend, "p:[a-c]*") == []
    assert keys_of(backend, "p:\\*") == ["p:\\x"]
    assert keys_of(backend, "*a-?") == ["p:a-c"]
    assert keys_of(backend, "p:.*") == ["p:."]


def test_a_question_mark_is_one_character_however_many_bytes_it_takes(backend: Backend) -> None:
    put(backend, dict.fromkeys(("p:é", "p:ab", "p:日", "p:😀", "p:x"), (b"v", 10)))

    assert sorted(keys_of(backend, "p:?")) == ["p:x", "p:é", "p:日", "p:😀"]
    assert clear(backend, Pattern("p:??")) == 1


def test_a_pattern_of_many_question_marks_is_exact(backend: Backend) -> None:
    put(backend, {"p:" + "ab" * 12: (b"v", 10), "p:" + "ab" * 13: (b"v", 10), "p:" + "ac" * 12: (b"v", 10)})

    assert keys_of(backend, "p:" + "?b" * 12) == ["p:" + "ab" * 12]


@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_the_pages_of_a_scan_cover_every_key_and_end(backend: Backend, limit: int) -> None:
    names = {f"n:{number}" for number in range(300)}
    put(backend, dict.fromkeys(names, (b"v", 30)) | {"other:1": (b"v", 30)})

    assert set(keys_of(backend, "n:*", limit)) == names


def test_a_scan_goes_on_while_the_keys_it_has_shown_are_dropped(backend: Backend) -> None:
    names = {f"n:{number}" for number in range(1200)}
    put(backend, dict.fromkeys(names, (b"v", 30)))
    seen, cursor = set[str](), ""

    while True:
        page = backend.scan(EVERYTHING, cursor, 100)
        seen.update(page.keys)
        drop(backend, page.keys)
        cursor = page.cursor
        if not cursor:
            break

    assert seen == names


def test_a_scan_of_nothing_is_empty_and_over(backend: Backend) -> None:
    page = backend.scan(EVERYTHING)

    assert (page.keys, page.cursor) == ((), "")


@pytest.mark.parametrize("limit", [0, -1])
def test_a_scan_of_no_keys_still_gets_on(backend: Backend, limit: int) -> None:
    put(backend, {"n:1": (b"v", 10), "n:2": (b"v", 10)})

    assert sorted(set(keys_of(backend, "*", limit))) == ["n:1", "n:2"]


def test_inspect_tells_time_size_and_beginning(backend: Backend) -> None:
    long = bytes(range(256)) * 100
    put(backend, {"n:long": (long, 30), "n:short": (b"abc", 20)})

    short, nothing, big = backend.inspect(["n:short", "n:missing", "n:long"])

    assert nothing is None
    assert short is not None
    assert big is not None
    assert short.expires_in == pytest.approx(20, abs=1)
    assert short.head.endswith(b"n:shortabc")
    assert short.size == len(short.head)
    assert big.expires_in == pytest.approx(30, abs=1)
    assert (big.size, len(big.head)) == (len(entry_of("n:long", long)), HEAD_BYTES)
    assert backend.inspect([]) == []


def test_info_counts_the_keys(backend: Backend) -> None:
    put(backend, {f"n:{number}": (b"v", 30) for number in range(5)})

    info = backend.info()

    assert (info.keys, info.exact) == (5, True)


def test_the_state_says_what_serves(subject: Subject, request: pytest.FixtureRequest) -> None:
    read(subject.backend, "n:1")
    subject.backend.info()

    state = subject.backend.state()

    expected = {"memory": {"memory"}, "degraded": {"degraded"}}
    assert state.name in expected.get(request.node.callspec.params["subject"], {"redis", "valkey"})


def test_a_lock_excludes_and_times_out_and_is_free_afterwards(backend: Backend) -> None:
    with backend.lock("job:1", lease=10, wait=1):
        outcome = in_thread(lambda: _take(backend, "job:1", 0.05))

        assert isinstance(outcome, LockTimeout)
        assert "job:1" in str(outcome)

    assert in_thread(lambda: _take(backend, "job:1", 0.5)) is None


def test_locks_of_other_names_are_free(backend: Backend) -> None:
    with backend.lock("job:1", lease=10, wait=1):
        assert in_thread(lambda: _take(backend, "job:2", 0.05)) is None


def test_a_lock_that_need_not_be_waited_for_is_not(backend: Backend) -> None:
    with backend.lock("job:1", lease=10, wait=0):
        began = time.monotonic()

        outcome = in_thread(lambda: _take(backend, "job:1", 0))

    assert isinstance(outcome, LockTimeout)
    assert time.monotonic() - began < 1


def test_a_waiter_gets_the_lock_when_it_is_released(backend: Backend) -> None:
    order: list[str] = []
    waiting = threading.Event()

    def wait() -> None:
        waiting.set()
        with backend.lock("job:1", lease=10, wait=5):
            order.append("waiter")

    thread = threading.Thread(target=wait)
    with backend.lock("job:1", lease=10, wait=1):
        thread.start()
        waiting.wait(5)
        time.sleep(0.02)
        order.append("holder")
    thread.join(5)

    assert order == ["holder", "waiter"]


def test_a_lock_is_released_by_an_exception(backend: Backend) -> None:
    with pytest.raises(KeyError), backend.lock("job:1", lease=10, wait=1):
        raise KeyError

    assert in_thread(lambda: _take(backend, "job:1", 0.5)) is None


def test_a_lock_is_no_key(backend: Backend) -> None:
    with backend.lock("job:1", lease=10, wait=1):
        assert keys_of(backend) == []
        assert clear(backend, EVERYTHING) == 0
        assert isinstance(in_thread(lambda: _take(backend, "job:1", 0.05)), LockTimeout)


def test_a_lock_whose_lease_ran_out_does_not_undo_the_work(redis_url: str, prefix: str) -> None:
    backend = RedisBackend(connect(redis_url, timeout=2, max_connections=4), prefix)

    with backend.lock("job:1", lease=0.05, wait=1):
        time.sleep(0.08)
        taken_over = in_thread(lambda: _take(backend, "job:1", 0.5))
    backend.close()

    assert taken_over is None


def _take(backend: Backend, name: str, wait: float) -> LockTimeout | None:
    try:
        with backend.lock(name, lease=10, wait=wait):
            return None
    except LockTimeout as exc:
        return exc


def in_thread(work: Callable[[], object]) -> object:
    """What *work* returns when another thread does it."""
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()
    thread.join(10)
    assert results, "the other thread did not end"
    return results[0]


FOREIGN_PREFIXES = ["other:", "avcX:", "app1:", "avc"]
PATTERNS = ["*", "?", "**", "*:*", "price:*", "[a-z]*", "\\*", "[^x]*", "*:A", "a:*", "x*", "l*"]


@pytest.fixture
def raw(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture(params=["avc:", "app[1]:", "avc?:", "a*:", "a-z:", "app\\:"])
def ours(request: pytest.FixtureRequest, prefix: str) -> str:
    """A prefix that Redis could read as a pattern, on a corner of the server that is this test's own."""
    return prefix + str(request.param)


def test_keys_of_other_applications_are_never_named_read_or_dropped(
    redis_url: str, raw: redis.Redis, prefix: str, ours: str
) -> None:
    foreign = {f"{prefix}{name}price:A" for name in FOREIGN_PREFIXES} | {f"{prefix}app1:price:A", f"{prefix}abc:l"}
    for name in foreign:
        raw.set(name, "foreign")
    backend = RedisBackend(connect(redis_url, timeout=2, max_connections=4), ours)
    put(backend, {"price:A": (b"v", 30), "x:1": (b"v", 30)})

    named = {key for pattern in PATTERNS for key in keys_of(backend, pattern)}
    cleared = sum(clear(backend, Pattern(pattern)) for pattern in PATTERNS)
    backend.close()

    assert named == {"price:A", "x:1"}
    assert cleared == 2
    assert {name for name in foreign if raw.get(name) == b"foreign"} == foreign


def test_what_is_no_string_below_our_own_prefix_is_neither_named_nor_read_nor_cleared(
    redis_url: str, raw: redis.Redis, prefix: str
) -> None:
    raw.rpush(f"{prefix}jobs:list", "a", "b")
    raw.hset(f"{prefix}jobs:hash", "a", "b")
    raw.set(f"{prefix}!version", "7")
    raw.set(prefix.encode() + b"jobs:\xff\xfe", "v")
    backend = RedisBackend(connect(redis_url, timeout=2, max_connections=4), prefix)
    put(backend, {"jobs:mine": (b"v", 30)})

    read = read_many(backend, ["jobs:list", "jobs:hash", "jobs:mine"])
    inspected = backend.inspect(["jobs:list"])[0]
    named, counted = keys_of(backend), backend.info().keys
    cleared = [clear(backend, Pattern(pattern)) for pattern in ("!version", "!*", "jobs:*", "*")]
    backend.close()

    assert read == [None, None, b"v"]
    assert inspected is not None
    assert inspected.head == b""
    assert (named, counted, cleared) == (["jobs:mine"], 1, [0, 0, 1, 0])
    assert raw.lrange(f"{prefix}jobs:list", 0, -1) == [b"a", b"b"]
    assert raw.exists(f"{prefix}jobs:hash", f"{prefix}!version", prefix.encode() + b"jobs:\xff\xfe") == 3


@pytest.mark.parametrize("cursor", ["price:A", "-1", "9" * 30, "18446744073709551616", "1e3", " "])
def test_a_cursor_of_another_store_means_from_the_beginning(backend: Backend, cursor: str) -> None:
    put(backend, {"zz:1": (b"v", 10)})

    page = backend.scan(EVERYTHING, cursor)

    assert page.keys == ("zz:1",)


def test_the_client_never_retries_and_never_waits_long(redis_url: str) -> None:
    client = connect(redis_url, timeout=0.3, max_connections=4, password="not-shown")

    options: dict[str, Any] = client.connection_pool.connection_kwargs

    assert (options["socket_timeout"], options["socket_connect_timeout"]) == (0.3, 0.3)
    assert options["retry"].get_retries() == 0
    assert "not-shown" not in repr(client)


def test_a_scan_by_a_pattern_without_a_colon_finds_keys_without_one(backend: Backend) -> None:
    backend.put({key: (entry_of(key, b"v"), 10.0) for key in ("default:foo1", "foo:x", "price:foo1")})

    assert set(backend.scan(Pattern("foo*")).keys) == {"default:foo1", "foo:x"}
