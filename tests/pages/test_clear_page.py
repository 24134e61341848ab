"""Clearing by namespace, pattern and ticker, run by Streamlit without a browser."""

from __future__ import annotations

import json

import pytest
from streamlit.testing.v1 import AppTest

from avcache import runtime
from tests.pages.shown import labels, open_page, press, texts, warm

NASTY = "<img src=x onerror=alert(1)> :red[x] $x$ [y](javascript:alert(2))"


def open_clear(way: str = "Pattern") -> AppTest:
    app = open_page("clear")
    app.button_group(key="clear_way").set_value(way).run()
    assert not app.exception
    return app


def test_a_namespace_is_chosen_from_those_there_are() -> None:
    warm("AAPL", "MRK")
    app = open_clear("Namespace")

    app.selectbox(key="clear_namespace").select("momentum")
    press(app, "Preview")

    assert "momentum:*: 2 keys (exact)" in texts(app)
    assert "2 × " in texts(app)


def test_a_ticker_goes_with_all_that_rests_on_it() -> None:
    warm("AAPL", "MRK")
    app = open_clear("Ticker")

    app.text_input(key="clear_ticker").set_value("aapl")
    press(app, "Preview")

    assert "All that rests on AAPL: " in texts(app)
    assert "momentum:AAPL" in app.code[0].value
    assert "MRK" not in app.code[0].value


def test_a_cleared_ticker_is_told_and_can_be_undone() -> None:
    warm("AAPL", "MRK")
    runtime.shared().ops.clearing.start_tag("AAPL", actor="ann", undo_seconds=600)
    cache = runtime.shared().cache
    app = open_clear("Ticker")
    is_gone = not any(cache.exists(f"{kind}:AAPL") for kind in ("price", "history", "momentum"))

    press(app, "Undo")
    app.run()

    assert is_gone
    assert cache.exists("momentum:AAPL")
    assert app.dataframe[0].value["What"].to_list() == ["tag AAPL"]


def test_the_plan_of_another_way_is_not_shown() -> None:
    warm("AAPL")
    app = open_clear()
    app.text_input(key="clear_pattern").set_value("momentum:*")
    press(app, "Preview")

    app.button_group(key="clear_way").set_value("Ticker").run()

    assert not any(label.startswith("Clear 1") for label in labels(app))


@pytest.mark.parametrize("way", ["Namespace", "Ticker"])
def test_nothing_named_asks_for_something(way: str) -> None:
    app = open_clear(way)

    press(app, "Preview")

    assert "first" in app.error[0].value


def test_what_is_no_ticker_is_named_as_text() -> None:
    app = open_clear("Ticker")

    app.text_input(key="clear_ticker").set_value(NASTY[:40])
    press(app, "Preview")

    assert app.error[0].value.count("\\<img") == 1


def test_much_is_cleared_only_once_the_pattern_was_typed() -> None:
    runtime.shared().cache.set_many({f"user:{number}": number for number in range(1000)})
    app = open_clear()
    app.text_input(key="clear_pattern").set_value("user:*")
    press(app, "Preview")

    press(app, "Clear 1,000 keys")

    assert app.text_input(key="clear_typed").label == "Type the pattern to confirm"
    assert runtime.shared().cache.exists("user:1")


def _confirming() -> None:
    from avcache.ui.components.clearing import confirm_clear, plan_of

    confirm_clear(plan_of("Pattern", "user:*"))


def test_what_was_typed_must_be_the_pattern_and_then_one_click_is_enough() -> None:
    cache = runtime.shared().cache
    cache.set_many({f"user:{number}": number for number in range(1000)})
    app = AppTest.from_function(_confirming).run()

    app.text_input(key="clear_typed").set_value("user:")
    press(app, "Clear now")
    told, is_kept = texts(app), cache.exists("user:1")
    app.text_input(key="clear_typed").set_value("user:*")
    press(app, "Clear now")

    assert "Type the pattern as it stands above" in told
    assert is_kept
    assert not cache.exists("user:1")


def test_a_dialog_is_opened_though_others_began_a_clear_meanwhile() -> None:
    runtime.shared().cache.set_many({"note:1": 1, "user:1": 1})
    app = open_clear()
    app.text_input(key="clear_pattern").set_value("user:1")
    press(app, "Preview")
    runtime.shared().ops.clearing.start("note:1", actor="ann", undo_seconds=600)

    press(app, "Clear 1 key")

    assert "Clear now" in labels(app)


def test_a_reason_stands_in_the_history_as_text() -> None:
    clearing = runtime.shared().ops.clearing
    runtime.shared().cache.set("note:1", 1)
    job = clearing.start("note:1", actor="ann", reason=NASTY)
    runtime.shared().ops.jobs.wait(job.id, 10)

    app = open_clear()

    (row,) = app.dataframe[0].value.to_dict("records")
    assert (row["What"], row["Reason"]) == ("note:1", NASTY)
    columns = json.loads(app.dataframe[0].proto.columns)
    assert {columns[name]["type_config"]["format"] for name in ("Planned", "Cleared")} == {"localized"}
