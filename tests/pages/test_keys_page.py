"""Keys: what is there, one entry closely, and a store too large to be seen at once."""

from __future__ import annotations

import pytest
import redis
from streamlit.testing.v1 import AppTest

from avcache import runtime
from tests.pages.shown import labels, open_page, press, texts, warm


def open_key(key: str) -> AppTest:
    app = open_page("keys")
    app.selectbox(key="keys_open").set_value(key).run()
    assert not app.exception
    return app


def test_prefixes_have_their_counts_and_narrow_the_table() -> None:
    warm("AAPL", "MRK")
    app = open_page("keys")

    prefixes = app.button_group(key="keys_prefix").options
    app.button_group(key="keys_prefix").set_value("price").run()

    assert "price 2" in prefixes
    assert prefixes[0].startswith("All ")
    assert set(app.dataframe[0].value["Key"]) == {"price:AAPL", "price:MRK"}
    assert "price" in app.query_params["keys_prefix"]


def test_a_prefix_in_the_address_is_the_one_that_is_shown() -> None:
    warm("AAPL")

    app = open_page("keys", keys_prefix="price")

    assert app.button_group(key="keys_prefix").value == "price"
    assert app.dataframe[0].value["Key"].to_list() == ["price:AAPL"]


def test_a_prefix_that_is_gone_shows_all() -> None:
    warm("AAPL")

    app = open_page("keys", keys_prefix="gone")

    assert "price:AAPL" in app.dataframe[0].value["Key"].to_list()


def test_a_score_is_shown_as_one_with_what_it_rests_on() -> None:
    warm("AAPL")

    app = open_key("momentum:AAPL")

    assert "coverage 75 %" in texts(app)
    assert app.dataframe[1].value["Input"].to_list() == ["history:AAPL", "history:^GSPC"]


def test_a_score_is_compared_with_one_computed_now() -> None:
    warm("AAPL")
    app = open_key("momentum:AAPL")

    app.button_group(key="keys_view").set_value("Compare").run()
    press(app, "Compute it once more")

    assert "fields are the same" in texts(app)


def test_prices_are_a_chart_and_a_price_is_money() -> None:
    warm("AAPL")

    price, history = open_key("price:AAPL"), open_key("history:AAPL")

    assert price.metric[0].value.startswith("\\$126")
    assert "sessions" in texts(history)


def test_a_portfolio_says_what_it_holds() -> None:
    runtime.shared().market.portfolio({"AAPL": 100, "MRK": 5})
    (key,) = runtime.shared().cache.keys("portfolio:*")

    app = open_key(key)

    assert app.dataframe[1].value.to_dict("records") == [
        {"Ticker": "AAPL", "Shares": 100.0},
        {"Ticker": "MRK", "Shares": 5.0},
    ]


def test_what_is_fresh_cannot_be_reloaded_and_what_is_not_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CACHE_STALE_TTL", "3600")
    runtime.shared().cache.get_or_load("price:AAPL", lambda: {"old": 1}, ttl=0.001, source="sample", stale_ttl=600)

    app = open_key("price:AAPL")
    press(app, "Reload")

    assert next(button for button in app.button if button.label == "Reload").disabled
    assert runtime.shared().market.price("AAPL").price > 100
    assert [entry.action for entry in runtime.shared().ops.audit.latest()] == ["reload"]


def test_a_deleted_key_is_written_down() -> None:
    runtime.shared().cache.set("note:1", 1)
    app = open_key("note:1")

    press(app, "Delete this key")

    (entry,) = runtime.shared().ops.audit.latest()
    assert (entry.action, entry.object, entry.done) == ("delete", "note:1", 1)


def test_nobody_deletes_without_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVCACHE_API_TOKEN", "a-token-of-16-characters")
    warm("AAPL")

    app = open_key("price:AAPL")

    assert not {"Delete this key", "Reload"} & set(labels(app))


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store of which only a part is seen at a time."""
    monkeypatch.setattr("avcache.ops.keyspace._MOST_KEYS", 100)
    monkeypatch.setattr("avcache.ops.keyspace._SAMPLE_KEYS", 100)
    runtime.shared().cache.set_many({f"user:{number:04}": number for number in range(700)})


@pytest.mark.usefixtures("large")
def test_a_large_store_is_searched_on_only_when_asked() -> None:
    app = open_page("keys")
    first = texts(app)
    app.run()
    again = texts(app)

    press(app, "Search on")

    assert "of the store searched" in first
    assert "of 200 found" in first
    assert "of 200 found" in again
    assert "of 400 found" in texts(app)


@pytest.mark.usefixtures("large")
def test_a_ticker_of_a_large_store_is_found_by_its_name() -> None:
    runtime.shared().cache.set("user:AAPL", 1)
    app = open_page("keys")

    app.text_input(key="keys_find").set_value("aapl").run()

    assert app.dataframe[0].value["Key"].to_list() == ["user:AAPL"]


@pytest.mark.usefixtures("away")
def test_while_redis_is_away_what_is_in_memory_can_be_looked_at() -> None:
    warm("AAPL")

    app = open_key("price:AAPL")

    assert "price:AAPL" in app.dataframe[0].value["Key"].to_list()
    assert app.metric[0].value.startswith("\\$126")


@pytest.mark.usefixtures("on_server")
def test_what_is_foreign_cannot_be_deleted_here(redis_url: str, redis_env: dict[str, str]) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.set(f"{redis_env['REDIS_PREFIX']}note:1", "raw")

    app = open_page("keys", keys_open="note:1")

    assert "note:1" in texts(app)
    assert "Delete this key" not in labels(app)


def test_a_click_counts_though_the_prefixes_have_changed_meanwhile() -> None:
    warm("AAPL")
    app = open_key("price:AAPL")
    runtime.shared().cache.set("user:1", 1)
    runtime.shared().ops.keyspace.forget()

    press(app, "Delete this key")

    assert runtime.shared().cache.peek("price:AAPL") is None


def test_a_link_to_a_prefix_that_is_new_shows_it() -> None:
    warm("AAPL")
    app = open_page("keys")
    runtime.shared().cache.set("user:1", 1)
    runtime.shared().ops.keyspace.forget()

    app.query_params["keys_prefix"] = "user"
    app.run()

    assert app.button_group(key="keys_prefix").value == "user"
    assert app.dataframe[0].value["Key"].to_list() == ["user:1"]
