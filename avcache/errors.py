"""
Every error this package raises on purpose.

    CacheError
    ├── ConfigError              a setting or a registration is wrong
    ├── InvalidInput             a key, pattern, ttl or argument is wrong (also a ValueError)
    ├── SerializationError       a value cannot be stored and come back the same
    ├── LockTimeout              a named lock stayed taken for the whole wait
    ├── BackendError             the store answered, but refused
    │   └── BackendUnavailable   the store did not answer
    │       └── BackendMisconfigured  it will not, until a password or an address is mended
    ├── Absent                   a loader found that there is nothing, which may be cached as well
    ├── Throttled                the source of prices must not be asked now (in `market.throttle`)
    └── ProviderError            the source of prices gave no usable answer (see its `reason`)
"""

from __future__ import annotations

from typing import Literal

__all__ = [
    "Absent",
    "BackendError",
    "BackendMisconfigured",
    "BackendUnavailable",
    "CacheError",
    "ConfigError",
    "FailureReason",
    "InvalidInput",
    "LockTimeout",
    "ProviderError",
    "SerializationError",
]

FailureReason = Literal["unknown", "no_data", "rate_limited", "timeout", "upstream_error"]
_SHOWN_CHARACTERS = 80


class CacheError(Exception):
    """The root of all errors of this package."""


class ConfigError(CacheError):
    """A setting or a registration is wrong; says which, what was found, and what is allowed."""


class InvalidInput(CacheError, ValueError):
    """What a caller gave is not usable: names the *field*, the value found, and what is *allowed*."""

    def __init__(self, field: str, value: object, allowed: str) -> None:
        shown = repr(value)
        if len(shown) > _SHOWN_CHARACTERS:
            shown = f"{shown[:_SHOWN_CHARACTERS]}…"
        super().__init__(f"{field}={shown}: {allowed}")
        self.field = field
        self.value = value
        self.allowed = allowed


class SerializationError(CacheError):
    """A value cannot be stored and come back as the same type."""


class LockTimeout(CacheError):
    """A named lock stayed taken for the whole wait."""


class BackendError(CacheError):
    """The store answered, but refused the command."""


class BackendUnavailable(BackendError):
    """The store did not answer; nothing is known about its content."""


class BackendMisconfigured(BackendUnavailable):
    """A password is refused, or what answers is no Redis: asking again soon is of no use."""


class Absent(CacheError):
    """
    Raised by a loader: there is nothing under this key, for this *reason*.

    Args:
        ttl: Seconds for which that is cached as well; None for as long as a value would be.
    """

    def __init__(self, reason: str, ttl: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.ttl = ttl


class ProviderError(CacheError):
    """The source of prices gave no usable answer for *ticker*."""

    def __init__(self, ticker: str, reason: FailureReason, detail: str) -> None:
        super().__init__(f"{ticker}: {detail}")
        self.ticker = ticker
        self.reason: FailureReason = reason
        self.detail = detail
