"""What stands in the cache, or was typed by somebody, is shown as the text that it is, and goes into files as such."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
import redis
import streamlit as st
from streamlit.testing.v1 import AppTest

from avcache import runtime
from avcache.errors import Absent, InvalidInput, ProviderError
from avcache.market.holdings import parse_holdings
from avcache.market.provider import Figures, PriceHistory
from avcache.ops.doctor import Action, Finding
from tests.pages.shown import NAMES, TEXTS, markdown_of, markup_in, open_page, press

ALL = ("overview", "keys", "expiry", "clear", "warmup", "server", "audit", "momentum", "portfolio")
WORD = "w" * 1_000_000
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")

Files = dict[str, Callable[[], bytes]]


@pytest.fixture(autouse=True)
def _universes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of universes and categories are somebody's texts, too."""
    file = tmp_path / "universes.toml"
    listed = [f"[[universe]]\nname = {json.dumps(name)}\ntickers = ['AAPL', 'MRK']\n" for name in NAMES[:3]]
    sorted_in = (
        f"[[category]]\nname = {json.dumps(NAMES[0] + '!')}\ntarget = 50\nbenchmark = 'AAPL'\ntickers = ['AAPL']\n"
    )
    file.write_text("".join([*listed, sorted_in]), encoding="utf-8")
    monkeypatch.setenv("AVCACHE_UNIVERSES", str(file))


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> Files:
    """What each button of the last page would write, by the name of the file."""
    made: Files = {}

    def note(_label: str, make: Callable[[], bytes], name: str, _mime: str) -> None:
        made[name] = make

    monkeypatch.setattr("avcache.ui.components.tables._download", note)
    return made


@pytest.fixture
def toasts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Those that were shown: a run that begins anew forgets its own."""
    said: list[str] = []
    monkeypatch.setattr(st, "toast", lambda body, **_options: said.append(body))
    return said


def fill() -> None:
    """Everything that somebody can name, say or store, in their words."""
    wired = runtime.shared()
    cache, ops = wired.cache, wired.ops
    for at, name in enumerate(NAMES):
        cache.set(f"note:{name}", {name: list(TEXTS)}, tags=[name])
        cache.get_or_load(f"sourced:{at}", lambda: "x", source=name)
        cache.set(name.replace(":", "").replace("*", ""), name)
        ops.saved.save(name, parse_holdings("AAPL 100"), by=name)
        ops.schedules.add(name, "0 8 * * *", "UTC", universe=NAMES[at % 3], by=name)
    with pytest.raises(Absent):
        cache.get_or_load("price:GONE", _nothing)
    cache.set("__bold__:1", 1)
    cache.set("note:frame", pd.DataFrame({text: [text] for text in TEXTS}))
    cache.set("note:word", WORD)
    for text in TEXTS:
        ended = ops.clearing.start(f"gone:{text}" if text in NAMES else "gone:1", actor=text, reason=text)
        ops.jobs.wait(ended.id, 10)
        ops.audit.record(text, text, text, reason=text, result=text)
    ops.clearing.start(f"none:{NAMES[0]}", actor=NAMES[0], reason=NAMES[1], undo_seconds=600)


def _nothing() -> None:
    raise Absent(" ".join(NAMES), ttl=60)


def markup(*shown: AppTest | Sequence[str]) -> list[str]:
    """What of these pages and texts would be markup."""
    texts = [text for one in shown for text in (markdown_of(one) if isinstance(one, AppTest) else one)]
    return [text[:300] for text in texts if markup_in(text)]


def test_no_page_takes_a_text_for_markup() -> None:
    fill()

    apps = {name: open_page(name) for name in ALL}

    assert markup(*apps.values()) == []
    assert set(TEXTS) <= set(apps["audit"].dataframe[0].value["Reason"])
    assert set(TEXTS) <= set(apps["clear"].dataframe[0].value["Who"])


def test_an_opened_key_is_shown_as_it_is() -> None:
    fill()
    app = open_page("keys")
    found = []
    for key in (
        *(f"note:{name}" for name in NAMES),
        "sourced:0",
        "price:GONE",
        "note:frame",
        "note:word",
        "__bold__:1",
    ):
        app.selectbox(key="keys_open").set_value(key).run()
        assert not app.exception
        found += markup(app)
        assert any(key in text.replace("\\", "").replace("\u2060", "") for text in markdown_of(app))

    assert found == []


def test_a_value_is_shown_as_the_data_that_it_is() -> None:
    fill()
    app = open_page("keys", keys_open=f"note:{NAMES[0]}")
    tree = json.loads(app.json[0].value)
    app.selectbox(key="keys_open").set_value("note:frame").run()
    frame = next(table.value for table in app.dataframe if "Key" not in table.value.columns)
    app.selectbox(key="keys_open").set_value("note:word").run()

    assert tree == {NAMES[0]: list(TEXTS)}
    assert list(frame.columns) == list(frame.iloc[0]) == list(TEXTS)
    assert 1_000 < len(app.code[0].value) < 100_000


@pytest.mark.usefixtures("on_server")
def test_what_others_call_their_keys_on_the_server_is_no_markup(redis_url: str, prefix: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.mset({f"{prefix}{text}:1": text for text in TEXTS})
        client.mset({f"{prefix}{text}": text for text in TEXTS})
    runtime.shared().cache.set("__bold__:1", 1)

    apps = [open_page(name) for name in ("overview", "keys", "expiry", "clear", "server")]

    assert markup(*apps) == []
    assert f"{NAMES[0]}:1" in apps[1].dataframe[0].value["Key"].tolist()
    assert apps[1].button_group[0].options[0] == f"All {2 * len(TEXTS) + 1}"


def test_a_pattern_is_planned_asked_for_and_refused_as_text() -> None:
    fill()
    app = open_page("clear")
    found = []
    for name in NAMES:
        app.text_input(key="clear_pattern").set_value(f"note:{name}")
        press(app, "Preview")
        found += markup(app)
        app.button(key="clear_confirm").click().run()
        found += markup(app)
        assert f"note:{name}" in [code.value for code in app.code]
    app.text_input(key="clear_pattern").set_value(f"*a*b*c*d*e*f*g*h*{NAMES[0]}")
    press(app, "Preview")

    assert "8 stars" in app.error[0].value
    assert [*found, *markup(app)] == []


def test_what_is_said_in_passing_is_text(toasts: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    fill()
    key = f"note:{NAMES[2]}"
    keys, clear, schedules = open_page("keys", keys_open=key), open_page("clear"), open_page("warmup")

    def refuse(_id: str) -> None:
        raise InvalidInput("schedule", NAMES[0], NAMES[1])

    monkeypatch.setattr(runtime.shared().ops.schedules, "pause", refuse)
    press(keys, "Delete this key")
    press(clear, "Undo")
    press(schedules, "Pause")

    assert len(toasts) == 3
    assert markup(toasts) == []


def test_why_something_did_not_work_is_text(toasts: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    fill()
    wired = runtime.shared()
    wired.cache.get_or_load("price:AAPL", lambda: {"old": 1}, ttl=0.001, source="sample", stale_ttl=600)
    keys, clear, warmup = open_page("keys", keys_open="price:AAPL"), open_page("clear"), open_page("warmup")

    def refuse(*_given: object, **_named: object) -> None:
        raise InvalidInput("pattern", NAMES[0], " ".join(NAMES))

    for does, what in ((wired.market, "price"), (wired.ops.clearing, "undo"), (wired.ops.jobs, "tell")):
        monkeypatch.setattr(does, what, refuse)
    monkeypatch.setattr(wired.ops.clearing, "start", refuse)
    monkeypatch.setattr(wired.ops.warmup, "start", refuse)
    press(keys, "Reload")
    press(clear, "Undo")
    press(clear, "Drop now")
    press(warmup, "Run now")

    assert len(toasts) == 4
    assert all("onerror" in said for said in toasts)
    assert markup(toasts) == []


def test_a_schedule_is_asked_about_as_text() -> None:
    fill()
    app = open_page("warmup")

    press(app, "Remove")
    asked = markup(app)
    app.session_state["schedule_cron"] = NAMES[0]
    app.session_state["schedule_name"] = NAMES[1]
    press(app, "Add a schedule")

    assert app.error[0].value.startswith("Five fields")
    assert [*asked, *markup(app)] == []


def test_reads_of_any_namespace_are_replayed_under_its_name() -> None:
    cache = runtime.shared().cache
    cache.set("__bold__:1", 1)
    cache.get("__bold__:1")
    few = open_page("expiry", expiry_whatif="true")
    for _ in range(60):
        cache.get("__bold__:1")
    st.cache_resource.clear()

    many = open_page("expiry", expiry_whatif="true", expiry_namespace="__bold__")

    assert "Only 1 reads of" in few.caption[-1].value
    assert markup(few, many) == []


def test_what_the_doctor_found_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    said = " ".join(NAMES)
    found = Finding("keys.foreign", "warning", said, tuple(NAMES), said, said, Action("clear", said))
    monkeypatch.setattr(runtime.shared().ops.checkup, "findings", lambda: (found,))

    app = open_page("server")

    assert markup(app) == []
    assert any("onerror" in text for text in markdown_of(app))


class Refusing:
    """A source of prices that says why not, in the worst words there are."""

    name, label, benchmark = "refusing", " ".join(NAMES), "MKT"

    def current(self) -> Refusing:
        return self

    def histories(self, tickers: Sequence[str]) -> dict[str, PriceHistory | ProviderError]:
        return {ticker: ProviderError(ticker, "unknown", " ".join(NAMES)) for ticker in tickers}

    def fundamentals(self, tickers: Sequence[str]) -> dict[str, Figures | ProviderError]:
        return {ticker: ProviderError(ticker, "unknown", " ".join(NAMES)) for ticker in tickers}


@pytest.fixture
def refusing() -> None:
    vars(runtime.shared())["provider"] = Refusing()


@pytest.mark.usefixtures("refusing")
def test_why_a_source_refuses_is_text_on_every_page(toasts: list[str]) -> None:
    warmup, momentum = open_page("warmup", warmup_tickers="AAPL, MRK"), open_page("momentum")
    portfolio, keys = open_page("portfolio"), open_page("keys")

    warmup.button(key="warmup_start").click().run()
    job = runtime.shared().ops.warmup.latest
    assert job is not None
    assert job.wait(30)
    warmup.run()
    press(momentum, "Load the missing scores")
    portfolio.text_area(key="portfolio_holdings").set_value("AAPL 100")
    press(portfolio, "Read and analyse")
    keys.selectbox(key="keys_open").set_value("price:AAPL").run()

    assert markup(warmup, momentum, portfolio, keys, toasts) == []
    assert NAMES[0] in warmup.dataframe[-1].value["Reason"][0]
    assert "onerror" in momentum.warning[0].value


@pytest.mark.parametrize("text", [" ".join(NAMES), "*a*b*c*d*e*f*g*h*", "\u202egnp.exe", "# head\n==="])
def test_what_is_typed_comes_back_as_text(text: str) -> None:
    runtime.shared().market.score("AAPL")

    typed = [
        open_page("momentum", momentum_universe="My tickers", momentum_tickers=text),
        open_page("momentum", compare=text, momentum_find=text),
        open_page("warmup", warmup_tickers=text),
        open_page("keys", keys_find=text, keys_open=text, keys_prefix=text),
        open_page("audit", audit_find=text),
        open_page("portfolio", portfolio_saved=text),
    ]
    typed[-1].text_area(key="portfolio_holdings").set_value(f"AAPL 1\n{text} 100")
    press(typed[-1], "Read and analyse")

    assert markup(*typed) == []


def test_saved_portfolios_are_called_what_they_are_called() -> None:
    fill()

    apps = [open_page("portfolio", portfolio_saved=name) for name in NAMES[:3]]
    apps[0].text_input(key="portfolio_name").set_value(NAMES[0])
    press(apps[0], "Save")
    saved = markup(apps[0])
    for app in apps:
        press(app, "Remove")

    assert [*saved, *markup(*apps)] == []
    assert list(apps[0].selectbox(key="portfolio_saved").options) == sorted(NAMES, key=str.casefold)


ANY = " ".join(NAMES)
SAID: Mapping[str, Sequence[dict[str, object]]] = {
    "price": [{"currency": ANY}, {"ticker": ANY}, {"as_of": ANY}],
    "history": [{"currency": ANY, "zone": ANY}, {"ticker": ANY}],
    "momentum": [
        {"currency": ANY, "benchmark": ANY, "note": ANY, "zone": ANY, "source": ANY},
        {"measures": {ANY: 1.0}, "inputs": {ANY: 1.0}},
        {"profile": ANY},
        {"ticker": ANY},
        {"as_of": ANY},
        {"rating": ANY},
    ],
}
"""Fields of what is cached of a ticker, as somebody else may have written them."""


@pytest.mark.parametrize("kind", list(SAID))
def test_what_a_cached_result_says_is_no_markup_and_breaks_no_page(kind: str) -> None:
    market, cache = runtime.shared().market, runtime.shared().cache
    market.prices(["AAPL", "MRK"])
    market.scores(["AAPL", "MRK"])
    key, apps = f"{kind}:AAPL", []
    good = cache.peek_value(key)
    assert isinstance(good, dict)
    for said in SAID[kind]:
        cache.refresh(key, partial(dict, good, **said), source=market.sources[kind])
        apps.append(open_page("keys", keys_open=key))
        apps.append(open_page("momentum", momentum_universe=NAMES[0], momentum_ticker="AAPL"))
        apps.append(open_page("portfolio"))
        apps[-1].text_area(key="portfolio_holdings").set_value("AAPL 100\nMRK 2")
        press(apps[-1], "Read and analyse")
        cache.clear("portfolio:*")

    assert markup(*apps) == []


def test_what_is_exported_runs_in_no_spreadsheet_and_loses_nothing(files: Files) -> None:
    fill()
    assert runtime.shared().ops.warmup.start("AAPL MRK ZZZZ").wait(30)

    for name in ALL:
        open_page(name, portfolio_saved=NAMES[0], keys_open=f"note:{NAMES[0]}", warmup_tickers="AAPL, ZZZZ")

    written = {file: make() for file, make in files.items()}
    assert {"keys.csv", "clears.csv", "coverage.csv", "audit.json", "momentum.csv", "portfolio.json"} <= set(written)
    for file, data in written.items():
        if file.endswith(".csv"):
            cells = [cell for row in csv.reader(io.StringIO(data.decode())) for cell in row]
            assert [cell for cell in cells if cell.startswith(FORMULA) and not _is_number(cell)] == []
        else:
            json.loads(data)


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame([[1, 2]], columns=["a", "a"]),
        pd.DataFrame({"index": [1]}, index=pd.Index([3], name="index")),
        pd.DataFrame({"a": [b"\xff"]}),
        pd.DataFrame({"a": pd.period_range("2020", periods=2, freq="M")}),
    ],
    ids=["a name twice", "an index called index", "bytes", "periods"],
)
@pytest.mark.parametrize("inside", [False, True], ids=["alone", "in a value"])
def test_every_table_that_can_be_cached_is_shown_and_exported(table: pd.DataFrame, inside: bool, files: Files) -> None:
    runtime.shared().cache.set("note:table", {"deep": {"down": table}} if inside else table)

    open_page("keys", keys_open="note:table")

    found = json.loads(files["note-table.json"]())
    assert len(found["deep"]["down"] if inside else found) == len(table)


def test_a_value_is_exported_exactly(files: Files) -> None:
    fill()

    open_page("keys", keys_open=f"note:{NAMES[0]}")

    (file,) = [name for name in files if name.startswith("note")]
    assert json.loads(files[file]()) == {NAMES[0]: list(TEXTS)}
    assert not set(file) & set("<>:/\\ ()")


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def test_json_holds_every_text_exactly(files: Files) -> None:
    fill()

    open_page("audit")
    open_page("clear")
    open_page("warmup")

    def column(file: str, name: str) -> set[str]:
        return {row[name] for row in json.loads(files[file]())}

    assert set(TEXTS) <= column("audit.json", "result")
    assert set(TEXTS) <= column("clears.json", "reason")
    assert set(NAMES) == column("schedules.json", "name")
