"""The cache whose functions are decorated."""

from __future__ import annotations

import pytest

from avcache.core.cache import Cache
from tests.core.helpers import Bench


@pytest.fixture
def made() -> Bench:
    return Bench()


@pytest.fixture
def cache(made: Bench) -> Cache:
    return made.cache
