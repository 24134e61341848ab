"""Warm-ups: only what is not fresh, an outcome for each ticker, one at a time, and a way to stop."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

import pytest

from avcache import runtime
from avcache.clock import ManualClock
from avcache.config import Settings
from avcache.core.cache import Cache
from avcache.errors import BackendError, InvalidInput, ProviderError
from avcache.market.auto import AutoProvider
from avcache.market.provider import PriceHistory, PriceProvider
from avcache.market.service import Market
from avcache.ops.warmup import JobRunning, Warmup, WarmupJob
from tests.market.doubles import MemoryProvider, steady


class Gate(MemoryProvider):
    """Lets loads through once it is opened; notes how many are under way."""

    def __init__(self, histories: Mapping[str, PriceHistory | ProviderError]) -> None:
        super().__init__(histories)
        self.opened = threading.Event()
        self.entered = threading.Semaphore(0)

    def histories(self, tickers: Sequence[str]) -> dict[str, PriceHistory | ProviderError]:
        self.entered.release()
        assert self.opened.wait(10)
        return super().histories(tickers)


class Bench:
    """A warm-up on a cache whose wall clock stands still."""

    def __init__(self, provider: PriceProvider, clock: ManualClock) -> None:
        wired = runtime.build(Settings.from_env({}))
        self.clock = clock
        self.cache = Cache(wired.cache.backend, wired.cache.namespaces, wall=clock, randomness=lambda: 0.0)
        self.market = Market(self.cache, provider, clock)
        self.warmup = Warmup(self.cache, self.market)

    def price(self, ticker: str) -> float:
        return self.market.price(ticker).price

    def run(self, tickers: str) -> WarmupJob:
        job = self.warmup.start(tickers)
        assert job.wait(10)
        return job


def histories(*tickers: str) -> dict[str, PriceHistory | ProviderError]:
    return {ticker: steady(0.001, ticker=ticker) for ticker in (*tickers, "MKT")}


@pytest.fixture
def provider() -> MemoryProvider:
    return MemoryProvider(histories("AAPL", "MSFT", "KO"))


@pytest.fixture
def bench(provider: MemoryProvider) -> Bench:
    return Bench(provider, ManualClock())


def results(job: WarmupJob) -> dict[str, str]:
    return {outcome.ticker: outcome.result for outcome in job.outcomes}


def test_what_is_missing_is_loaded_in_every_kind(bench: Bench) -> None:
    job = bench.run("AAPL, msft")

    assert results(job) == {"AAPL": "loaded", "MSFT": "loaded"}
    assert (job.cached, job.failures, job.is_running, job.is_cancelled) == (2, {}, False, False)
    assert all(bench.cache.exists(f"{kind}:{name}") for kind in ("price", "momentum") for name in ("AAPL", "MSFT"))
    assert job.seconds is not None


def test_what_is_fresh_is_left_alone(bench: Bench, provider: MemoryProvider) -> None:
    bench.run("AAPL")
    asked = provider.asked.copy()

    job = bench.run("AAPL")

    assert results(job) == {"AAPL": "fresh"}
    assert provider.asked == asked


def test_what_is_stale_is_loaded_again(bench: Bench, provider: MemoryProvider) -> None:
    bench.run("AAPL")
    bench.clock.advance(301)  # price and history are past their ttl, the score is not
    assert bench.warmup.coverage("AAPL").rows == {"AAPL": ("stale", "fresh")}
    provider.given["AAPL"] = steady(0.002)

    job = bench.run("AAPL")

    assert results(job) == {"AAPL": "loaded"}
    assert bench.warmup.coverage("AAPL").gaps == ()
    assert provider.asked["AAPL"] == 2
    assert bench.price("AAPL") == pytest.approx(steady(0.002).prices["close"].iloc[-1])


def test_a_stale_value_does_not_stand_in_for_a_load_that_failed(bench: Bench, provider: MemoryProvider) -> None:
    bench.run("AAPL")
    bench.clock.advance(301)
    provider.given["AAPL"] = ProviderError("AAPL", "timeout", "no answer within 10 s")

    job = bench.run("AAPL")

    assert job.failures == {"AAPL": "no answer within 10 s"}
    assert bench.warmup.coverage("AAPL").rows["AAPL"][0] == "stale"


def test_one_ticker_that_fails_spoils_no_other(bench: Bench, provider: MemoryProvider) -> None:
    provider.given["KO"] = ProviderError("KO", "rate_limited", "too many requests")

    job = bench.run("AAPL KO NONE1 MSFT")

    assert results(job) == {"AAPL": "loaded", "KO": "failed", "NONE1": "failed", "MSFT": "loaded"}
    assert job.failures == {"KO": "too many requests", "NONE1": "not in memory"}
    assert job.cached == 2


def test_an_error_of_ours_is_logged_and_told_without_its_inside(
    bench: Bench, provider: MemoryProvider, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(tickers: Sequence[str]) -> dict[str, PriceHistory | ProviderError]:
        raise ZeroDivisionError("secret inside")

    monkeypatch.setattr(provider, "histories", broken)

    job = bench.run("AAPL")

    assert job.failures == {"AAPL": "an error of this program; see its log"}
    assert "secret inside" in caplog.text


def test_a_store_that_refuses_fails_the_ticker_and_not_the_job(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(keys: object) -> object:
        raise BackendError("redis inspect: no permission")

    monkeypatch.setattr(bench.cache.backend, "inspect", broken)

    job = bench.run("AAPL MSFT")

    assert results(job) == {"AAPL": "failed", "MSFT": "failed"}


@pytest.mark.parametrize("tickers", ["", ",,,", "AAPL ../x", "🚀", ",".join(f"A{number}" for number in range(501))])
def test_bad_tickers_begin_nothing(bench: Bench, provider: MemoryProvider, tickers: str) -> None:
    with pytest.raises(InvalidInput):
        bench.warmup.start(tickers)

    assert bench.warmup.latest is None
    assert not provider.asked


# -- what is missing to the market ---------------------------------------------------------------


def test_what_another_source_gave_is_missing(provider: MemoryProvider) -> None:
    sample = MemoryProvider(histories("AAPL"), name="sample")
    auto = AutoProvider(provider, sample, interval=0.01)
    bench = Bench(auto, ManualClock())
    bench.run("AAPL")
    assert bench.warmup.coverage("AAPL").gaps == ()
    auto.start()
    switched = threading.Event()
    while auto.name != "memory":
        assert not switched.wait(0.01)

    before = bench.warmup.coverage("AAPL")
    job = bench.run("AAPL")
    auto.stop()

    assert before.rows == {"AAPL": ("missing", "missing")}
    assert results(job) == {"AAPL": "loaded"}
    entry = bench.cache.peek("price:AAPL")
    assert entry is not None
    assert entry.source == "memory"


def test_a_value_that_somebody_set_by_hand_is_missing_to_the_market(bench: Bench) -> None:
    bench.cache.set("price:AAPL", 175.5)

    assert bench.warmup.coverage("AAPL").rows["AAPL"][0] == "missing"


# -- one at a time, and a way to stop --------------------------------------------------------------


def test_there_is_one_at_a_time() -> None:
    gate = Gate(histories("AAPL", "MSFT"))
    bench = Bench(gate, ManualClock())
    first = bench.warmup.start("AAPL")
    assert gate.entered.acquire(timeout=10)

    with pytest.raises(JobRunning, match=r"1 tickers is under way \(0 done\)"):
        bench.warmup.start("MSFT")
    gate.opened.set()

    assert first.wait(10)
    assert bench.warmup.latest is first
    assert results(bench.run("MSFT")) == {"MSFT": "loaded"}


def test_of_many_who_start_at_once_one_does() -> None:
    gate = Gate(histories("AAPL"))
    bench, barrier = Bench(gate, ManualClock()), threading.Barrier(8)
    begun: list[WarmupJob] = []
    refused: list[JobRunning] = []

    def start() -> None:
        barrier.wait()
        try:
            begun.append(bench.warmup.start("AAPL"))
        except JobRunning as exc:
            refused.append(exc)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gate.opened.set()

    assert (len(begun), len(refused)) == (1, 7)
    assert begun[0].wait(10)


def test_a_cancelled_job_finishes_what_is_under_way_and_begins_nothing_more() -> None:
    names = [f"A{number}" for number in range(40)]
    gate = Gate(histories(*names))
    bench = Bench(gate, ManualClock())
    job = bench.warmup.start(names)
    for _ in range(4):
        assert gate.entered.acquire(timeout=10)

    job.cancel()
    gate.opened.set()

    assert job.wait(10)
    assert job.is_cancelled
    assert [outcome.ticker for outcome in job.outcomes] == names[:4]
    assert not bench.cache.exists("price:A4")


def test_progress_can_be_read_while_it_runs() -> None:
    gate = Gate(histories("AAPL", "MSFT"))
    bench = Bench(gate, ManualClock())
    job = bench.warmup.start("AAPL MSFT")
    assert gate.entered.acquire(timeout=10)

    assert (job.is_running, job.outcomes, job.cached, job.seconds) == (True, (), 0, None)
    assert not job.wait(0.01)
    gate.opened.set()
    assert job.wait(10)
    assert [outcome.ticker for outcome in job.outcomes] == ["AAPL", "MSFT"]


def test_close_stops_a_job_and_waits_for_it() -> None:
    names = [f"A{number}" for number in range(40)]
    gate = Gate(histories(*names))
    bench = Bench(gate, ManualClock())
    job = bench.warmup.start(names)
    assert gate.entered.acquire(timeout=10)
    threading.Timer(0.05, gate.opened.set).start()

    bench.warmup.close()

    assert job.is_cancelled
    assert not job.is_running
    assert len(job.outcomes) < 40


def test_close_without_any_job_is_fine(bench: Bench) -> None:
    bench.warmup.close()

    assert bench.warmup.latest is None


def test_a_job_that_got_no_thread_blocks_no_other(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", none_left)
        with pytest.raises(RuntimeError, match="new thread"):
            bench.warmup.start("AAPL")

    assert results(bench.run("AAPL")) == {"AAPL": "loaded"}


def test_a_ticker_that_the_cache_did_not_keep_is_not_told_as_cached() -> None:
    wired = runtime.build(Settings.from_env({"CACHE_MAX_VALUE_BYTES": "1024"}))
    market = Market(wired.cache, MemoryProvider(histories("AAPL")), ManualClock())
    warmup = Warmup(wired.cache, market)

    job = warmup.start("AAPL")
    assert job.wait(10)

    assert wired.cache.exists("price:AAPL")
    assert not wired.cache.exists("momentum:AAPL")
    assert job.cached == 0
    assert job.failures == {"AAPL": "loaded, but not kept by the cache"}
