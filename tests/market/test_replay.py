"""The sample with a today that moves: where it stands, and that nothing knows of a day that is yet to come."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from avcache.clock import ManualClock
from avcache.market.provider import PriceHistory, validate
from avcache.market.replay import REPLAYED, Position, ReplayedSample, position
from avcache.market.sample import SampleProvider
from avcache.market.service import Market
from avcache.market.universe import SAMPLE_25
from tests.market.doubles import Kept

MINUTE = 60.0
HOLDINGS = {"AAPL": 10, "XOM": 5, "KO": 20}


class Replay:
    """A market on a sample that moves by *days_per_minute*, and the clock of both; it begins with a lap."""

    def __init__(self, days_per_minute: float = 1.0, sample: SampleProvider | None = None) -> None:
        self.kept = Kept()
        self.days_per_minute = days_per_minute
        self.provider = ReplayedSample(sample or SampleProvider(), days_per_minute, self.kept.clock)
        self.market: Market = self.kept.market(self.provider)
        now = position(self.kept.clock(), days_per_minute)
        self.advance(REPLAYED - now.session)

    @property
    def today(self) -> str:
        return self.provider.current().day

    def advance(self, sessions: float) -> None:
        self.kept.clock.advance(sessions * MINUTE / self.days_per_minute)


class WithAnotherFuture(SampleProvider):
    """The sample, whose prices after *day* are others."""

    def __init__(self, day: str) -> None:
        super().__init__()
        self.day = day

    def history(self, ticker: str) -> PriceHistory:
        whole = super().history(ticker)
        prices = whole.prices.copy()
        prices.loc[prices.index > pd.Timestamp(self.day)] *= 3.0
        return replace(whole, prices=prices)


@pytest.mark.parametrize(
    ("minutes", "days_per_minute", "expected"),
    [
        (0, 1.0, Position(0, 0)),
        (0.99, 1.0, Position(0, 0)),
        (1, 1.0, Position(0, 1)),
        (252, 1.0, Position(0, 252)),
        (253, 1.0, Position(1, 0)),
        (10, 0.5, Position(0, 5)),
        (0.1, 10_000, Position(3, 241)),
        (28_333_333, 1.0, Position(111_989, 116)),  # minutes since 1970, in 2023
    ],
)
def test_the_position_is_a_matter_of_time_alone(minutes: float, days_per_minute: float, expected: Position) -> None:
    assert position(minutes * 60, days_per_minute) == expected


def test_two_processes_stand_on_the_same_day() -> None:
    clock = ManualClock()
    early = ReplayedSample(SampleProvider(), 7.0, clock)

    clock.advance(12_345)
    late = ReplayedSample(SampleProvider(), 7.0, clock)

    assert late.label == early.label


def test_today_goes_forward_session_by_session_and_starts_over() -> None:
    replay = Replay()
    sessions = SampleProvider().history("^GSPC").prices.index

    days = []
    for _ in range(REPLAYED + 2):
        days.append(replay.today)
        replay.advance(1)

    last_year = [day.date().isoformat() for day in sessions[-REPLAYED:]]
    assert days == [*last_year, *last_year[:2]]
    assert (days[0], days[REPLAYED - 1]) == ("2021-12-28", "2022-12-28")


def test_the_label_names_the_day() -> None:
    replay = Replay()
    replay.advance(52)

    assert replay.market.label == "Sample prices, replayed, day 2022-03-14"
    assert replay.market.source == "sample"


def test_an_operation_stays_on_the_day_it_began_with() -> None:
    replay = Replay()
    held = replay.provider.current()

    replay.advance(3)

    (found,) = held.histories(["AAPL"]).values()
    assert isinstance(found, PriceHistory)
    assert (found.as_of, held.current().day) == ("2021-12-28", "2021-12-28")


@pytest.mark.parametrize("ticker", [*SAMPLE_25, "^GSPC"])
def test_a_history_ends_today_and_was_fetched_now(ticker: str) -> None:
    replay = Replay()

    found = replay.market.history(ticker)

    validate(found)
    assert (found.as_of, found.fetched_at, len(found.prices)) == (replay.today, replay.kept.clock(), 1257 - 252)


def test_prices_and_scores_change_with_the_day() -> None:
    replay = Replay()
    before = replay.market.price("AAPL"), replay.market.score("AAPL")

    replay.advance(65)  # more than an hour: past every ttl, and past what is served meanwhile
    replay.advance(65)

    after = replay.market.price("AAPL"), replay.market.score("AAPL")
    assert [found.as_of for found in (*before, *after)] == ["2021-12-28"] * 2 + [replay.today] * 2
    assert before[0].price != after[0].price
    assert before[1].composite_score != after[1].composite_score


@pytest.mark.parametrize("sessions", [0, 60, 251])
def test_nothing_that_is_computed_depends_on_a_day_to_come(sessions: int) -> None:
    replay = Replay()
    replay.advance(sessions)
    other = Replay(sample=WithAnotherFuture(replay.today))
    other.advance(sessions)

    for one in (replay, other):
        one.market.prices(SAMPLE_25)
    ours, theirs = replay.market, other.market

    assert ours.prices(SAMPLE_25) == theirs.prices(SAMPLE_25)
    assert ours.scores(SAMPLE_25) == theirs.scores(SAMPLE_25)
    assert ours.score("AAPL", profile="factor") == theirs.score("AAPL", profile="factor")
    pd.testing.assert_frame_equal(ours.measures(), theirs.measures())
    pd.testing.assert_frame_equal(ours.history("^GSPC").prices, theirs.history("^GSPC").prices)
    mine, its = ours.portfolio(HOLDINGS), theirs.portfolio(HOLDINGS)
    pd.testing.assert_frame_equal(mine.table, its.table)
    pd.testing.assert_frame_equal(mine.over_time, its.over_time)
    pd.testing.assert_frame_equal(mine.correlation, its.correlation)
    assert (mine.risk, mine.returns, mine.total_value) == (its.risk, its.returns, its.total_value)


def test_another_future_would_be_noticed() -> None:
    replay, other = Replay(), Replay(sample=WithAnotherFuture("2021-12-27"))

    assert replay.market.score("AAPL") != other.market.score("AAPL")


def test_what_a_lap_has_cached_is_no_answer_in_the_next() -> None:
    replay = Replay()
    replay.advance(REPLAYED - 1)
    replay.market.portfolio(HOLDINGS)
    replay.market.score("AAPL", profile="factor")

    replay.advance(1)

    found = replay.market.portfolio(HOLDINGS)
    assert {
        replay.market.price("AAPL").as_of,
        replay.market.score("AAPL").as_of,
        replay.market.score("AAPL", profile="factor").as_of,
        replay.market.history("^GSPC").as_of,
        str(found.as_of_oldest),
        str(found.as_of_newest),
        str(found.over_time.index[-1].date()),
    } == {"2021-12-28"}


def test_no_read_of_a_year_and_a_half_knows_a_day_to_come() -> None:
    replay = Replay()

    for _ in range(40):
        found = replay.market.portfolio(HOLDINGS)
        scores = replay.market.scores(list(HOLDINGS)).values()
        days = [replay.market.price("KO").as_of, str(found.as_of_newest), str(found.over_time.index[-1].date())]
        days += [getattr(score, "as_of", "") for score in scores]
        assert max(days) <= replay.today
        replay.advance(9.7)


def test_what_the_standing_sample_has_cached_is_no_answer_in_a_replay() -> None:
    replay = Replay()
    replay.kept.market(SampleProvider()).score("AAPL")

    assert replay.market.score("AAPL").as_of == replay.today


def test_a_ticker_outside_the_sample_is_unknown_in_a_replay_too() -> None:
    replay = Replay()

    found = replay.market.prices(["AAPL", "TSLA"])

    assert getattr(found["TSLA"], "reason", None) == "unknown"
    assert replay.provider.histories(["AAPL"]).keys() == {"AAPL"}
    assert replay.provider.fundamentals(["AAPL"]) == {"AAPL": {}}
