"""Another ttl, as people read it."""

from __future__ import annotations

from avcache.core.accesses import HIT, MISSED, Accesses
from avcache.formats import format_clock
from avcache.ops.whatif import WhatIf, what_if
from avcache.ui.charts.whatif import what_if_curve
from avcache.ui.export import csv_of
from avcache.ui.whatif import busiest, describe_replay, exported, labels, ttls_with, what_if_table

NOW = 1_700_000_000.0


def replay(*, every: float = 100.0, reads: int = 60, ttls: tuple[float, ...] = (60.0, 300.0, 600.0)) -> WhatIf:
    ring = Accesses()
    mark = ring.mark("price:AAPL", "price")
    for at in range(reads):
        ring.record(mark, HIT if at else MISSED, NOW + at * every)
    ring.loaded(mark, NOW, 2.0)
    return what_if(ring.columns(), ttls, "price")


def test_the_setting_stands_among_the_ttls() -> None:
    assert ttls_with(300.0) == (60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0)
    assert 450.0 in ttls_with(450.0)


def test_namespaces_come_by_their_reads_and_loads_are_none() -> None:
    ring = Accesses()
    for name, reads in (("price:A", 1), ("momentum:A", 3)):
        mark = ring.mark(name, name.partition(":")[0])
        for _ in range(reads):
            ring.record(mark, HIT, NOW)
        ring.loaded(mark, NOW, 1.0)

    assert busiest(ring.columns()) == {"momentum": 3, "price": 1}
    assert busiest(Accesses().columns()) == {}


def test_the_table_holds_each_ttl_against_the_setting() -> None:
    table = what_if_table(replay(), 300.0).set_index("TTL")

    assert list(table.index) == ["1 min", "5 min, the setting", "10 min"]
    assert table["Hit rate"]["1 min"] == "0.0 %"
    assert table["Loads"].to_list() == [60, 20, 10]
    assert table["Loading"]["5 min, the setting"] == "40.0 s"
    assert table["Against the setting"].to_list() == ["+200 %", "the same", "-50 %"]


def test_it_says_whose_reads_were_replayed_and_what_they_cannot_tell() -> None:
    long, short = replay(), replay(every=1.0)
    at = format_clock(NOW, NOW)

    assert describe_replay(long, NOW) == f"Replayed: 60 reads of 1 key by this process since {at}."
    assert describe_replay(short, NOW).endswith("They span 59.0 s: longer times to live cannot differ.")
    assert "nothing" in describe_replay(replay(reads=0), NOW)


def test_points_on_each_other_share_a_label() -> None:
    assert labels(replay(every=1.0).rows) == ["", "", "1 min to 10 min"]
    assert labels(replay().rows) == ["1 min", "5 min", "10 min"]


def test_the_curve_marks_the_setting() -> None:
    figure = what_if_curve(replay(), 300.0, "#3B82F6")

    (line,) = figure.data
    assert line.marker.symbol == ("circle", "diamond", "circle")
    assert line.customdata[1].startswith("5 min: 66.7 % hits")


def test_the_file_has_plain_numbers() -> None:
    lines = csv_of(exported(replay())).decode().splitlines()

    assert lines[0] == "namespace,ttl_seconds,hit_rate,mean_age_seconds,loads,load_seconds,unknown_loads"
    assert lines[1].startswith("price,60.0,0.0,,60,120.0,0")
