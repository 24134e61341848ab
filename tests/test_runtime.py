"""The composition root: lazy, apart, one per process, quick to start, and clean when closed."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from avcache import runtime
from avcache.backends.memory import MemoryBackend
from avcache.config import Settings
from avcache.core.keys import Key
from avcache.errors import ConfigError
from avcache.market.sample import SampleProvider
from avcache.runtime import Runtime
from tests.servers import ROOT, RealServer, free_port
from tests.threads import together
from tests.yahoo_server import Fault, YahooServer

Build = Callable[..., Runtime]


def ours() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("avcache")}


def eventually(is_so: Callable[[], bool], patience: float = 5.0) -> bool:
    give_up_at = time.monotonic() + patience
    while not is_so():
        if time.monotonic() > give_up_at:
            return False
        time.sleep(0.01)
    return True


def source_of(wired: Runtime, key: str) -> str | None:
    entry = wired.cache.peek(key)
    return None if entry is None else entry.source


def run(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, check=True, timeout=60, capture_output=True, text=True
    )
    return done.stdout


# -- building --------------------------------------------------------------------------------------


def test_importing_loads_none_of_the_heavy_packages() -> None:
    loaded = run("import sys, avcache.runtime; print(*sys.modules)").split()

    assert not {"pandas", "yfinance", "streamlit", "fastapi", "redis", "pydantic"} & set(loaded)


def test_a_runtime_from_an_environment_knows_where_its_settings_come_from(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("REDIS_DB=3\n")

    wired = runtime.from_environment({"AVCACHE_PROVIDER": "sample"}, tmp_path / ".env")
    wired.close()

    told = {name: source for name, source in wired.sources.items() if source != "default"}
    assert told == {"redis_db": ".env", "avcache_provider": "environment"}


def test_building_opens_no_socket_and_imports_no_market() -> None:
    script = (
        "import socket, sys, threading\n"
        "def refused(*_): raise AssertionError('a socket was opened')\n"
        "socket.socket.connect = refused\n"
        "from avcache import runtime\n"
        "from avcache.config import Settings\n"
        "runtime.build(Settings.from_env({'REDIS_ENABLED': 'true', 'AVCACHE_ACCESS_LOG': 'true'}))\n"
        "print(threading.active_count(), *{'pandas', 'yfinance', 'avcache.market.service'} & set(sys.modules))\n"
    )

    assert run(script).split() == ["1"]


def test_a_build_writes_nothing(build: Build, tmp_path: Path) -> None:
    build({"AVCACHE_ACCESS_LOG": "true", "AVCACHE_LOG_DIR": str(tmp_path / "logs")})

    assert not (tmp_path / "logs").exists()


def test_two_runtimes_are_apart(build: Build) -> None:
    first, second = build(), build()

    first.cache.set("user:1", "first")
    first.cache.get("user:1")

    assert second.cache.get("user:1") is None
    assert second.cache.stats().total.hits == 0
    assert first.ops is not second.ops
    assert first.market is not second.market


def test_a_runtime_has_one_of_each_part(build: Build) -> None:
    wired = build()

    found = together(8, lambda _: (wired.ops, wired.market, wired.provider))

    assert len(set(map(repr, found))) == 1


def test_another_backend_can_take_the_place_of_the_one_in_the_settings() -> None:
    backend = MemoryBackend()

    wired = runtime.build(Settings.from_env({"REDIS_ENABLED": "true"}), backend=backend)

    assert wired.cache.backend is backend


# -- the shared one --------------------------------------------------------------------------------


def test_there_is_one_shared_runtime() -> None:
    assert runtime.shared() is runtime.shared()


def test_there_is_one_shared_runtime_even_if_all_ask_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    real = runtime.build

    def slow(settings: Settings) -> Runtime:
        time.sleep(0.05)
        return real(settings)

    monkeypatch.setattr(runtime, "build", slow)

    found = together(8, lambda _: runtime.shared())

    assert len(set(map(id, found))) == 1


def test_the_shared_runtime_reads_environment_and_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("CACHE_PRICE_TTL=111\nCACHE_MOMENTUM_TTL=222\n")
    monkeypatch.setenv("CACHE_PRICE_TTL", "99")

    settings = runtime.shared().settings

    assert (settings.cache_price_ttl, settings.cache_momentum_ttl) == (99, 222)


def test_settings_that_were_mended_are_read_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_PORT", "abc")
    with pytest.raises(ConfigError, match="REDIS_PORT"):
        runtime.shared()

    monkeypatch.setenv("REDIS_PORT", "7000")

    assert runtime.shared().settings.redis_port == 7000


# -- start and close -------------------------------------------------------------------------------


@pytest.mark.parametrize("times", [1, 2])
def test_close_leaves_no_thread(build: Build, tmp_path: Path, times: int) -> None:
    before = ours()
    with YahooServer({"SPY": Fault.SILENT}) as yahoo:
        wired = build(
            {
                "AVCACHE_PROVIDER": "auto",
                "AVCACHE_YAHOO_URL": yahoo.url,
                "AVCACHE_ACCESS_LOG": "true",
                "AVCACHE_LOG_DIR": str(tmp_path),
            }
        )
        for _ in range(times):
            wired.start()
        work = {"avcache-lease", "avcache-worker", "avcache-sweep", "avcache-schedules"}
        begun = {"avcache-access-log", "avcache-provider-probe", "avcache-yahoo_0", *work}
        assert eventually(lambda: ours() - before == begun), ours() - before
        wired.ops.warmup.start("AAPL")
        yahoo.stopping.set()

        for _ in range(times):
            wired.close()

        assert eventually(lambda: ours() <= before), ours() - before


def test_close_ends_the_search_for_redis(build: Build) -> None:
    before = ours()
    wired = build({"REDIS_ENABLED": "true", "REDIS_PORT": str(free_port())})
    wired.start()
    assert "avcache-prober" in ours() - before

    wired.close()

    assert eventually(lambda: ours() <= before)


def test_close_lets_go_of_connections(build: Build, real_server: RealServer) -> None:
    wired = build({"REDIS_ENABLED": "true", "REDIS_URL": real_server.url})
    wired.start()
    wired.cache.get("price:AAPL")

    wired.close()

    with redis.Redis(port=real_server.port) as client:
        assert eventually(lambda: len(client.client_list()) == 1)


def test_close_closes_the_session_with_yahoo(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[bool] = []
    wired = build({"AVCACHE_PROVIDER": "yahoo"})
    monkeypatch.setattr(wired.provider, "close", lambda: closed.append(True))

    wired.close()

    assert closed == [True]


def test_close_of_a_runtime_that_nobody_used_loads_nothing(build: Build) -> None:
    wired = build()

    wired.close()

    assert not {"market", "provider", "ops"} & vars(wired).keys()


# -- Redis away ------------------------------------------------------------------------------------


def test_without_redis_the_start_is_quick_and_memory_serves(build: Build) -> None:
    wired = build({"REDIS_ENABLED": "true", "REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(free_port())})
    begun = time.monotonic()

    wired.start()
    wired.cache.set("user:1", "Ada")

    assert wired.cache.get("user:1") == "Ada"
    assert time.monotonic() - begun < 1
    state = wired.cache.state()
    assert (state.name, state.pending) == ("degraded", 1)


def test_with_a_redis_that_hangs_the_start_is_quick_too(build: Build, real_server: RealServer) -> None:
    real_server.pause()
    wired = build({"REDIS_ENABLED": "true", "REDIS_URL": real_server.url})
    begun = time.monotonic()

    wired.start()
    wired.market.price("AAPL")

    assert time.monotonic() - begun < 2
    assert wired.cache.state().is_degraded
    real_server.resume()


def test_a_redis_that_comes_up_later_is_found(build: Build, real_server: RealServer) -> None:
    real_server.stop()
    wired = build({"REDIS_ENABLED": "true", "REDIS_URL": real_server.url})
    wired.start()

    real_server.start()

    assert eventually(lambda: not wired.cache.state().is_degraded, patience=8)
    wired.cache.set("user:1", "Ada")
    with redis.Redis(port=real_server.port) as client:
        assert client.exists("alphavelocity:user:1")


def test_a_server_is_called_by_its_name(process: Callable[[], Runtime], redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        name = client.info("server").get("server_name", "redis")
    wired = process()

    wired.start()

    assert wired.cache.state().name == name
    assert wired.cache.info().kind == name


# -- the source of prices --------------------------------------------------------------------------


def test_auto_serves_the_sample_until_yahoo_answers(build: Build) -> None:
    with YahooServer({"SPY": Fault.SILENT}) as yahoo:
        wired = build({"AVCACHE_PROVIDER": "auto", "AVCACHE_YAHOO_URL": yahoo.url})
        wired.start()
        wired.market.price("AAPL")
        assert eventually(lambda: bool(yahoo.charts()["SPY"]))

    assert source_of(wired, "price:AAPL") == "sample"
    assert wired.market.source == "sample"


def test_auto_turns_to_yahoo_once_it_answers_and_mixes_nothing(build: Build) -> None:
    with YahooServer() as yahoo:
        wired = build({"AVCACHE_PROVIDER": "auto", "AVCACHE_YAHOO_URL": yahoo.url})
        wired.market.price("AAPL")
        before = source_of(wired, "price:AAPL")

        wired.start()

        assert eventually(lambda: wired.market.source == "yahoo")
        wired.market.price("AAPL")
    assert (before, source_of(wired, "price:AAPL")) == ("sample", "yahoo")


def test_with_redis_auto_is_yahoo_and_never_the_sample(build: Build) -> None:
    wired = build({"AVCACHE_PROVIDER": "auto", "REDIS_ENABLED": "true", "REDIS_PORT": str(free_port())})

    assert wired.market.source == "yahoo"


def test_the_sample_is_asked_for_by_name(build: Build) -> None:
    assert isinstance(build({"AVCACHE_PROVIDER": "sample"}).provider, SampleProvider)


# -- namespaces ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("price:aapl", "price:AAPL"),
        ("momentum:brk.b", "momentum:BRK-B"),
        ("momentum:brk.b@factor", "momentum:BRK-B@factor"),
        ("history:^gspc", "history:^GSPC"),
        ("fundamentals:7203.t", "fundamentals:7203.T"),
        ("price:not a ticker", "price:NOT A TICKER"),
        ("portfolio:abc", "portfolio:abc"),
        ("user:Ada", "user:Ada"),
        ("plain", "default:plain"),
    ],
)
def test_keys_of_tickers_have_one_form(build: Build, given: str, text: str) -> None:
    assert build().cache.namespaces.key(given) == Key(text, text.partition(":")[0])


def test_a_pattern_means_tickers_in_any_case(build: Build) -> None:
    cache = build().cache
    cache.set_many({"price:AAPL": 1, "price:MSFT": 1})

    assert cache.clear("price:aa*") == 1
    assert cache.keys() == ["price:MSFT"]
