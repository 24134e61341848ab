"""The composition root: settings in, one wired graph out. The only place that knows which parts go together."""

from __future__ import annotations

import functools
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from avcache.backends.barriers import Barriers
from avcache.backends.base import Backend
from avcache.backends.memory import MemoryBackend
from avcache.core.cache import Cache
from avcache.core.keys import DEFAULT_NAMESPACE, Namespace, Namespaces
from avcache.core.store import AccessObserver, CacheLimits
from avcache.errors import ConfigError, InvalidInput
from avcache.market.tickers import parse_ticker
from avcache.telemetry.access_log import AccessLog
from avcache.telemetry.neighbours import Neighbours

if TYPE_CHECKING:
    from avcache.backends.board import Board
    from avcache.backends.facts import FactsReader
    from avcache.backends.wire import Wire
    from avcache.config import Settings, Source
    from avcache.market.freshness import Freshness
    from avcache.market.provider import PriceProvider
    from avcache.market.service import Market
    from avcache.market.universe import Universes
    from avcache.ops import Ops
    from avcache.telemetry.flusher import Flusher
    from avcache.telemetry.totals import Totals

__all__ = ["Runtime", "build", "namespaces", "shared"]

T = TypeVar("T")
_FUNDAMENTALS_TTL = 24 * 3600.0
_HISTORY_STALE_TTL = 24 * 3600.0
_BOARD_FILE = "alphavelocity.board"


class _Once(Generic[T]):
    """`functools.cache` for a builder, which two threads that ask first at the same time cannot run twice."""

    def __init__(self, build: Callable[[], T]) -> None:
        functools.update_wrapper(self, build)
        self._mutex = threading.RLock()
        self._cached = functools.cache(build)
        self._made: list[T] = []
        self.cache_info = self._cached.cache_info

    def __call__(self) -> T:
        # Every call of a decorated function comes by here: a lock would take half as long as its hit.
        return self._made[0] if self._made else self._make()

    def cache_clear(self) -> None:
        with self._mutex:
            self._made = []
            self._cached.cache_clear()

    def _make(self) -> T:
        with self._mutex:
            made = self._cached()
            self._made = [made]
            return made


class _Part(functools.cached_property[T]):
    """`functools.cached_property` with the lock that it lost in Python 3.12: there is one of each part."""

    def __init__(self, make: Callable[[Any], T]) -> None:
        super().__init__(make)
        self._mutex = threading.RLock()

    def __get__(self, instance: object, owner: type[Any] | None = None) -> T:  # type: ignore[override]
        with self._mutex:
            return super().__get__(instance, owner)


@dataclass
class Runtime:
    """
    One wired graph. `market` and `ops` are made when first asked for: a library user who only caches pays for neither.

    `start` begins what runs in the background; `close` ends it and releases connections.

    Attributes:
        flusher: Tells the other processes on this Redis what is counted here; None without a Redis.
        totals: What all processes on this Redis have counted.
        shared_board: What they tell each other besides; None without a Redis.
        sources: Where each setting comes from; empty if they were not read from an environment.
    """

    settings: Settings
    cache: Cache
    access_log: AccessLog | None = None
    flusher: Flusher | None = None
    totals: Totals | None = None
    shared_board: Board | None = None
    is_started: bool = False
    facts: FactsReader | None = None
    neighbours: Neighbours | None = None
    sources: Mapping[str, Source] = field(default_factory=dict)

    @_Part
    def market(self) -> Market:
        """Prices, scores and portfolios, through this cache."""
        from avcache.market.service import Market  # noqa: PLC0415 - pandas

        return Market(
            self.cache, self.provider, freshness=_freshness(self.settings), universes=_universes(self.settings)
        )

    @_Part
    def provider(self) -> PriceProvider:
        """The source of prices that the settings name; `auto` begins to look for Yahoo when it is first asked for."""
        made = _provider(self.settings, self.cache)
        start = getattr(made, "start", None)
        if start is not None:
            start()
        return made

    @_Part
    def ops(self) -> Ops:
        """What an operator may do."""
        from avcache.ops import Ops  # noqa: PLC0415 - needs the market
        from avcache.ops.doctor import SettingFacts  # noqa: PLC0415
        from avcache.ops.server import MemoryLimits  # noqa: PLC0415

        settings = self.settings
        shared = self.shared_board or self._own_board()
        return Ops(
            self.cache,
            self.market,
            shared if self.shared_board is None else self._resilient(self.shared_board),
            shared,
            facts=self.facts,
            limits=MemoryLimits(settings.cache_memory_max_entries, settings.cache_memory_max_bytes),
            other_workers=None if self.neighbours is None else self.neighbours.others,
            settings=SettingFacts.of(settings),
            totals=self.totals,
            rate=settings.avcache_yahoo_rate if self.market.source == "yahoo" else None,
        )

    def _own_board(self) -> Board:
        """Of an app its schedules and audit survive a restart; a library leaves no file anywhere."""
        from avcache.backends.board import MemoryBoard  # noqa: PLC0415

        return MemoryBoard(keep=self.settings.avcache_log_dir / _BOARD_FILE if self.is_started else None)

    def _resilient(self, shared: Board) -> Board:
        from avcache.backends.board import MemoryBoard  # noqa: PLC0415
        from avcache.backends.resilient_board import ResilientBoard  # noqa: PLC0415

        notice = getattr(self.cache.backend, "notice", lambda _exc: None)
        return ResilientBoard(shared, MemoryBoard(), lambda: self.cache.state().is_degraded, notice=notice)

    def start(self) -> None:
        """Begin the background work of an app: logs, a first look at Redis, the probe for Yahoo, jobs."""
        self.is_started = True
        if self.access_log is not None:
            self.access_log.start()
        if self.neighbours is not None:
            self.neighbours.start()
        look = getattr(self.cache.backend, "start", None)
        if look is not None:
            look()
        if self.flusher is not None:
            self.flusher.start()
        # Made now: what is wrong with its settings is said at the start, not to the first who looks at a page.
        self.market.source  # noqa: B018
        self.ops.start()

    def close(self) -> None:
        """End what `start` began, and let go of connections."""
        if "ops" in self.__dict__:
            self.ops.close()
        for name in ("stop", "close"):
            end = getattr(self.__dict__.get("provider"), name, None)
            if end is not None:
                end()
        if self.access_log is not None:
            self.access_log.stop()
        if self.neighbours is not None:
            self.neighbours.stop()
        if self.flusher is not None:
            self.flusher.stop()
        self.cache.close()


def build(settings: Settings, *, backend: Backend | None = None) -> Runtime:
    """Wire a graph of its own; *backend* takes the place of the one that the settings name."""
    access_log = AccessLog(settings.avcache_log_dir) if settings.avcache_access_log else None
    observers: list[AccessObserver] = [] if access_log is None else [access_log]
    store, wire = (backend, None) if backend is not None else _backend(settings)
    cache = Cache(
        store,
        namespaces(settings),
        limits=CacheLimits(max_ttl=settings.cache_max_ttl, max_value_bytes=settings.cache_max_value_bytes),
        observers=observers,
    )
    runtime = Runtime(settings, cache, access_log)
    if wire is not None:
        _share_counts(runtime, wire)
    elif backend is None:
        runtime.neighbours = Neighbours(settings.avcache_log_dir)
    return runtime


@_Once
def shared() -> Runtime:
    """The runtime of this process, from the environment and `.env`; every door uses this one."""
    return from_environment(os.environ, Path(".env"))


def from_environment(env: Mapping[str, str], dotenv: Path | None = None) -> Runtime:
    """Read the settings and build. Raises `ConfigError`."""
    from avcache.config import Settings, read_dotenv, sources  # noqa: PLC0415 - pydantic takes longer than all the rest

    wired = build(Settings.from_env(env, dotenv))
    wired.sources = sources(env, read_dotenv(dotenv))
    return wired


def _backend(settings: Settings) -> tuple[Backend, Wire | None]:
    barriers = Barriers()
    memory = MemoryBackend(
        max_entries=settings.cache_memory_max_entries, max_bytes=settings.cache_memory_max_bytes, barriers=barriers
    )
    if not settings.redis_enabled:
        return memory, None
    from avcache.backends.redis import RedisBackend, connect  # noqa: PLC0415 - redis-py, only for those who use it
    from avcache.backends.resilient import ResilientBackend  # noqa: PLC0415

    password = settings.redis_password.get_secret_value() if settings.redis_password else None
    try:
        client = connect(
            settings.redis_address,
            timeout=settings.redis_timeout,
            max_connections=settings.redis_max_connections,
            password=password,
        )
        # Opens nothing; an option in the URL that is none would come to light with the first read only.
        client.connection_pool.connection_class(**client.connection_pool.connection_kwargs)
    except (TypeError, ValueError):
        raise ConfigError(
            "REDIS_URL=***: an option behind the question mark is not known, or not of its kind"
        ) from None
    # An invalidation is remembered for as long as an entry from before it may live.
    retention = settings.cache_max_ttl + max(settings.cache_stale_ttl, settings.cache_max_ttl)
    redis_backend = RedisBackend(client, settings.redis_prefix, barriers=barriers, retention=retention)
    return ResilientBackend(redis_backend, memory), redis_backend.wire


def _share_counts(runtime: Runtime, wire: Wire) -> None:
    """What this process counts is told to the others on the same Redis, and what they count is read from there."""
    from avcache.backends.redis_board import RedisBoard  # noqa: PLC0415 - as above
    from avcache.backends.redis_facts import RedisFacts  # noqa: PLC0415
    from avcache.backends.redis_totals import RedisTotals  # noqa: PLC0415
    from avcache.telemetry.flusher import Flusher  # noqa: PLC0415
    from avcache.telemetry.totals import Totals  # noqa: PLC0415

    cache = runtime.cache
    store = RedisTotals(wire, runtime.settings.redis_prefix)

    def is_away() -> bool:
        return cache.state().is_degraded

    flusher = runtime.flusher = Flusher(cache.counters, store, is_away=is_away)
    runtime.totals = Totals(cache.counters, store, lambda: flusher.process, is_away=is_away)
    cache.analytics.figures = runtime.totals
    runtime.shared_board = RedisBoard(wire, runtime.settings.redis_prefix)
    runtime.facts = RedisFacts(wire, runtime.settings.redis_prefix)


def namespaces(settings: Settings) -> Namespaces:
    """The rules of all keys of AlphaVelocity."""
    stale = settings.cache_stale_ttl
    return Namespaces(
        Namespace(DEFAULT_NAMESPACE, settings.cache_default_ttl),
        [
            Namespace("price", settings.cache_price_ttl, stale, _canonical_ticker),
            # A price is cut from its history: were that fresh for longer, a fresh price could be an old one. If the
            # source is away, day-old prices that say so are better than none.
            Namespace("history", settings.cache_price_ttl, max(stale, _HISTORY_STALE_TTL), _canonical_ticker),
            Namespace("momentum", settings.cache_momentum_ttl, stale, _canonical_ticker),
            Namespace("fundamentals", min(_FUNDAMENTALS_TTL, settings.cache_max_ttl), stale, _canonical_ticker),
            Namespace("portfolio", settings.cache_portfolio_ttl, stale),
            Namespace("universe", settings.cache_momentum_ttl, stale),
            Namespace("unknown", settings.cache_default_ttl, canonical=_canonical_ticker),
        ],
    )


def _canonical_ticker(rest: str) -> str:
    """`brk.b@factor` is `BRK-B@factor`; what is no ticker (a pattern, say) is upper case all the same."""
    ticker, mark, suffix = rest.partition("@")
    try:
        return parse_ticker(ticker) + mark + suffix
    except InvalidInput:
        return ticker.upper() + mark + suffix


def _freshness(settings: Settings) -> Freshness:
    from avcache.market.freshness import Freshness  # noqa: PLC0415 - pandas

    calendar = None
    if settings.cache_calendar is not None:
        from avcache.market.calendar import exchange_calendar  # noqa: PLC0415

        calendar = exchange_calendar(settings.cache_calendar)
    ttls = {
        "price": settings.cache_price_ttl,
        "momentum": settings.cache_momentum_ttl,
        "portfolio": settings.cache_portfolio_ttl,
    }
    return Freshness(time.time, ttls, calendar, settings.cache_max_ttl)


def _universes(settings: Settings) -> Universes:
    from avcache.market.universe import load_universes  # noqa: PLC0415 - reads a file

    return load_universes(settings.avcache_universes)


def _csv_provider(settings: Settings) -> PriceProvider:
    from avcache.market.csv_folder import CsvProvider  # noqa: PLC0415 - pandas

    if settings.avcache_csv_dir is None:
        raise ConfigError("AVCACHE_CSV_DIR is not set: a folder of price files, for AVCACHE_PROVIDER=csv")
    return CsvProvider(settings.avcache_csv_dir, settings.avcache_csv_currency)


def _sample(settings: Settings) -> PriceProvider:
    from avcache.market.replay import ReplayedSample  # noqa: PLC0415 - pandas
    from avcache.market.sample import SampleProvider  # noqa: PLC0415

    sample = SampleProvider()
    return ReplayedSample(sample, settings.sample_replay) if settings.sample_replay else sample


def _provider(settings: Settings, cache: Cache) -> PriceProvider:
    if settings.avcache_provider == "sample":
        return _sample(settings)
    if settings.avcache_provider == "csv":
        return _csv_provider(settings)
    from avcache.market.throttle import Throttle  # noqa: PLC0415
    from avcache.market.yahoo import YahooProvider  # noqa: PLC0415 - yfinance

    throttle = Throttle(cache, "yahoo", rate=settings.avcache_yahoo_rate, max_ttl=settings.cache_max_ttl)
    yahoo = YahooProvider(settings.avcache_yahoo_url, throttle=throttle)
    if settings.avcache_provider == "yahoo" or settings.redis_enabled:
        return yahoo
    from avcache.market.auto import AutoProvider  # noqa: PLC0415

    return AutoProvider(yahoo, _sample(settings))
