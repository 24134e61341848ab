"""`Market` asks the provider once, keeps everything in the cache, and lets no ticker spoil another."""

from __future__ import annotations

import threading

import pandas as pd
import pytest

from avcache.clock import ManualClock
from avcache.errors import InvalidInput, ProviderError
from avcache.market.auto import AutoProvider
from avcache.market.price import Price
from avcache.market.provider import PriceHistory
from avcache.market.sample import SampleProvider
from avcache.market.scoring import Score
from avcache.market.service import Market
from avcache.market.tickers import portfolio_key
from tests.market.doubles import DictCache, MemoryProvider, history, steady

FIGURES = {"forwardPE": 20.0}


@pytest.fixture
def provider() -> MemoryProvider:
    histories = {ticker: steady(0.001, ticker=ticker) for ticker in ("AAPL", "KO", "MKT")}
    return MemoryProvider(histories, {"AAPL": FIGURES})


@pytest.fixture
def cache() -> DictCache:
    return DictCache()


@pytest.fixture
def market(cache: DictCache, provider: MemoryProvider) -> Market:
    return Market(cache, provider, clock=ManualClock(1_700_000_000.0))


def test_one_fetch_feeds_price_score_and_portfolio(market: Market, provider: MemoryProvider) -> None:
    market.price("AAPL")
    market.score("aapl")
    market.portfolio({"AAPL": 10})
    market.history("AAPL")

    assert provider.asked == {"AAPL": 1, "MKT": 1, "fundamentals:AAPL": 1}


def test_everything_goes_through_the_cache_under_its_key_and_source(market: Market, cache: DictCache) -> None:
    market.portfolio({"AAPL": 10})

    assert {key: source for key, (source, _) in cache.entries.items()} == {
        "history:AAPL": "memory",
        "history:MKT": "memory",
        "price:AAPL": "memory",
        "fundamentals:AAPL": "memory",
        "momentum:AAPL": "memory/alphavelocity/MKT",
        portfolio_key({"AAPL": 10}): "memory/alphavelocity/MKT",
    }


def test_scores_and_portfolios_carry_the_tags_of_their_tickers(market: Market, cache: DictCache) -> None:
    market.portfolio({"KO": 1, "AAPL": 10})

    assert cache.tags["momentum:KO"] == ("KO",)
    assert cache.tags[portfolio_key({"KO": 1, "AAPL": 10})] == ("AAPL", "KO")


def test_what_is_cached_is_plain(market: Market, cache: DictCache) -> None:
    market.portfolio({"AAPL": 10})

    def assert_plain(value: object) -> None:
        assert value is None or type(value) in {dict, list, tuple, str, int, float, bool, pd.DataFrame}
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ():
            assert_plain(inner)

    for _, value in cache.entries.values():
        assert_plain(value)


def test_the_price_is_the_last_close_with_its_day_and_change(market: Market, provider: MemoryProvider) -> None:
    provider.histories["AAPL"] = history([100, 125], currency="EUR")

    assert market.price(" aapl ") == Price("AAPL", 125.0, "EUR", "2020-01-02", 0.25)


def test_a_score_is_stamped_by_the_clock_and_names_its_source(market: Market) -> None:
    score = market.score("AAPL")

    assert (score.source, score.benchmark, score.computed_at) == ("memory", "MKT", 1_700_000_000.0)
    assert score.coverage == 1.0


def test_failing_fundamentals_only_lower_the_coverage_and_are_not_kept(
    market: Market, provider: MemoryProvider, cache: DictCache
) -> None:
    provider.figures["AAPL"] = ProviderError("AAPL", "rate_limited", "later")

    score = market.score("AAPL")

    assert score.coverage == 0.75
    assert "fundamentals:AAPL" not in cache.entries


def test_a_failing_benchmark_only_lowers_the_coverage(market: Market, provider: MemoryProvider) -> None:
    provider.histories["MKT"] = ProviderError("MKT", "timeout", "no answer")

    score = market.score("AAPL")

    assert (score.coverage, score.benchmark) == (0.9, None)


def test_a_failed_history_is_not_kept(market: Market, provider: MemoryProvider, cache: DictCache) -> None:
    good = provider.histories["AAPL"]
    provider.histories["AAPL"] = ProviderError("AAPL", "timeout", "no answer")
    with pytest.raises(ProviderError, match="no answer"):
        market.score("AAPL")
    assert not [key for key in cache.entries if key.endswith(":AAPL")]

    provider.histories["AAPL"] = good

    assert market.score("AAPL").ticker == "AAPL"


def test_a_history_unfit_for_the_cache_is_not_kept(market: Market, provider: MemoryProvider, cache: DictCache) -> None:
    provider.histories["AAPL"] = history([1.0])

    with pytest.raises(ProviderError) as caught:
        market.price("AAPL")

    assert caught.value.reason == "no_data"
    assert not cache.entries


def test_one_bad_ticker_spoils_no_other(market: Market) -> None:
    scores = market.scores(["KO", "NOPE", "AAPL"])
    prices = market.prices("KO NOPE AAPL")

    assert [type(found) for found in scores.values()] == [Score, ProviderError, Score]
    assert [type(found) for found in prices.values()] == [Price, ProviderError, Price]
    assert list(scores) == ["KO", "NOPE", "AAPL"]


def test_a_bug_is_not_mistaken_for_a_bad_ticker(market: Market, provider: MemoryProvider) -> None:
    provider.histories["KO"] = PriceHistory("KO", steady(0.0).prices.drop(columns="close"), "USD")

    with pytest.raises(KeyError, match="close"):
        market.prices("AAPL KO")


def test_what_is_no_ticker_is_refused_before_anything_is_asked(market: Market, provider: MemoryProvider) -> None:
    with pytest.raises(InvalidInput):
        market.scores("AAPL A/B")
    with pytest.raises(InvalidInput):
        market.portfolio("AAPL ten")

    assert not provider.asked


def test_tickers_are_loaded_a_few_at_a_time() -> None:
    meeting = threading.Barrier(3, timeout=5)

    class Meeting(MemoryProvider):
        def history(self, ticker: str) -> PriceHistory:
            meeting.wait()
            return steady(0.0, ticker=ticker)

    found = Market(DictCache(), Meeting({}), workers=3).prices("A B C D E F")

    assert [price.ticker for price in found.values()] == list("ABCDEF")


def test_one_portfolio_is_computed_once_however_it_is_written(market: Market, cache: DictCache) -> None:
    found = market.portfolio({"AAPL": 10, "KO": 1})

    again = market.portfolio("ko 1\naapl 10.0")

    assert sum(key.startswith("portfolio:") for key in cache.entries) == 1
    pd.testing.assert_frame_equal(again.table, found.table)


def test_a_portfolio_that_lacks_a_position_for_now_is_shown_but_not_kept(
    market: Market, provider: MemoryProvider, cache: DictCache
) -> None:
    good = provider.histories["KO"]
    provider.histories["KO"] = ProviderError("KO", "rate_limited", "later")
    first = market.portfolio({"AAPL": 10, "KO": 1})
    provider.histories["KO"] = good

    second = market.portfolio({"AAPL": 10, "KO": 1})

    assert (first.missing, len(first.table)) == ({"KO": "rate limited: later"}, 1)
    assert (second.missing, len(second.table)) == ({}, 2)
    assert provider.asked["AAPL"] == 1
    assert portfolio_key({"AAPL": 10, "KO": 1}) in cache.entries


def test_a_portfolio_with_an_unknown_ticker_is_kept(market: Market, cache: DictCache) -> None:
    found = market.portfolio({"AAPL": 10, "NOPE": 1})

    assert found.missing == {"NOPE": "unknown: not in memory"}
    assert portfolio_key({"AAPL": 10, "NOPE": 1}) in cache.entries


def test_analyze_portfolio_returns_the_documented_triple(market: Market) -> None:
    table, total, average = market.analyze_portfolio({"AAPL": 10, "KO": 1})

    whole = market.portfolio({"AAPL": 10, "KO": 1})
    pd.testing.assert_frame_equal(table, whole.table)
    assert (total, average) == (whole.total_value, whole.average_score)


def test_analyze_portfolio_of_nothing_priced_says_why(market: Market) -> None:
    with pytest.raises(ProviderError, match=r"no position can be priced \(NOPE: unknown: not in memory\)"):
        market.analyze_portfolio({"NOPE": 5})


def test_no_caller_can_change_what_is_cached(market: Market) -> None:
    mine = market.history("AAPL").prices
    mine.loc[:, "close"] = 0.0
    table, _, _ = market.analyze_portfolio({"AAPL": 1})
    table.loc[:, "value"] = 0.0

    assert market.history("AAPL").prices["close"].iloc[0] == 100
    assert market.portfolio({"AAPL": 1}).table["value"].iloc[0] > 100


def test_a_change_of_source_within_a_call_mixes_no_sources(cache: DictCache, provider: MemoryProvider) -> None:
    class SwitchesWhileAsked(SampleProvider):
        def history(self, ticker: str) -> PriceHistory:
            auto.start()
            for thread in threading.enumerate():
                if thread.name == "avcache-provider-probe":
                    thread.join(5)
            return super().history(ticker)

    auto = AutoProvider(provider, SwitchesWhileAsked())
    market = Market(cache, auto)

    before = market.score("AAPL")
    after = market.score("AAPL")

    assert (before.source, before.benchmark, before.as_of) == ("sample", "^GSPC", "2022-12-28")
    assert (after.source, after.benchmark, market.source) == ("memory", "MKT", "memory")
    assert (market.label, market.benchmark) == (provider.label, "MKT")


def test_a_record_of_another_version_is_loaded_anew(cache: DictCache, market: Market) -> None:
    wanted = (market.price("AAPL"), market.score("AAPL"), market.portfolio({"AAPL": 1}).total_value)
    assert "price:AAPL" in cache.entries
    for key, (source, _record) in list(cache.entries.items()):
        if not key.startswith("fundamentals:"):  # any figures are figures
            cache.entries[key] = (source, {"of": "another version"})

    found = (market.price("AAPL"), market.score("AAPL"), market.portfolio({"AAPL": 1}).total_value)

    assert found == wanted


def test_a_score_says_why_an_input_could_not_be_had(cache: DictCache) -> None:
    class Refusing(MemoryProvider):
        def fundamentals(self, ticker: str) -> dict[str, float] | None:
            raise ProviderError(ticker, "rate_limited", "Yahoo refuses more requests for now")

    provider = Refusing({ticker: steady(0.001, ticker=ticker) for ticker in ("AAPL", "MKT")})

    found = Market(cache, provider).score("AAPL")

    assert found.components["fundamental"].missing == "rate limited: Yahoo refuses more requests for now"
    assert found.coverage < 1
