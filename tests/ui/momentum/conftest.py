from __future__ import annotations

from collections.abc import Iterator

import pytest

from avcache import runtime
from avcache.market.scoring import Score
from avcache.runtime import Runtime


@pytest.fixture
def wired() -> Iterator[Runtime]:
    made = runtime.from_environment({"AVCACHE_PROVIDER": "sample"})
    yield made
    made.close()


@pytest.fixture
def mrk(wired: Runtime) -> Score:
    return wired.market.score("MRK")
