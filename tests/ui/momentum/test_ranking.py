from __future__ import annotations

import dataclasses
import datetime as dt
import math

import pytest

from avcache.core.peek import Peek
from avcache.market.freshness import Session
from avcache.market.scoring import Score, rate
from avcache.runtime import Runtime
from avcache.ui.export import csv_of
from avcache.ui.momentum.ranking import NUMBERS, Screen, describe_cached, exported, filtered, ranking
from avcache.ui.momentum.reading import CachedScores, read_cached
from avcache.ui.states import STATE_COLOURS


def entry(age: float = 108.0, ttl: float = 600.0) -> Peek:
    return Peek("momentum:X", "momentum", 1000, 900.0, age=age, ttl=ttl, ttl_left=max(0.0, ttl - age))


def with_composite(score: Score, composite: float | None) -> Score:
    points = None if composite is None else math.floor(composite) / 10
    return dataclasses.replace(score, composite_score=composite, score=points, rating=rate(composite))


def cached(*scores: Score) -> CachedScores:
    found = {score.ticker: score for score in scores}
    return CachedScores(found, dict.fromkeys(found, entry()), {}, ())


def test_the_strongest_is_first_and_those_without_a_score_are_last(mrk: Score) -> None:
    weak = dataclasses.replace(with_composite(mrk, 20.0), ticker="WEAK")
    none = dataclasses.replace(with_composite(mrk, None), ticker="NONE")

    table = ranking(cached(none, weak, mrk))

    assert table["ticker"].tolist() == ["MRK", "WEAK", "NONE"]
    assert table["rank"].tolist()[:2] == [1, 2]
    assert table["rank"].isna().tolist() == [False, False, True]


def test_a_row_has_units_dates_and_freshness(mrk: Score) -> None:
    row = ranking(cached(mrk)).iloc[0]

    assert row["score"] == 9.2
    assert row["composite_score"] == 92.3
    assert row["coverage_percent"] == pytest.approx(75)
    assert row["momentum_12_1_percent"] == pytest.approx(44.77, abs=0.01)
    assert row["as_of"] == dt.date(2022, 12, 28)
    assert row["age"] == "1:48"
    assert row["state"] == ["fresh"]


def test_a_composite_is_never_rounded_into_the_next_band(mrk: Score) -> None:
    table = ranking(cached(with_composite(mrk, 79.96)))

    assert table["composite_score"][0] == 79.9
    assert table["rating"][0] == "Buy"


def test_an_empty_ranking_has_all_columns() -> None:
    table = ranking(cached())

    assert table.empty
    assert set(NUMBERS) <= set(table.columns)


def test_filters_narrow_by_rating_score_and_part_of_the_ticker(wired: Runtime) -> None:
    wired.market.scores(["MRK", "AAPL", "XOM", "NVDA"])
    table = ranking(read_cached(wired, ["MRK", "AAPL", "XOM", "NVDA"]))

    everyone = filtered(table, Screen())
    strong = filtered(table, Screen(rating="Strong Buy", score=9))
    found = filtered(table, Screen(find=" aap"))

    assert len(everyone) == 4
    assert strong["ticker"].tolist() == ["MRK"]
    assert found["ticker"].tolist() == ["AAPL"]


def test_a_row_without_the_figure_passes_no_bound_on_it(mrk: Score) -> None:
    bare = dataclasses.replace(mrk, ticker="BARE", measures={}, score=None, composite_score=None)
    table = ranking(cached(mrk, bare))

    assert filtered(table, Screen(is_above_sma200=True))["ticker"].tolist() == ["MRK"]
    assert filtered(table, Screen(score=1.0))["ticker"].tolist() == ["MRK"]
    assert len(filtered(table, Screen())) == 2


def test_the_least_coverage_is_in_percent_and_lets_the_bound_itself_pass(mrk: Score) -> None:
    table = ranking(cached(mrk))

    assert len(filtered(table, Screen(coverage=75))) == 1
    assert filtered(table, Screen(coverage=80)).empty


@pytest.mark.parametrize(("session", "word"), [("closed", "market closed"), ("behind", "old price"), (None, "fresh")])
def test_the_state_tells_a_closed_market_from_an_old_price(mrk: Score, session: Session | None, word: str) -> None:
    seen = dataclasses.replace(cached(mrk), sessions={"MRK": session})

    assert ranking(seen)["state"][0] == [word]
    assert word in STATE_COLOURS


def test_what_is_typed_to_find_is_no_pattern(mrk: Score) -> None:
    table = ranking(cached(mrk))

    assert filtered(table, Screen(find=".*[")).empty


def test_the_exported_ranking_is_plain_text_and_numbers(mrk: Score) -> None:
    table = exported(ranking(cached(mrk)))

    heading, row = csv_of(table).decode().splitlines()
    cells = dict(zip(heading.split(","), row.split(","), strict=True))
    assert "trend" not in cells
    assert (cells["ticker"], cells["state"], cells["as_of"]) == ("MRK", "fresh", "2022-12-28")


def test_what_is_cached_is_told_in_one_line(wired: Runtime) -> None:
    wired.market.score("MRK")

    seen = describe_cached(read_cached(wired, ["MRK", "AAPL"]))

    assert seen.startswith("1 of 2 scores cached · prices as of 28 Dec 2022 · oldest 0:0")


def test_it_is_told_how_many_pass_the_filters(mrk: Score) -> None:
    assert "1 of 1 scores cached · 0 shown" in describe_cached(cached(mrk), 0)
    assert "shown" not in describe_cached(cached(mrk), 1)


def test_stale_scores_are_counted(mrk: Score) -> None:
    stale = CachedScores({"MRK": mrk}, {"MRK": entry(age=700.0)}, {}, ())

    assert describe_cached(stale).endswith("oldest 11:40 · 1 stale, loaded again when read")
    assert ranking(stale)["state"][0] == ["stale"]
