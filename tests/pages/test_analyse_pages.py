"""The analyst's pages, run by Streamlit without a browser."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from avcache import runtime
from avcache.market import scoring
from avcache.ui import PAGES, SHELL

MOMENTUM = str(PAGES / "momentum.py")
PORTFOLIO = str(PAGES / "portfolio.py")


def open_page(path: str, **parameters: str) -> AppTest:
    app = AppTest.from_file(str(SHELL), default_timeout=30).run()
    for name, value in parameters.items():
        app.query_params[name] = value
    app.switch_page(path).run()
    assert not app.exception
    return app


def press(app: AppTest, label: str) -> None:
    next(button for button in app.button if button.label == label).click().run()
    assert not app.exception


def analyse(app: AppTest, holdings: str) -> None:
    app.text_area(key="portfolio_holdings").set_value(holdings)
    press(app, "Analyse")


def labels(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def texts(app: AppTest) -> str:
    kinds = (app.markdown, app.caption, app.subheader, app.warning, app.error)
    return "\n".join(str(element.value) for kind in kinds for element in kind).replace("\\", "")


def metrics(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


# -- momentum


def test_opening_momentum_on_an_empty_cache_loads_nothing() -> None:
    app = open_page(MOMENTUM)

    assert "None of the 25 scores is in the cache yet" in texts(app)
    assert "Load the missing scores" in labels(app)
    assert [link.value for link in app.page_link] == ["Warm-up"]
    assert runtime.shared().cache.stats().total.requests == 0


def test_the_missing_scores_are_loaded_on_request() -> None:
    app = open_page(MOMENTUM)

    press(app, "Load the missing scores")

    assert app.dataframe[0].value["ticker"].tolist()[:3] == ["MRK", "PG", "KO"]
    assert "25 of 25 scores cached" in texts(app)
    assert "Load the missing scores" not in labels(app)


def test_momentum_ranks_what_is_cached_and_names_what_is_not() -> None:
    runtime.shared().market.scores(["AAPL", "MRK"])

    app = open_page(MOMENTUM)

    assert app.dataframe[0].value["ticker"].tolist() == ["MRK", "AAPL"]
    assert "2 of 25 scores cached" in texts(app)
    assert "Not cached: AMD, AMZN" in texts(app)


def test_an_analysts_view_counts_as_a_hit() -> None:
    runtime.shared().market.score("MRK")
    before = runtime.shared().cache.stats().total

    open_page(MOMENTUM)

    after = runtime.shared().cache.stats().total
    assert after.hits > before.hits
    assert after.misses == before.misses


def test_the_strongest_is_broken_down_at_first() -> None:
    runtime.shared().market.scores(["AAPL", "MRK"])

    app = open_page(MOMENTUM)

    assert app.subheader[0].value.replace("\\", "") == "MRK 9.2 (92.3, Strong Buy, coverage 75 %)"
    assert len(app.get("plotly_chart")) == 2
    assert "no forward PE and no PEG" in app.dataframe[1].value["missing"].tolist()
    assert "they are not advice" in texts(app)


def test_the_address_says_whose_details_are_wanted() -> None:
    runtime.shared().market.scores(["AAPL", "MRK"])

    app = open_page(MOMENTUM, momentum_ticker="AAPL")

    assert app.subheader[0].value.startswith("AAPL")


def test_details_of_a_ticker_that_is_not_cached_say_so() -> None:
    runtime.shared().market.score("MRK")
    app = open_page(MOMENTUM)

    app.selectbox(key="momentum_ticker").select("XOM").run()

    assert not app.exception
    assert "The score of XOM is not cached" in texts(app)


def test_filters_that_let_nobody_pass_say_what_to_do() -> None:
    runtime.shared().market.score("AAPL")
    app = open_page(MOMENTUM)

    app.number_input(key="momentum_min").set_value(9.0).run()

    assert not app.exception
    assert "No cached score passes these filters" in texts(app)


def test_scores_whose_prices_are_gone_offer_to_load_them() -> None:
    runtime.shared().market.score("MRK")
    runtime.shared().cache.delete("history:MRK")
    app = open_page(MOMENTUM)
    charts_before = len(app.get("plotly_chart"))

    press(app, "Load the prices of MRK")

    assert charts_before == 1
    assert len(app.get("plotly_chart")) == 2


def test_scores_loaded_elsewhere_change_no_choice() -> None:
    runtime.shared().market.score("AAPL")
    untouched, chosen = open_page(MOMENTUM), open_page(MOMENTUM)
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

    app = open_page(MOMENTUM, momentum_universe="My tickers", momentum_tickers="AAPL, MRK")

    assert app.dataframe[0].value["ticker"].tolist() == ["MRK", "AAPL"]
    assert "Splendid" not in app.dataframe[0].value["rating"].tolist()


def test_bad_tickers_are_named() -> None:
    app = open_page(MOMENTUM, momentum_universe="My tickers", momentum_tickers="AAPL **bold** <b>x</b>")

    assert "No tickers: '**bold**', '<b>x</b>'" in texts(app)


def test_an_unknown_ticker_among_good_ones_is_named_and_hides_no_other() -> None:
    app = open_page(MOMENTUM, momentum_universe="My tickers", momentum_tickers="aapl, FOO, mrk")

    press(app, "Load the missing scores")

    assert app.dataframe[0].value["ticker"].tolist() == ["MRK", "AAPL"]
    assert [box.value.replace("\\", "") for box in app.warning] == [
        "FOO (unknown: not among the 25 stocks of the sample)"
    ]


def test_no_tickers_of_ones_own_ask_for_some() -> None:
    app = open_page(MOMENTUM, momentum_universe="My tickers")

    assert "Name some tickers" in texts(app)


def test_loading_many_scores_needs_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVCACHE_API_TOKEN", "a-token-of-twenty-letters")

    app = open_page(MOMENTUM)

    assert "Load the missing scores" not in labels(app)
    assert "need the token" in texts(app)


# -- portfolio


def test_an_empty_portfolio_says_what_to_do() -> None:
    app = open_page(PORTFOLIO)

    assert "Paste what you hold" in texts(app)
    assert not app.metric


def test_the_example_is_filled_in_and_analysed_on_request() -> None:
    app = open_page(PORTFOLIO)

    press(app, "Use the example")
    filled = app.text_area(key="portfolio_holdings").value
    press(app, "Analyse")

    assert filled == "AAPL 100\nNVDA 50"
    assert metrics(app) == {
        "Total value": "$19,622",
        "Average score": "0.83 of 10",
        "Weighted score": "0.82 of 10",
        "Positions priced": "2 of 2",
        "Last session": "-2.2 %",
        "Return, 1 year": "-40.5 %",
        "Volatility, 1 year": "43.2 %",
        "Deepest fall": "-45.1 %",
        "Beta": "1.41",
        "Effective positions": "1.9",
    }
    assert len(app.dataframe) == 2  # positions, categories


def test_a_cost_basis_shows_the_profit() -> None:
    app = open_page(PORTFOLIO)

    analyse(app, "ticker,shares,cost basis\nAAPL,100,10000\nNVDA,50,")

    assert metrics(app)["Profit, +26.0 % of cost"] == "+$2,604"


def test_one_unknown_ticker_is_left_out_and_named() -> None:
    app = open_page(PORTFOLIO)

    analyse(app, "AAPL,100\nFOO,3")

    assert metrics(app)["Positions priced"] == "1 of 2"
    assert metrics(app)["Total value"] == "$12,604"
    assert "FOO (unknown" in texts(app)


def test_bad_lines_are_named_and_nothing_is_lost() -> None:
    app = open_page(PORTFOLIO)

    analyse(app, "AAPL 100\n**x** many")

    assert "line 2 '**x** many'" in texts(app)
    assert app.text_area(key="portfolio_holdings").value == "AAPL 100\n**x** many"


def test_after_a_bad_line_the_last_analysis_stays() -> None:
    app = open_page(PORTFOLIO)
    analyse(app, "AAPL 100")

    analyse(app, "AAPL")

    assert app.error
    assert "Below are the holdings analysed before" in texts(app)
    assert metrics(app)["Total value"] == "$12,604"


def test_holdings_survive_a_visit_to_another_page() -> None:
    app = open_page(PORTFOLIO)
    analyse(app, "AAPL 100")

    app.switch_page(MOMENTUM).run()
    app.switch_page(PORTFOLIO).run()

    assert metrics(app)["Total value"] == "$12,604"
    assert app.text_area(key="portfolio_holdings").value == "AAPL 100"


def test_nothing_priced_shows_reasons_instead_of_zeros() -> None:
    app = open_page(PORTFOLIO)

    analyse(app, "FOO 1")

    assert metrics(app)["Total value"] == "–"
    assert "FOO (unknown" in texts(app)
    assert not app.dataframe


def test_holdings_are_not_part_of_the_address() -> None:
    app = open_page(PORTFOLIO)

    analyse(app, "AAPL 100")

    assert not app.query_params
