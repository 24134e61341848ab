"""What the operator's pages say, without Streamlit."""

from __future__ import annotations

import datetime as dt
import json

import msgspec
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avcache.backends.base import State
from avcache.backends.board import MemoryBoard
from avcache.backends.memory import MemoryBackend
from avcache.clock import ManualClock
from avcache.core.cache import Cache
from avcache.core.counters import Counts
from avcache.core.keys import Namespace, Namespaces
from avcache.core.peek import Peek
from avcache.formats import format_clock
from avcache.ops.clearing import ClearPlan
from avcache.ops.coverage import Coverage
from avcache.ops.forecast import forecast
from avcache.ops.jobs import Job, Jobs
from avcache.ops.keyspace import Keyspace
from avcache.ops.warmup import Outcome, WarmupJob
from avcache.ui.charts.operate import due_load, expiry_histogram
from avcache.ui.charts.palette import MOST_APART, REST, colour_of, colours_of
from avcache.ui.clear import describe_job, describe_plan, history, must_type
from avcache.ui.clear import exported as exported_clears
from avcache.ui.entry import describe, tables_in, text_of
from avcache.ui.expiry import describe_cliffs, describe_due, describe_shown, expiry
from avcache.ui.export import csv_of
from avcache.ui.keys import ORDERS, key_table, ordered, patterns_of
from avcache.ui.keys import exported as exported_keys
from avcache.ui.states import aged, describe_exactness
from avcache.ui.strip import strip
from avcache.ui.warmup import coverage_table, describe_coverage, outcome_table, progress_text
from avcache.ui.warmup import exported as exported_outcomes
from tests.ops.census import Kept, snapshot

NOW = 1_700_000_000.0


def entry(key: str, *, age: float = 60, ttl: float = 300, size: int = 100, took: float | None = 0.5) -> Peek:
    left = max(0.0, ttl - age)
    return Peek(
        key,
        key.partition(":")[0],
        size,
        expires_in=ttl - age + 3600,
        written_at=NOW - age,
        age=age,
        ttl=ttl,
        ttl_left=left,
        load_seconds=took,
    )


FOREIGN = Peek("price:ODD", "price", 7, 100.0, is_foreign=True)


def board() -> tuple[Cache, Keyspace, ManualClock]:
    clock = ManualClock(NOW)
    namespaces = Namespaces(Namespace("default", 3600), [Namespace("price", 300)])
    cache = Cache(MemoryBackend(clock=clock), namespaces, wall=clock)
    return cache, Keyspace(cache, MemoryBoard(clock), clock, clock), clock


class TestStrip:
    def test_a_healthy_server_is_named_and_green(self) -> None:
        model = strip(State("valkey", since=NOW), "yahoo", "Yahoo live", Counts(hits=9, misses=1), NOW)

        assert (model.backend.text, model.backend.colour) == ("Valkey", "green")
        assert (model.source.text, model.source.colour) == ("Yahoo live", "green")
        assert model.hit_rate == "hit rate 1 min 90.0 % of 10"
        assert model.trouble is None

    @pytest.mark.parametrize(("workers", "text"), [(1, "Valkey · 1 worker"), (3, "Valkey · 3 workers")])
    def test_a_server_says_how_many_workers_share_it(self, workers: int, text: str) -> None:
        state = State("valkey", since=NOW)

        model = strip(state, "yahoo", "Yahoo live", Counts(), NOW, workers=workers)

        assert model.backend.text == text

    @pytest.mark.parametrize("name", ["degraded", "recovering"])
    def test_it_is_never_green_while_memory_serves_for_redis(self, name: str) -> None:
        state = State(name, since=NOW - 60, error="TimeoutError: redis get: Timeout", pending=1234)  # type: ignore[arg-type]

        model = strip(state, "yahoo", "Yahoo live", Counts(), NOW)

        assert model.backend.colour == "orange"
        assert model.trouble is not None
        assert "no answer in time" in model.trouble
        assert "1,234 invalidations waiting" in model.trouble

    def test_an_error_shows_its_kind_and_no_address(self) -> None:
        error = "AuthenticationError: redis ping: invalid password for redis://u:secret@10.0.0.1"

        model = strip(State("degraded", since=NOW, error=error), "sample", "Sample", Counts(), NOW)

        assert model.trouble is not None
        assert "the password is refused" in model.trouble
        assert "secret" not in model.trouble

    def test_a_server_that_refuses_writes_is_not_green(self) -> None:
        state = State("redis", since=NOW - 60, error="OutOfMemoryError: redis put: command not allowed", pending=2)

        model = strip(state, "yahoo", "Yahoo live", Counts(), NOW)

        assert (model.backend.text, model.backend.colour) == ("Redis refuses writes", "orange")
        assert model.trouble == (
            "Writes are refused (it is out of memory, see maxmemory) · nothing new is kept · 2 invalidations waiting"
        )

    def test_sample_prices_stand_out(self) -> None:
        model = strip(State("memory", since=NOW), "sample", "Sample prices, last day 2022-12-28", Counts(), NOW)

        assert model.source.colour == "orange"
        assert model.hit_rate == "no reads in the last minute"

    def test_a_source_that_refuses_says_until_when(self) -> None:
        state, until = State("memory", since=NOW), NOW + 40

        model = strip(state, "yahoo", "Yahoo live", Counts(), NOW, paused_until=until)

        assert model.source.colour == "orange"
        assert model.source.text == f"Yahoo live, refusing until {format_clock(until, NOW)}"

    def test_files_are_neither_live_nor_sample(self) -> None:
        model = strip(State("memory", since=NOW), "csv", "Own prices, 12 tickers", Counts(), NOW)

        assert (model.source.text, model.source.colour) == ("Own prices, 12 tickers", "gray")


class TestKeys:
    def test_a_row_tells_age_time_left_and_state(self) -> None:
        table = key_table([entry("price:AAPL", age=108), entry("price:OLD", age=400), FOREIGN]).set_index("Key")

        assert list(table.loc["price:AAPL", ["Age", "TTL left", "Size", "Load took"]]) == [
            "1:48",
            "3:12",
            "100 B",
            "500 ms",
        ]
        assert table["State"].to_list() == [["fresh"], ["stale"], ["foreign"]]
        assert table["Left"].to_list() == [pytest.approx(64.0), 0.0, 0.0]

    def test_rows_come_in_the_order_asked_for(self) -> None:
        rows = [FOREIGN, entry("b:1", age=10, size=5), entry("a:1", age=200, size=9)]

        names = {order: [row.key for row in ordered(rows, order)] for order in ORDERS}

        foreign = FOREIGN.key
        assert names == {
            "Soonest to expire": ["a:1", "b:1", foreign],
            "Oldest": ["a:1", "b:1", foreign],
            "Largest": ["a:1", foreign, "b:1"],
            "Name": ["a:1", "b:1", foreign],
        }

    @pytest.mark.parametrize(
        ("prefix", "find", "patterns"),
        [
            (None, "", ("**",)),
            (None, "aapl", ("*aapl*", "*AAPL*")),
            ("price", "", ("price:**",)),
            ("price", "price:A*", ("price:A*", "price:PRICE:A*")),
        ],
    )
    def test_what_is_typed_becomes_a_pattern(self, prefix: str | None, find: str, patterns: tuple[str, ...]) -> None:
        assert patterns_of(prefix, find) == patterns

    def test_the_file_has_seconds_and_bytes_and_leaves_empty_what_is_not_known(self) -> None:
        table = exported_keys([entry("price:AAPL", age=108), FOREIGN])

        known, foreign = csv_of(table).decode().splitlines()[1:]
        assert known == "price:AAPL,price,fresh,108.0,192.0,100,0.5,"
        assert foreign == "price:ODD,price,foreign,,,7,,"

    def test_an_entry_says_how_it_came_and_how_long_it_stays(self) -> None:
        assert describe(entry("price:AAPL", age=108)) == "1:48 old, fresh for 3:12 · loaded in 500 ms · 100 B"
        assert "stale, kept 58:20 longer" in describe(entry("price:OLD", age=400))
        assert "set by a caller" in describe(entry("price:SET", took=None))
        assert "neither read nor dropped" in describe(FOREIGN)


class TestEntry:
    def test_a_value_with_a_table_is_the_table_and_the_rest_as_text(self) -> None:
        frame = pd.DataFrame({"close": [1.0]})
        value = {"ticker": "AAPL", "prices": frame}

        assert tables_in(value) == [frame]
        assert tables_in([1, "x"]) == []
        assert json.loads(text_of(value)) == {"ticker": "AAPL", "prices": "<the table above>"}

    def test_what_json_lacks_is_written_as_python_does(self) -> None:
        assert json.loads(text_of({"when": dt.date(2022, 12, 28)})) == {"when": "datetime.date(2022, 12, 28)"}
        assert text_of({(1, 2): {3}}) == "{(1, 2): {3}}"

    def test_a_very_long_value_is_cut(self) -> None:
        assert len(text_of("x" * 100_000)) == 20_000


class TestExpiry:
    def test_fresh_entries_fall_into_buckets_by_the_time_left(self) -> None:
        model = expiry(snapshot([Kept("price:A", 300), Kept("price:B", 60.5), Kept("price:C", -100)]))

        assert sum(model.counts["price"]) == 2
        assert model.stale == 1
        assert model.next_text == "1:00"
        assert model.soon_text == "1"
        assert model.refill_text == "500 ms"

    def test_all_together_show_the_next_hour_and_one_namespace_all_of_it(self) -> None:
        found = snapshot([Kept("price:A", 300), Kept("fundamentals:A", 86_000, ttl=86_400)])

        everything, one = expiry(found), expiry(found, "fundamentals")

        assert everything.later == 1
        assert set(everything.counts) == {"price"}
        assert one.later == 0
        assert sum(one.counts["fundamentals"]) == 1
        assert len(one.starts) <= 30

    def test_what_has_passed_since_the_snapshot_is_not_fresh_any_more(self) -> None:
        found = snapshot([Kept("price:A", 30.5), Kept("price:B", 290)])

        model = expiry(found, "price", age=61)

        assert (model.fresh, model.stale) == (1, 1)
        assert [start for start, keys in zip(model.starts, model.counts["price"], strict=True) if keys] == [230.0]
        assert (model.next_text, model.soon_text) == ("now", "1")

    def test_it_says_how_sure_and_how_old_it_is(self) -> None:
        entries = [Kept(f"price:{at}") for at in range(100)]
        at = format_clock(NOW, NOW)

        assert describe_exactness(snapshot(entries), NOW) == f"exact, as of {at}"
        assert describe_exactness(snapshot(entries, share=0.01), NOW) == (
            f"reckoned from 1.0 % of the store, ± 19.6 % in all, as of {at}"
        )

    def test_what_falls_due_is_told_with_its_cost_and_its_cliffs(self) -> None:
        due = forecast(snapshot([Kept(f"price:{at}", 125, took=None if at == 0 else 0.5) for at in range(12)]))

        assert describe_due(due) == (
            "12 keys fall due within an hour; loading them took 5.5 s last time. Of 1 it is not known."
        )
        at = format_clock(NOW + 150)[:5]
        assert describe_cliffs(due, NOW) == f"Expiring together: 12 price keys at {at} (5.5 s)."
        assert not describe_cliffs(forecast(snapshot([])), NOW)
        figure = due_load(due, "#3B82F6")
        assert figure.data[0].y[2] == 5.5
        assert figure.data[0].marker.opacity[1:4] == (0.45, 1.0, 0.45)

    def test_what_is_not_known_to_cost_anything_is_not_told_as_nothing(self) -> None:
        unknown = forecast(snapshot([Kept(f"price:{at}", 125, took=None) for at in range(12)]))

        assert describe_due(unknown) == ("12 keys fall due within an hour; what loading them takes is not known.")
        assert describe_due(forecast(snapshot([Kept("price:A", 7200)]))) == "Nothing falls due within an hour."

    @pytest.mark.parametrize(
        ("left", "said"),
        [
            ([60, 120], "2 fresh keys"),
            ([60, 120, 9000], "2 fresh keys; 1 more for longer than an hour: choose their namespace"),
            ([9000], "1 fresh key, all for longer than an hour: choose a namespace to see until when"),
        ],
    )
    def test_it_says_what_the_histogram_leaves_out(self, left: list[float], said: str) -> None:
        assert describe_shown(expiry(snapshot([Kept(f"price:{at}", at, ttl=9000) for at in left]))) == said

    def test_foreign_and_no_entries_are_no_trouble(self) -> None:
        model = expiry(snapshot([Kept("price:ODD", is_foreign=True)]))

        assert (model.fresh, model.stale, model.next_text) == (0, 0, "–")
        assert len(expiry_histogram(model, by_size=False).data) == 0

    def test_the_chart_stacks_namespaces_by_keys_or_bytes(self) -> None:
        found = snapshot([Kept("price:A", payload=b"x" * 1000), Kept("momentum:A")])
        model = expiry(found)

        by_keys, by_bytes = expiry_histogram(model, by_size=False), expiry_histogram(model, by_size=True)

        assert {trace.name: sum(trace.y) for trace in by_keys.data} == {"price": 1, "momentum": 1}
        sizes = {name: size.size for name, size in found.namespaces.items()}
        assert {trace.name: sum(trace.y) for trace in by_bytes.data} == sizes


class TestClear:
    def test_a_plan_says_how_many_how_sure_and_what_refilling_costs(self) -> None:
        plan = ClearPlan("momentum:*", 89, True, 96_000, 213.6, (), 89, 89)

        assert describe_plan(plan) == "89 keys (exact) · 96 kB · to refill: 89 × 2.4 s ≈ 3 min 34 s"
        assert "at least" in describe_plan(ClearPlan("*", 9, False, 1, None, (), 9, 9))
        assert "reckoned from a sample: 90,000 to 110,000" in describe_plan(
            ClearPlan("*", 100_000, False, 1, None, (), 90_000, 110_000)
        )

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"state": "waiting", "wakes_at": NOW + 598}, "will not be read any more, and dropped in 9:58."),
            ({"state": "running", "done": 62}, "a:* is cleared; 62 of 89 keys dropped."),
            (
                {"state": "running", "done": 62, "began_at": NOW - 6.2},
                "62 of 89 keys dropped, 2.7 s left.",
            ),
            ({"state": "running", "what": {"tag": "AAPL"}}, "All that rests on AAPL is cleared; 0 of 89 keys"),
            ({"state": "paused", "done": 62}, "is paused at 62 of 89 keys."),
            ({"state": "cancelled", "result": "taken back"}, "a:*: taken back."),
            (
                {"state": "done", "result": "89 keys cleared", "began_at": NOW, "ended_at": NOW + 0.9},
                "cleared in 900 ms.",
            ),
        ],
    )
    def test_a_clear_says_how_far_it_is(self, changes: dict[str, object], said: str) -> None:
        assert said in describe_job(clear_job(**changes), NOW)

    def test_much_or_unknown_is_not_cleared_by_a_click(self) -> None:
        assert not must_type(ClearPlan("a:*", 999, True, 1, None, (), 999, 999))
        assert must_type(ClearPlan("a:*", 1000, True, 1, None, (), 1000, 1000))
        assert must_type(ClearPlan("", 3, False, 1, None, (), 3, 3, tag="AAPL"))

    def test_a_pending_clear_is_never_told_as_done(self) -> None:
        job = clear_job(notes={"pending": True, "swept": 0})

        assert "Redis is away" in describe_job(job, NOW)

    def test_the_history_says_who_what_how_much_and_why(self) -> None:
        job = clear_job(state="done", reason="bad split", result="80 keys cleared", notes={"swept": 80})

        (row,) = history([job], NOW).to_dict("records")
        (line,) = csv_of(exported_clears([job])).decode().splitlines()[1:]

        assert {name: row[name] for name in ("Who", "What", "Planned", "Cleared", "Reason", "Result")} == {
            "Who": "ann",
            "What": "a:*",
            "Planned": 89,
            "Cleared": 80,
            "Reason": "bad split",
            "Result": "80 keys cleared",
        }
        assert line == "1700000000.0,ann,a:*,,89,80,bad split,done,80 keys cleared,"


def clear_job(**changes: object) -> Job:
    job = Job(
        id="1",
        kind="clear",
        what={"pattern": "a:*"},
        actor="ann",
        created_at=NOW,
        total=89,
        notes={"pending": False, "swept": 0},
    )
    return msgspec.structs.replace(job, **changes)


def warmup_job(tickers: tuple[str, ...], *outcomes: Outcome, **changes: object) -> WarmupJob:
    """A warm-up that stands still at *outcomes*."""
    jobs = Jobs(MemoryBoard())
    rows = {one.ticker: [one.result, one.seconds, one.reason] for one in outcomes}
    job = jobs.submit(
        "warm-up", {"tickers": tickers, "kinds": ["price"]}, actor="ann", total=len(tickers), notes={"outcomes": rows}
    )
    job = msgspec.structs.replace(job, **changes)
    jobs.keep(job)
    return WarmupJob(job, jobs)


class TestWarmup:
    def test_coverage_shows_a_state_per_kind_and_last_failures(self) -> None:
        coverage = Coverage(
            ("price", "momentum"),
            {"AAPL": ("fresh", "stale"), "ZZZZ": ("missing", "missing"), "MSFT": ("expiring", "fresh")},
        )

        table = coverage_table(coverage, {"ZZZZ": "timed out", "MSFT": "an old story"}).set_index("Ticker")

        assert list(table.loc["AAPL"]) == [["fresh"], ["stale"], "–"]
        assert list(table.loc["ZZZZ"]) == [["failed"], ["failed"], "timed out"]
        assert list(table.loc["MSFT"]) == [["expiring"], ["fresh"], "–"]
        assert describe_coverage(coverage) == "1 of 3 tickers fresh"

    def test_coverage_says_of_which_tickers_there_are_no_prices(self) -> None:
        coverage = Coverage(("price",), {"AAPL": ("fresh",), "ZZZZ": ("failed",)}, {"ZZZZ": "unknown to Yahoo"})

        assert coverage_table(coverage, {}).set_index("Ticker").loc["ZZZZ", "Why"] == "unknown to Yahoo"
        assert describe_coverage(coverage) == "1 of 2 tickers fresh, no prices of 1"

    def test_progress_tells_how_a_job_stands_and_ends(self) -> None:
        outcomes = Outcome("AAPL", "loaded", 0.4), Outcome("ZZZZ", "failed", 0.1, "unknown")
        running = progress_text(warmup_job(("AAPL", "ZZZZ"), outcomes[0], state="running"))
        job = warmup_job(("AAPL", "ZZZZ"), *outcomes, state="done", began_at=NOW, ended_at=NOW + 2)

        assert running == "1 of 2"
        assert progress_text(warmup_job(("AAPL", "ZZZZ"), outcomes[0], state="paused")) == "Paused: 1 of 2"
        assert progress_text(job) == "Done: 1 of 2 cached, 1 failed in 2.0 s"
        assert outcome_table(job)["Reason"].to_list() == ["–", "unknown"]

    def test_while_a_job_runs_every_ticker_has_its_row(self) -> None:
        tickers, outcome = ("AAPL", "MRK", "ZZZZ"), Outcome("MRK", "loaded", 0.4)

        running = outcome_table(warmup_job(tickers, outcome, state="running"))
        job = warmup_job(tickers, outcome, state="cancelled")

        assert running["Ticker"].to_list() == ["AAPL", "MRK", "ZZZZ"]
        assert running["Result"].to_list() == [["waiting"], ["loaded"], ["waiting"]]
        assert running["Took"].to_list() == ["–", "400 ms", "–"]
        assert outcome_table(job)["Ticker"].to_list() == ["MRK"]

    def test_the_file_of_the_outcomes_has_seconds_and_reasons(self) -> None:
        outcomes = Outcome("AAPL", "loaded", 0.25), Outcome("ZZZZ", "failed", 0.5, "=unknown")
        job = warmup_job(("AAPL", "ZZZZ"), *outcomes, state="done")

        lines = csv_of(exported_outcomes(job)).decode().splitlines()

        assert lines == ["ticker,result,seconds,reason", "AAPL,loaded,0.25,", "ZZZZ,failed,0.5,'=unknown"]

    def test_a_stopped_job_says_so(self) -> None:
        job = warmup_job(("AAPL", "MRK"), Outcome("AAPL", "loaded", 0.4), state="running")
        ended = warmup_job(("AAPL", "MRK"), Outcome("AAPL", "loaded", 0.4), state="cancelled")

        job.cancel()

        assert progress_text(job) == "Stopping: 1 of 2"
        assert progress_text(ended).startswith("Stopped: 1 of 2 cached")


def test_an_entry_grows_older_and_stale() -> None:
    seen = entry("price:AAPL", age=108)

    assert describe(aged(seen, 12)).startswith("2:00 old, fresh for 3:00")
    assert aged(seen, 400).is_stale


@given(st.sets(st.text("abc:é", min_size=1, max_size=4), max_size=MOST_APART))
def test_namespaces_in_one_figure_can_be_told_apart(names: set[str]) -> None:
    colours = colours_of(names)

    assert colours.keys() == names
    assert len(set(colours.values())) == len(names)
    assert REST not in colours.values()
    assert all(colours_of([name]) == {name: colour_of(name)} for name in names)


def test_a_histogram_of_many_namespaces_names_the_largest_and_folds_the_rest() -> None:
    found = snapshot([Kept(f"kind{at:02}:{number}", 60) for at in range(20) for number in range(at + 1)])

    figure = expiry_histogram(expiry(found), by_size=False)

    shown = {trace.name: sum(trace.y) for trace in figure.data}
    assert shown == {"kind15": 16, "kind16": 17, "kind17": 18, "kind18": 19, "kind19": 20, "15 others": 120}
    assert len({trace.marker.color for trace in figure.data}) == 6
    assert figure.data[-1].marker.color == REST


def test_what_another_program_calls_a_namespace_is_no_markup() -> None:
    found = snapshot([Kept('<a href="https://evil.example">x</a>:1', 60)])

    figure = expiry_histogram(expiry(found), by_size=False)

    assert [trace.name for trace in figure.data] == ['&lt;a href="https']


def test_a_namespace_keeps_its_colour_and_none_looks_like_a_state() -> None:
    names = ["price", "momentum", "portfolio", "history", "fundamentals", "user", "default"]

    assert [colour_of(name) for name in names] == [colour_of(name) for name in names]
    assert len({colour_of(name) for name in names[:5]}) == 5
