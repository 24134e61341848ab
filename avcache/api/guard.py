"""Who may reach a door at all: known hosts only, and beyond loopback only with a token."""

from __future__ import annotations

import ipaddress

from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from avcache.config import Settings
from avcache.errors import ConfigError

__all__ = ["check_bind", "guards", "is_loopback"]

_LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")
_RESPONSES = {"http.response.start", "websocket.http.response.start"}
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)


def guards(settings: Settings) -> list[Middleware]:
    """The middleware that goes around pages and REST alike."""
    # In a Host header an IPv6 address stands in brackets.
    hosts = [*_LOCAL_HOSTS, *(f"[{host}]" if ":" in host and host[0] != "[" else host for host in settings.hosts)]
    return [
        Middleware(SecurityHeaders),
        Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False),
        Middleware(LoopbackOnly, is_open=settings.avcache_api_token is not None),
    ]


def check_bind(address: str, settings: Settings) -> None:
    """
    Refuse to start on an *address* beyond this machine without a token.

    Raises:
        ConfigError: Names the address and the setting.
    """
    if settings.avcache_api_token is None and not is_loopback(address):
        raise ConfigError(
            f"server address {address!r} can be reached from other machines: set AVCACHE_API_TOKEN "
            "(16 characters or more), or bind to 127.0.0.1"
        )


def is_loopback(address: str) -> bool:
    """Whether only this machine can reach *address*."""
    if address == "localhost":
        return True
    try:
        found = ipaddress.ip_address(address.strip("[]"))
    except ValueError:
        return False
    # A server on :: sees IPv4 clients at ::ffff:127.0.0.1, which counts as loopback since Python 3.13 only.
    return (getattr(found, "ipv4_mapped", None) or found).is_loopback


class LoopbackOnly:
    """Refuses what came in by another address than loopback, for servers whose bind we cannot see beforehand."""

    def __init__(self, app: ASGIApp, *, is_open: bool) -> None:
        self._app = app
        self._is_open = is_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        server = scope.get("server")
        if self._is_open or scope["type"] not in {"http", "websocket"} or not server or _is_local(server[0]):
            await self._app(scope, receive, send)
            return
        refusal = PlainTextResponse("Only this machine may connect: AVCACHE_API_TOKEN is not set", 403)
        await refusal(scope, receive, send)


class SecurityHeaders:
    """Adds to every response what keeps browsers from guessing types, leaking addresses and being framed."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def add(message: Message) -> None:
            if message["type"] in _RESPONSES:
                given = list(message.get("headers", ()))
                present = {name.lower() for name, _ in given}
                message["headers"] = [
                    *given,
                    *(item for item in _HEADERS if item[0] not in present),
                ]
            await send(message)

        await self._app(scope, receive, add)


def _is_local(host: str) -> bool:
    # A unix socket has a path for an address, the test client a name: neither is a network address of this machine.
    return is_loopback(host) or not _is_address(host)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
