"""Portfolio, run by Streamlit without a browser: enter, analyse, edit, save, export, load."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from avcache import runtime
from avcache.errors import BackendError, CacheError, SerializationError
from avcache.market.holdings import parse_holdings
from avcache.runtime import Runtime
from avcache.ui import PAGES
from avcache.ui.export import csv_of
from avcache.ui.portfolio.analysis import exported
from avcache.ui.resources import get_runtime
from tests.pages.shown import labels, open_page, press, texts


def analyse(app: AppTest, holdings: str) -> None:
    app.text_area(key="portfolio_holdings").set_value(holdings)
    press(app, "Read and analyse")


def profit(app: AppTest) -> tuple[str, str]:
    (found,) = (metric for metric in app.metric if metric.label == "Profit")
    return found.value.replace("\\", ""), found.delta.replace("\\", "")


def grid(app: AppTest) -> pd.DataFrame:
    shown: pd.DataFrame = app.data_editor[0].value
    return shown


def tables(app: AppTest) -> list[pd.DataFrame]:
    """Those that show something; the grid to edit is not one of them."""
    return [table.value for table in app.dataframe if not str(table.key).startswith("portfolio_grid")]


def metrics(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value.replace("\\", "") for metric in app.metric}


def places(app: AppTest) -> list[str]:
    """What stands on the page, from above to below."""
    return [part.type for part in app.main.children.values()]


def test_an_empty_portfolio_says_what_to_do() -> None:
    app = open_page("portfolio")

    assert "Enter or paste what you hold" in texts(app)
    assert not app.metric


def test_the_example_is_filled_in_and_analysed_on_request() -> None:
    app = open_page("portfolio")

    press(app, "Use the example")
    filled = grid(app)["Ticker"].tolist()
    press(app, "Analyse")

    assert filled == ["AAPL", "NVDA"]
    assert metrics(app) == {
        "Total value": "$19,622",
        "Average score": "0.83 of 10",
        "Weighted score": "0.82 of 10",
        "Positions priced": "2 of 2",
        "Last session": "-2.2 %",
        "Return, 1 month": "-10.5 %",
        "Return, 3 months": "-3.5 %",
        "Return, 1 year": "-40.5 %",
        "Volatility, 1 year": "43.2 %",
        "Deepest fall": "-45.1 %",
        "Beta": "1.41",
        "Effective positions": "1.9",
    }
    assert len(tables(app)) == 3  # positions, categories, risk
    assert len(app.get("plotly_chart")) == 4  # areas, categories, growth, correlation


def test_a_cost_basis_shows_the_profit() -> None:
    app = open_page("portfolio")

    analyse(app, "ticker,shares,cost basis\nAAPL,100,10000\nNVDA,50,")

    assert profit(app) == ("+$2,604", "+26.0 % of cost")


def test_one_unknown_ticker_is_left_out_and_named() -> None:
    app = open_page("portfolio")

    analyse(app, "AAPL,100\nFOO,3")

    assert metrics(app)["Positions priced"] == "1 of 2"
    assert metrics(app)["Total value"] == "$12,604"
    assert "FOO (unknown" in texts(app)


def test_bad_lines_are_named_and_nothing_is_lost() -> None:
    app = open_page("portfolio")

    analyse(app, "AAPL 100\n**x** many")

    assert "line 2 '**x** many'" in texts(app)
    assert app.text_area(key="portfolio_holdings").value == "AAPL 100\n**x** many"


def test_after_a_bad_line_the_last_analysis_stays() -> None:
    app = open_page("portfolio")
    analyse(app, "AAPL 100")

    analyse(app, "AAPL")

    assert app.error
    assert "Below are the holdings analysed before" in texts(app)
    assert metrics(app)["Total value"] == "$12,604"


def test_holdings_survive_a_visit_to_another_page() -> None:
    app = open_page("portfolio")
    analyse(app, "AAPL 100")

    app.switch_page(str(PAGES / "momentum.py")).run()
    app.switch_page(str(PAGES / "portfolio.py")).run()

    assert metrics(app)["Total value"] == "$12,604"
    assert app.text_area(key="portfolio_holdings").value == "AAPL 100"


def test_nothing_priced_shows_reasons_instead_of_zeros() -> None:
    app = open_page("portfolio")

    analyse(app, "FOO 1")

    assert metrics(app)["Total value"] == "–"
    assert "FOO (unknown" in texts(app)
    assert not tables(app)


def test_holdings_are_not_part_of_the_address() -> None:
    app = open_page("portfolio")

    analyse(app, "AAPL 100")

    assert not app.query_params


def with_rows(app: AppTest, *rows: tuple[str, float | None, float | None]) -> AppTest:
    """The page with these rows in its grid, as if somebody had typed them."""
    columns = ["Ticker", "Shares", "Cost basis"]
    app.session_state["portfolio_rows"] = pd.DataFrame(rows, columns=columns).assign(Problem="")
    app.session_state["portfolio_edition"] = 99
    app.run()
    return app


def test_the_grid_is_analysed_and_shows_tickers_as_they_are_spelled() -> None:
    app = with_rows(open_page("portfolio"), ("aapl", 100.0, 10_000.0))

    press(app, "Analyse")

    assert metrics(app)["Total value"] == "$12,604"
    assert grid(app)["Ticker"].tolist() == ["AAPL"]


def test_a_bad_row_is_named_beside_it() -> None:
    app = with_rows(open_page("portfolio"), ("AAPL", 100.0, None), ("<b>x</b>", 1.0, None))

    press(app, "Analyse")

    assert grid(app)["Problem"].tolist() == ["", "no ticker"]
    assert "1 row of the table cannot be read" in texts(app)
    assert not app.metric


def test_what_is_pasted_can_be_edited_in_the_grid() -> None:
    app = open_page("portfolio")

    analyse(app, "ticker,shares,cost basis\nAAPL,100,10000")

    assert grid(app).iloc[0].tolist() == ["AAPL", 100.0, 10_000.0, ""]


def test_an_exported_file_gives_the_same_portfolio() -> None:
    market = runtime.shared().market
    holdings = parse_holdings({"AAPL": (100.0, 10_000.0), "FOO": (3.0, 12.5)})
    file = csv_of(exported(market.portfolio(holdings), holdings))
    app = open_page("portfolio")

    app.file_uploader[0].upload("portfolio.csv", file, "text/csv").run()

    assert not app.exception
    assert metrics(app)["Positions priced"] == "1 of 2"
    assert profit(app) == ("+$2,604", "+26.0 % of cost")
    assert grid(app)["Cost basis"].tolist() == [10_000.0, 12.5]


def test_a_file_that_is_none_names_its_bad_lines() -> None:
    app = open_page("portfolio")

    app.file_uploader[0].upload("x.csv", b"<img src=x onerror=alert(1)>\n", "text/csv").run()

    assert not app.exception
    assert "line 1" in texts(app)


def test_a_portfolio_is_saved_and_opened_by_its_name() -> None:
    first = open_page("portfolio")
    analyse(first, "AAPL 100")
    first.text_input(key="portfolio_name").set_value("Core")
    press(first, "Save")
    said = first.success[0].value

    second = open_page("portfolio")
    second.selectbox(key="portfolio_saved").select("Core").run()

    assert not second.exception
    assert metrics(second)["Total value"] == "$12,604"
    assert said == "Saved 1 position as Core"
    assert [entry.action for entry in runtime.shared().ops.audit.latest()] == ["save portfolio"]


def test_a_name_that_cannot_be_is_refused_in_words() -> None:
    app = open_page("portfolio")
    analyse(app, "AAPL 100")

    press(app, "Save")

    assert "1 to 60 printable characters" in texts(app)
    assert not get_runtime().ops.saved.list()


def test_what_could_not_be_saved_is_said_below_the_tabs() -> None:
    app = open_page("portfolio")
    analyse(app, "AAPL 100")
    place = places(app).index("tab_container")

    press(app, "Save")

    # Above them it would move them down, and a browser would begin at the first tab again.
    assert places(app).index("tab_container") == place


def test_the_address_opens_a_saved_portfolio() -> None:
    get_runtime().ops.saved.save("Core", parse_holdings("AAPL 100"))

    app = open_page("portfolio", portfolio_saved="Core")

    assert metrics(app)["Total value"] == "$12,604"


def test_an_address_with_a_name_that_is_gone_says_so() -> None:
    app = open_page("portfolio", portfolio_saved="Gone")

    assert "No portfolio is saved as Gone; it may have been removed" in texts(app)


def test_the_address_forgets_a_portfolio_that_was_removed() -> None:
    get_runtime().ops.saved.save("Core", parse_holdings("AAPL 100"))
    get_runtime().ops.saved.save("Other", parse_holdings("NVDA 50"))
    app = open_page("portfolio", portfolio_saved="Core")

    get_runtime().ops.saved.remove("Core")
    app.run()

    assert app.selectbox(key="portfolio_saved").value is None
    assert "portfolio_saved" not in app.query_params


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (SerializationError("Expected `array`, got `int`"), "the same release"),
        (BackendError("WRONGTYPE"), "Server says"),
    ],
)
def test_saved_portfolios_that_cannot_be_read_say_what_to_do(
    fault: CacheError, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise fault

    monkeypatch.setattr(get_runtime().ops.saved, "list", refuse)

    app = open_page("portfolio", portfolio_saved="Core")

    assert all(said in error.value and str(fault) not in error.value for error in app.error)
    assert app.error


def test_nothing_is_removed_without_a_question() -> None:
    get_runtime().ops.saved.save("Core", parse_holdings("AAPL 100"))
    app = open_page("portfolio", portfolio_saved="Core")

    press(app, "Remove")

    assert "Core will be gone for all" in texts(app)
    assert "Remove it" in labels(app)
    assert get_runtime().ops.saved.list()


def test_saved_portfolios_need_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVCACHE_API_TOKEN", "a-token-of-twenty-letters")
    get_runtime().ops.saved.save("Core", parse_holdings("AAPL 100"))

    app = open_page("portfolio", portfolio_saved="Core")

    assert not app.metric
    assert "Save" not in labels(app)
    assert "by those who have the token" in texts(app)


@pytest.mark.parametrize("page", ["momentum", "portfolio"])
@pytest.mark.usefixtures("away")
def test_both_pages_work_while_redis_is_away(page: str) -> None:
    app = open_page(page)

    assert "Degraded" in texts(app) or "degraded" in texts(app).lower()
    if page == "portfolio":
        analyse(app, "AAPL 100")
        assert metrics(app)["Total value"] == "$12,604"
        assert "on the server, which is away" in texts(app)


def test_loading_a_portfolio_says_how_far_it_is_and_can_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    def half(wired: Runtime, tickers: tuple[str, ...], *_how: object) -> Iterator[tuple[int, dict[str, str]]]:
        wired.market.scores(tickers[:1])
        yield 1, {}
        st.stop()  # as if the next one took for ever

    monkeypatch.setattr("avcache.ui.components.loading.load_scores", half)
    app = open_page("portfolio")
    analyse(app, "AAPL 10\nMRK 20")
    (bar,) = app.get("progress")
    under_way = (bar.proto.value, bar.proto.text, metrics(app))

    app.query_params["portfolio_saved"] = "Mine"
    press(app, "Stop")

    assert under_way == (50, "1 of 2 tickers loaded", {})
    assert metrics(app) == {}
    assert "Stop" not in labels(app)
    assert "Enter or paste what you hold" in texts(app)
    assert app.session_state["portfolio_rows"]["Ticker"].tolist() == ["AAPL", "MRK"]


def test_a_portfolio_whose_scores_are_cached_loads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime.shared().market.scores(["AAPL", "MRK"])
    monkeypatch.setattr("avcache.ui.components.loading.load_scores", None)

    app = open_page("portfolio")
    analyse(app, "AAPL 10\nMRK 20")

    assert metrics(app)["Positions priced"] == "2 of 2"


def test_loading_missing_scores_can_be_stopped_and_keeps_what_came(monkeypatch: pytest.MonkeyPatch) -> None:
    def one(wired: Runtime, tickers: tuple[str, ...], *_how: object) -> Iterator[tuple[int, dict[str, str]]]:
        wired.market.scores(tickers[:1])
        yield 1, {}
        st.stop()

    monkeypatch.setattr("avcache.ui.components.loading.load_scores", one)
    app = open_page("momentum")
    press(app, "Load the missing scores")
    (bar,) = app.get("progress")

    press(app, "Stop")

    assert bar.proto.text == "1 of 25 tickers loaded"
    assert not app.get("progress")
    assert "1 of 25 scores cached" in texts(app)
