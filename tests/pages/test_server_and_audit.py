"""Server and Audit, run by Streamlit without a browser."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import redis
import streamlit as st
from streamlit.testing.v1 import AppTest

from avcache import runtime
from avcache.backends.facts import SlowCommand
from avcache.errors import BackendError
from avcache.ops.audit import MOST_ENTRIES
from avcache.ops.doctor import Action, Finding
from avcache.ops.server import Latency, Memory, ServerView
from avcache.ui.server.links import link_of
from avcache.ui.server.slow import HIDDEN
from tests.pages.shown import open_page, texts
from tests.servers import RealServer

NASTY = [
    "<img src=x onerror=alert(1)>",
    "[x](javascript:alert(1))",
    ":red[x]",
    "$a$",
    "=1+1",
    "\u202egnp",
    "w" * 10_000,
]


def markup(app: AppTest) -> list[str]:
    """What would not be shown as the text that it is, but for the heading of a finding."""
    written = [str(element.value) for kind in (app.markdown, app.caption) for element in kind]
    written += [f"{metric.value} {metric.delta}" for metric in app.metric]
    plain = [re.sub(r"\\.", "", text) for text in written if "-badge[" not in text]
    return [text for text in plain if re.search(r"[<\[$`]|:[a-z]+:", text)]


@pytest.fixture
def on_server(real_server: RealServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[redis.Redis]:
    """The settings name a server of this test alone."""
    monkeypatch.setenv("REDIS_ENABLED", "true")
    monkeypatch.setenv("REDIS_URL", real_server.url)
    with redis.Redis.from_url(real_server.url) as client:
        yield client


# -- server ----------------------------------------------------------------------------------------


def test_server_tells_figures_findings_and_settings(on_server: redis.Redis) -> None:
    on_server.mset({"theirs:1": 1, "alphavelocity:jobs:1": 1})

    app = open_page("server")

    metrics = {metric.label: metric.value for metric in app.metric}
    assert set(metrics) == {
        *("Memory", "Keys", "Evicted", "Clients", "PING", "Operations", "Saved to disk", "Up for"),
    }
    assert "The server has no memory limit." in texts(app)
    assert "theirs" not in texts(app)
    settings = app.dataframe[-1].value.set_index("Setting")
    assert (settings["Source"]["REDIS_ENABLED"], settings["Value"]["REDIS_URL"]) == ("environment", "set, hidden")


def test_server_names_no_key_of_another_application(on_server: redis.Redis) -> None:
    on_server.config_set("slowlog-log-slower-than", 0)
    on_server.get("theirs:customer-7")
    on_server.get("alphavelocity:price:AAPL")
    on_server.config_set("slowlog-log-slower-than", 1_000_000)

    app = open_page("server")

    table = app.dataframe[0].value
    assert HIDDEN in set(table["Arguments"])
    assert "alphavelocity:price:AAPL" in set(table["Arguments"])
    assert "customer-7" not in table.to_csv() + texts(app)


def test_server_says_what_the_user_may_not_ask(on_server: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    rights = ["+@all", "-info", "-slowlog"]
    on_server.acl_setuser("limited", enabled=True, passwords="+secret", keys="*", channels="*", commands=rights)
    port = on_server.connection_pool.connection_kwargs["port"]
    monkeypatch.setenv("REDIS_URL", f"redis://limited:secret@127.0.0.1:{port}/0")

    app = open_page("server")

    assert "INFO is refused: permission denied." in texts(app)
    assert next(metric for metric in app.metric if metric.label == "Keys").value == "–"


@pytest.mark.usefixtures("away")
def test_server_tells_of_the_outage_while_redis_is_away() -> None:
    runtime.shared().ops.outages.tick()

    app = open_page("server")

    assert "Redis has been away since" in texts(app)
    assert "The server does not serve: connection refused." in texts(app)
    assert "Memory has served in its place since" in texts(app)
    assert list(app.dataframe[0].value["What"]) == ["Server away: connection refused"]
    assert not app.metric


def test_server_tells_of_memory_with_its_limits() -> None:
    runtime.shared().cache.set("note:1", 1)

    app = open_page("server")

    metrics = {metric.label: (metric.value, metric.delta) for metric in app.metric}
    assert metrics["Entries"] == ("1", "0 % of 100,000")
    assert metrics["Memory"][1] == "0 % of 268 MB"
    assert "there is nothing to fall back from" in texts(app)


def test_what_a_server_tells_is_no_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    wired = runtime.shared()
    view = wired.ops.checkup.view()
    lines = tuple(SlowCommand(0, 1, nasty, (nasty,), False, nasty, is_ours=True) for nasty in NASTY)
    shown = ServerView(
        "redis",
        view.state,
        view.taken_at,
        version=NASTY[2],
        role=NASTY[0],
        memory=Memory(policy=NASTY[1]),
        latency=Latency(1, 1),
        slow_log=lines,
        notes=tuple(NASTY),
    )
    monkeypatch.setattr(wired.ops.checkup, "view", lambda: shown)

    app = open_page("server")

    assert markup(app) == []
    assert set(app.dataframe[0].value["Arguments"]) == set(NASTY)


@pytest.mark.parametrize(
    ("action", "key", "value"),
    [
        (Action("clear", "user:*"), "clear_pattern", "user:*"),
        (Action("warm", "price"), "warmup_universe", "Sample 25"),
        (Action("open", "keys", "user:*"), "keys_find", "user:*"),
        (Action("open", "expiry", "user:*"), "expiry_namespace", "user"),
        (Action("open", "overview"), "overview_window", "1 h"),
    ],
)
def test_a_finding_leads_to_a_page_that_is_filled_in_and_does_nothing(action: Action, key: str, value: str) -> None:
    wired = runtime.shared()
    wired.cache.set("user:1", 1)
    link = link_of(Finding("r", "warning", "w", (), "y", "s", action), wired.market.universes.default)
    assert link is not None

    app = open_page(link.page, **link.query)

    assert app.session_state[key] == value
    assert wired.cache.exists("user:1")
    assert wired.ops.warmup.latest is None


# -- audit -----------------------------------------------------------------------------------------


def test_an_empty_audit_says_what_will_be_in_it() -> None:
    app = open_page("audit")

    assert "Nothing is written down yet." in texts(app)
    assert not app.dataframe


def test_audit_filters_come_from_the_address() -> None:
    audit = runtime.shared().ops.audit
    audit.record("console", "clear", "price:*", reason="a wrong split")
    audit.record("REST", "clear", "momentum:*")
    audit.record("REST", "warm-up", "AAPL")

    app = open_page("audit", audit_actor="REST", audit_action="clear", audit_find="MOMENTUM", audit_since="1 h")

    assert list(app.dataframe[0].value["On"]) == ["momentum:*"]
    assert app.selectbox(key="audit_actor").value == "REST"


def test_a_condition_that_nothing_meets_is_said() -> None:
    runtime.shared().ops.audit.record("console", "clear", "price:*")
    app = open_page("audit")

    app.text_input(key="audit_find").set_value("no such thing").run()

    assert "No entry matches." in texts(app)
    assert not app.dataframe


def test_audit_shows_a_hundred_of_ten_thousand_at_a_time() -> None:
    audit = runtime.shared().ops.audit
    for number in range(MOST_ENTRIES + 10):
        audit.record("console", "clear", f"price:{number}", at=float(number))

    app = open_page("audit", audit_page="3")

    shown = list(app.dataframe[0].value["On"])
    assert (len(shown), shown[0]) == (100, f"price:{MOST_ENTRIES + 10 - 201}")
    assert "201–300 of 10,000" in texts(app)
    assert "older ones have gone" in texts(app)


def test_a_page_that_is_no_more_is_the_last() -> None:
    audit = runtime.shared().ops.audit
    for number in range(250):
        audit.record("console" if number else "REST", "clear", f"price:{number}", at=float(number))
    app = open_page("audit", audit_page="3")

    app.selectbox(key="audit_actor").select("REST").run()

    assert list(app.dataframe[0].value["On"]) == ["price:0"]
    assert not app.exception


@pytest.mark.usefixtures("away")
def test_audit_says_what_it_shows_while_redis_is_away() -> None:
    runtime.shared().ops.audit.record("console", "clear", "price:*")

    app = open_page("audit")

    assert "shown is what this process has noted meanwhile" in texts(app)
    assert "price:*" in set(app.dataframe[0].value["On"])


def test_an_audit_that_cannot_be_read_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object) -> None:
        raise BackendError("redis: NOPERM")

    monkeypatch.setattr(runtime.shared().ops.board, "tail", refuse)
    st.cache_resource.clear()

    app = open_page("audit")

    assert "could not be read" in app.error[0].value


def test_what_somebody_wrote_is_no_markup() -> None:
    for nasty in NASTY:
        runtime.shared().ops.audit.record(nasty, "clear", nasty, reason=nasty, result=nasty)

    app = open_page("audit")
    opened = AppTest.from_function(in_full, default_timeout=30).run()

    assert (markup(app), markup(opened)) == ([], [])
    assert NASTY[0] in set(app.dataframe[0].value["Reason"])
    assert [element.value for element in opened.code][-len(NASTY) :][-1] == NASTY[0]
    assert not opened.exception


def test_an_entry_leads_to_its_job_and_says_how_that_ended() -> None:
    assert runtime.shared().ops.warmup.start("AAPL").wait(30)

    app = AppTest.from_function(in_full, default_timeout=30).run()

    assert "Its job: done" in texts(app)
    assert "1 of 1 cached" in texts(app)


def in_full() -> None:
    """Every entry of the audit as it is when it is chosen."""
    import streamlit as st  # it runs as a script of its own

    from avcache import runtime
    from avcache.ui import PAGES
    from avcache.ui.components.audit import entry_details

    st.navigation([st.Page(PAGES / "warmup.py"), st.Page(PAGES / "clear.py")])
    for entry in runtime.shared().ops.audit.latest():
        entry_details(entry)
