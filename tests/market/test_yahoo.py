"""The real yfinance, through `YahooProvider`, against a stand-in for Yahoo on 127.0.0.1."""

from __future__ import annotations

import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest
import yfinance

from avcache.errors import FailureReason, ProviderError
from avcache.market.price import Price
from avcache.market.provider import AROUND_THE_CLOCK, COLUMNS, PriceHistory, validate
from avcache.market.sample import SampleProvider
from avcache.market.throttle import Throttle
from avcache.market.yahoo import YahooProvider
from avcache.market.yahoo_session import YahooSession
from tests.market.doubles import Kept
from tests.yahoo_server import FIGURES, Fault, YahooServer

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = SampleProvider()


@pytest.fixture
def yahoo() -> Iterator[YahooServer]:
    with YahooServer() as server:
        yield server


@pytest.fixture
def provider(yahoo: YahooServer, tmp_path: Path) -> Iterator[YahooProvider]:
    subject = YahooProvider(base_url=yahoo.url, timeout=5.0)
    _forget_everything(tmp_path)
    yield subject
    subject.close()


def _forget_everything(directory: Path) -> None:
    """yfinance keeps its session, cookie, crumb, time zones and old answers in globals."""
    yfinance.data.SingletonMeta._instances.clear()
    yfinance.data.YfData.cache_get.cache_clear()
    yfinance.base._tz_info_fetch_ctr = 0
    yfinance.cache._TzCacheManager._tz_cache = None
    yfinance.cache._CookieCacheManager._Cookie_cache = None
    yfinance.set_tz_cache_location(str(directory))
    # Opened in one thread, as the provider does it: several at once would lock each other out.
    yfinance.cache.get_tz_cache().lookup("")
    yfinance.cache.get_cookie_cache().lookup("")


def _reason(provider: YahooProvider, ticker: str) -> FailureReason:
    with pytest.raises(ProviderError) as caught:
        provider.history(ticker)
    return caught.value.reason


def test_the_frame_holds_the_raw_and_the_adjusted_prices_of_yahoo(provider: YahooProvider) -> None:
    history = provider.history("AAPL")

    assert (history.ticker, history.currency) == ("AAPL", "USD")
    assert tuple(history.prices.columns) == COLUMNS
    pd.testing.assert_frame_equal(history.prices, SAMPLE.history("AAPL").prices, check_freq=False)
    validate(history)


def test_what_yahoo_does_not_have_is_not_a_number(provider: YahooProvider) -> None:
    prices = provider.history("MRK").prices

    assert prices[["open", "high", "low", "volume"]].isna().all(axis=None)
    assert prices["close"].notna().all()


def test_rows_without_a_close_are_left_out(yahoo: YahooServer, provider: YahooProvider) -> None:
    yahoo.faults["AAPL"] = Fault.NULL_ROWS

    history = provider.history("AAPL")

    whole = SAMPLE.history("AAPL").prices
    pd.testing.assert_frame_equal(history.prices, whole.drop(whole.index[[100, -1]]), check_freq=False)
    validate(history)


@pytest.mark.parametrize("ticker", ["^GSPC", "SPY"])
def test_indices_and_funds_are_served(provider: YahooProvider, ticker: str) -> None:
    prices = provider.history(ticker).prices

    assert prices["close"].iloc[-1] == 3783.22


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault.RATE_LIMITED, "rate_limited"),
        (Fault.UNKNOWN, "unknown"),
        (Fault.DOWN_PAGE, "upstream_error"),
        (Fault.HTML_PAGE, "upstream_error"),
        (Fault.ERROR_500, "upstream_error"),
        (Fault.UNAVAILABLE, "upstream_error"),
        (Fault.EMPTY, "upstream_error"),
    ],
)
def test_every_failure_has_its_reason(
    yahoo: YahooServer, provider: YahooProvider, fault: Fault, reason: FailureReason
) -> None:
    yahoo.faults["AAPL"] = fault

    assert _reason(provider, "AAPL") == reason


def test_a_silent_yahoo_is_a_timeout(yahoo: YahooServer, tmp_path: Path) -> None:
    _forget_everything(tmp_path)
    yahoo.faults["AAPL"] = Fault.SILENT
    provider = YahooProvider(base_url=yahoo.url, timeout=0.15)

    reason = _reason(provider, "AAPL")
    provider.close()

    assert reason == "timeout"


def test_nobody_at_the_other_end_is_an_upstream_error(tmp_path: Path) -> None:
    _forget_everything(tmp_path)
    with YahooServer() as gone:
        provider = YahooProvider(base_url=gone.url, timeout=1.0)

    reason = _reason(provider, "AAPL")
    provider.close()

    assert reason == "upstream_error"


def test_the_third_unknown_symbol_is_as_unknown_as_the_first(provider: YahooProvider) -> None:
    reasons = [_reason(provider, ticker) for ticker in ("NOPE1", "NOPE2", "NOPE3")]

    assert reasons == ["unknown"] * 3


def test_an_isin_is_refused_without_a_request(yahoo: YahooServer, provider: YahooProvider) -> None:
    assert _reason(provider, "US0378331005") == "unknown"
    assert not yahoo.requests


@pytest.mark.parametrize("fault", [Fault.DOWN_PAGE, Fault.UNAVAILABLE, Fault.UNKNOWN, Fault.RATE_LIMITED])
def test_a_symbol_recovers_once_yahoo_does(yahoo: YahooServer, provider: YahooProvider, fault: Fault) -> None:
    yahoo.faults["AAPL"] = fault
    _reason(provider, "AAPL")
    del yahoo.faults["AAPL"]

    assert len(provider.history("AAPL").prices) == 1257


FAULTS = {
    "AAPL": (Fault.RATE_LIMITED, "rate_limited"),
    "BAC": (Fault.UNKNOWN, "unknown"),
    "CVX": (Fault.HTML_PAGE, "upstream_error"),
    "GE": (Fault.ERROR_500, "upstream_error"),
    "JNJ": (Fault.UNAVAILABLE, "upstream_error"),
    "KO": (Fault.SILENT, "timeout"),
    "LLY": (Fault.EMPTY, "upstream_error"),
    "MRK": (Fault.DOWN_PAGE, "upstream_error"),
}
TWENTY = SAMPLE.tickers[:20]


@pytest.mark.parametrize("bad", FAULTS)
def test_one_bad_ticker_among_twenty_spoils_no_other(yahoo: YahooServer, tmp_path: Path, bad: str) -> None:
    _forget_everything(tmp_path)
    fault, reason = FAULTS[bad]
    yahoo.faults[bad] = fault
    provider = YahooProvider(base_url=yahoo.url, timeout=0.5 if fault is Fault.SILENT else 5.0)
    kept = Kept()

    prices = kept.market(provider).prices(TWENTY)
    provider.close()

    failed = {ticker: found.reason for ticker, found in prices.items() if isinstance(found, ProviderError)}
    assert failed == {bad: reason}
    assert sum(isinstance(found, Price) for found in prices.values()) == 19
    known = {key.partition(":")[2] for key in kept.cache.keys("history:*")}
    # That Yahoo knows no such ticker is kept; nothing else of it is.
    assert known == set(TWENTY) - (set() if reason == "unknown" else {bad})
    if reason == "unknown":
        assert kept.cache.get_entry(f"history:{bad}").miss == "absent"


def test_a_batch_asks_once_for_each_ticker_and_once_for_the_benchmark(
    yahoo: YahooServer, provider: YahooProvider
) -> None:
    kept = Kept()
    kept.market(provider).scores(TWENTY)
    first = yahoo.charts()

    kept.clock.advance(3600 * 48)  # past every stale time: all is loaded anew
    kept.market(provider).scores(TWENTY)

    # What yfinance has not seen yet costs it a second request, for the time zone.
    assert first == dict.fromkeys([*TWENTY, "SPY"], 2)
    assert yahoo.charts() - first == dict.fromkeys([*TWENTY, "SPY"], 1)


def test_a_refusal_opens_the_breaker_for_all_processes_and_stale_prices_are_served(
    yahoo: YahooServer, tmp_path: Path
) -> None:
    _forget_everything(tmp_path)
    kept = Kept()
    providers = [
        YahooProvider(
            base_url=yahoo.url, throttle=Throttle(kept.cache, "yahoo", rate=1000, wall=kept.clock), clock=kept.clock
        )
        for _ in range(2)
    ]
    ours, theirs = (kept.market(provider) for provider in providers)
    before = ours.score("AAPL")
    kept.clock.advance(3600)
    yahoo.faults["KO"] = Fault.RATE_LIMITED
    refused = ours.scores("KO")["KO"]
    asked = len(yahoo.requests)

    others = theirs.prices("META MSFT")
    stale = theirs.score("AAPL")
    price = theirs.price("AAPL", stale="on_error")

    assert isinstance(refused, ProviderError)
    assert refused.reason == "rate_limited"
    assert {found.reason for found in others.values() if isinstance(found, ProviderError)} == {"rate_limited"}
    assert len(yahoo.requests) == asked
    assert theirs.paused_until is not None
    assert 30 <= theirs.paused_until - kept.clock() <= 60
    assert stale.composite_score == before.composite_score
    assert (price.price, price.fetched_at) == (before.price, kept.clock() - 3600)
    kept.clock.advance(61)
    assert isinstance(theirs.prices("META")["META"], Price)
    for provider in providers:
        provider.close()


def test_what_is_not_there_at_the_deadline_has_timed_out(yahoo: YahooServer, tmp_path: Path) -> None:
    _forget_everything(tmp_path)
    yahoo.faults |= dict.fromkeys(("AAPL", "KO", "META", "MSFT"), Fault.SILENT)
    provider = YahooProvider(base_url=yahoo.url, timeout=1.5, deadline=0.5)
    begun = time.monotonic()

    found = provider.histories(["AAPL", "KO", "META", "MSFT", "XOM"])

    assert time.monotonic() - begun < 1.4
    assert {ticker: error.reason for ticker, error in found.items() if isinstance(error, ProviderError)} == (
        dict.fromkeys(("AAPL", "KO", "META", "MSFT", "XOM"), "timeout")
    )
    yahoo.faults.clear()
    provider.close()


def test_a_bucket_without_tokens_is_a_timeout(yahoo: YahooServer, provider: YahooProvider) -> None:
    kept = Kept()
    slow = YahooProvider(
        base_url=yahoo.url, deadline=1.0, throttle=Throttle(kept.cache, "yahoo", rate=0.1, burst=1, wall=kept.clock)
    )

    found = [slow.histories([ticker])[ticker] for ticker in ("AAPL", "KO")]
    slow.close()

    assert isinstance(found[0], PriceHistory)
    assert isinstance(found[1], ProviderError)
    assert found[1].reason == "timeout"
    assert yahoo.charts()["KO"] == 0


@pytest.mark.parametrize(
    ("seconds", "is_complete"), [(3600, False), (6.5 * 3600 + 60, False), (6.5 * 3600 + 901, True), (86_400, True)]
)
def test_a_bar_is_complete_a_quarter_of_an_hour_after_the_close(
    yahoo: YahooServer, tmp_path: Path, seconds: float, is_complete: bool
) -> None:
    _forget_everything(tmp_path)
    opened = pd.Timestamp("2022-12-28 09:30", tz="America/New_York").timestamp()
    provider = YahooProvider(base_url=yahoo.url, clock=lambda: opened + seconds)

    history = provider.history("AAPL")
    provider.close()

    assert (history.is_complete, history.fetched_at) == (is_complete, opened + seconds)
    assert history.zone == "America/New_York"


def test_a_score_leaves_a_running_session_out_and_its_price_does_not(yahoo: YahooServer, tmp_path: Path) -> None:
    _forget_everything(tmp_path)
    opened = pd.Timestamp("2022-12-28 09:30", tz="America/New_York").timestamp()
    provider = YahooProvider(base_url=yahoo.url, clock=lambda: opened + 3600)

    score = Kept().market(provider).score("AAPL")
    provider.close()

    assert (score.as_of, score.bar_complete, score.rows) == ("2022-12-27", False, 1256)
    assert score.price == SAMPLE.history("AAPL").prices["close"].iloc[-1]


def test_fundamentals_are_the_finite_figures_of_yahoo(provider: YahooProvider) -> None:
    assert provider.fundamentals(["AAPL"]) == {"AAPL": FIGURES}


def test_a_symbol_without_fundamentals_has_none(provider: YahooProvider) -> None:
    assert provider.fundamentals(["NOPE"]) == {"NOPE": {}}


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault.NO_FUNDAMENTALS, "upstream_error"),
        (Fault.RATE_LIMITED, "rate_limited"),
        (Fault.HTML_PAGE, "upstream_error"),
    ],
)
def test_fundamentals_fail_with_a_reason(
    yahoo: YahooServer, provider: YahooProvider, fault: Fault, reason: FailureReason
) -> None:
    yahoo.faults["AAPL"] = fault

    found = provider.fundamentals(["AAPL"])["AAPL"]

    assert isinstance(found, ProviderError)
    assert found.reason == reason


def test_a_first_history_asks_for_two_charts_a_later_one_for_one(yahoo: YahooServer, provider: YahooProvider) -> None:
    provider.history("AAPL")
    first = yahoo.charts()["AAPL"]
    provider.history("AAPL")

    assert (first, yahoo.charts()["AAPL"]) == (2, 3)
    assert yahoo.count("getcrumb") == 1


def test_fundamentals_take_three_requests(yahoo: YahooServer, provider: YahooProvider) -> None:
    provider.fundamentals(["AAPL"])

    asked = [request.path.split("/")[-2] for request in yahoo.requests if request.symbol == "AAPL"]
    assert asked == ["quoteSummary", "finance", "timeseries"]


def test_scoring_a_ticker_costs_one_fetch_of_it_and_one_of_the_benchmark(
    yahoo: YahooServer, provider: YahooProvider
) -> None:
    market = Kept().market(provider)

    score = market.score("AAPL")
    market.price("AAPL")
    market.portfolio({"AAPL": 10})

    assert yahoo.charts() == {"AAPL": 2, "SPY": 2}
    assert (score.coverage, score.benchmark, score.source) == (1.0, "SPY", "yahoo")


def test_all_hosts_are_yahoos_and_no_other_is_called(yahoo: YahooServer, provider: YahooProvider) -> None:
    provider.history("AAPL")
    provider.fundamentals(["AAPL"])

    assert {request.host for request in yahoo.requests} == {
        "fc.yahoo.com",
        "query1.finance.yahoo.com",
        "query2.finance.yahoo.com",
    }


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/",
        "https://yahoo.com.example.com/",
        "https://notyahoo.com/",
        "http://127.0.0.1/",
        "/v8",
    ],
)
def test_a_session_with_a_stand_in_refuses_any_other_host(yahoo: YahooServer, url: str) -> None:
    with YahooSession(yahoo.url, timeout=1.0) as session, pytest.raises(ValueError, match="no host of Yahoo"):
        session.get(url)

    assert not yahoo.requests


def test_a_pool_of_threads_shares_one_session(yahoo: YahooServer, provider: YahooProvider) -> None:
    tickers = SAMPLE.tickers[:8]

    with ThreadPoolExecutor(4) as pool:
        histories = list(pool.map(provider.history, tickers))

    assert [history.ticker for history in histories] == list(tickers)
    assert yahoo.count("getcrumb") == 1


def test_the_deprecations_yfinance_trips_over_are_silenced_in_its_modules_only(
    provider: YahooProvider,
) -> None:
    provider.history("AAPL")

    with pytest.raises(pd.errors.Pandas4Warning):
        warnings.warn("ours", pd.errors.Pandas4Warning, stacklevel=1)


def test_the_label_names_a_stand_in(provider: YahooProvider, yahoo: YahooServer) -> None:
    assert YahooProvider().label == "Yahoo live"
    assert provider.label == f"Yahoo stand-in at {yahoo.url.removeprefix('http://')}"


def test_the_service_and_an_unused_provider_load_neither_yfinance_nor_libcurl() -> None:
    code = (
        "import sys, avcache.market.service, avcache.market.yahoo as y; y.YahooProvider();"
        "sys.exit(bool({'yfinance', 'curl_cffi'} & sys.modules.keys()))"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT).returncode == 0


def test_the_package_itself_loads_no_pandas() -> None:
    code = "import sys, avcache.market; sys.exit('pandas' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT).returncode == 0


def test_pence_are_pounds(yahoo: YahooServer, provider: YahooProvider) -> None:
    yahoo.meta["AAPL"] = {"currency": "GBp"}

    history = provider.history("AAPL")

    whole = SAMPLE.history("AAPL").prices
    assert history.currency == "GBP"
    assert history.prices["close"].iloc[-1] == pytest.approx(whole["close"].iloc[-1] / 100)
    assert history.prices["adj_close"].iloc[-1] == pytest.approx(whole["adj_close"].iloc[-1] / 100)
    assert history.prices["volume"].iloc[-1] == whole["volume"].iloc[-1]


def test_what_trades_around_the_clock_has_no_exchange(yahoo: YahooServer, provider: YahooProvider) -> None:
    yahoo.meta["AAPL"] = {"instrumentType": "FUTURE"}

    assert provider.history("AAPL").zone == AROUND_THE_CLOCK


def test_after_close_nothing_more_is_asked_of_what_waited(yahoo: YahooServer, tmp_path: Path) -> None:
    _forget_everything(tmp_path)
    kept = Kept()
    provider = YahooProvider(base_url=yahoo.url, throttle=Throttle(kept.cache, "yahoo", rate=0.2, burst=1))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(provider.histories, ["AAPL", "KO", "META"])
        while not yahoo.charts():
            time.sleep(0.01)
        begun = time.monotonic()
        provider.close()
        found = waiting.result(timeout=10)

    assert time.monotonic() - begun < 3
    assert sum(isinstance(outcome, ProviderError) for outcome in found.values()) >= 2
    assert len(yahoo.charts()) == 1


def test_fundamentals_come_at_any_rate(yahoo: YahooServer, provider: YahooProvider) -> None:
    kept = Kept()
    slow = YahooProvider(base_url=yahoo.url, throttle=Throttle(kept.cache, "yahoo", rate=0.03, wall=kept.clock))

    first = slow.fundamentals(["AAPL"])["AAPL"]
    second = slow.fundamentals(["KO"])["KO"]
    slow.close()

    assert first == FIGURES
    assert isinstance(second, ProviderError)
    assert second.reason == "timeout"


def test_what_was_silent_the_last_time_holds_up_no_other(yahoo: YahooServer, tmp_path: Path) -> None:
    _forget_everything(tmp_path)
    silent = list(TWENTY[:6])
    yahoo.faults |= dict.fromkeys(silent, Fault.SILENT)
    provider = YahooProvider(base_url=yahoo.url, timeout=1.0, deadline=1.5)
    provider.histories(silent)

    found = provider.histories([*silent, "META", "MSFT", "XOM"])
    provider.close()

    assert {ticker for ticker, outcome in found.items() if isinstance(outcome, ProviderError)} == set(silent)
    assert list(found) == [*silent, "META", "MSFT", "XOM"]
