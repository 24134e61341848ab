from __future__ import annotations

from collections.abc import Iterator

import pytest

from avcache import runtime
from avcache.market.holdings import parse_holdings
from avcache.market.portfolio import PortfolioAnalysis
from avcache.runtime import Runtime

HOLDINGS = parse_holdings({"AAPL": 100.0, "NVDA": 50.0, "FOO": 3.0})


@pytest.fixture(scope="module")
def wired() -> Iterator[Runtime]:
    made = runtime.from_environment({"AVCACHE_PROVIDER": "sample"})
    yield made
    made.close()


@pytest.fixture
def analysis(wired: Runtime) -> PortfolioAnalysis:
    return wired.market.portfolio(HOLDINGS)
