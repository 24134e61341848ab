"""Warm-ups: only what is not fresh, an outcome for each ticker, one at a time, and a way to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack

import pytest

from avcache.errors import BackendError, InvalidInput, ProviderError
from avcache.market.auto import AutoProvider
from avcache.market.provider import PriceHistory, PriceProvider
from avcache.ops.warmup import JobRunning, Warmup, WarmupJob
from tests.market.doubles import MemoryProvider, steady
from tests.ops.graph import Graph, wait_until
from tests.threads import together


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


class Bench(Graph):
    """A warm-up on a cache whose wall clock stands still."""

    @property
    def warmup(self) -> Warmup:
        return self.ops.warmup

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


Make = Callable[..., Bench]


@pytest.fixture
def make() -> Iterator[Make]:
    """Benches that are closed afterwards."""
    with ExitStack() as stack:

        def build(provider: PriceProvider, **settings: str) -> Bench:
            made = Bench(provider, settings=settings)
            stack.callback(made.close)
            return made

        yield build


@pytest.fixture
def bench(provider: MemoryProvider, make: Make) -> Bench:
    return make(provider)


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


def test_what_another_source_gave_is_missing(provider: MemoryProvider, make: Make) -> None:
    sample = MemoryProvider(histories("AAPL"), name="sample")
    auto = AutoProvider(provider, sample, interval=0.01)
    bench = make(auto)
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


def test_there_is_one_at_a_time(make: Make) -> None:
    gate = Gate(histories("AAPL", "MSFT"))
    bench = make(gate)
    first = bench.warmup.start("AAPL")
    assert gate.entered.acquire(timeout=10)

    with pytest.raises(JobRunning, match=r"a warm-up is under way \(0 of 1 done\)"):
        bench.warmup.start("MSFT")
    gate.opened.set()

    assert first.wait(10)
    assert bench.warmup.latest is not None
    assert bench.warmup.latest.id == first.id
    assert results(bench.run("MSFT")) == {"MSFT": "loaded"}


def test_of_many_who_start_at_once_one_does(make: Make) -> None:
    gate = Gate(histories("AAPL"))
    bench = make(gate)
    begun: list[WarmupJob] = []
    refused: list[JobRunning] = []

    def start(_number: int) -> None:
        try:
            begun.append(bench.warmup.start("AAPL"))
        except JobRunning as exc:
            refused.append(exc)

    together(8, start)
    gate.opened.set()

    assert (len(begun), len(refused)) == (1, 7)
    assert begun[0].wait(10)


def test_a_cancelled_job_finishes_what_is_under_way_and_begins_nothing_more(make: Make) -> None:
    names = [f"A{number}" for number in range(40)]
    gate = Gate(histories(*names))
    bench = make(gate)
    job = bench.warmup.start(names)
    for _ in range(4):
        assert gate.entered.acquire(timeout=10)

    job.cancel()
    gate.opened.set()

    assert job.wait(10)
    assert job.is_cancelled
    assert [outcome.ticker for outcome in job.outcomes] == names[:4]
    assert not bench.cache.exists("price:A4")


def test_progress_can_be_read_while_it_runs(make: Make) -> None:
    gate = Gate(histories("AAPL", "MSFT"))
    bench = make(gate)
    job = bench.warmup.start("AAPL MSFT")
    assert gate.entered.acquire(timeout=10)

    assert (job.is_running, job.outcomes, job.cached, job.seconds) == (True, (), 0, None)
    assert not job.wait(0.01)
    gate.opened.set()
    assert job.wait(10)
    assert [outcome.ticker for outcome in job.outcomes] == ["AAPL", "MSFT"]


def test_close_leaves_a_job_to_the_next_who_leads(make: Make) -> None:
    names = [f"A{number}" for number in range(40)]
    gate = Gate(histories(*names))
    bench = make(gate)
    job = bench.warmup.start(names)
    for _ in range(4):
        assert gate.entered.acquire(timeout=10)
    threading.Timer(0.05, gate.opened.set).start()

    bench.ops.close()
    left = job.job
    heir = Graph(gate, bench.clock, bench.ops.board)
    heir.ops.start()

    assert not left.is_ended
    assert left.done < 40
    assert job.wait(20)
    heir.close()
    assert job.cached == 40
    assert not bench.cache.exists("price:A39")
    assert heir.cache.exists("price:A39")


def test_a_paused_job_goes_on_when_it_may(make: Make) -> None:
    names = [f"A{number}" for number in range(40)]
    gate = Gate(histories(*names))
    bench = make(gate)
    job = bench.warmup.start(names)
    for _ in range(4):
        assert gate.entered.acquire(timeout=10)

    job.pause()
    gate.opened.set()
    wait_until(lambda: job.is_paused)
    held = len(job.outcomes)
    job.resume()

    assert held < 40
    assert job.wait(20)
    assert job.cached == 40


def test_the_most_read_come_first(bench: Bench) -> None:
    for _ in range(3):
        bench.cache.get("price:KO")
    bench.cache.get("momentum:MSFT@factor")

    plan = bench.warmup.plan("AAPL MSFT KO")
    job = bench.run("AAPL MSFT KO")

    assert plan.tickers == job.tickers == ("KO", "MSFT", "AAPL")


def test_a_plan_says_what_it_takes_and_loads_nothing(bench: Bench, provider: MemoryProvider) -> None:
    bench.run("AAPL")
    asked = provider.asked.copy()

    plan = bench.warmup.plan("AAPL MSFT KO")

    assert (set(plan.tickers), plan.covered, plan.absent, plan.requests) == ({"MSFT", "KO"}, 1, 0, 2)
    assert plan.seconds is not None
    assert provider.asked == asked
    assert bench.warmup.plan("AAPL").tickers == ()


def test_what_expires_soon_is_loaded_anew_if_that_is_wanted(bench: Bench, provider: MemoryProvider) -> None:
    bench.run("AAPL")
    bench.clock.advance(280)  # of 300
    assert bench.warmup.coverage("AAPL").rows == {"AAPL": ("expiring", "fresh")}
    provider.given["AAPL"] = steady(0.002)

    kept = bench.run("AAPL")
    ahead = bench.warmup.start("AAPL", ahead=True)
    assert ahead.wait(10)

    assert (results(kept), results(ahead)) == ({"AAPL": "fresh"}, {"AAPL": "loaded"})
    assert bench.warmup.coverage("AAPL").rows == {"AAPL": ("fresh", "fresh")}
    assert provider.asked["AAPL"] == 2
    assert bench.price("AAPL") == pytest.approx(steady(0.002).prices["close"].iloc[-1])


def test_a_time_budget_ends_it_and_says_what_is_left(make: Make) -> None:
    names = [f"A{number}" for number in range(40)]
    gate = Gate(histories(*names))
    gate.opened.set()
    bench = make(gate)

    job = bench.warmup.start(names, rate=20, seconds=60)
    wait_until(lambda: bool(job.outcomes))
    bench.clock.advance(60)
    assert job.wait(20)

    assert 0 < len(job.outcomes) < 40
    assert f"{40 - len(job.outcomes)} not begun" in job.job.result


@pytest.mark.parametrize(
    ("budget", "field"),
    [
        ({"rate": 0}, "rate"),
        ({"rate": float("nan")}, "rate"),
        ({"seconds": -1}, "seconds"),
        ({"seconds": True}, "seconds"),
    ],
)
def test_a_budget_that_is_none_begins_nothing(bench: Bench, budget: dict[str, float], field: str) -> None:
    with pytest.raises(InvalidInput, match=f"{field}="):
        bench.warmup.start("AAPL", **budget)  # type: ignore[arg-type]

    assert bench.warmup.latest is None


def test_a_kind_that_is_none_begins_nothing(bench: Bench) -> None:
    with pytest.raises(InvalidInput, match="kinds='nonsense'"):
        bench.warmup.start("AAPL", ["nonsense"])

    assert bench.warmup.latest is None


def test_who_began_it_and_why_is_on_record(bench: Bench) -> None:
    job = bench.warmup.start("AAPL KO", actor="ann", reason="before the open")
    assert job.wait(10)

    acts = {entry.action: entry for entry in bench.ops.audit.latest()}  # it may end before it is written down
    begun, ended = acts["warm-up"], acts["warmed"]
    assert (begun.actor, begun.action, begun.object, begun.reason, begun.planned) == (
        "ann",
        "warm-up",
        "AAPL KO",
        "before the open",
        2,
    )
    assert (ended.actor, ended.action, ended.done, ended.job) == ("ann", "warmed", 2, job.id)


def test_a_worker_that_got_no_thread_blocks_no_other(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", none_left)
        with pytest.raises(RuntimeError, match="new thread"):
            bench.warmup.start("AAPL")
    first = bench.warmup.latest
    bench.ops.start()

    assert first is not None
    assert first.wait(10)
    assert results(bench.run("MSFT")) == {"MSFT": "loaded"}


def test_a_ticker_that_the_cache_did_not_keep_is_not_told_as_cached(make: Make) -> None:
    bench = make(MemoryProvider(histories("AAPL")), CACHE_MAX_VALUE_BYTES="1024")

    job = bench.run("AAPL")

    assert job.cached == 0
    assert job.failures == {"AAPL": "loaded, but not kept by the cache"}
