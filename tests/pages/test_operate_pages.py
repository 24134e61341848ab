"""The operator's pages, run by Streamlit without a browser."""

from __future__ import annotations

from functools import partial

import pytest
import streamlit as st

from avcache import runtime
from tests.pages.shown import labels, open_page, press, texts, warm

OPERATE = ("overview", "keys", "expiry", "clear", "warmup", "server", "audit")
ALL = (*OPERATE, "momentum", "portfolio")


@pytest.mark.parametrize("name", ALL)
def test_a_page_renders_on_an_empty_cache(name: str) -> None:
    app = open_page(name)

    assert app.title[0].value.lower() == name.replace("warmup", "warm-up")


@pytest.mark.parametrize("name", ALL)
def test_a_page_renders_on_a_full_cache(name: str) -> None:
    wired = runtime.shared()
    everybody = wired.market.universes.get("Sample 25")
    warm(*everybody)
    wired.market.portfolio(dict.fromkeys(everybody, 10.0))
    wired.ops.clearing.start("momentum:A*", actor="ann", reason="a try", undo_seconds=600)

    app = open_page(name)

    assert not app.error
    assert not app.warning


@pytest.fixture(params=["sampled", "swept"])
def large(request: pytest.FixtureRequest, on_server: None, monkeypatch: pytest.MonkeyPatch) -> str:
    """A server with more keys than are looked at for one page: reckoned from a sample, or swept in the background."""
    monkeypatch.setattr("avcache.ops.keyspace._MOST_KEYS", 300)
    monkeypatch.setattr("avcache.ops.keyspace._SAMPLE_KEYS", 250)
    wired = runtime.shared()
    warm("AAPL", "MRK")
    wired.cache.set_many({f"user:{number:04}": {"number": number} for number in range(3000)})
    if request.param == "swept":
        assert wired.ops.keyspace.sweep() is not None
    known: str = request.param
    return known


def test_every_page_renders_on_a_store_too_large_to_be_looked_at(large: str) -> None:
    seen = {name: open_page(name) for name in ALL}

    assert not [name for name, app in seen.items() if app.error or app.warning]
    said = texts(seen["expiry"])
    assert ("reckoned from" in said) == (large == "sampled")
    assert ("exact, as of" in said) == (large == "swept")
    assert len(seen["keys"].dataframe[0].value) > 0
    assert "AAPL" in seen["momentum"].dataframe[0].value["ticker"].tolist()


@pytest.mark.usefixtures("large")
def test_a_clear_of_more_than_can_be_looked_at_wants_its_pattern_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    planner = runtime.shared().ops.clearing._planner
    monkeypatch.setattr(planner, "of_pattern", partial(planner.of_pattern, budget=0.0))
    app = open_page("clear")

    app.text_input(key="clear_pattern").set_value("user:*")
    app.button[0].click().run()
    said = texts(app)
    app.button(key="clear_confirm").click().run()

    assert "reckoned from a sample" in said
    assert app.button(key="clear_confirm").label == "Clear all that match"
    assert app.text_input(key="clear_typed").label == "Type the pattern to confirm"


@pytest.mark.usefixtures("away")
@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("tickers", [(), ("AAPL", "MRK")], ids=["empty", "warm"])
def test_every_page_says_that_redis_is_away(name: str, tickers: tuple[str, ...]) -> None:
    if tickers:
        warm(*tickers)

    app = open_page(name)

    assert "Degraded since" in texts(app)
    assert "connection refused" in texts(app)


def test_every_page_says_that_prices_are_a_sample() -> None:
    app = open_page("overview")

    assert "Sample prices, last day 2022" in texts(app)


@pytest.mark.parametrize("name", OPERATE)
def test_looking_counts_nothing(name: str) -> None:
    warm("AAPL")
    before = runtime.shared().cache.stats().total

    open_page(name)

    assert runtime.shared().cache.stats().total == before


def test_an_empty_overview_offers_to_warm_the_default_universe() -> None:
    runtime.shared().cache.set("provider:yahoo", {"a": "note"})  # no result, and nothing to look at

    app = open_page("overview")

    press(app, "Warm the default universe")

    job = runtime.shared().ops.warmup.latest
    assert job is not None
    assert job.wait(30)
    assert job.cached == 25


def test_keys_lists_what_is_cached_with_state_and_time_left() -> None:
    warm("AAPL")

    app = open_page("keys")

    table = app.dataframe[0].value.set_index("Key")
    assert list(table["State"]["price:AAPL"]) == ["fresh"]
    assert table["TTL left"]["price:AAPL"].startswith(("4:", "5:00"))


def test_keys_finds_a_part_of_a_name() -> None:
    warm("AAPL", "MRK")
    app = open_page("keys")

    app.text_input(key="keys_find").set_value("mrk").run()
    by_part = set(app.dataframe[0].value["Key"])
    app.text_input(key="keys_find").set_value("price:*").run()

    assert by_part == {"history:MRK", "price:MRK", "momentum:MRK", "fundamentals:MRK"}
    assert set(app.dataframe[0].value["Key"]) == {"price:AAPL", "price:MRK"}


def test_keys_opens_an_entry_and_deletes_it() -> None:
    runtime.shared().cache.set("note:1", {"said": "<b>hello</b>"})
    app = open_page("keys")

    app.selectbox(key="keys_open").select("note:1").run()
    shown = app.json[0].value
    app.button(key="open_delete").click().run()

    assert "<b>hello</b>" in shown
    assert not runtime.shared().cache.exists("note:1")
    assert not app.exception


def test_a_pattern_that_is_none_is_named_and_nothing_goes() -> None:
    runtime.shared().cache.set("note:1", 1)
    app = open_page("clear")

    app.text_input(key="clear_pattern").set_value("*a*b*c*d*e*f*g*h*")
    app.button[0].click().run()

    assert "at most 8 stars" in app.error[0].value
    assert runtime.shared().cache.exists("note:1")


def test_an_empty_pattern_asks_for_one() -> None:
    app = open_page("clear")

    app.button[0].click().run()

    assert app.error[0].value.replace("\\", "") == "Name a pattern first, such as momentum:*"


def test_a_preview_drops_nothing() -> None:
    warm("AAPL", "MRK")
    app = open_page("clear")

    app.text_input(key="clear_pattern").set_value("momentum:*")
    app.button[0].click().run()

    assert any("2 keys \\(exact\\)" in one.value for one in app.markdown)
    assert runtime.shared().cache.keys("momentum:*") == ["momentum:AAPL", "momentum:MRK"]
    assert "Clear 2 keys" in labels(app)


def test_a_clear_is_seen_undone_and_told_in_the_history() -> None:
    warm("AAPL", "MRK")
    clearing = runtime.shared().ops.clearing
    clearing.start("momentum:*", actor="console", reason="a try", undo_seconds=600)
    app = open_page("clear")
    before = texts(app)

    press(app, "Undo")
    app.run()

    assert "momentum:* is cleared" in before
    assert runtime.shared().cache.get("momentum:AAPL") is not None
    (row,) = app.dataframe[0].value.to_dict("records")
    assert (row["Who"], row["Reason"], row["Result"]) == ("console", "a try", "taken back")


def test_warm_up_names_what_is_no_ticker() -> None:
    app = open_page("warmup")

    app.text_area(key="warmup_tickers").set_value("AAPL, not a ticker!").run()

    assert "ticker!" in app.error[0].value.replace("\\", "").lower()
    assert runtime.shared().ops.warmup.latest is None


def test_warm_up_loads_the_gaps_and_tells_why_one_failed() -> None:
    app = open_page("warmup")

    app.text_area(key="warmup_tickers").set_value("AAPL, ZZZZ").run()
    app.button(key="warmup_start").click().run()
    job = runtime.shared().ops.warmup.latest
    assert job is not None
    job.wait(30)
    app.run()

    outcomes = app.dataframe[1].value.set_index("Ticker")
    assert list(outcomes["Result"]["AAPL"]) == ["loaded"]
    assert "not among the 25" in outcomes["Reason"]["ZZZZ"]


def test_a_warm_up_begun_elsewhere_is_seen_and_changes_no_choice() -> None:
    app = open_page("warmup")
    app.text_area(key="warmup_tickers").set_value("AAPL, MRK").run()

    warm("AAPL")
    app.run()

    assert app.text_area(key="warmup_tickers").value == "AAPL, MRK"
    assert app.button(key="warmup_start").label == "Warm 1 ticker"
    assert "Latest run" in [header.value for header in app.subheader]


def test_new_keys_change_no_choice() -> None:
    warm("AAPL")
    app = open_page("keys")
    app.button_group(key="keys_prefix").set_value("price").run()
    app.selectbox(key="keys_open").select("price:AAPL").run()

    warm("AMD", "MRK")
    runtime.shared().cache.set("aaa:first", 1)
    st.cache_resource.clear()  # the next tick
    app.run()

    assert app.selectbox(key="keys_open").value == "price:AAPL"
    assert set(app.dataframe[0].value["Key"]) == {"price:AAPL", "price:AMD", "price:MRK"}


def test_nobody_acts_without_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVCACHE_API_TOKEN", "a-token-of-16-characters")
    warm("AAPL")
    app = open_page("clear")

    app.text_input(key="clear_pattern").set_value("*")
    press(app, "Preview")
    without = labels(app)
    app.text_input(key="access_entry").set_value("a-token-of-16-characters")
    press(app, "Unlock")

    assert not any(label.startswith("Clear ") for label in without)
    assert any(label.startswith("Clear ") for label in labels(app))


def test_a_wrong_token_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVCACHE_API_TOKEN", "a-token-of-16-characters")
    app = open_page("warmup")
    app.text_area(key="warmup_tickers").set_value("AAPL").run()

    app.text_input(key="access_entry").set_value("wrong")
    press(app, "Unlock")

    assert "That is not the token." in texts(app)


def test_nobody_stops_a_warm_up_without_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVCACHE_API_TOKEN", "a-token-of-16-characters")
    ops = runtime.shared().ops
    monkeypatch.setattr(ops.jobs, "given_in", lambda: None)  # nobody does it
    job = ops.warmup.start("AAPL")

    app = open_page("warmup")

    assert job.is_running
    assert not {"Stop", "Pause"} & set(labels(app))


@pytest.mark.usefixtures("away")
def test_what_redis_holds_can_be_cleared_while_it_is_away() -> None:
    app = open_page("clear")

    app.text_input(key="clear_pattern").set_value("momentum:*")
    app.button[0].click().run()

    assert "at least" in texts(app)
    assert "Clear all that match" in labels(app)


@pytest.mark.usefixtures("away")
def test_an_outage_does_not_look_like_an_empty_cache() -> None:
    seen = texts(open_page("keys")) + texts(open_page("expiry"))
    overview = open_page("overview")

    assert seen.count("Not all keys could be looked at") == 2
    assert "All of the store was searched" not in seen
    assert "cache is empty" not in texts(overview)
    assert "Warm the default universe" not in labels(overview)


def test_overview_shows_tiles_namespaces_and_workers() -> None:
    warm("AAPL")
    runtime.shared().cache.get("price:AAPL")

    app = open_page("overview")

    assert [tile.label for tile in app.metric] == ["Hit rate", "Hits", "Loads", "Saved today"]
    namespaces, workers = (table.value for table in app.dataframe)
    assert {"price", "momentum"} <= set(namespaces["Namespace"])
    assert list(workers["State"].map(list)) == [["alive"]]
    assert "of this process alone" in texts(app)


def test_a_paused_overview_shows_what_it_showed() -> None:
    warm("AAPL")
    app = open_page("overview")
    before = [tile.value for tile in app.metric]

    app.button(key="overview_stop").click().run()
    for _ in range(50):
        runtime.shared().cache.get("price:AAPL")
    st.cache_resource.clear()
    app.run()
    paused, said = [tile.value for tile in app.metric], texts(app)
    app.button(key="overview_go").click().run()

    assert paused == before
    assert "paused at " in said
    assert "paused at " not in texts(app)


def test_a_selected_namespace_leads_to_its_keys() -> None:
    warm("AAPL", "MRK")
    app = open_page("overview")
    names = list(app.dataframe[0].value["Namespace"])

    app.session_state["overview_namespaces"] = {"selection": {"rows": [names.index("price")], "columns": []}}
    app.run()

    assert app.title[0].value == "Keys"
    assert set(app.dataframe[0].value["Key"]) == {"price:AAPL", "price:MRK"}


def test_trouble_leads_to_what_it_counted() -> None:
    warm("AAPL")
    runtime.shared().cache.counters.count("price", "load_failures", 3)

    app = open_page("overview")

    assert "load failures 3" in [link.proto.label for link in app.get("page_link")]
