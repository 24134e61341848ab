"""How to reach a server: at an address, or wherever the Sentinels say that the primary is."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

__all__ = ["connect"]

_SENTINEL_SCHEMES = {"redis+sentinel": False, "rediss+sentinel": True}
_SENTINEL_PORT = 26379


def connect(url: str, *, timeout: float, max_connections: int, password: str | None = None) -> redis.Redis:
    """
    Make a client with a connection pool; opens no connection yet.

    Args:
        url: `redis://`, `rediss://` or `unix://`; or `redis+sentinel://host:port,host:port/service/db` (`rediss+` with
            TLS), whose user and password are those of the server, not of the Sentinels.
        timeout: Seconds to connect and to wait for an answer; a cache that is slower than its source is of no use.
    """
    options: dict[str, Any] = {
        "max_connections": max_connections,
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        # A cache miss is the retry: with retries a dead server costs (n + 1) timeouts for each command.
        "retry": Retry(NoBackoff(), 0),
        "health_check_interval": 0,
    }
    if password:
        options["password"] = password
    if urlsplit(url).scheme in _SENTINEL_SCHEMES:
        return _behind_sentinels(url, options)
    return redis.Redis(connection_pool=redis.ConnectionPool.from_url(url, **options))


def _behind_sentinels(url: str, options: dict[str, Any]) -> redis.Redis:
    parts = urlsplit(url)
    _, _, hosts = parts.netloc.rpartition("@")
    service, _, database = parts.path.strip("/").partition("/")
    asked = {name: options[name] for name in ("socket_timeout", "socket_connect_timeout", "retry")}
    sentinels: Any = Sentinel([_host(text) for text in hosts.split(",")], sentinel_kwargs=asked)  # type: ignore[no-untyped-call]
    user, _, secret = parts.netloc.rpartition("@")[0].partition(":")
    if user:
        options["username"] = unquote(user)
    if secret:
        options.setdefault("password", unquote(secret))
    client: redis.Redis = sentinels.master_for(
        unquote(service), db=int(database or 0), ssl=_SENTINEL_SCHEMES[parts.scheme], **options
    )
    return client


def _host(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    return (host, int(port)) if colon else (text, _SENTINEL_PORT)
