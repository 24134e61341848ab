"""What Overview says, without Streamlit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from avcache.backends.board import MemoryBoard
from avcache.clock import ManualClock
from avcache.errors import BackendUnavailable
from avcache.ops import Ops
from avcache.ops.audit import Event
from avcache.telemetry.others import Process
from avcache.telemetry.totals import Totals, TotalsStore
from avcache.ui.charts.palette import colour_of
from avcache.ui.charts.rates import hit_rates
from avcache.ui.overview.look import WINDOWS, Look, events_since, look
from avcache.ui.overview.model import OverviewModel, overview
from avcache.ui.overview.tables import (
    exported_namespaces,
    exported_workers,
    namespace_rows,
    namespace_table,
    worker_table,
)
from tests.ops.graph import Graph
from tests.telemetry.nodes import Breakable, InMemory, Node

NOW = 1_700_000_070.0
"""Half a minute after one began."""
DAY = 86_400.0
QUARTER = WINDOWS["15 min"]


@pytest.fixture
def graph() -> Iterator[Graph]:
    made = Graph(clock=ManualClock(NOW))
    yield made
    made.close()


def seen(graph: Graph, window: float = QUARTER, events: Sequence[Event] | None = ()) -> Look:
    return look(graph.ops, graph.cache.analytics.figures, window, graph.clock(), events)


def model_of(graph: Graph, window: float = QUARTER, events: Sequence[Event] | None = ()) -> OverviewModel:
    return overview(seen(graph, window, events))


def values(model: OverviewModel) -> dict[str, str]:
    return {tile.label: tile.value for tile in model.tiles}


def notes(model: OverviewModel) -> dict[str, str]:
    return {tile.label: tile.note for tile in model.tiles}


def read(graph: Graph, *keys: str) -> None:
    for key in keys:
        graph.cache.get(key)


def table_of(graph: Graph, window: float = QUARTER) -> dict[str, dict[str, Any]]:
    rows = namespace_table(namespace_rows(seen(graph, window), graph.cache.namespaces)).to_pylist()
    return {row["Namespace"]: row for row in rows}


class TestTiles:
    def test_they_tell_rate_and_pace_of_hits_and_loads(self, graph: Graph) -> None:
        graph.clock.advance(DAY)
        graph.cache.set("price:AAPL", 1.0)
        read(graph, *["price:AAPL"] * 90, *["price:MSFT"] * 90)

        model = model_of(graph, WINDOWS["1 min"])

        # The minute that goes on, 30 s of it, and the whole one before.
        assert values(model) == {"Hit rate": "50.0 %", "Hits": "1.0/s", "Loads": "0/s", "Saved today": "–"}
        assert notes(model)["Hits"] == "of 2.0/s reads"

    def test_the_hit_rate_is_held_against_yesterdays(self, graph: Graph) -> None:
        graph.cache.set("price:AAPL", 1.0, ttl=2 * DAY)
        graph.clock.advance(900)
        read(graph, "price:AAPL", "price:MSFT")
        graph.clock.advance(DAY + 60)
        read(graph, "price:AAPL", "price:AAPL", "price:AAPL", "price:MSFT")

        tile = model_of(graph).tiles[0]

        assert (tile.value, tile.change, tile.note) == ("75.0 %", "+25.0 points", "vs yesterday")

    def test_without_a_yesterday_there_is_no_change(self, graph: Graph) -> None:
        read(graph, "price:MSFT")

        tile = model_of(graph).tiles[0]

        assert (tile.change, tile.note) == (None, "yesterday not known")

    def test_what_hits_saved_today_is_told_in_time_and_loads(self, graph: Graph) -> None:
        counters = graph.cache.counters
        counters.count("price", "loads", 2)
        counters.count("price", "load_seconds", 3.0)
        counters.count("price", "hits", 100)

        model = model_of(graph)

        assert values(model)["Saved today"] == "2 min 30 s"
        assert notes(model)["Saved today"] == "100 loads spared"

    def test_rare_loads_are_told_by_the_hour(self, graph: Graph) -> None:
        graph.clock.advance(DAY)
        graph.cache.counters.count("price", "loads", 3)

        assert values(model_of(graph, WINDOWS["1 h"]))["Loads"] == "3/h"

    @pytest.mark.parametrize("window", WINDOWS.values())
    def test_every_window_has_a_course(self, graph: Graph, window: float) -> None:
        read(graph, "price:MSFT")

        model = model_of(graph, window)

        assert len(model.moments) >= 15
        assert {len(rates) for rates in model.rates.values()} == {len(model.moments)}


class TestNamespaces:
    def test_a_row_tells_size_rates_and_ttl(self, graph: Graph) -> None:
        graph.cache.set("price:AAPL", 1.0)
        read(graph, "price:AAPL", "price:AAPL", "price:AAPL", "price:MSFT")

        row = table_of(graph)["price"]
        (plain,) = namespace_rows(seen(graph), graph.cache.namespaces)

        assert (row["Keys"], row["1 min"], row["24 h"], row["TTL"]) == (1, 75.0, 75.0, "5 min")
        assert plain.size_bytes == graph.ops.keyspace.snapshot().namespaces["price"].size > 0
        assert row["Size"] == f"{plain.size_bytes} B"

    def test_what_is_older_than_a_window_is_not_in_it(self, graph: Graph) -> None:
        read(graph, "price:AAPL")
        graph.clock.advance(120)

        row = table_of(graph, WINDOWS["1 min"])["price"]

        assert (row["1 min"], row["15 min"]) == (None, 0.0)

    def test_misses_cost_seconds_of_loading_in_an_hour(self, graph: Graph) -> None:
        graph.clock.advance(DAY)
        graph.cache.counters.roll(graph.clock())
        graph.cache.counters.of("price").loaded(3.0)

        row = table_of(graph)["price"]

        assert row["Miss cost"] == pytest.approx(3.0 * 3600 / 900)
        assert row["Load p50 / p95"] != "–"

    def test_nothing_at_all_is_an_empty_table(self, graph: Graph) -> None:
        assert table_of(graph) == {}
        assert exported_namespaces([]).empty

    def test_the_file_has_plain_numbers(self, graph: Graph) -> None:
        graph.cache.set("price:AAPL", 1.0)
        read(graph, "price:AAPL", "price:MSFT")

        frame = exported_namespaces(namespace_rows(seen(graph), graph.cache.namespaces)).set_index("namespace")

        assert list(frame.loc["price", ["keys", "requests", "misses", "hit_rate_1_min", "ttl_seconds"]]) == [
            1,
            2,
            1,
            0.5,
            300,
        ]


class TestWorkers:
    def test_without_a_server_it_is_this_process_alone(self, graph: Graph) -> None:
        read(graph, "price:AAPL")

        look_at = seen(graph)

        (row,) = worker_table(look_at).to_pylist()
        assert row["Worker"].endswith("(this one)")
        assert (row["State"], row["Requests"]) == (["alive"], 1)
        assert "1 read in 15 min, of this process alone" in overview(look_at).whose

    def test_of_many_each_has_its_row_and_all_are_told_together(self, graph: Graph) -> None:
        store = InMemory()
        other, mine = Node(store, graph.clock), shared_by(graph, store)
        other.count(5)
        other.flusher.flush()
        graph.cache.counters.count("price", "hits", 5)

        found = look(mine, mine.activity_figures, QUARTER, graph.clock(), ())

        assert worker_table(found)["Requests"].to_pylist() == [5, 5]
        assert overview(found).whose == "10 reads in 15 min, of all workers; 2 are alive."
        assert exported_workers(found)["is_this"].sum() == 1

    def test_old_figures_of_others_are_told_as_such(self, graph: Graph) -> None:
        store = Breakable(InMemory())
        mine = shared_by(graph, store)
        mine.activity.window(QUARTER)
        store.is_down = True
        graph.clock.advance(60)

        model = overview(look(mine, mine.activity_figures, QUARTER, graph.clock(), ()))

        assert "What others did is as of" in model.whose


class SharedOps(Ops):
    """The operations on a cache whose process tells others what it counts."""

    activity_figures: Totals


def shared_by(graph: Graph, store: TotalsStore) -> SharedOps:
    counters = graph.cache.counters
    me = Process.here(int(graph.clock() // 60))
    totals = Totals(counters, store, lambda: me, clock=graph.clock)
    made = SharedOps(graph.cache, graph.market, MemoryBoard(), totals=totals, wall=graph.clock)
    made.activity_figures = totals
    return made


class TestTrouble:
    def test_each_kind_is_counted_and_some_lead_on(self, graph: Graph) -> None:
        counters = graph.cache.counters
        for event in ("stale_hits", "coalesced", "load_failures", "refused", "backend_errors", "foreign"):
            counters.count("price", event, 2)

        trouble = model_of(graph).trouble

        assert [one.number for one in trouble] == [2] * 6
        assert [one.page for one in trouble if one.page] == ["keys", "warmup", "server", "server", "keys"]


class TestChart:
    def test_a_line_per_namespace_in_its_own_colour(self, graph: Graph) -> None:
        read(graph, "price:AAPL", "other")

        figure = hit_rates(model_of(graph))

        colours = {trace.name: trace.line.color for trace in figure.data}
        assert colours == {"default": colour_of("default"), "price": colour_of("price")}
        assert [value for value in figure.data[1].y if value is not None] == [0.0]

    def test_of_many_namespaces_the_most_read_are_drawn(self, graph: Graph) -> None:
        for at in range(9):
            read(graph, *[f"kind{at}:x"] * (9 - at))

        model = model_of(graph)

        figure = hit_rates(model)
        assert list(model.rates) == [f"kind{at}" for at in range(9)]
        assert [trace.name for trace in figure.data] == [f"kind{at}" for at in range(6)]
        assert len({trace.line.color for trace in figure.data}) == 6

    def test_events_are_marks_and_what_they_say_is_no_markup(self, graph: Graph) -> None:
        events = [
            Event(NOW - 60, "clear", "clear <img onerror=alert(1)>:* · by <b>ann</b>"),
            Event(NOW - 30, "outage", "Server away"),
            Event(NOW - 20, "other", "paused a schedule"),
        ]

        figure = hit_rates(model_of(graph, events=events))

        heads = {trace.name: trace.text[0] for trace in figure.data if trace.mode == "markers"}
        assert set(heads) == {"clear", "outage"}
        assert "&lt;img onerror" in heads["clear"]
        assert not any("<" in text for text in heads.values())

    def test_quotes_in_an_event_are_shown_as_such(self, graph: Graph) -> None:
        figure = hit_rates(model_of(graph, events=[Event(NOW - 60, "clear", '"it\'s"')]))

        assert figure.data[-1].text[0].endswith(' "it\'s"')

    def test_what_happened_before_the_course_has_no_mark(self, graph: Graph) -> None:
        model = model_of(graph, events=[Event(NOW - 3600, "clear", "long ago")])

        assert model.marks == ()

    def test_events_that_cannot_be_read_are_told_apart_from_none(self, graph: Graph, monkeypatch: Any) -> None:
        def fail(*_: object) -> Any:
            raise BackendUnavailable("away")

        monkeypatch.setattr(graph.ops.board, "tail", fail)

        assert events_since(graph.ops.audit, NOW - 60) is None
        assert model_of(graph, events=None).marks is None
