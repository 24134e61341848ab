"""The cache under test, and the same as two processes have it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from avcache.core.cache import Cache
from avcache.runtime import Runtime
from tests.core.helpers import Bench


@pytest.fixture
def made() -> Bench:
    return Bench()


@pytest.fixture
def cache(made: Bench) -> Cache:
    return made.cache


@pytest.fixture
def two(process: Callable[[], Runtime]) -> list[Cache]:
    """Two runtimes on one Redis, as two processes have them."""
    return [process().cache, process().cache]
