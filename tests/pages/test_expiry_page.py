"""Expiry: another time to live, tried on the reads there were."""

from __future__ import annotations

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from avcache import runtime
from avcache.ui import PAGES, SHELL


@pytest.fixture(autouse=True)
def _next_tick() -> None:
    st.cache_resource.clear()


def open_what_if() -> AppTest:
    app = AppTest.from_file(str(SHELL), default_timeout=30).run()
    app.switch_page(str(PAGES / "expiry.py"))
    app.query_params["expiry_whatif"] = "true"
    app.run()
    assert not app.exception
    return app


def texts(app: AppTest) -> str:
    return "\n".join(str(one.value) for one in app.caption).replace("\\", "")


def test_nothing_read_says_what_to_do() -> None:
    assert "has not read anything yet" in texts(open_what_if())


def test_too_few_reads_say_nothing() -> None:
    runtime.shared().cache.get("price:AAPL")

    assert "Only 1 reads of price" in texts(open_what_if())


def test_reads_are_replayed_under_eight_times_to_live() -> None:
    cache = runtime.shared().cache
    cache.set("price:AAPL", 1)
    for _ in range(60):
        cache.get("price:AAPL")

    app = open_what_if()

    table = app.dataframe[0].value
    assert table["TTL"].to_list()[2] == "5 min, the setting"
    assert len(table) == 8
    assert "Replayed: 60 reads of 1 key by this process since" in texts(app)
