"""Functions to be decorated."""

from __future__ import annotations

from typing import Any

from avcache.core.cache import Cache
from avcache.decorators import cached


def counted(cache: Cache, **options: Any) -> tuple[Any, list[Any]]:
    """A cached function of (a, b=2), and the calls that reached it."""
    calls: list[Any] = []

    @cached(cache=cache, **options)
    def f(a: Any, b: Any = 2) -> str:
        calls.append((a, b))
        return f"{type(a).__name__} {a!r} {b!r}"

    return f, calls


class Awaited:
    async def __call__(self, a: int) -> int:
        return 2 * a
