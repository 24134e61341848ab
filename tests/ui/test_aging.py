from __future__ import annotations

from dataclasses import replace

from streamlit.testing.v1 import AppTest

from avcache import runtime
from avcache.core.peek import Peek
from avcache.ui.states import is_replaced

SHOWN = Peek("momentum:AAPL", "momentum", 1000, 900.0, written_at=100.0, age=700.0, ttl=600.0)


def test_an_entry_is_replaced_by_one_written_later() -> None:
    assert is_replaced([SHOWN], [replace(SHOWN, written_at=101.0)])
    assert not is_replaced([SHOWN], [SHOWN])
    assert not is_replaced([SHOWN], [None])
    assert not is_replaced([SHOWN], [Peek("momentum:AAPL", "momentum", 10, 900.0, is_foreign=True)])


def test_a_page_that_shows_what_is_stale_is_drawn_anew_when_it_was_loaded_again() -> None:
    def page() -> None:
        from dataclasses import replace

        import streamlit as st

        from avcache.ui.components.aging import aging_caption
        from avcache.ui.resources import get_runtime

        entry = get_runtime().cache.peek("momentum:AAPL")
        assert entry is not None
        if "seen" not in st.session_state:  # as if it had been loaded again since this was read
            entry = replace(entry, written_at=entry.written_at - 700, ttl_left=0.0)
        st.session_state["seen"] = True
        aging_caption(entry, lambda aged, _now: "stale" if aged.is_stale else "fresh")

    runtime.shared().cache.set("momentum:AAPL", {})

    app = AppTest.from_function(page).run()

    assert not app.exception
    assert [caption.value for caption in app.caption] == ["fresh"]


def test_to_look_for_something_newer_is_no_read() -> None:
    def page() -> None:
        from dataclasses import replace

        from avcache.ui.components.aging import aging_caption
        from avcache.ui.resources import get_runtime

        entry = get_runtime().cache.peek("momentum:AAPL")
        assert entry is not None
        aging_caption(replace(entry, ttl_left=0.0), lambda aged, _now: "stale" if aged.is_stale else "fresh")

    runtime.shared().cache.set("momentum:AAPL", {})

    app = AppTest.from_function(page).run()

    assert [caption.value for caption in app.caption] == ["stale"]
    assert runtime.shared().cache.stats().total.requests == 0
