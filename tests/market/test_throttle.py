"""How often a source may be asked: in one process, and by several that share a server."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import pytest

from avcache.backends.barriers import Barriers
from avcache.backends.connect import connect
from avcache.backends.memory import MemoryBackend
from avcache.backends.redis import RedisBackend
from avcache.backends.resilient import ResilientBackend
from avcache.clock import ManualClock
from avcache.core.cache import Cache
from avcache.core.keys import DEFAULT_NAMESPACE, Namespace, Namespaces
from avcache.core.store import CacheLimits
from avcache.errors import BackendUnavailable, CacheError, InvalidInput, LockTimeout
from avcache.market.throttle import Throttle, ThrottleCache, Throttled, ThrottleState
from tests.servers import RealServer
from tests.threads import together

KEY = "provider:yahoo"
NAMESPACES = Namespaces(Namespace(DEFAULT_NAMESPACE, 3600.0))


@dataclass
class Stage:
    """Two processes, as far as a throttle can tell: *near* and *far* are caches that share what they hold."""

    near: Cache
    far: Cache
    clock: ManualClock = field(default_factory=ManualClock)
    sleeps: list[float] = field(default_factory=list)
    chance: float = 1.0

    def throttle(
        self, cache: ThrottleCache | None = None, *, rate: float = 2.0, burst: float | None = None
    ) -> Throttle:
        """A throttle on *near*, whose sleeps are noted and take no time."""
        return Throttle(
            cache or self.near,
            "yahoo",
            rate=rate,
            burst=burst,
            wall=self.clock,
            sleep=self.sleeps.append,
            randomness=lambda: self.chance,
        )

    def pauses(self, throttle: Throttle, number: int) -> list[float]:
        """How long the breaker stays open for each of *number* strikes in a row."""
        found = []
        for _ in range(number):
            throttle.refused()
            until = throttle.state().open_until
            assert until is not None
            found.append(round(until - self.clock(), 3))
            self.clock.advance(until - self.clock())
        return found


@pytest.fixture(params=["memory", "server"])
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    if request.param == "memory":
        yield in_memory()
        return
    url, prefix = request.getfixturevalue("redis_url"), request.getfixturevalue("prefix")
    made = Stage(cache_on(url, prefix), cache_on(url, prefix))
    yield made
    made.near.close()
    made.far.close()


def in_memory() -> Stage:
    clock = ManualClock()
    cache = Cache(MemoryBackend(clock=clock, wall=clock), NAMESPACES, wall=clock)
    return Stage(cache, cache, clock)


def cache_on(url: str, prefix: str) -> Cache:
    barriers = Barriers()
    client = connect(url, timeout=2, max_connections=8)
    shared = RedisBackend(client, prefix, barriers=barriers)
    return Cache(ResilientBackend(shared, MemoryBackend(barriers=barriers)), NAMESPACES)


class WatchedCache:
    """Passes all on to *cache* and counts it; raises *error* instead, as long as there is one."""

    def __init__(self, cache: Cache, error: CacheError | None = None) -> None:
        self._cache = cache
        self.error = error
        self.reads = self.writes = self.locks = 0

    @property
    def asked(self) -> int:
        return self.reads + self.writes + self.locks

    def peek_value(self, key: str) -> object:
        self.reads += 1
        return self._answering().peek_value(key)

    def set(self, key: str, value: object, ttl: float | None = None) -> None:
        self.writes += 1
        self._answering().set(key, value, ttl)

    def lock(self, name: str, *, lease: float = 10.0, wait: float = 10.0) -> AbstractContextManager[None]:
        self.locks += 1
        return self._answering().lock(name, lease=lease, wait=wait)

    def _answering(self) -> Cache:
        if self.error is not None:
            raise self.error
        return self._cache


# The bucket


def test_a_burst_goes_through_at_once_and_then_the_rate_holds(stage: Stage) -> None:
    throttle = stage.throttle(rate=2.0, burst=4)

    for _ in range(7):
        throttle.admit(10)

    assert stage.sleeps == pytest.approx([0.5, 1.0, 1.5], abs=1e-3)


def test_the_burst_is_one_minutes_worth_unless_said_otherwise(stage: Stage) -> None:
    throttle = stage.throttle(rate=0.5)

    for _ in range(31):
        throttle.admit(10)

    assert stage.sleeps == pytest.approx([2.0], abs=1e-3)


@pytest.mark.parametrize("rate", [0.7, 1.1, 6.0])
def test_no_crumb_of_a_second_is_slept_within_a_burst(rate: float) -> None:
    stage = in_memory()
    throttle = stage.throttle(rate=rate, burst=500)

    for _ in range(500):
        throttle.admit(0)

    assert stage.sleeps == []


def test_a_long_rest_refills_up_to_the_burst_only(stage: Stage) -> None:
    throttle = stage.throttle(rate=2.0, burst=3)
    for _ in range(3):
        throttle.admit(0)

    stage.clock.advance(3600)
    for _ in range(4):
        throttle.admit(10)

    assert stage.sleeps == pytest.approx([0.5], abs=1e-3)


def test_a_short_rest_refills_by_the_rate(stage: Stage) -> None:
    throttle = stage.throttle(rate=2.0, burst=10)
    for _ in range(10):
        throttle.admit(0)

    stage.clock.advance(1.0)
    for _ in range(3):
        throttle.admit(10)

    assert stage.sleeps == pytest.approx([0.5], abs=1e-3)


def test_a_token_that_comes_too_late_is_refused_at_once_and_not_taken(stage: Stage) -> None:
    throttle = stage.throttle(rate=0.1, burst=1)
    throttle.admit(0)

    for _ in range(3):
        with pytest.raises(Throttled) as refused:
            throttle.admit(9.5)

    assert refused.value.reason == "timeout"
    assert refused.value.until == pytest.approx(stage.clock() + 10, abs=1e-3)
    assert stage.sleeps == []
    throttle.admit(10)
    assert stage.sleeps == pytest.approx([10.0], abs=1e-3)


def test_two_processes_share_one_bucket(stage: Stage) -> None:
    near, far = (stage.throttle(cache, rate=2.0, burst=4) for cache in (stage.near, stage.far))

    for _ in range(3):
        near.admit(10)
        far.admit(10)

    assert stage.sleeps == pytest.approx([0.5, 1.0], abs=1e-3)


def test_concurrent_threads_get_one_place_each(stage: Stage) -> None:
    throttles = [stage.throttle(cache, rate=10.0, burst=1) for cache in (stage.near, stage.far)]

    together(20, lambda index: throttles[index % 2].admit(10))

    assert sorted(stage.sleeps) == pytest.approx([number / 10 for number in range(1, 20)], abs=1e-3)


def test_the_lock_is_free_while_a_caller_sleeps() -> None:
    stage = in_memory()
    is_asleep, may_wake = threading.Event(), threading.Event()

    def sleep(seconds: float) -> None:
        is_asleep.set()
        assert may_wake.wait(10)

    slow = Throttle(stage.near, "yahoo", rate=1.0, burst=1, wall=stage.clock, sleep=sleep)
    slow.admit(0)
    sleeper = threading.Thread(target=slow.admit, args=(5.0,))

    sleeper.start()
    assert is_asleep.wait(10)
    with stage.near.lock(KEY, wait=0):
        pass
    may_wake.set()
    sleeper.join(10)

    assert not sleeper.is_alive()


# The breaker


def test_nothing_is_asked_while_the_breaker_is_open_and_nobody_sleeps(stage: Stage) -> None:
    throttle = stage.throttle()

    throttle.refused()

    for _ in range(3):
        with pytest.raises(Throttled) as refused:
            throttle.admit(1000)
    assert refused.value.reason == "rate_limited"
    assert refused.value.until == pytest.approx(stage.clock() + 60)
    assert stage.sleeps == []


def test_two_processes_share_one_breaker(stage: Stage) -> None:
    near, far = stage.throttle(stage.near), stage.throttle(stage.far)
    far.admit(0)

    near.refused()

    with pytest.raises(Throttled, match="yahoo refuses calls: none for another 60 s"):
        far.admit(0)
    assert far.state() == near.state() == ThrottleState(stage.clock() + 60, 1)
    stage.clock.advance(60)
    far.admit(0)


def test_a_call_that_an_open_breaker_refuses_takes_no_token(stage: Stage) -> None:
    near, far = (stage.throttle(cache, rate=0.01, burst=1) for cache in (stage.near, stage.far))
    near.refused()

    with pytest.raises(Throttled):
        far.admit(1000)

    stage.clock.advance(60)
    far.admit(0)


def test_each_strike_doubles_the_pause_up_to_15_minutes(stage: Stage) -> None:
    assert stage.pauses(stage.throttle(), 7) == [60, 120, 240, 480, 900, 900, 900]


def test_more_strikes_than_a_float_can_double_are_no_fault() -> None:
    stage = in_memory()
    stage.near.set(KEY, {"full_at": 0.0, "open_until": stage.clock(), "strikes": 5000})

    assert stage.pauses(stage.throttle(), 1) == [900]


@pytest.mark.parametrize(("chance", "pauses"), [(0.0, [30, 60]), (0.5, [45, 90]), (1.0, [60, 120])])
def test_the_jitter_takes_half_at_most(stage: Stage, chance: float, pauses: list[float]) -> None:
    stage.chance = chance

    assert stage.pauses(stage.throttle(), 2) == pauses


def test_refusals_of_calls_that_began_before_are_one_strike(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    near, far = stage.throttle(stage.near), stage.throttle(stage.far)

    for throttle in (near, far, near, far):
        throttle.refused()
        stage.clock.advance(5)

    assert near.state() == ThrottleState(stage.clock() + 40, 1)
    (told,) = (record for record in caplog.records if record.name == "avcache.market.throttle")
    assert told.levelname == "WARNING"
    assert told.getMessage() == "provider.refused"
    assert vars(told)["provider"] == "yahoo"
    assert vars(told)["strikes"] == 1
    assert vars(told)["seconds"] == 60


def test_who_sleeps_for_a_token_is_not_let_through_when_the_breaker_opens_meanwhile(stage: Stage) -> None:
    other = stage.throttle(stage.far)
    throttle = Throttle(
        stage.near, "yahoo", rate=1.0, burst=1, wall=stage.clock, sleep=lambda _: other.refused(), randomness=lambda: 1
    )
    throttle.admit(0)

    with pytest.raises(Throttled) as refused:
        throttle.admit(5)

    assert refused.value.reason == "rate_limited"


def test_a_success_after_the_pause_forgets_the_strikes(stage: Stage) -> None:
    near, far = stage.throttle(stage.near), stage.throttle(stage.far)
    assert stage.pauses(near, 3) == [60, 120, 240]
    assert near.state() == ThrottleState(None, 3)

    far.admit(0)
    far.succeeded()

    assert near.state() == far.state() == ThrottleState(None, 0)
    assert stage.pauses(near, 1) == [60]


def test_a_success_while_the_breaker_is_open_says_nothing(stage: Stage) -> None:
    throttle = stage.throttle()
    throttle.refused()

    throttle.succeeded()

    assert throttle.state() == ThrottleState(stage.clock() + 60, 1)


def test_a_success_that_has_nothing_to_forget_asks_the_cache_for_nothing(stage: Stage) -> None:
    cache = WatchedCache(stage.near)
    throttle = stage.throttle(cache)
    throttle.admit(0)
    before = cache.asked

    for _ in range(5):
        throttle.succeeded()

    assert cache.asked == before


def test_the_strikes_are_forgotten_with_one_write(stage: Stage) -> None:
    caches = WatchedCache(stage.near), WatchedCache(stage.far)
    throttles = [stage.throttle(cache) for cache in caches]
    stage.pauses(throttles[0], 1)
    for throttle in throttles:
        throttle.admit(0)
        stage.clock.advance(1)
    before = sum(cache.writes for cache in caches)

    for throttle in throttles * 3:
        throttle.succeeded()

    assert sum(cache.writes for cache in caches) == before + 1


def test_there_is_no_burst_after_a_pause(stage: Stage) -> None:
    throttle = stage.throttle()
    stage.pauses(throttle, 1)

    throttle.admit(0)

    with pytest.raises(Throttled) as caught:
        throttle.admit(0)
    assert caught.value.reason == "timeout"


def test_strikes_are_forgotten_half_an_hour_after_the_pause(stage: Stage) -> None:
    throttle = stage.throttle()
    stage.pauses(throttle, 2)

    stage.clock.advance(29 * 60)
    throttle.admit(0)  # calls that neither go through nor are refused keep nothing alive
    kept = throttle.state().strikes
    stage.clock.advance(60)

    assert kept == 2
    assert throttle.state() == ThrottleState(None, 0)
    assert stage.pauses(throttle, 1) == [60]


def test_an_open_breaker_takes_no_lock(stage: Stage) -> None:
    cache = WatchedCache(stage.near)
    throttle = stage.throttle(cache)
    throttle.refused()
    before = cache.locks

    with pytest.raises(Throttled):
        throttle.admit(0)

    assert cache.locks == before


# What stands in the cache


def test_the_entry_lives_as_long_as_the_strikes_count(stage: Stage) -> None:
    throttle = stage.throttle()

    throttle.refused()

    assert stage.near.keys() == [KEY]
    left = stage.near.ttl(KEY)
    assert left == pytest.approx(60 + 60 + 30 * 60, abs=5)  # the pause, until the bucket is full, the strikes


def test_no_entry_lives_longer_than_the_cache_allows() -> None:
    clock = ManualClock()
    cache = Cache(MemoryBackend(clock=clock), NAMESPACES, limits=CacheLimits(max_ttl=0.5), wall=clock)
    throttle = Throttle(cache, "yahoo", rate=1.0, burst=1, wall=clock, max_ttl=0.5)

    throttle.admit(0)

    assert cache.ttl(KEY) == 0.5
    with pytest.raises(Throttled):
        throttle.admit(0)


@pytest.mark.parametrize(
    "value",
    [
        None,
        7,
        "open",
        [1.0, 2.0, 3],
        {},
        {"full_at": 1.0, "open_until": 9e9},
        {"full_at": 1.0, "open_until": "9e9", "strikes": 1},
        {"full_at": math.nan, "open_until": 9e9, "strikes": 1},
        {"full_at": math.inf, "open_until": 9e9, "strikes": 1},
        {"full_at": 1.0, "open_until": 9e99, "strikes": 1},
        {"full_at": 1.0, "open_until": 9e9, "strikes": -1},
        {"full_at": 1.0, "open_until": 9e9, "strikes": True},
    ],
)
def test_a_value_of_another_shape_counts_as_none(stage: Stage, value: object) -> None:
    stage.near.set(KEY, value)
    throttle = stage.throttle(burst=1)

    assert throttle.state() == ThrottleState(None, 0)
    throttle.admit(0)

    with pytest.raises(Throttled):
        stage.throttle(stage.far, burst=1).admit(0)


def test_looking_and_asking_count_as_no_reads(stage: Stage) -> None:
    throttle = stage.throttle()
    throttle.admit(0)
    throttle.refused()
    throttle.state()

    stats = stage.near.stats()

    assert (stats.total.hits, stats.total.misses) == (0, 0)


def test_two_sources_have_nothing_in_common(stage: Stage) -> None:
    stage.throttle().refused()

    other = Throttle(stage.near, "other", wall=stage.clock)

    other.admit(0)
    assert other.state() == ThrottleState(None, 0)


# The cache fails, or forgets


@pytest.mark.parametrize(
    "error", [LockTimeout("taken"), BackendUnavailable("away")], ids=lambda error: type(error).__name__
)
def test_a_cache_that_fails_admits_and_is_told_of_once_for_each_change(
    error: CacheError, caplog: pytest.LogCaptureFixture
) -> None:
    stage = in_memory()
    cache = WatchedCache(stage.near)
    throttle = stage.throttle(cache, rate=0.001, burst=3)

    for failure in (error, None, error):
        cache.error = failure
        for _ in range(3):
            throttle.admit(0)
            throttle.succeeded()

    assert caplog.messages == ["throttle.unguarded", "throttle.guarded", "throttle.unguarded"]
    assert vars(caplog.records[0])["error"] == f"{type(error).__name__}: {error}"
    assert stage.sleeps == []


def test_a_cache_that_fails_takes_a_refusal_and_shows_a_state_all_the_same() -> None:
    stage = in_memory()
    throttle = stage.throttle(WatchedCache(stage.near, BackendUnavailable("away")))

    throttle.refused()

    assert throttle.state() == ThrottleState(None, 0)


def test_a_lock_that_somebody_else_holds_for_long_admits(stage: Stage) -> None:
    throttle = stage.throttle(rate=0.001, burst=1)
    throttle.admit(0)

    with stage.far.lock(KEY, lease=30):
        throttle.admit(0)

    assert stage.sleeps == []


def test_an_open_breaker_stays_open_for_who_knows_of_it_when_its_entry_is_gone(stage: Stage) -> None:
    throttle = stage.throttle()
    stage.pauses(throttle, 2)
    throttle.refused()

    stage.near.clear("*")

    with pytest.raises(Throttled):
        throttle.admit(0)
    assert throttle.state() == ThrottleState(stage.clock() + 240, 3)
    stage.clock.advance(240)
    throttle.admit(0)
    throttle.succeeded()
    assert throttle.state() == ThrottleState(None, 0)


def test_an_open_breaker_outlasts_the_loss_of_its_server(real_server: RealServer, prefix: str) -> None:
    cache = cache_on(real_server.url, prefix)
    stage = Stage(cache, cache)
    throttle = stage.throttle()
    throttle.admit(0)
    throttle.refused()

    real_server.kill()

    with pytest.raises(Throttled):
        throttle.admit(0)
    assert cache.state().is_degraded
    stage.clock.advance(60)
    throttle.admit(0)
    cache.close()


def test_a_wall_clock_that_was_far_ahead_stops_calls_for_as_long_as_the_entry_lives_only() -> None:
    stage, store_clock = in_memory(), ManualClock()
    cache = Cache(MemoryBackend(clock=store_clock), NAMESPACES)
    throttle = stage.throttle(cache, burst=1)
    throttle.admit(0)

    stage.clock.advance(-24 * 3600)

    with pytest.raises(Throttled):
        throttle.admit(0)
    store_clock.advance(31 * 60)
    throttle.admit(0)


# What is no rate


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, value) for name in ("rate", "burst") for value in (0, -1, math.nan, math.inf, 1e7, True, "2")),
        ("rate", None),
        ("burst", 0.5),
    ],
)
def test_what_is_no_rate_and_no_burst_is_refused(name: str, value: object) -> None:
    build: Callable[..., Throttle] = Throttle

    with pytest.raises(InvalidInput) as refused:
        build(in_memory().near, "yahoo", **{name: value})

    assert refused.value.field == name
    assert refused.value.value is value
    assert refused.value.allowed.startswith("calls")
    assert name in str(refused.value)


@pytest.mark.parametrize("wait", [-1.0, math.nan])
def test_a_wait_that_is_none_is_refused(wait: float) -> None:
    with pytest.raises(InvalidInput, match="wait"):
        in_memory().throttle().admit(wait)
