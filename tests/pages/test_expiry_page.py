"""Expiry: another time to live, tried on the reads there were."""

from __future__ import annotations

from avcache import runtime
from tests.pages.shown import open_page, texts


def test_nothing_read_says_what_to_do() -> None:
    assert "has not read anything yet" in texts(open_page("expiry", expiry_whatif="true"))


def test_too_few_reads_say_nothing() -> None:
    runtime.shared().cache.get("price:AAPL")

    assert "Only 1 reads of price" in texts(open_page("expiry", expiry_whatif="true"))


def test_reads_are_replayed_under_eight_times_to_live() -> None:
    cache = runtime.shared().cache
    cache.set("price:AAPL", 1)
    for _ in range(60):
        cache.get("price:AAPL")

    app = open_page("expiry", expiry_whatif="true")

    table = app.dataframe[0].value
    assert table["TTL"].to_list()[2] == "5 min, the setting"
    assert len(table) == 8
    assert "Replayed: 60 reads of 1 key by this process since" in texts(app)
