"""Redis, else memory: what callers see while a server dies, hangs, refuses, and comes back."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
import redis

from avcache.backends.base import MISS, Cleared
from avcache.backends.memory import MemoryBackend
from avcache.backends.pattern import EVERYTHING, Pattern
from avcache.backends.redis import RedisBackend, connect
from avcache.backends.resilient import ResilientBackend
from avcache.clock import ManualClock
from avcache.core.cache import Cache
from avcache.core.keys import DEFAULT_NAMESPACE, Namespace, Namespaces
from avcache.errors import BackendError, BackendUnavailable, LockTimeout
from tests.servers import RealServer, find_server_binary, free_port

PREFIX = "avctest:"
TIMEOUT = 0.25
PROBE = 0.05


def over(url: str, *, password: str | None = None, probe_interval: float = PROBE) -> ResilientBackend:
    """A resilient backend on the server at *url*."""
    client = connect(url, timeout=TIMEOUT, max_connections=20, password=password)
    return ResilientBackend(RedisBackend(client, PREFIX), MemoryBackend(), probe_interval=probe_interval)


def cache_on(backend: ResilientBackend) -> Cache:
    return Cache(backend, Namespaces(Namespace(DEFAULT_NAMESPACE, 3600.0), [Namespace("price", 300.0, 600.0)]))


def until(is_so: Callable[[], object], patience: float = 5.0) -> None:
    give_up_at = time.monotonic() + patience
    while not is_so():
        assert time.monotonic() < give_up_at, "it did not happen"
        time.sleep(0.01)


def probers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "avcache-prober"]


@pytest.fixture(autouse=True)
def _no_prober_is_left() -> Iterator[None]:
    yield
    until(lambda: not probers())


@pytest.fixture
def backend(real_server: RealServer) -> Iterator[ResilientBackend]:
    made = over(real_server.url)
    yield made
    made.close()


@pytest.fixture
def cache(backend: ResilientBackend) -> Cache:
    return cache_on(backend)


@pytest.fixture
def raw(real_server: RealServer) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(real_server.url) as client:
        yield client


def everything(cache: Cache) -> None:
    """Each call that a user of a cache may make; none may raise."""
    cache.set("price:every", 1)
    cache.get("price:every")
    cache.get_many(["price:every", "price:none"])
    cache.get_or_load("price:load", lambda: 1, tags=["t"])
    cache.exists("price:every")
    cache.ttl("price:every")
    cache.peek("price:every")
    cache.keys("*")
    cache.info()
    cache.stats()
    cache.analytics.get_cache_size_by_prefix()
    with cache.lock("job", wait=1):
        pass
    cache.delete("price:every")
    cache.flush_tag("t")
    cache.clear("price:*")
    cache.tag(["t"]).set("k", 1)


# With a server that dies, hangs, comes back


def test_with_nothing_there_at_start_memory_serves_at_once_and_says_so() -> None:
    backend = over(f"redis://127.0.0.1:{free_port()}")
    cache = cache_on(backend)
    began = time.monotonic()

    backend.start()
    everything(cache)
    cache.set("price:A", 1)

    assert time.monotonic() - began < 1
    assert cache.get("price:A") == 1
    state = cache.state()
    assert (state.name, state.is_degraded) == ("degraded", True)
    assert "Connection" in (state.error or "")
    assert state.pending > 0
    assert time.time() - state.since < 5
    backend.close()


def test_a_server_that_is_there_is_used_and_named(backend: ResilientBackend, raw: redis.Redis) -> None:
    backend.start()
    backend.set("price:A", b"v", ttl=10)

    assert raw.get(f"{PREFIX}price:A") == b"v"
    assert (backend.state().name in {"redis", "valkey"}, backend.state().is_degraded) == (True, False)
    assert backend.delete(["price:A"]).pending is False


def test_a_server_that_is_killed_is_never_noticed_by_callers(
    real_server: RealServer, cache: Cache, caplog: pytest.LogCaptureFixture
) -> None:
    stop = threading.Event()
    errors: list[BaseException] = []

    def use() -> None:
        while not stop.is_set():
            try:
                everything(cache)
            except BaseException as exc:  # noqa: BLE001 - whatever it is, it must not happen
                errors.append(exc)

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        time.sleep(0.05)
        real_server.kill()
        until(lambda: cache.state().is_degraded)
        real_server.start()
        until(lambda: not cache.state().is_degraded)
    stop.set()
    for thread in threads:
        thread.join(10)

    assert errors == []
    assert caplog.text.count("backend.degraded") == caplog.text.count("backend.recovered") >= 3


def test_a_server_that_hangs_costs_one_timeout_and_then_nothing(real_server: RealServer, cache: Cache) -> None:
    cache.set("price:A", 1)
    real_server.pause()

    began = time.monotonic()
    cache.get("price:A")
    first = time.monotonic() - began
    for _ in range(100):
        cache.get("price:A")
        cache.set("price:B", 1)
    later = time.monotonic() - began - first
    real_server.resume()

    assert TIMEOUT * 0.9 < first < TIMEOUT + 0.3
    assert later < 0.2
    until(lambda: not cache.state().is_degraded)


def test_many_threads_on_a_server_that_hangs_wait_once_together(real_server: RealServer, cache: Cache) -> None:
    cache.set("price:A", 1)
    real_server.pause()
    began = time.monotonic()
    threads = [threading.Thread(target=lambda: [cache.get("price:A") for _ in range(10)]) for _ in range(12)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    took = time.monotonic() - began
    real_server.resume()

    assert took < 3 * TIMEOUT
    until(lambda: not cache.state().is_degraded)


def test_the_prober_finds_the_way_back_and_ends(real_server: RealServer, cache: Cache) -> None:
    real_server.kill()
    cache.get("price:A")
    assert len(probers()) == 1

    real_server.start()
    until(lambda: not cache.state().is_degraded)

    until(lambda: not probers())
    assert cache.state().error is None
    cache.set("price:A", 1)
    assert cache.get("price:A") == 1


def test_close_ends_the_prober_and_the_cache_can_still_be_asked(real_server: RealServer, cache: Cache) -> None:
    real_server.kill()
    cache.get("price:A")

    cache.close()

    until(lambda: not probers())
    everything(cache)
    assert probers() == []


def test_after_close_a_server_that_dies_is_no_exception_either(real_server: RealServer, cache: Cache) -> None:
    cache.set("price:A", 1)
    cache.close()
    real_server.kill()

    everything(cache)

    assert cache.state().is_degraded
    assert probers() == []


@pytest.fixture
def lasting_server() -> Iterator[RealServer]:
    """A server that writes to disk: killed and started again, it has what it had."""
    if find_server_binary() is None:
        pytest.skip("no Redis")
    with RealServer("--appendonly", "yes", "--appendfsync", "always") as server:
        yield server


INVALIDATIONS: dict[str, Callable[[Cache], object]] = {
    "delete": lambda cache: cache.delete("price:A"),
    "clear": lambda cache: cache.clear("price:*"),
    "clear of the one key": lambda cache: cache.clear("price:A"),
    "flush_tag": lambda cache: cache.flush_tag("t"),
    "set": lambda cache: cache.set("price:A", "new", ttl=60),
    "load": lambda cache: cache.get_or_load("price:A", lambda: "new"),
}


@pytest.mark.parametrize("how", INVALIDATIONS)
@pytest.mark.parametrize("fault", ["kill", "pause"])
def test_what_was_invalidated_in_an_outage_does_not_come_back(lasting_server: RealServer, how: str, fault: str) -> None:
    backend = over(lasting_server.url)
    cache = cache_on(backend)
    cache.set("price:A", "old", tags=["t"])
    cache.set("keep:A", "kept")
    if fault == "pause":
        lasting_server.pause()
    else:
        lasting_server.kill()

    answer = INVALIDATIONS[how](cache)
    during = cache.get("price:A")
    pending = cache.state().pending
    if fault == "pause":
        lasting_server.resume()
    else:
        lasting_server.start()
    until(lambda: not cache.state().is_degraded)

    assert not isinstance(answer, Cleared) or answer.pending
    assert during == ("new" if how in {"set", "load"} else None)
    assert pending >= 1
    assert cache.get("price:A") is None
    assert cache.keys() == ["keep:A"]
    assert cache.get("keep:A") == "kept"
    assert cache.state().pending == 0
    backend.close()


def test_a_server_that_comes_back_empty_is_used_again(real_server: RealServer, cache: Cache) -> None:
    cache.set("price:A", "old")
    real_server.kill()
    cache.clear("*")
    cache.set("price:B", "memory")

    real_server.restart()
    until(lambda: not cache.state().is_degraded)

    assert cache.keys() == []
    cache.set("price:A", "new")
    assert cache.get("price:A") == "new"


def test_a_second_outage_sees_nothing_of_the_first(real_server: RealServer, cache: Cache) -> None:
    real_server.kill()
    cache.set("price:A", "first outage")
    assert cache.get("price:A") == "first outage"
    real_server.start()
    until(lambda: not cache.state().is_degraded)
    cache.set("price:A", "healthy")

    real_server.kill()

    assert cache.get("price:A") is None


def test_a_full_server_is_read_and_what_it_refuses_does_not_leave_an_older_value(
    real_server: RealServer, cache: Cache, raw: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    cache.set("price:A", "old")
    cache.set("price:B", "kept")
    raw.config_set("maxmemory-policy", "noeviction")
    raw.config_set("maxmemory", 1)

    cache.set("price:A", "new")
    loaded = cache.get_or_load("price:C", lambda: "loaded")

    assert cache.get("price:A") is None
    assert (loaded, cache.get("price:B")) == ("loaded", "kept")
    assert not cache.state().is_degraded
    assert cache.stats().total.refused == 2
    assert "maxmemory" in str([record.__dict__.get("reason") for record in caplog.records])


def test_a_full_server_that_gives_no_lock_leaves_that_of_this_process(
    real_server: RealServer, cache: Cache, raw: redis.Redis
) -> None:
    raw.config_set("maxmemory-policy", "noeviction")
    raw.config_set("maxmemory", 1)

    with cache.lock("job", wait=0.5):
        held_together = _is_taken(cache)

    assert held_together
    assert not cache.state().is_degraded


def _is_taken(cache: Cache) -> bool:
    """Whether another thread of this process is kept out."""
    outcomes: list[bool] = []

    def take() -> None:
        try:
            with cache.lock("job", wait=0.05):
                outcomes.append(False)
        except LockTimeout:
            outcomes.append(True)

    thread = threading.Thread(target=take)
    thread.start()
    thread.join(5)
    return outcomes == [True]


def test_a_lock_goes_on_excluding_when_the_server_goes_away_and_when_it_comes_back(
    real_server: RealServer, cache: Cache
) -> None:
    with cache.lock("job", wait=1):
        real_server.kill()
        cache.get("price:A")
        away = _is_taken(cache)
        real_server.start()
        until(lambda: not cache.state().is_degraded)
        back = _is_taken(cache)

    assert (away, back, _is_taken(cache)) == (True, True, False)


def test_a_replica_that_refuses_writes_answers_with_nothing_older(
    real_server: RealServer, cache: Cache, raw: redis.Redis
) -> None:
    cache.set("price:A", "old")
    cache.set("price:B", "kept")
    raw.replicaof("127.0.0.1", str(free_port()))

    assert cache.get("price:B") == "kept"
    cache.set("price:A", "new")
    assert cache.get("price:A") in {None, "new"}
    everything(cache)
    assert cache.delete("price:B").pending
    assert cache.get("price:B") is None

    raw.replicaof("NO", "ONE")
    until(lambda: not cache.state().is_degraded)
    assert (cache.get("price:A"), cache.get("price:B")) == (None, None)


def test_a_wrong_password_is_told_without_the_password(real_server: RealServer, raw: redis.Redis) -> None:
    raw.config_set("requirepass", "right")
    backend = over(real_server.url, password="hunter2-canary")
    cache = cache_on(backend)

    backend.start()
    everything(cache)
    state = cache.state()
    backend.close()

    assert state.name == "degraded"
    assert "Authentication" in (state.error or "")
    assert "hunter2-canary" not in repr(state)


def test_a_user_who_may_not_ask_for_info_is_served_all_the_same(real_server: RealServer, raw: redis.Redis) -> None:
    raw.acl_setuser("plain", enabled=True, passwords=["+pw-pw"], keys=["*"], commands=["+@all", "-info"])
    backend = over(f"redis://plain@127.0.0.1:{real_server.port}", password="pw-pw")

    backend.start()
    backend.set("price:A", b"v", ttl=10)
    info = backend.info()
    is_degraded = backend.state().is_degraded
    backend.close()

    assert (is_degraded, info.keys, info.version) == (False, 1, None)


def test_a_server_of_another_protocol_is_an_outage(caplog: pytest.LogCaptureFixture) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def answer() -> None:
            while True:
                try:
                    link, _ = listener.accept()
                except OSError:
                    return
                with link:
                    link.recv(4096)
                    link.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        backend = over(f"redis://127.0.0.1:{port}", probe_interval=30)
        everything(cache_on(backend))
        state = backend.state()
        backend.close()
        listener.shutdown(socket.SHUT_RDWR)

    assert state.name == "degraded"


# With a primary that does as it is told


class FakePrimary(MemoryBackend):
    """A server in memory, away or refusing on request."""

    def __init__(self) -> None:
        super().__init__()
        self.fault: BaseException | None = None
        self.write_fault: BaseException | None = None
        self.delete_fault: BaseException | None = None
        self.calls: list[str] = []

    def _check(self, call: str, *faults: BaseException | None) -> None:
        self.calls.append(call)
        for fault in (self.fault, *faults):
            if fault is not None:
                raise fault

    def ping(self) -> None:
        self._check("ping")

    def learn(self) -> None:
        self._check("learn")

    def get(self, key: str) -> Any:
        self._check("get")
        return super().get(key)

    def set(self, key: str, data: bytes, *, ttl: float) -> None:
        self._check("set", self.write_fault)
        super().set(key, data, ttl=ttl)

    def set_many(self, items: Mapping[str, tuple[bytes, float]]) -> None:
        self._check("set_many", self.write_fault)
        super().set_many(items)

    def delete(self, keys: Iterable[str]) -> Cleared:
        self._check("delete", self.delete_fault)
        return super().delete(keys)

    def clear(self, pattern: Pattern, wanted: Callable[[bytes], bool] | None = None) -> Cleared:
        self._check(f"clear {pattern}", self.delete_fault)
        return super().clear(pattern, wanted)

    @contextmanager
    def lock(self, name: str, *, lease: float, wait: float) -> Iterator[None]:
        self._check("lock", self.write_fault)
        with super().lock(name, lease=lease, wait=wait):
            yield


class Pair:
    """A resilient backend between two fakes."""

    def __init__(self, probe_interval: float = 0.01) -> None:
        self.clock = ManualClock()
        self.primary = FakePrimary()
        self.secondary = MemoryBackend(clock=self.clock)
        self.backend = ResilientBackend(self.primary, self.secondary, probe_interval=probe_interval)

    def break_off(self) -> None:
        self.primary.fault = BackendUnavailable("away")

    def heal(self) -> None:
        self.primary.fault = None
        until(lambda: not self.backend.state().is_degraded)


@pytest.fixture
def pair() -> Iterator[Pair]:
    made = Pair()
    yield made
    made.backend.close()


def test_what_is_set_in_an_outage_lives_a_minute_at_most(pair: Pair) -> None:
    pair.break_off()
    pair.backend.set_many({"a:1": (b"v", 3600), "a:2": (b"v", 5)})

    stored = pair.backend.inspect(["a:1", "a:2"])

    assert [one and one.expires_in for one in stored] == [60.0, 5.0]
    pair.clock.advance(60)
    assert pair.backend.get("a:1") is MISS


def test_while_degraded_the_primary_is_asked_nothing_but_whether_it_is_back(pair: Pair) -> None:
    pair.break_off()
    pair.backend.get("a:1")
    pair.primary.calls.clear()

    for _ in range(50):
        pair.backend.get("a:1")
        pair.backend.set("a:1", b"v", ttl=5)
        pair.backend.delete(["a:1"])

    assert set(pair.primary.calls) <= {"ping"}


def test_nothing_is_read_from_the_primary_before_what_is_pending_was_applied(pair: Pair) -> None:
    pair.backend.set("a:1", b"old", ttl=60)
    pair.backend.set("b:1", b"old", ttl=60)
    pair.break_off()
    pair.backend.delete(["a:1"])
    pair.backend.clear(Pattern("b:*"))
    pair.primary.delete_fault = BackendUnavailable("not yet")
    pair.primary.calls.clear()

    pair.primary.fault = None
    until(lambda: "clear b:*" in pair.primary.calls)
    answers = [pair.backend.get("a:1"), pair.backend.get("b:1")]
    state = pair.backend.state()
    pair.primary.delete_fault = None
    until(lambda: not pair.backend.state().is_degraded)

    assert answers == [MISS, MISS]
    assert state.is_degraded
    assert [pair.backend.get("a:1"), pair.backend.get("b:1")] == [MISS, MISS]


def test_while_it_recovers_the_state_says_so_and_counts_what_is_left(pair: Pair) -> None:
    pair.break_off()
    pair.backend.delete(["a:1", "a:2"])
    pair.backend.clear(Pattern("b:*"))
    assert (pair.backend.state().name, pair.backend.state().pending) == ("degraded", 3)
    seen: list[tuple[str, int]] = []
    real = pair.primary.clear

    def clear(pattern: Pattern, wanted: Callable[[bytes], bool] | None = None) -> Cleared:
        seen.append((pair.backend.state().name, pair.backend.state().pending))
        return real(pattern, wanted)

    pair.primary.clear = clear  # type: ignore[method-assign]
    pair.heal()

    assert seen == [("recovering", 3)]
    assert (pair.backend.state().name, pair.backend.state().pending) == ("memory", 0)


def test_what_is_invalidated_while_it_recovers_is_applied_as_well(pair: Pair) -> None:
    pair.backend.set("late:1", b"old", ttl=60)
    pair.break_off()
    pair.backend.clear(Pattern("b:*"))
    real = pair.primary.clear

    def clear(pattern: Pattern, wanted: Callable[[bytes], bool] | None = None) -> Cleared:
        if pattern.text == "b:*":
            pair.backend.delete(["late:1"])
            pair.backend.set("late:2", b"memory", ttl=60)
        return real(pattern, wanted)

    pair.primary.clear = clear  # type: ignore[method-assign]
    pair.heal()

    assert pair.backend.get_many(["late:1", "late:2"]) == [MISS, MISS]


@pytest.mark.parametrize("error", [BackendUnavailable("again"), RuntimeError("a bug"), MemoryError()], ids=repr)
def test_a_recovery_that_fails_half_way_forgets_nothing(
    pair: Pair, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    pair.backend.set("a:1", b"old", ttl=60)
    pair.break_off()
    pair.backend.delete(["a:1"])
    pair.primary.delete_fault = error
    pair.primary.calls.clear()

    pair.primary.fault = None
    until(lambda: pair.primary.calls.count("delete") >= 2)
    until(lambda: pair.backend.state().pending == 1)
    pair.primary.delete_fault = None
    until(lambda: not pair.backend.state().is_degraded)

    assert pair.backend.get("a:1") is MISS


def test_a_pending_list_that_overflows_becomes_one_clear_of_everything(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("avcache.backends.resilient._MAX_PENDING", 20)
    pair.backend.set("other:1", b"old", ttl=60)
    pair.backend.set("n:0", b"old", ttl=60)
    pair.break_off()
    for number in range(30):
        pair.backend.set(f"n:{number}", b"new", ttl=60)
    assert pair.backend.state().pending <= 21

    pair.heal()

    assert "clear *" in pair.primary.calls
    assert pair.backend.get_many(["n:0", "other:1"]) == [MISS, MISS]


def test_the_same_clear_over_and_over_is_pending_once(pair: Pair) -> None:
    pair.break_off()

    for _ in range(50):
        pair.backend.clear(Pattern("price:*"))
        pair.backend.delete(["a:1"])

    assert pair.backend.state().pending == 2


def test_many_different_clears_become_one_of_everything(pair: Pair) -> None:
    pair.backend.set("other:1", b"old", ttl=60)
    pair.break_off()

    for number in range(150):
        pair.backend.clear(Pattern(f"n{number}:*"))

    assert pair.backend.state().pending < 101
    pair.heal()
    assert "clear *" in pair.primary.calls


def test_a_tag_that_is_flushed_over_and_over_is_pending_once(pair: Pair) -> None:
    cache = cache_on(pair.backend)
    pair.break_off()

    for _ in range(50):
        cache.flush_tag("t")

    assert pair.backend.state().pending == 1


def test_a_refused_set_drops_the_older_value_and_is_told(pair: Pair) -> None:
    pair.backend.set("a:1", b"old", ttl=60)
    pair.primary.write_fault = BackendError("OOM")

    with pytest.raises(BackendError, match="OOM"):
        pair.backend.set("a:1", b"new", ttl=60)

    assert pair.backend.get("a:1") is MISS
    assert not pair.backend.state().is_degraded


def test_a_refused_invalidation_leaves_the_primary_until_it_is_carried_out(pair: Pair) -> None:
    pair.backend.set("a:1", b"old", ttl=60)
    pair.primary.delete_fault = BackendError("READONLY")

    answer = pair.backend.delete(["a:1"])
    during = pair.backend.get("a:1")
    state = pair.backend.state()
    pair.primary.delete_fault = None
    until(lambda: not pair.backend.state().is_degraded)

    assert (answer.pending, during, state.pending) == (True, MISS, 1)
    assert "READONLY" in (state.error or "")
    assert pair.backend.get("a:1") is MISS


def test_a_primary_that_refuses_reads_is_left(pair: Pair) -> None:
    pair.primary.fault = BackendError("NOPERM")

    assert pair.backend.get("a:1") is MISS
    assert pair.backend.state().error == "BackendError: NOPERM"


def test_a_write_that_fails_while_the_primary_comes_back_goes_to_the_primary(pair: Pair) -> None:
    """Between the fault and the step to memory the prober may have been there already."""
    real = pair.primary.set

    def fail_once(key: str, data: bytes, *, ttl: float) -> None:
        pair.primary.set = real  # type: ignore[method-assign]
        pair.break_off()
        pair.backend.get("other")
        pair.heal()
        raise BackendUnavailable("late")

    pair.primary.set = fail_once  # type: ignore[method-assign]
    pair.backend.set("a:1", b"new", ttl=60)
    until(lambda: not pair.backend.state().is_degraded)

    assert pair.backend.get("a:1") in {b"new", MISS}
    assert pair.primary.get("a:1") in {b"new", MISS}


def test_a_scan_goes_on_from_the_beginning_when_the_store_changes(pair: Pair) -> None:
    for number in range(5):
        pair.backend.set(f"p:{number}", b"v", ttl=60)
    pair.break_off()
    for number in range(5):
        pair.backend.set(f"m:{number}", b"v", ttl=60)

    page = pair.backend.scan(EVERYTHING, "123", limit=3)
    rest = pair.backend.scan(EVERYTHING, page.cursor, limit=3)

    assert (*page.keys, *rest.keys) == tuple(f"m:{number}" for number in range(5))


def test_a_fault_where_no_thread_can_be_had_is_survived_and_the_prober_started_later(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    pair.break_off()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        assert pair.backend.get("a:1") is MISS
        assert pair.backend.set("a:1", b"v", ttl=5) is None  # type: ignore[func-returns-value]
        assert pair.backend.state().is_degraded
    assert probers() == []

    pair.backend.get("a:1")

    assert len(probers()) == 1
    pair.heal()


def test_there_is_one_prober_however_many_threads_find_the_fault(pair: Pair) -> None:
    pair.break_off()
    threads = [threading.Thread(target=lambda: pair.backend.get("a:1")) for _ in range(16)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)

    assert len(probers()) == 1


def test_a_change_of_state_is_logged_once_each_way(pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        pair.break_off()
        for _ in range(20):
            pair.backend.get("a:1")
        pair.heal()

    messages = [record.getMessage() for record in caplog.records]
    assert messages == ["backend.degraded", "backend.recovered"]


def test_no_read_is_older_than_what_this_process_has_invalidated_whatever_the_faults() -> None:
    """Readers and a writer that numbers its values, while the primary goes and comes: numbers never go back."""
    pair = Pair(probe_interval=0.004)
    acknowledged, stop = [0], threading.Event()
    lies: list[tuple[int, int]] = []

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            if number % 3:
                pair.backend.set("k:1", b"%d" % number, ttl=60)
            else:
                pair.backend.delete(["k:1"])
            acknowledged[0] = number

    def read() -> None:
        while not stop.is_set():
            least = acknowledged[0]
            found = pair.backend.get("k:1")
            if found is not MISS and int(found) < least:
                lies.append((int(found), least))

    threads = [threading.Thread(target=write), *(threading.Thread(target=read) for _ in range(3))]
    for thread in threads:
        thread.start()
    for _ in range(25):
        pair.break_off()
        time.sleep(0.01)
        pair.primary.fault = None
        time.sleep(0.02)
    stop.set()
    for thread in threads:
        thread.join(10)
    pair.heal()
    pair.backend.close()

    assert lies == []
    assert acknowledged[0] > 100
