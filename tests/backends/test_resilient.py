"""Redis, else memory: what callers see while a server dies, hangs, refuses, and comes back."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from avcache.backends.barriers import Barrier, Barriers
from avcache.backends.base import Begun, Cleared
from avcache.backends.memory import MemoryBackend
from avcache.backends.pattern import EVERYTHING
from avcache.backends.redis import RedisBackend, connect
from avcache.backends.resilient import ResilientBackend
from avcache.clock import ManualClock
from avcache.core.cache import Cache
from avcache.core.keys import DEFAULT_NAMESPACE, Namespace, Namespaces
from avcache.errors import BackendError, BackendMisconfigured, BackendUnavailable, LockTimeout
from tests.servers import RealServer, free_port
from tests.threads import until

PREFIX = "avctest:"
TIMEOUT = 0.25
PROBE = 0.05


def over(url: str, *, password: str | None = None, probe_interval: float = PROBE) -> ResilientBackend:
    """A resilient backend on the server at *url*."""
    client, barriers = connect(url, timeout=TIMEOUT, max_connections=20, password=password), Barriers()
    primary = RedisBackend(client, PREFIX, barriers=barriers)
    return ResilientBackend(primary, MemoryBackend(barriers=barriers), probe_interval=probe_interval)


def cache_on(backend: ResilientBackend) -> Cache:
    return Cache(backend, Namespaces(Namespace(DEFAULT_NAMESPACE, 3600.0), [Namespace("price", 300.0, 600.0)]))


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
    cache_on(backend).set("price:A", "v", ttl=10)

    assert raw.exists(f"{PREFIX}price:A")
    assert (backend.state().name in {"redis", "valkey"}, backend.state().is_degraded) == (True, False)
    assert backend.invalidate(["k:price:A"], ["price:A"]).pending is False


def test_who_invalidates_without_end_does_not_keep_the_server_away(
    real_server: RealServer, backend: ResilientBackend, raw: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend.start()
    real_server.kill()
    backend.invalidate(["k:price:0"], ["price:0"])
    assert backend.state().is_degraded
    synchronise, writers = RedisBackend.synchronise, list[threading.Thread]()

    def while_somebody_invalidates(self: RedisBackend, raised: Iterable[str] = ()) -> None:
        synchronise(self, raised)
        scope = f"k:price:{len(writers) + 1}"
        writers.append(threading.Thread(target=backend.invalidate, args=([scope], [])))
        writers[-1].start()
        writers[-1].join(0.1)

    monkeypatch.setattr(RedisBackend, "synchronise", while_somebody_invalidates)
    real_server.start()

    until(lambda: not backend.state().is_degraded)

    for writer in writers:
        writer.join(5)
    until(lambda: not backend.state().pending)
    told = raw.zrange(f"{PREFIX}!b", 0, -1)
    assert all(f"k:price:{number}".encode() in told for number in range(len(writers) + 1))


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
def lasting_server(server_binary: Path) -> Iterator[RealServer]:
    """A server that writes to disk: killed and started again, it has what it had."""
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
    assert cache.peek("price:A") is None
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

    state = cache.state()
    assert (state.is_degraded, state.pending > 0) == (False, True)
    assert "read" in (state.error or "").lower()

    raw.replicaof("NO", "ONE")
    until(lambda: not cache.state().pending)
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
    cache_on(backend).set("price:A", "v", ttl=10)
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

    is_local = False

    def __init__(self, barriers: Barriers) -> None:
        super().__init__(barriers=barriers)
        self.fault: BaseException | None = None
        self.write_fault: BaseException | None = None
        self.raise_fault: BaseException | None = None
        self.calls: list[str] = []

    def _check(self, call: str, *faults: BaseException | None) -> None:
        self.calls.append(call)
        for fault in (self.fault, *faults):
            if fault is not None:
                raise fault

    def ping(self) -> None:
        self._check("ping")

    def get(self, key: str) -> Any:
        self._check("get")
        return super().get(key)

    def put(self, items: Mapping[str, tuple[bytes, float]]) -> None:
        self._check("put", self.write_fault)
        super().put(items)

    def begin(self, key: str, *, at_once: bool = False) -> Begun:
        self._check("begin")
        return super().begin(key, at_once=at_once)

    def invalidate(self, scopes: Sequence[str], drop: Sequence[str] = ()) -> Cleared:
        self._check("invalidate", self.raise_fault)
        return super().invalidate(scopes, drop)

    def restore(self, barriers: Sequence[Barrier]) -> bool:
        self._check("restore", self.raise_fault)
        return super().restore(barriers)

    def synchronise(self, raised: Iterable[str] = ()) -> None:
        scopes = list(raised)
        pending = {scope: self.barriers.pending[scope] for scope in scopes}
        self._check(f"synchronise {' '.join(sorted(scopes))}", self.raise_fault)
        self.barriers.raise_locally(scopes)
        self.barriers.settle(pending)

    @contextmanager
    def lock(self, name: str, *, lease: float, wait: float) -> Iterator[None]:
        self._check("lock", self.write_fault)
        with super().lock(name, lease=lease, wait=wait):
            yield


class Pair:
    """A resilient backend between two fakes, and a cache on it."""

    def __init__(self, probe_interval: float = 0.01) -> None:
        barriers = Barriers()
        self.clock = ManualClock()
        self.primary = FakePrimary(barriers)
        self.secondary = MemoryBackend(barriers=barriers, clock=self.clock)
        self.backend = ResilientBackend(self.primary, self.secondary, probe_interval=probe_interval)
        self.cache = cache_on(self.backend)

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


def test_primary_and_memory_that_do_not_share_their_barriers_are_refused() -> None:
    with pytest.raises(ValueError, match="barriers"):
        ResilientBackend(FakePrimary(Barriers()), MemoryBackend())


def test_what_is_set_in_an_outage_lives_a_minute_at_most(pair: Pair) -> None:
    pair.break_off()
    pair.cache.set("a:1", "v", ttl=3600)
    pair.cache.set("a:2", "v", ttl=5)

    stored = pair.backend.inspect(["a:1", "a:2"])

    assert [one and one.expires_in for one in stored] == [60.0, 5.0]
    pair.clock.advance(60)
    assert pair.backend.get("a:1") is None


def test_while_degraded_the_primary_is_asked_nothing_but_whether_it_is_back(pair: Pair) -> None:
    pair.break_off()
    pair.cache.get("a:1")
    pair.primary.calls.clear()

    for _ in range(50):
        pair.cache.get("a:1")
        pair.cache.set("a:1", "v", ttl=5)
        pair.cache.get_or_load("a:2", lambda: 1)
        pair.cache.delete("a:1")

    assert set(pair.primary.calls) <= {"ping"}


def test_nothing_is_read_from_the_primary_before_what_is_pending_was_raised(pair: Pair) -> None:
    pair.cache.set_many({"a:1": "old", "b:1": "old"})
    pair.break_off()
    pair.cache.delete("a:1")
    pair.cache.clear("b:*")
    pair.primary.raise_fault = BackendUnavailable("not yet")
    pair.primary.calls.clear()

    pair.primary.fault = None
    until(lambda: "synchronise k:a:1 n:b" in pair.primary.calls)
    answers, calls = [pair.cache.get("a:1"), pair.cache.get("b:1")], set(pair.primary.calls)
    state = pair.backend.state()
    pair.primary.raise_fault = None
    until(lambda: not pair.backend.state().is_degraded)

    assert answers == [None, None]
    assert calls == {"ping", "synchronise k:a:1 n:b"}
    assert state.is_degraded
    assert [pair.cache.get("a:1"), pair.cache.get("b:1")] == [None, None]


def test_while_it_recovers_the_state_says_so_and_counts_what_is_left(pair: Pair) -> None:
    pair.break_off()
    pair.cache.delete("a:1")
    pair.cache.delete("a:2")
    pair.cache.clear("b:*")
    assert (pair.backend.state().name, pair.backend.state().pending) == ("degraded", 3)
    seen: list[tuple[str, int]] = []
    real = pair.primary.synchronise

    def synchronise(raised: Iterable[str] = ()) -> None:
        seen.append((pair.backend.state().name, pair.backend.state().pending))
        real(raised)

    pair.primary.synchronise = synchronise  # type: ignore[method-assign]
    pair.heal()

    assert seen == [("recovering", 3)]
    assert (pair.backend.state().name, pair.backend.state().pending) == ("memory", 0)


def test_after_an_outage_the_primary_has_served_since_its_end(pair: Pair) -> None:
    pair.break_off()
    pair.cache.get("a:1")
    away_since = pair.backend.state().since

    pair.heal()

    assert pair.backend.state().since > away_since


def test_what_is_invalidated_while_it_recovers_is_raised_as_well(pair: Pair) -> None:
    pair.cache.set("late:1", "old")
    pair.break_off()
    pair.cache.clear("b:*")
    real = pair.primary.synchronise

    def synchronise(raised: Iterable[str] = ()) -> None:
        if "n:b" in (scopes := list(raised)):
            pair.cache.delete("late:1")
            pair.cache.set("late:2", "memory")
        real(scopes)

    pair.primary.synchronise = synchronise  # type: ignore[method-assign]
    pair.heal()

    assert pair.cache.get_many(["late:1", "late:2"]) == {}
    assert pair.backend.state().pending == 0


@pytest.mark.parametrize("error", [BackendUnavailable("again"), RuntimeError("a bug"), MemoryError()], ids=repr)
def test_a_recovery_that_fails_half_way_forgets_nothing(
    pair: Pair, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    pair.cache.set("a:1", "old")
    pair.break_off()
    pair.cache.delete("a:1")
    pair.primary.raise_fault = error
    pair.primary.calls.clear()

    pair.primary.fault = None
    until(lambda: pair.primary.calls.count("synchronise k:a:1") >= 2)
    pending = pair.backend.state().pending
    pair.primary.raise_fault = None
    until(lambda: not pair.backend.state().is_degraded)

    assert pending == 1
    assert pair.cache.get("a:1") is None


def test_pending_keys_that_are_too_many_widen_to_their_namespaces(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avcache.backends.barriers.MOST_ROWS", 20)
    monkeypatch.setattr("avcache.backends.barriers._COLLAPSED", 2)
    pair.cache.set_many({"other:1": "old", "n:0": "old"})
    pair.break_off()
    for number in range(30):
        pair.cache.set(f"n:{number}", "new")
    assert pair.backend.state().pending <= 20

    pair.heal()

    assert any("n:n" in call.split() for call in pair.primary.calls)
    assert pair.cache.get("n:0") is None


def test_the_same_invalidation_over_and_over_is_pending_once(pair: Pair) -> None:
    pair.break_off()

    for _ in range(50):
        pair.cache.clear("price:*")
        pair.cache.delete("a:1")
        pair.cache.flush_tag("t")

    assert pair.backend.state().pending == 3


def test_a_refused_set_invalidates_the_older_value_and_is_told(pair: Pair) -> None:
    pair.cache.set("a:1", "old")
    pair.primary.write_fault = BackendError("OOM")

    pair.cache.set("a:1", "new")

    state = pair.backend.state()
    assert pair.cache.stats().total.refused == 1
    assert pair.cache.get("a:1") is None
    assert (state.is_degraded, state.error, state.pending) == (False, "BackendError: OOM", 0)
    pair.primary.write_fault = None
    pair.cache.set("a:1", "newer")
    assert (pair.cache.get("a:1"), pair.backend.state().error) == ("newer", None)


def test_a_refused_invalidation_holds_here_at_once_and_there_when_it_can(pair: Pair) -> None:
    pair.cache.set_many({"a:1": "old", "b:1": "kept"})
    pair.primary.raise_fault = BackendError("READONLY")

    answer = pair.cache.delete("a:1")
    during = pair.cache.get_many(["a:1", "b:1"])
    state = pair.backend.state()
    pair.primary.raise_fault = None
    until(lambda: not pair.backend.state().pending)

    assert (answer.pending, during) == (True, {"b:1": "kept"})
    assert (state.is_degraded, state.pending, state.error) == (False, 1, "BackendError: READONLY")
    assert pair.cache.get("a:1") is None


def test_a_pending_clear_can_be_taken_back_and_one_the_primary_has_cannot_while_it_is_away(pair: Pair) -> None:
    there = pair.cache.clear("b:*", sweep=False)
    pair.break_off()
    pair.cache.set("a:1", "memory")
    here = pair.cache.clear("a:*", sweep=False)
    assert pair.cache.get("a:1") is None

    assert pair.cache.undo(here)
    assert not pair.cache.undo(there)

    assert pair.cache.get("a:1") == "memory"


def test_a_primary_that_refuses_reads_is_left(pair: Pair) -> None:
    pair.primary.fault = BackendError("NOPERM")

    assert pair.cache.get("a:1") is None
    assert pair.backend.state().error == "BackendError: NOPERM"


def test_a_refused_password_is_tried_again_after_half_a_minute_only(pair: Pair) -> None:
    pair.primary.fault = BackendMisconfigured("WRONGPASS")
    pair.cache.get("a:1")
    time.sleep(0.2)

    assert pair.primary.calls.count("ping") == 0
    assert len(probers()) == 1


def test_a_write_that_fails_while_the_primary_comes_back_goes_to_the_primary(pair: Pair) -> None:
    """Between the fault and the step to memory the prober may have been there already."""
    real = pair.primary.put

    def fail_once(items: Mapping[str, tuple[bytes, float]]) -> None:
        pair.primary.put = real  # type: ignore[method-assign]
        pair.break_off()
        pair.cache.get("other")
        pair.heal()
        raise BackendUnavailable("late")

    pair.primary.put = fail_once  # type: ignore[method-assign]
    pair.cache.set("a:1", "new")
    until(lambda: not pair.backend.state().is_degraded)

    assert pair.cache.get("a:1") in {"new", None}


def test_a_load_that_began_on_the_primary_ends_in_an_outage_without_an_exception(pair: Pair) -> None:
    def load() -> str:
        pair.break_off()
        return "loaded"

    assert pair.cache.get_or_load("a:1", load) == "loaded"


def test_a_load_that_began_in_memory_is_not_kept_once_the_primary_is_back(pair: Pair) -> None:
    pair.break_off()

    def load() -> str:
        pair.heal()
        return "loaded"

    assert pair.cache.get_or_load("a:1", load) == "loaded"
    assert pair.cache.get("a:1") is None


def test_a_scan_goes_on_from_the_beginning_when_the_store_changes(pair: Pair) -> None:
    pair.cache.set_many({f"p:{number}": "v" for number in range(5)})
    pair.break_off()
    pair.cache.set_many({f"m:{number}": "v" for number in range(5)})

    page = pair.backend.scan(EVERYTHING, "123", limit=3)
    rest = pair.backend.scan(EVERYTHING, page.cursor, limit=3)

    assert (len(page.keys), len(rest.keys)) == (3, 2)
    assert sorted((*page.keys, *rest.keys)) == [f"m:{number}" for number in range(5)]


def test_a_fault_where_no_thread_can_be_had_is_survived_and_the_prober_started_later(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    pair.break_off()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        assert pair.cache.get("a:1") is None
        pair.cache.set("a:1", "v", ttl=5)
        assert pair.backend.state().is_degraded
    assert probers() == []

    pair.cache.get("a:1")

    assert len(probers()) == 1
    pair.heal()


def test_there_is_one_prober_however_many_threads_find_the_fault(pair: Pair) -> None:
    pair.break_off()
    threads = [threading.Thread(target=lambda: pair.cache.get("a:1")) for _ in range(16)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)

    assert len(probers()) == 1


def test_a_change_of_state_is_logged_once_each_way(pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        pair.break_off()
        for _ in range(20):
            pair.cache.get("a:1")
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
                pair.cache.set("k:1", number)
            else:
                pair.cache.delete("k:1")
            acknowledged[0] = number

    def read() -> None:
        while not stop.is_set():
            least = acknowledged[0]
            found = pair.cache.get("k:1")
            if found is not None and found < least:
                lies.append((found, least))

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
