"""`from avcache import …`: the door as the documentation describes it."""

from __future__ import annotations

import subprocess
import sys

import pytest

import avcache
from avcache import cache, cache_momentum, cache_portfolio, cache_price, cached, invalidate_cache, runtime
from avcache.errors import LockTimeout
from tests.servers import ROOT


def test_the_door_has_these_names_and_no_others() -> None:
    assert set(avcache.__all__) == {
        "cache",
        "cache_momentum",
        "cache_portfolio",
        "cache_price",
        "cached",
        "invalidate_cache",
    }
    assert all(hasattr(avcache, name) for name in avcache.__all__)


def test_the_cache_is_that_of_the_process() -> None:
    cache.set("user:1", "Ann")

    assert runtime.shared().cache.get("user:1") == "Ann"
    assert cache.backend is runtime.shared().cache.backend


def test_nothing_is_built_before_the_first_use() -> None:
    repr(cache)

    assert runtime.shared.cache_info().currsize == 0
    cache.state()
    assert runtime.shared.cache_info().currsize == 1


def test_the_import_starts_and_loads_nothing_heavy() -> None:
    heavy = "{'streamlit', 'yfinance', 'pandas', 'redis', 'pydantic_settings', 'numpy'}"
    program = (
        "import sys, threading, avcache\n"
        f"assert not {heavy} & set(sys.modules), {heavy} & set(sys.modules)\n"
        "assert threading.active_count() == 1\n"
    )

    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


def test_the_documented_calls_of_the_cache_do_as_documented() -> None:
    cache.set("price:AAPL", 175.5, ttl=300)

    assert cache.get("price:AAPL") == cache.get("price:aapl") == 175.5
    assert cache.get("price:none") is None
    assert cache.get("price:none", default=0) == 0
    assert cache.exists("price:AAPL")
    assert cache.ttl("price:AAPL") == pytest.approx(300, abs=1)
    assert cache.keys("price:*") == ["price:AAPL"]
    assert cache.peek("price:AAPL") is not None
    assert cache.delete("price:AAPL") == 1
    cache.set_many({"momentum:AAPL": 8.1, "momentum:MSFT": 7.2})
    assert cache.get_many(["momentum:AAPL", "momentum:X"]) == {"momentum:AAPL": 8.1}
    assert cache.get_or_load("price:MSFT", lambda: 410.0, ttl=300, stale_ttl=600) == 410.0
    cleared = cache.clear("momentum:*")
    assert (cleared, isinstance(cleared, int), cleared.pending) == (2, True, False)
    assert cache.info().keys == 1
    assert cache.stats().total.loads == 1


def test_the_documented_locks_tags_and_analytics_do_as_documented() -> None:
    with cache.lock("calculate_momentum:AAPL"):
        pass
    cache.tag(["stock", "AAPL"]).set("price", 175.5)

    assert cache.tag(["AAPL", "stock"]).get("price") == 175.5
    assert cache.get("price") is None
    assert cache.flush_tag("AAPL") == 1
    assert cache.analytics.get_hit_rate() == 0.5
    assert cache.analytics.get_popular_keys()[0][1] == 1
    assert cache.analytics.get_cache_size_by_prefix() == {}
    assert issubclass(LockTimeout, Exception)


def test_the_documented_decorators_use_the_cache_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    from weakref import WeakKeyDictionary

    monkeypatch.setattr("avcache.decorators._owners", WeakKeyDictionary())
    calls: list[str] = []

    @cached(ttl=300, key_prefix="user:")
    def profile(number: int) -> str:
        calls.append("profile")
        return f"user {number}"

    @cache_price(ttl=300)
    def price(ticker: str) -> float:
        calls.append("price")
        return 175.5

    @cache_momentum(ttl=1800)
    def momentum(ticker: str) -> float:
        calls.append("momentum")
        return 8.1

    @cache_portfolio(ttl=600)
    def portfolio(holdings: dict[str, float]) -> float:
        calls.append("portfolio")
        return 1.0

    @invalidate_cache("price:*")
    def update() -> None:
        calls.append("update")

    for _ in range(2):
        assert (profile(1), price("brk.b"), momentum("aapl"), portfolio({"AAPL": 1})) == ("user 1", 175.5, 8.1, 1.0)
    assert cache.get("price:BRK-B") == 175.5
    assert cache.get("momentum:AAPL") == 8.1
    update()

    assert calls == ["profile", "price", "momentum", "portfolio", "update"]
    assert cache.keys("price:*") == []


def test_decorating_builds_nothing() -> None:
    @cached(ttl=5)
    def f() -> int:
        return 1

    assert runtime.shared.cache_info().currsize == 0
    assert f() == 1
    assert runtime.shared.cache_info().currsize == 1
