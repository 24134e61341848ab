"""The composition root: settings in, one wired graph out. The only place that knows which parts go together."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from avcache.backends.base import Backend
from avcache.backends.memory import MemoryBackend
from avcache.core.cache import Cache
from avcache.core.keys import DEFAULT_NAMESPACE, Namespace, Namespaces
from avcache.core.store import AccessObserver, CacheLimits
from avcache.errors import InvalidInput
from avcache.market.tickers import parse_ticker
from avcache.telemetry.access_log import AccessLog

if TYPE_CHECKING:
    from avcache.config import Settings
    from avcache.market.provider import PriceProvider
    from avcache.market.service import Market
    from avcache.ops import Ops

__all__ = ["Runtime", "build", "shared"]

_FUNDAMENTALS_TTL = 24 * 3600.0


@dataclass
class Runtime:
    """
    One wired graph. `market` and `ops` are made when first asked for: a library user who only caches pays for neither.

    `start` begins what runs in the background; `close` ends it and releases connections.
    """

    settings: Settings
    cache: Cache
    access_log: AccessLog | None = None

    @functools.cached_property
    def market(self) -> Market:
        """Prices, scores and portfolios, through this cache."""
        from avcache.market.service import Market  # noqa: PLC0415 - pandas

        return Market(self.cache, self.provider)

    @functools.cached_property
    def provider(self) -> PriceProvider:
        """The source of prices that the settings name."""
        return _provider(self.settings)

    @functools.cached_property
    def ops(self) -> Ops:
        """What an operator may do."""
        from avcache.ops import Ops  # noqa: PLC0415 - needs the market

        return Ops(self.cache, self.market)

    def start(self) -> None:
        """Begin the background work of an app: a first look at Redis, the probe for Yahoo, the access log."""
        if self.access_log is not None:
            self.access_log.start()
        for part in (self.cache.backend, self.provider):
            start = getattr(part, "start", None)
            if start is not None:
                start()

    def close(self) -> None:
        """End what `start` began, and let go of connections."""
        if "ops" in self.__dict__:
            self.ops.close()
        stop = getattr(self.__dict__.get("provider"), "stop", None)
        if stop is not None:
            stop()
        if self.access_log is not None:
            self.access_log.stop()
        self.cache.close()


def build(settings: Settings, *, backend: Backend | None = None) -> Runtime:
    """Wire a graph of its own; *backend* takes the place of the one that the settings name."""
    access_log = AccessLog(settings.avcache_log_dir) if settings.avcache_access_log else None
    observers: list[AccessObserver] = [] if access_log is None else [access_log]
    cache = Cache(
        backend or _backend(settings),
        _namespaces(settings),
        limits=CacheLimits(max_ttl=settings.cache_max_ttl, max_value_bytes=settings.cache_max_value_bytes),
        observers=observers,
    )
    return Runtime(settings, cache, access_log)


@functools.cache
def shared() -> Runtime:
    """The runtime of this process, from the environment and `.env`; every door uses this one."""
    return from_environment(os.environ, Path(".env"))


def from_environment(env: Mapping[str, str], dotenv: Path | None = None) -> Runtime:
    """Read the settings and build. Raises `ConfigError`."""
    from avcache.config import Settings  # noqa: PLC0415 - pydantic takes longer than all of the rest

    return build(Settings.from_env(env, dotenv))


def _backend(settings: Settings) -> Backend:
    memory = MemoryBackend(max_entries=settings.cache_memory_max_entries, max_bytes=settings.cache_memory_max_bytes)
    if not settings.redis_enabled:
        return memory
    from avcache.backends.redis import RedisBackend, connect  # noqa: PLC0415 - redis-py, only for those who use it
    from avcache.backends.resilient import ResilientBackend  # noqa: PLC0415

    password = settings.redis_password.get_secret_value() if settings.redis_password else None
    client = connect(
        settings.redis_address,
        timeout=settings.redis_timeout,
        max_connections=settings.redis_max_connections,
        password=password,
    )
    return ResilientBackend(RedisBackend(client, settings.redis_prefix), memory)


def _namespaces(settings: Settings) -> Namespaces:
    stale = settings.cache_stale_ttl
    return Namespaces(
        Namespace(DEFAULT_NAMESPACE, settings.cache_default_ttl),
        [
            Namespace("price", settings.cache_price_ttl, stale, _canonical_ticker),
            # A price is cut from its history: were that kept longer, a fresh price could be an old one.
            Namespace("history", settings.cache_price_ttl, stale, _canonical_ticker),
            Namespace("momentum", settings.cache_momentum_ttl, stale, _canonical_ticker),
            Namespace("fundamentals", min(_FUNDAMENTALS_TTL, settings.cache_max_ttl), stale, _canonical_ticker),
            Namespace("portfolio", settings.cache_portfolio_ttl, stale),
        ],
    )


def _canonical_ticker(rest: str) -> str:
    """`brk.b@factor` is `BRK-B@factor`; what is no ticker (a pattern, say) is upper case all the same."""
    ticker, mark, suffix = rest.partition("@")
    try:
        return parse_ticker(ticker) + mark + suffix
    except InvalidInput:
        return ticker.upper() + mark + suffix


def _provider(settings: Settings) -> PriceProvider:
    from avcache.market.sample import SampleProvider  # noqa: PLC0415 - pandas

    if settings.avcache_provider == "sample":
        return SampleProvider()
    from avcache.market.yahoo import YahooProvider  # noqa: PLC0415 - yfinance

    yahoo = YahooProvider(settings.avcache_yahoo_url)
    if settings.avcache_provider == "yahoo" or settings.redis_enabled:
        return yahoo
    from avcache.market.auto import AutoProvider  # noqa: PLC0415

    return AutoProvider(yahoo, SampleProvider())
