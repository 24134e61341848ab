"""`Market` asks the provider once, keeps everything in the cache, and lets no ticker spoil another."""

from __future__ import annotations

import datetime as dt
import math
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from avcache.errors import InvalidInput, ProviderError
from avcache.market.auto import AutoProvider
from avcache.market.freshness import Freshness
from avcache.market.holdings import Holding, portfolio_key
from avcache.market.price import Price
from avcache.market.provider import Figures, PriceHistory
from avcache.market.sample import SampleProvider
from avcache.market.scoring import Score
from avcache.market.service import Market
from avcache.market.universe import load_universes
from tests.market.doubles import Kept, MemoryProvider, history, steady

FIGURES: Figures = {"forwardPE": 20.0}
LATER = ProviderError("AAPL", "rate_limited", "later")


@pytest.fixture
def provider() -> MemoryProvider:
    histories = {ticker: steady(0.001, ticker=ticker) for ticker in ("AAPL", "KO", "MKT")}
    return MemoryProvider(histories, {"AAPL": FIGURES})


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def market(kept: Kept, provider: MemoryProvider) -> Market:
    return kept.market(provider)


def _entries(kept: Kept) -> dict[str, str]:
    keys = kept.cache.keys()
    return {key: peek.source for key, peek in zip(keys, kept.cache.peek_many(keys), strict=True) if peek is not None}


def test_one_fetch_feeds_price_score_and_portfolio(market: Market, provider: MemoryProvider) -> None:
    market.price("AAPL")
    market.score("aapl")
    market.portfolio({"AAPL": 10})
    market.history("AAPL")

    assert provider.asked == {"AAPL": 1, "MKT": 1, "fundamentals:AAPL": 1}


def test_everything_goes_through_the_cache_under_its_key_and_source(market: Market, kept: Kept) -> None:
    market.portfolio({"AAPL": 10})

    assert _entries(kept) == {
        "history:AAPL": "memory",
        "history:MKT": "memory",
        "price:AAPL": "memory",
        "fundamentals:AAPL": "memory",
        "momentum:AAPL": "memory/alphavelocity/MKT",
        portfolio_key({"AAPL": 10}): "memory/alphavelocity/MKT",
        "provider:live": "",
    }


@pytest.mark.parametrize("profile", ["alphavelocity-legacy", "alphavelocity-v1"])
def test_scores_of_another_profile_have_keys_of_their_own(market: Market, kept: Kept, profile: str) -> None:
    score = market.score("AAPL", profile=profile)

    assert score.profile == profile
    assert _entries(kept)[f"momentum:AAPL@{profile}"] == f"memory/{profile}/MKT"
    assert "momentum:AAPL" not in _entries(kept)


def test_invalidating_a_ticker_drops_all_that_rests_on_it(market: Market, kept: Kept) -> None:
    market.portfolio({"AAPL": 10, "KO": 1})
    market.portfolio({"KO": 1})
    market.score("AAPL", profile="factor", universe=["AAPL", "KO"])

    cleared = market.invalidate("aapl")

    left = set(kept.cache.keys())
    assert left == {
        *("history:KO", "history:MKT", "price:KO", "fundamentals:KO", "momentum:KO", "provider:live"),
        portfolio_key({"KO": 1}),
    }
    assert cleared == 7  # history, price, fundamentals, two scores, the universe, the portfolio


def test_what_is_cached_is_plain(market: Market, kept: Kept) -> None:
    market.portfolio({"AAPL": 10})

    def assert_plain(value: object) -> None:
        assert value is None or type(value) in {dict, list, tuple, str, int, float, bool, pd.DataFrame}
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ():
            assert_plain(inner)

    for key in kept.cache.keys():  # noqa: SIM118 - the keys of a cache
        assert_plain(kept.cache.peek_value(key))


def test_the_price_is_the_last_close_with_its_day_and_change(market: Market, provider: MemoryProvider) -> None:
    provider.given["AAPL"] = history([100, 125], currency="EUR")

    assert market.price(" aapl ") == Price("AAPL", 125.0, "EUR", "2020-01-02", 0.25)


def test_a_score_is_stamped_by_the_clock_and_names_its_source(market: Market, kept: Kept) -> None:
    score = market.score("AAPL")

    assert (score.source, score.benchmark, score.computed_at) == ("memory", "MKT", kept.clock())
    assert score.coverage == 1.0


def test_failing_fundamentals_only_lower_the_coverage_for_a_minute(
    market: Market, provider: MemoryProvider, kept: Kept
) -> None:
    provider.figures["AAPL"] = LATER
    first = market.score("AAPL")
    provider.figures["AAPL"] = FIGURES

    kept.clock.advance(61)
    market.score("AAPL")  # stale: served, and loaded again behind the scenes
    second = market.score("AAPL", stale="refuse")

    assert (first.coverage, first.components["fundamental"].missing) == (0.75, "rate limited: later")
    assert second.coverage == 1.0


def test_fundamentals_in_part_are_asked_for_again_after_six_hours(
    market: Market, provider: MemoryProvider, kept: Kept
) -> None:
    provider.figures |= {"AAPL": {"forwardPE": 20.0}, "KO": {"forwardPE": 20.0, "trailingPegRatio": 1.0}}

    market.scores("AAPL KO MKT")

    assert kept.cache.ttl("fundamentals:AAPL") == 6 * 3600
    assert kept.cache.ttl("fundamentals:KO") == kept.cache.ttl("fundamentals:MKT") == 24 * 3600


def test_a_failing_benchmark_only_lowers_the_coverage(market: Market, provider: MemoryProvider) -> None:
    provider.given["MKT"] = ProviderError("MKT", "timeout", "no answer")

    score = market.score("AAPL")

    assert (score.coverage, score.benchmark) == (0.9, None)
    assert score.components["relative"].missing == "timeout: no answer"


@pytest.mark.parametrize("reason", ["rate_limited", "timeout", "upstream_error"])
def test_a_history_that_failed_for_a_passing_reason_is_not_kept(
    market: Market, provider: MemoryProvider, kept: Kept, reason: Any
) -> None:
    good = provider.given["AAPL"]
    provider.given["AAPL"] = ProviderError("AAPL", reason, "not now")
    with pytest.raises(ProviderError, match="not now"):
        market.score("AAPL")
    assert not [key for key in kept.cache.keys() if key.endswith(":AAPL")]  # noqa: SIM118

    provider.given["AAPL"] = good

    assert market.score("AAPL").ticker == "AAPL"


def test_an_unknown_ticker_is_asked_again_after_15_minutes_then_an_hour_then_a_day(
    market: Market, provider: MemoryProvider, kept: Kept
) -> None:
    asked = []
    for seconds in (0, 899, 2, 3599, 2, 86_399, 2):
        kept.clock.advance(seconds)
        for _ in range(3):
            assert isinstance(market.scores("NOPE")["NOPE"], ProviderError)
            with pytest.raises(ProviderError, match="not in memory"):
                market.price("NOPE")
        asked.append(provider.asked["NOPE"])

    assert asked == [1, 1, 2, 2, 3, 3, 4]


def test_a_ticker_that_is_forgotten_is_asked_at_once(market: Market, provider: MemoryProvider) -> None:
    assert isinstance(market.prices("NOPE")["NOPE"], ProviderError)
    provider.given["NOPE"] = steady(0.0, ticker="NOPE")

    market.invalidate("NOPE")

    assert market.price("NOPE").price == 100


def test_a_history_unfit_for_the_cache_is_known_for_five_minutes(
    market: Market, provider: MemoryProvider, kept: Kept
) -> None:
    provider.given["AAPL"] = history([1.0])
    for _ in range(2):
        with pytest.raises(ProviderError) as caught:
            market.price("AAPL")
        assert caught.value.reason == "no_data"

    kept.clock.advance(301)
    provider.given["AAPL"] = history([1.0, 2.0])

    assert market.price("AAPL").price == 2
    assert provider.asked["AAPL"] == 2


def test_a_hundredfold_price_replaces_no_good_one(market: Market, provider: MemoryProvider, kept: Kept) -> None:
    provider.given["AAPL"] = history([100.0, 101.0])
    market.history("AAPL")
    provider.given["AAPL"] = history([100.0, 101.0, 20_000.0])
    kept.clock.advance(301)

    with pytest.raises(ProviderError, match="without a split"):
        market.price("AAPL", stale="refuse")

    assert market.price("AAPL").price == 101  # from the history before, which is stale


def test_one_bad_ticker_spoils_no_other(market: Market) -> None:
    scores = market.scores(["KO", "NOPE", "AAPL"])
    prices = market.prices("KO NOPE AAPL")

    assert [type(found) for found in scores.values()] == [Score, ProviderError, Score]
    assert [type(found) for found in prices.values()] == [Price, ProviderError, Price]
    assert list(scores) == ["KO", "NOPE", "AAPL"]


def test_a_batch_asks_the_provider_once_and_the_benchmark_once(market: Market, provider: MemoryProvider) -> None:
    market.scores("AAPL KO")
    market.scores("KO AAPL")

    assert [sorted(batch) for batch in provider.batches] == [["AAPL", "KO"], ["MKT"]]


def test_a_batch_equals_one_by_one(provider: MemoryProvider) -> None:
    together, alone = Kept().market(provider), Kept().market(provider)

    assert together.scores("AAPL KO") == {ticker: alone.score(ticker) for ticker in ("AAPL", "KO")}


def test_a_bug_is_not_mistaken_for_a_bad_ticker(market: Market, provider: MemoryProvider) -> None:
    provider.given["KO"] = PriceHistory("KO", steady(0.0).prices.drop(columns="close"), "USD")

    with pytest.raises(KeyError, match="close"):
        market.prices("AAPL KO")


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda m: m.scores("AAPL A/B"), r"tickers=.*'A/B'"),
        (lambda m: m.scores([f"T{number}" for number in range(10_001)]), r"tickers=.*500.*10,?001"),
        (lambda m: m.score("../etc/passwd"), r"ticker='\.\./etc/passwd': a ticker has"),
        (lambda m: m.score("<img src=x>"), r"ticker='<img src=x>': a ticker has"),
        (lambda m: m.score("A" * 10_000), r"ticker='A+…': a ticker has"),
        (lambda m: m.score("AAPL", profile="best"), r"profile='best': one of alphavelocity, "),
        (lambda m: m.scores("AAPL", profile="factor", universe="none such"), r"universe='none such': .*Sample 25"),
        (lambda m: m.portfolio("AAPL ten"), r"holdings=.*line 1 'AAPL ten'"),
        (lambda m: m.portfolio({}), r"holdings=.*1 to 500 positions"),
        (lambda m: m.portfolio({"AAPL": -1}), r"holdings=.*AAPL.*negative"),
        (lambda m: m.portfolio({"AAPL": math.nan}), r"holdings=.*AAPL.*not finite"),
        (lambda m: m.portfolio({"AAPL": Holding(1, -5)}), r"holdings=.*AAPL.*cost"),
        (lambda m: m.score_as_of("AAPL", dt.date(2020, 1, 1), profile="factor"), r"profile='factor'"),
    ],
)
def test_bad_input_is_refused_by_name_value_and_what_is_allowed_before_anything_is_asked(
    market: Market, provider: MemoryProvider, kept: Kept, call: Any, said: str
) -> None:
    with pytest.raises(InvalidInput, match=f"(?s){said}") as caught:
        call(market)

    assert len(str(caught.value)) < 1000
    assert not provider.asked
    assert not kept.cache.keys()


def test_one_portfolio_is_computed_once_however_it_is_written(market: Market, kept: Kept) -> None:
    found = market.portfolio({"AAPL": 10, "KO": 1})

    again = market.portfolio("ko 1\naapl 10.0")

    assert len(kept.cache.keys("portfolio:*")) == 1
    pd.testing.assert_frame_equal(again.table, found.table)
    pd.testing.assert_frame_equal(again.over_time, found.over_time)


def test_a_portfolio_that_lacks_a_position_for_now_is_kept_for_a_minute(
    market: Market, provider: MemoryProvider, kept: Kept
) -> None:
    holdings = {"AAPL": 10, "KO": 1}
    good = provider.given["KO"]
    provider.given["KO"] = replace_error(LATER, "KO")
    first = market.portfolio(holdings)
    provider.given["KO"] = good
    again = market.portfolio(holdings)
    ttl = kept.cache.ttl(portfolio_key(holdings))

    kept.clock.advance(61)
    kept.cache.delete(portfolio_key(holdings))
    whole = market.portfolio(holdings)

    assert (first.missing, len(first.table)) == ({"KO": "rate limited: later"}, 1)
    assert again.missing == first.missing
    assert ttl is not None
    assert ttl <= 60
    assert (whole.missing, len(whole.table)) == ({}, 2)


def replace_error(error: ProviderError, ticker: str) -> ProviderError:
    return ProviderError(ticker, error.reason, error.detail)


def test_a_portfolio_with_an_unknown_ticker_is_kept_for_its_time(market: Market, kept: Kept) -> None:
    found = market.portfolio({"AAPL": 10, "NOPE": 1})

    assert found.missing == {"NOPE": "unknown: not in memory"}
    assert kept.cache.ttl(portfolio_key({"AAPL": 10, "NOPE": 1})) == 600


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


def test_a_change_of_source_within_a_call_mixes_no_sources(kept: Kept, provider: MemoryProvider) -> None:
    class SwitchesWhileAsked(SampleProvider):
        def histories(self, tickers: Sequence[str]) -> dict[str, PriceHistory | ProviderError]:
            auto.start()
            for thread in threading.enumerate():
                if thread.name == "avcache-provider-probe":
                    thread.join(5)
            return super().histories(tickers)

    auto = AutoProvider(provider, SwitchesWhileAsked())
    market = kept.market(auto)

    before = market.score("AAPL")
    after = market.score("AAPL")

    assert (before.source, before.benchmark, before.as_of) == ("sample", "^GSPC", "2022-12-28")
    assert (after.source, after.benchmark, market.source) == ("memory", "MKT", "memory")
    assert (market.label, market.benchmark) == (provider.label, "MKT")


def test_the_sample_replaces_no_live_prices_on_a_shared_cache(kept: Kept, provider: MemoryProvider) -> None:
    live, sample = kept.market(provider), kept.market(SampleProvider())
    live.score("AAPL")

    with pytest.raises(ProviderError, match="holds prices of memory, which those of the sample must not replace"):
        sample.score("AAPL")

    assert live.score("AAPL").source == "memory"
    assert provider.asked["AAPL"] == 1


@pytest.mark.parametrize("read", ["one", "many"])
def test_a_record_of_another_version_is_loaded_anew(kept: Kept, market: Market, read: str) -> None:
    def ask() -> tuple[object, ...]:
        if read == "one":
            return market.price("AAPL"), market.score("AAPL")
        return market.prices("AAPL")["AAPL"], market.scores("AAPL")["AAPL"]

    wanted = ask()
    for key in ("history:AAPL", "history:MKT", "price:AAPL", "momentum:AAPL"):
        source = _entries(kept)[key]
        kept.cache.refresh(key, lambda: {"of": "another version"}, source=source, tags=["AAPL"])

    assert ask() == wanted


def test_a_stale_score_is_served_while_it_is_loaded_again(market: Market, kept: Kept, provider: MemoryProvider) -> None:
    first = market.score("AAPL")
    kept.clock.advance(1801)
    provider.given["AAPL"] = LATER
    provider.given["MKT"] = replace_error(LATER, "MKT")

    assert market.score("AAPL") == first


def test_a_score_knows_when_its_prices_were_fetched(market: Market, provider: MemoryProvider, kept: Kept) -> None:
    provider.given["AAPL"] = replace(steady(0.001), fetched_at=kept.clock())
    market.history("AAPL")
    kept.clock.advance(200)
    provider.given["MKT"] = replace(steady(0.001, ticker="MKT"), fetched_at=kept.clock())

    score = market.score("AAPL")

    assert score.inputs == {
        "prices": kept.clock() - 200,
        "benchmark": kept.clock(),
        "fundamentals": kept.clock(),
    }


def test_a_price_is_no_fresher_than_its_history(market: Market, provider: MemoryProvider, kept: Kept) -> None:
    provider.given["AAPL"] = replace(steady(0.001), fetched_at=kept.clock())
    market.history("AAPL")
    kept.clock.advance(200)

    market.price("AAPL")

    assert kept.cache.ttl("price:AAPL") == pytest.approx(100)


def test_a_score_of_stale_prices_is_kept_for_a_minute(market: Market, provider: MemoryProvider, kept: Kept) -> None:
    provider.given["AAPL"] = replace(steady(0.001), fetched_at=kept.clock())
    market.history("AAPL")
    provider.given["AAPL"] = LATER
    kept.clock.advance(400)

    score = market.score("AAPL")

    assert score.inputs["prices"] == kept.clock() - 400
    assert kept.cache.ttl("momentum:AAPL") == 60


def test_a_portfolio_of_prices_of_mixed_age_says_so(market: Market, provider: MemoryProvider, kept: Kept) -> None:
    begun = kept.clock()
    provider.given["AAPL"] = replace(steady(0.001), fetched_at=begun)
    market.score("AAPL")
    kept.clock.advance(1000)
    provider.given |= {
        ticker: replace(steady(0.001, ticker=ticker), fetched_at=kept.clock()) for ticker in ("AAPL", "KO", "MKT")
    }

    mixed = market.portfolio({"AAPL": 1, "KO": 1})
    same = market.portfolio({"KO": 1})

    assert (mixed.inputs_oldest, mixed.inputs_newest) == (begun, kept.clock())
    assert mixed.is_mixed
    assert not same.is_mixed


def test_a_score_of_a_day_in_the_past_is_computed_and_not_kept(kept: Kept) -> None:
    market = kept.market(SampleProvider())
    now = market.score("MRK")

    then = market.score_as_of("MRK", dt.date(2022, 12, 21))

    assert then.as_of == "2022-12-21"
    assert then.composite_score == now.changes["1w"].composite_score
    assert market.score("MRK") == now
    with pytest.raises(ProviderError, match="no session by 2001-01-01"):
        market.score_as_of("MRK", dt.date(2001, 1, 1))


def test_the_measures_of_a_universe_are_kept_once(kept: Kept) -> None:
    market = kept.market(SampleProvider())

    table = market.measures("sample 25")
    score = market.score("MRK", profile="factor")

    assert len(table) == 25
    assert score.measures["risk_adjusted"] == pytest.approx(table.loc["MRK", "risk_adjusted"])
    assert market.percentiles("MRK")["clenow"] == 0.96
    assert market.percentiles("SPY") == {}
    assert len(kept.cache.keys("universe:*")) == 1


def test_factor_scores_of_two_universes_do_not_mix(kept: Kept) -> None:
    market = kept.market(SampleProvider())
    strong = ["MRK", "XOM", "CVX", "LLY", "JNJ", "PEP", "WMT", "UNH", "KO", "PFE", "PG"]

    among_all, among_strong = (
        market.score("MRK", profile="factor"),
        market.score("MRK", profile="factor", universe=strong),
    )

    assert among_all.composite_score != among_strong.composite_score
    assert market.score("MRK", profile="factor") == among_all


def test_a_universe_that_is_too_small_falls_back_and_says_so(kept: Kept) -> None:
    market = kept.market(SampleProvider())

    score = market.score("MRK", profile="factor", universe=["MRK", "KO"])

    assert (score.profile, score.composite_score) == ("alphavelocity", market.score("MRK").composite_score)
    assert score.note == "the universe is too small: 2 tickers can be placed, 10 needed"


def test_scores_are_looked_at_without_loading_or_counting_any(market: Market, kept: Kept) -> None:
    market.score("AAPL")
    market.score("KO", profile="alphavelocity-v1")
    before = kept.cache.stats().total

    found = market.kept_scores(["aapl", "KO"])
    others = market.kept_scores("AAPL KO", profile="alphavelocity-v1")

    assert list(found) == ["AAPL"]
    assert found["AAPL"].key == "momentum:AAPL"
    assert list(others) == ["KO"]
    assert kept.cache.stats().total == before


def test_candidates_are_the_strongest_cached_ones_that_are_not_held(kept: Kept, tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('[[category]]\nname = "Any"\ntarget = 60\nbenchmark = "SPY"\ntickers = "MRK XOM KO META CVX"\n')
    market = Market(kept.cache, SampleProvider(), freshness=Freshness(kept.clock), universes=load_universes(own))
    analysis = market.portfolio({"XOM": 1, "AAPL": 100})
    assert market.candidates(analysis) == {"Any": []}
    market.scores("MRK KO META")
    before = kept.cache.stats().total.requests

    found = market.candidates(analysis)

    assert [score.ticker for score in found["Any"]] == ["MRK", "KO"]  # META is weak, CVX not cached, XOM held
    assert kept.cache.stats().total.requests == before


def test_bonds_are_held_against_bonds(kept: Kept) -> None:
    provider = MemoryProvider(
        {ticker: steady(growth, ticker=ticker) for ticker, growth in {"SHY": 0.0005, "AGG": 0.0, "MKT": 0.01}.items()},
        {"SHY": {"quoteType": "ETF", "category": "Short Government Bond", "yield": 0.03}},
    )

    score = kept.market(provider).score("SHY")

    assert score.benchmark == "AGG"
    lead = 1.0005**20 - 1
    assert score.components["fundamental"].value == pytest.approx(833 * 0.03 + 25 + 1250 * lead)


# What rests on what


def _ttl(kept: Kept, pattern: str) -> float | None:
    (key,) = kept.cache.keys(pattern)
    return kept.cache.ttl(key)


def test_what_lacks_its_benchmark_for_now_is_kept_for_a_minute(
    market: Market, provider: MemoryProvider, kept: Kept
) -> None:
    provider.given["MKT"] = ProviderError("MKT", "rate_limited", "later")

    market.portfolio({"AAPL": 1})
    market.measures(["AAPL", "KO"])

    assert _ttl(kept, "portfolio:*") == _ttl(kept, "universe:*") == kept.cache.ttl("momentum:AAPL") == 60


def test_a_portfolio_of_a_score_that_lacks_something_for_now_is_kept_for_a_minute(
    market: Market, provider: MemoryProvider, kept: Kept
) -> None:
    provider.figures["AAPL"] = LATER

    market.portfolio({"AAPL": 1})

    assert market.score("AAPL").is_provisional
    assert _ttl(kept, "portfolio:*") == 60


def test_a_score_among_half_a_universe_is_kept_for_a_minute(kept: Kept) -> None:
    sample = SampleProvider()
    given: dict[str, PriceHistory | ProviderError] = {
        ticker: sample.history(ticker) for ticker in [*sample.tickers, "^GSPC"]
    }
    provider = MemoryProvider(given | {"XOM": ProviderError("XOM", "timeout", "no answer")}, benchmark="^GSPC")
    market = kept.market(provider)

    score = market.score("MRK", profile="factor")

    assert score.is_provisional
    assert _ttl(kept, "momentum:MRK@factor") == 60


def test_a_score_is_held_against_no_universe_past_its_time(kept: Kept) -> None:
    sample = SampleProvider()
    histories = {ticker: sample.history(ticker) for ticker in [*sample.tickers, "^GSPC"]}
    provider = MemoryProvider(histories, benchmark="^GSPC")
    market = kept.market(provider)
    market.score("MRK", profile="factor")
    kept.clock.advance(1801)
    cut = {ticker: replace(whole, prices=whole.prices.loc[:"2022-06-30"]) for ticker, whole in histories.items()}
    provider.given.update(cut)
    fresh = Kept().market(MemoryProvider(cut, benchmark="^GSPC")).score("XOM", profile="factor")

    found = market.score("XOM", profile="factor")

    assert found.composite_score == fresh.composite_score


def test_a_universe_that_cannot_be_had_is_told_by_ticker(market: Market, provider: MemoryProvider) -> None:
    provider.given["KO"] = replace_error(LATER, "KO")
    market.history("AAPL")

    found = market.scores("AAPL", profile="factor", universe=["KO"])

    assert isinstance(found["AAPL"], ProviderError)
    assert found["AAPL"].ticker == "AAPL"
    assert "its universe cannot be had" in found["AAPL"].detail


def test_the_score_in_place_of_one_in_a_small_universe_is_the_default_one(market: Market) -> None:
    score = market.score("AAPL", profile="factor", universe=["AAPL", "KO"])

    default = market.score("AAPL")
    assert (score.composite_score, score.coverage) == (default.composite_score, default.coverage)
    assert score.coverage == 1.0  # with the fundamentals that the default profile asks for


@pytest.mark.parametrize("reason", ["timeout", "rate_limited", "upstream_error"])
def test_a_portfolio_asks_once_for_what_fails(market: Market, provider: MemoryProvider, reason: Any) -> None:
    provider.given["BAD"] = ProviderError("BAD", reason, "not now")

    found = market.portfolio({"AAPL": 1, "BAD": 1, "KO": 1})

    assert list(found.missing) == ["BAD"]
    assert provider.asked["BAD"] == 1


def test_many_who_ask_for_what_fails_ask_the_source_once(market: Market, provider: MemoryProvider) -> None:
    class Slow(MemoryProvider):
        def histories(self, tickers: Sequence[str]) -> dict[str, PriceHistory | ProviderError]:
            time.sleep(0.1)
            return super().histories(tickers)

    slow = Slow({**provider.given, **{f"BAD{n}": ProviderError(f"BAD{n}", "timeout", "not now") for n in range(5)}})
    shared = Kept({}, failure_throttle=1.0).market(slow)

    with ThreadPoolExecutor(10) as pool:
        found = list(pool.map(lambda _at: shared.prices("AAPL BAD0 BAD1 BAD2 BAD3 BAD4"), range(10)))

    assert all(isinstance(prices["AAPL"], Price) for prices in found)
    assert all(isinstance(prices["BAD0"], ProviderError) for prices in found)
    assert slow.asked["AAPL"] == 1
    assert max(slow.asked[f"BAD{n}"] for n in range(5)) <= 2


def test_who_refuses_what_is_stale_is_given_nothing_made_of_it(
    market: Market, provider: MemoryProvider, kept: Kept
) -> None:
    provider.given["AAPL"] = replace(steady(0.001), fetched_at=kept.clock())
    market.price("AAPL")
    kept.clock.advance(400)
    provider.given["AAPL"] = LATER
    old = market.price("AAPL", stale="on_error")

    assert old.is_provisional
    with pytest.raises(ProviderError, match="later"):
        market.price("AAPL", stale="refuse")
    with pytest.raises(ProviderError, match="later"):
        market.score("AAPL", stale="refuse")


def test_invalidating_the_benchmark_drops_what_is_held_against_it(market: Market, kept: Kept) -> None:
    market.portfolio({"AAPL": 1})
    market.measures(["AAPL", "KO"])

    market.invalidate("MKT")

    assert kept.cache.keys("momentum:*") == kept.cache.keys("portfolio:*") == kept.cache.keys("universe:*") == []
    assert kept.cache.exists("price:AAPL")


def test_a_short_longest_time_to_live_is_kept_to(provider: MemoryProvider) -> None:
    names = ("PRICE", "MOMENTUM", "PORTFOLIO", "DEFAULT", "STALE")
    kept = Kept({"CACHE_MAX_TTL": "120"} | {f"CACHE_{name}_TTL": "60" for name in names})
    provider.given["ND"] = history([1.0], "ND")
    market = Market(kept.cache, provider, freshness=Freshness(kept.clock, longest=120.0))

    found = market.prices("AAPL ND NOPE")

    assert [type(price) for price in found.values()] == [Price, ProviderError, ProviderError]


@pytest.mark.parametrize("given", [None, 5])
def test_what_is_no_list_of_tickers_is_refused(market: Market, given: Any) -> None:
    with pytest.raises(InvalidInput, match="tickers="):
        market.prices(given)
    with pytest.raises(InvalidInput, match="day="):
        market.score_as_of("AAPL", given)
