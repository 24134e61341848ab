"""Several processes on one Redis: one fetch for all of them, one budget, one breaker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yfinance

from avcache.errors import ProviderError
from avcache.market.price import Price
from avcache.market.sample import SampleProvider
from avcache.market.scoring import Score
from avcache.runtime import Runtime
from tests.yahoo_server import Fault, YahooServer

TICKERS = SampleProvider().tickers[:8]


@pytest.fixture
def yahoo(tmp_path: Path) -> Iterator[YahooServer]:
    yfinance.data.SingletonMeta._instances.clear()
    yfinance.data.YfData.cache_get.cache_clear()
    yfinance.base._tz_info_fetch_ctr = 0
    yfinance.cache._TzCacheManager._tz_cache = None
    yfinance.cache._CookieCacheManager._Cookie_cache = None
    yfinance.set_tz_cache_location(str(tmp_path))
    yfinance.cache.get_tz_cache().lookup("")
    yfinance.cache.get_cookie_cache().lookup("")
    with YahooServer() as server:
        yield server


@pytest.fixture
def two(redis_env: dict[str, str], yahoo: YahooServer, build: Callable[..., Runtime]) -> tuple[Runtime, Runtime]:
    """Two runtimes on one Redis, as two processes have them; prices from a stand-in for Yahoo."""
    source = {"AVCACHE_PROVIDER": "yahoo", "AVCACHE_YAHOO_URL": yahoo.url, "AVCACHE_YAHOO_RATE": "1000"}
    return build(redis_env | source), build(redis_env | source)


def test_two_processes_that_rank_the_same_fetch_each_ticker_once(
    two: tuple[Runtime, Runtime], yahoo: YahooServer
) -> None:
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda runtime: runtime.market.scores(TICKERS), two))

    assert all(isinstance(score, Score) for ranking in found for score in ranking.values())
    assert {ticker: score.composite_score for ticker, score in found[0].items() if isinstance(score, Score)} == {
        ticker: score.composite_score for ticker, score in found[1].items() if isinstance(score, Score)
    }
    # The first sight of a ticker costs two charts; nothing is asked for twice.
    assert yahoo.charts() == dict.fromkeys([*TICKERS, "SPY"], 2)


def test_what_one_process_has_computed_the_other_reads(two: tuple[Runtime, Runtime], yahoo: YahooServer) -> None:
    here, there = two
    scores, analysis = here.market.scores(TICKERS), here.market.portfolio(dict.fromkeys(TICKERS, 1.0))
    asked = len(yahoo.requests)

    assert there.market.scores(TICKERS) == scores
    again = there.market.portfolio(dict.fromkeys(TICKERS, 1.0))

    assert again.computed_at == analysis.computed_at
    assert again.table.equals(analysis.table)
    assert again.over_time.equals(analysis.over_time)
    assert again.correlation.equals(analysis.correlation)
    assert len(yahoo.requests) == asked


def test_a_refusal_of_one_process_stops_the_other(two: tuple[Runtime, Runtime], yahoo: YahooServer) -> None:
    here, there = two
    known = there.market.score("AAPL")
    yahoo.faults["KO"] = Fault.RATE_LIMITED
    refused = here.market.prices("KO")["KO"]
    asked = len(yahoo.requests)

    other = there.market.prices("META")["META"]

    assert isinstance(refused, ProviderError)
    assert isinstance(other, ProviderError)
    assert (refused.reason, other.reason) == ("rate_limited", "rate_limited")
    assert len(yahoo.requests) == asked
    assert there.market.score("AAPL") == known


def test_invalidating_a_ticker_reaches_all_processes(two: tuple[Runtime, Runtime], yahoo: YahooServer) -> None:
    here, there = two
    before = here.market.portfolio({"AAPL": 1, "KO": 1})
    assert there.market.portfolio({"AAPL": 1, "KO": 1}).computed_at == before.computed_at
    charts = yahoo.charts()["AAPL"]

    here.market.invalidate("AAPL")
    after = there.market.portfolio({"AAPL": 1, "KO": 1})

    assert after.computed_at > before.computed_at
    assert yahoo.charts()["AAPL"] == charts + 1
    assert isinstance(there.market.price("AAPL"), Price)


def test_how_tickers_stand_is_the_same_to_all_processes(two: tuple[Runtime, Runtime], yahoo: YahooServer) -> None:
    here, there = two
    here.market.scores([*TICKERS, "ZZZZ"])
    asked = len(yahoo.requests)

    found = there.ops.warmup.coverage([*TICKERS, "ZZZZ"], ["history", "momentum"])

    assert found == here.ops.warmup.coverage([*TICKERS, "ZZZZ"], ["history", "momentum"])
    assert found.rows == {**dict.fromkeys(TICKERS, ("fresh", "fresh")), "ZZZZ": ("failed", "failed")}
    assert list(found.reasons) == ["ZZZZ"]
    assert len(yahoo.requests) == asked
