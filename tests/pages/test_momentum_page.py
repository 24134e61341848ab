"""Momentum, run by Streamlit without a browser: rank, screen, open, compare, load."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from avcache import runtime
from avcache.market import scoring
from tests.pages.shown import labels, open_page, press, texts


def test_opening_momentum_on_an_empty_cache_loads_nothing() -> None:
    app = open_page("momentum")

    assert "None of the 25 scores is in the cache yet" in texts(app)
    assert "Load the missing scores" in labels(app)
    assert [link.value for link in app.page_link] == ["Warm-up"]
    assert runtime.shared().cache.stats().total.requests == 0


def test_the_missing_scores_are_loaded_on_request() -> None:
    app = open_page("momentum")

    press(app, "Load the missing scores")

    assert app.dataframe[0].value["ticker"].tolist()[:3] == ["MRK", "PG", "KO"]
    assert "25 of 25 scores cached" in texts(app)
    assert "Load the missing scores" not in labels(app)


def test_momentum_ranks_what_is_cached_and_names_what_is_not() -> None:
    runtime.shared().market.scores(["AAPL", "MRK"])

    app = open_page("momentum")

    assert app.dataframe[0].value["ticker"].tolist() == ["MRK", "AAPL"]
    assert "2 of 25 scores cached" in texts(app)
    assert "Not cached: AMD, AMZN" in texts(app)


def test_an_analysts_view_counts_as_a_hit() -> None:
    runtime.shared().market.score("MRK")
    before = runtime.shared().cache.stats().total

    open_page("momentum")

    after = runtime.shared().cache.stats().total
    assert after.hits > before.hits
    assert after.misses == before.misses


def test_the_strongest_is_broken_down_at_first() -> None:
    runtime.shared().market.scores(["AAPL", "MRK"])

    app = open_page("momentum")

    assert app.subheader[0].value.replace("\\", "") == "MRK 9.2 (92.3, Strong Buy, coverage 75 %)"
    assert len(app.get("plotly_chart")) == 2
    assert "no forward PE and no PEG" in app.dataframe[1].value["missing"].tolist()
    assert "they are not advice" in texts(app)


def test_the_address_says_whose_details_are_wanted() -> None:
    runtime.shared().market.scores(["AAPL", "MRK"])

    app = open_page("momentum", momentum_ticker="AAPL")

    assert app.subheader[0].value.startswith("AAPL")


def test_details_of_a_ticker_that_is_not_cached_say_so() -> None:
    runtime.shared().market.score("MRK")
    app = open_page("momentum")

    app.selectbox(key="momentum_ticker").select("XOM").run()

    assert not app.exception
    assert "The score of XOM is not cached" in texts(app)


def test_filters_that_let_nobody_pass_say_what_to_do() -> None:
    runtime.shared().market.score("AAPL")
    app = open_page("momentum")

    app.number_input(key="momentum_min").set_value(9.0).run()

    assert not app.exception
    assert "No cached score passes these filters" in texts(app)


def test_scores_whose_prices_are_gone_offer_to_load_them() -> None:
    runtime.shared().market.score("MRK")
    runtime.shared().cache.delete("history:MRK")
    app = open_page("momentum")
    charts_before = len(app.get("plotly_chart"))

    press(app, "Load MRK")

    assert charts_before == 1
    assert len(app.get("plotly_chart")) == 2


def test_scores_loaded_elsewhere_change_no_choice() -> None:
    runtime.shared().market.score("AAPL")
    untouched, chosen = open_page("momentum"), open_page("momentum")
    chosen.selectbox(key="momentum_ticker").select("XOM").run()

    runtime.shared().market.scores(["MRK", "XOM"])
    untouched.run()
    chosen.run()

    assert untouched.subheader[0].value.startswith("AAPL")
    assert chosen.subheader[0].value.startswith("XOM")


def test_a_score_of_an_older_version_does_not_break_the_page() -> None:
    market, cache = runtime.shared().market, runtime.shared().cache
    record = {**scoring.to_record(market.score("MRK")), "rating": "Splendid"}
    cache.delete("momentum:MRK")
    cache.get_or_load("momentum:MRK", lambda: record, source=market.sources["momentum"])
    market.score("AAPL")

    app = open_page("momentum", momentum_universe="My tickers", momentum_tickers="AAPL, MRK")

    assert app.dataframe[0].value["ticker"].tolist() == ["MRK", "AAPL"]
    assert "Splendid" not in app.dataframe[0].value["rating"].tolist()


def test_bad_tickers_are_named() -> None:
    app = open_page("momentum", momentum_universe="My tickers", momentum_tickers="AAPL **bold** <b>x</b>")

    assert "No tickers: '**bold**', '<b>x</b>'" in texts(app)


def test_an_unknown_ticker_among_good_ones_is_named_and_hides_no_other() -> None:
    app = open_page("momentum", momentum_universe="My tickers", momentum_tickers="aapl, FOO, mrk")

    press(app, "Load the missing scores")

    assert app.dataframe[0].value["ticker"].tolist() == ["MRK", "AAPL"]
    assert [box.value.replace("\\", "") for box in app.warning] == [
        "FOO (unknown: not among the 25 stocks of the sample)"
    ]


def test_no_tickers_of_ones_own_ask_for_some() -> None:
    app = open_page("momentum", momentum_universe="My tickers")

    assert "Name some tickers" in texts(app)


def test_loading_many_scores_needs_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVCACHE_API_TOKEN", "a-token-of-twenty-letters")

    app = open_page("momentum")

    assert "Load the missing scores" not in labels(app)
    assert "need the token" in texts(app)


def everyone(app: AppTest) -> list[str]:
    found: list[str] = app.dataframe[0].value["ticker"].tolist()
    return found


def test_the_screener_is_in_the_address() -> None:
    runtime.shared().market.scores(["AAPL", "MRK", "PFE", "XOM"])

    app = open_page("momentum", momentum_above="true", momentum_coverage="75", momentum_min="8")

    assert everyone(app) == ["MRK", "XOM"]
    assert "4 of 25 scores cached · 2 shown" in texts(app)


def test_another_profile_has_scores_of_its_own() -> None:
    runtime.shared().market.score("AAPL")
    runtime.shared().market.score("MRK", profile="alphavelocity-legacy")

    app = open_page("momentum", momentum_profile="alphavelocity-legacy")

    assert everyone(app) == ["MRK"]
    assert "(81.7, Strong Buy" in texts(app)


def test_factor_places_tickers_among_those_listed() -> None:
    market = runtime.shared().market
    tickers = market.universes.get("Sample 25")
    market.scores(tickers, profile="factor", universe=tickers)

    app = open_page("momentum", momentum_profile="factor")

    assert len(everyone(app)) == 25
    assert "12-1 momentum" in app.dataframe[1].value["component"].tolist()


def test_prices_behind_a_factor_score_are_loaded_again() -> None:
    cache, market = runtime.shared().cache, runtime.shared().market
    tickers = market.universes.get("Sample 25")
    market.scores(tickers, profile="factor", universe=tickers)
    cache.delete("history:MRK")
    app = open_page("momentum", momentum_profile="factor", momentum_ticker="MRK")

    app.button(key="momentum_load_prices").click().run()

    assert not app.exception
    assert cache.peek("history:MRK") is not None


def test_tickers_in_the_address_are_compared() -> None:
    runtime.shared().market.scores(["AAPL", "NVDA", "MRK"])

    app = open_page("momentum", compare="AAPL,NVDA")

    compared = next(table.value for table in app.dataframe if "Figure" in table.value.columns)
    assert list(compared.columns) == ["Figure", "AAPL", "NVDA"]
    assert app.multiselect(key="momentum_compare").value == ["AAPL", "NVDA"]


def test_what_is_compared_goes_into_the_address() -> None:
    runtime.shared().market.scores(["AAPL", "NVDA"])
    app = open_page("momentum")

    app.multiselect(key="momentum_compare").set_value(["NVDA", "AAPL"]).run()
    chosen = app.query_params["compare"]
    app.multiselect(key="momentum_compare").set_value([]).run()

    assert chosen == "NVDA,AAPL"
    assert "compare" not in app.query_params
    assert not app.exception


def test_one_that_cannot_be_had_spoils_no_comparison() -> None:
    runtime.shared().market.score("AAPL")
    app = open_page("momentum", compare="AAPL,FOO")

    press(app, "Load FOO")

    assert "FOO (unknown: not among the 25 stocks of the sample)" in texts(app)
    assert len(app.get("plotly_chart")) == 3


@pytest.mark.parametrize(
    "bad", ["<img src=x onerror=alert(1)>", "A,B,C,D,E,F,G", "[x](javascript:alert(1))", "x" * 10_000]
)
def test_what_cannot_be_compared_is_said(bad: str) -> None:
    app = open_page("momentum", compare=bad)

    (error,) = app.error
    assert "<img" not in error.value.replace("\\<img", "")
    assert "](" not in error.value
    assert len(error.value) < 1_000


def test_percentiles_need_ten_scores() -> None:
    market = runtime.shared().market
    market.scores(["AAPL", "MRK"])
    few = texts(open_page("momentum"))

    market.scores(market.universes.get("Sample 25"))

    assert "Percentiles need ten cached scores" in few
    assert "Percentiles among 25 cached scores" in texts(open_page("momentum"))
