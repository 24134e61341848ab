"""What a command ends with."""

from __future__ import annotations

from typing import Final

from avcache.errors import BackendUnavailable, CacheError, ConfigError, InvalidInput

__all__ = ["BAD_INPUT", "FAILED", "NOTHING_THERE", "Busy", "Failed", "NothingThere", "exit_code"]

FAILED: Final = 1
BAD_INPUT: Final = 2
NOTHING_THERE: Final = 3


class Failed(CacheError):
    """It was tried, and did not work."""


class Busy(Failed):
    """Something else is under way, and one at a time is allowed."""


class NothingThere(CacheError):
    """There is no cache to talk to."""


def exit_code(error: CacheError) -> int:
    """The exit code of a command that ends with *error*."""
    if isinstance(error, InvalidInput | ConfigError):
        return BAD_INPUT
    return NOTHING_THERE if isinstance(error, NothingThere | BackendUnavailable) else FAILED
