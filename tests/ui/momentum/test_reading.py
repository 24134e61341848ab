from __future__ import annotations

from avcache.market import scoring
from avcache.runtime import Runtime
from avcache.ui.momentum.reading import load_history, load_scores, read_cached, read_history


def test_looking_at_an_empty_cache_loads_nothing(wired: Runtime) -> None:
    seen = read_cached(wired, ["AAPL", "MRK"])

    assert seen.missing == ("AAPL", "MRK")
    assert not seen.scores
    assert wired.cache.stats().total.requests == 0


def test_only_cached_scores_are_read_and_each_counts_as_a_hit(wired: Runtime) -> None:
    wired.market.score("MRK")
    before = wired.cache.stats().total

    seen = read_cached(wired, ["AAPL", "MRK"])

    after = wired.cache.stats().total
    assert list(seen.scores) == ["MRK"]
    assert seen.missing == ("AAPL",)
    assert (after.hits - before.hits, after.misses - before.misses) == (1, 0)


def test_a_score_of_another_source_is_missing(wired: Runtime) -> None:
    other = scoring.to_record(wired.market.score("MRK"))
    wired.cache.delete("momentum:MRK")
    wired.cache.get_or_load("momentum:MRK", lambda: other, source="yahoo/alphavelocity/^GSPC")

    seen = read_cached(wired, ["MRK"])

    assert seen.missing == ("MRK",)


def test_a_trend_is_drawn_from_a_cached_history_only(wired: Runtime) -> None:
    wired.market.scores(["MRK", "AAPL"])
    wired.cache.delete("history:AAPL")

    seen = read_cached(wired, ["MRK", "AAPL"])

    assert len(seen.trends["MRK"]) == 126
    assert "AAPL" not in seen.trends
    assert wired.cache.peek("history:AAPL") is None


def test_prices_are_read_only_if_cached(wired: Runtime) -> None:
    absent = read_history(wired, "MRK")
    wired.market.history("MRK")

    present = read_history(wired, "MRK")

    assert absent is None
    assert present is not None
    assert present.ticker == "MRK"


def test_loading_tells_how_far_it_is_and_what_failed(wired: Runtime) -> None:
    steps = list(load_scores(wired, ["AAPL", "FOO", "MRK", "NVDA", "XOM"]))

    assert [done for done, _ in steps] == [4, 5]
    assert steps[-1][1] == {"FOO": "unknown: not among the 25 stocks of the sample"}
    assert not read_cached(wired, ["AAPL", "MRK", "NVDA", "XOM"]).missing


def plant_older_record(wired: Runtime, ticker: str) -> None:
    """A score as a version before this one might have kept it."""
    record = scoring.to_record(wired.market.score(ticker))
    del record["coverage"]
    wired.cache.delete(f"momentum:{ticker}")
    wired.cache.get_or_load(f"momentum:{ticker}", lambda: record, source=wired.market.sources["momentum"])


def test_a_record_of_an_older_version_is_replaced(wired: Runtime) -> None:
    plant_older_record(wired, "MRK")

    seen = read_cached(wired, ["AAPL", "MRK"])

    assert seen.scores["MRK"].rating == "Strong Buy"
    assert seen.missing == ("AAPL",)


def test_a_score_of_another_profile_is_missing_until_it_is_loaded(wired: Runtime) -> None:
    tickers = wired.market.universes.get("Sample 25")
    wired.market.score("MRK")
    before = read_cached(wired, tickers, "factor")

    list(load_scores(wired, ["MRK"], "factor", tickers))

    seen = read_cached(wired, tickers, "factor")
    assert "MRK" in before.missing
    assert seen.scores["MRK"].profile == "factor"
    assert seen.scores["MRK"].score != wired.market.score("MRK").score


def test_a_history_is_loaded_on_request_and_a_failure_is_told(wired: Runtime) -> None:
    assert load_history(wired, "MRK") is None
    assert read_history(wired, "MRK") is not None
    assert load_history(wired, "FOO") == "unknown: not among the 25 stocks of the sample"
    assert read_history(wired, "FOO") is None
