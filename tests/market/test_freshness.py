"""How long results stay fresh, by the hours of the exchange; what their age means."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from avcache.clock import ManualClock
from avcache.market.calendar import exchange_calendar
from avcache.market.freshness import Freshness, span
from avcache.market.provider import AROUND_THE_CLOCK, PriceHistory
from tests.market.doubles import Kept, MemoryProvider, steady

NEW_YORK = ZoneInfo("America/New_York")
HOUR = 3600.0


def at(text: str) -> float:
    """Epoch seconds of a time in New York."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).timestamp()


@dataclass
class Desk:
    """A moment at which somebody looks, and what was fetched."""

    now: str

    def __post_init__(self) -> None:
        self.clock = ManualClock(at(self.now))
        self.freshness = Freshness(self.clock, calendar=exchange_calendar("XNYS"))

    def history(self, as_of: str, fetched: str | None = None, **fields: Any) -> PriceHistory:
        prices = steady(0.0, rows=5).prices
        prices.index = prices.index + (dt.datetime.fromisoformat(as_of) - prices.index[-1])
        whole = PriceHistory("AAPL", prices, "USD", fetched_at=at(fetched or self.now), zone="America/New_York")
        return replace(whole, **fields)


def test_in_session_a_price_is_fresh_for_its_ttl() -> None:
    desk = Desk("2026-11-24 11:00")

    assert desk.freshness.of_history(desk.history("2026-11-24", is_complete=False)) == 300
    assert desk.freshness.of_history(desk.history("2026-11-23")) == 300


@pytest.mark.parametrize(
    ("now", "as_of", "hours"),
    [
        ("2026-11-24 16:30", "2026-11-24", 17),  # until 9:30 of the next morning
        ("2026-11-20 20:00", "2026-11-20", 61.5),  # over the weekend
        ("2026-11-25 17:00", "2026-11-25", 40.5),  # over Thanksgiving
        ("2026-11-27 13:30", "2026-11-27", 68),  # an early close, then the weekend
    ],
)
def test_after_the_close_the_last_price_is_fresh_until_the_next_open(now: str, as_of: str, hours: float) -> None:
    desk = Desk(now)
    history = desk.history(as_of)

    assert desk.freshness.of_history(history) == hours * HOUR
    assert desk.freshness.of_price(history) == hours * HOUR
    assert desk.freshness.of_result("momentum", [history], is_partial=False) == hours * HOUR


@pytest.mark.parametrize(
    "fields",
    [
        {"is_complete": False},  # the bar is not final yet
        {"zone": "Asia/Tokyo"},  # another exchange, of whose hours nothing is known
        {"zone": AROUND_THE_CLOCK},  # a future, a currency, a coin
    ],
)
def test_after_the_close_what_may_still_change_is_fresh_for_its_ttl(fields: dict[str, Any]) -> None:
    desk = Desk("2026-11-24 16:30")

    assert desk.freshness.of_history(desk.history("2026-11-24", **fields)) == 300


def test_a_close_that_is_not_there_yet_is_asked_for_again() -> None:
    desk = Desk("2026-11-24 16:30")

    assert desk.freshness.of_history(desk.history("2026-11-23")) == 300


def test_nothing_is_fresh_for_longer_than_the_cache_allows() -> None:
    desk = Desk("2026-11-20 20:00")
    short = replace(desk.freshness, longest=HOUR)

    assert short.of_history(desk.history("2026-11-20")) == HOUR
    assert [short.of_nothing(times) for times in range(4)] == [900, HOUR, HOUR, HOUR]


def test_a_price_lives_as_long_as_what_is_left_of_its_history() -> None:
    desk = Desk("2026-11-24 11:00")

    assert desk.freshness.of_price(desk.history("2026-11-23", "2026-11-24 10:58")) == 180
    assert desk.freshness.of_price(desk.history("2026-11-23", "2026-11-24 10:54")) == 60  # stale: soon again


def test_a_result_of_one_stale_history_is_tried_again_in_a_minute() -> None:
    desk = Desk("2026-11-24 11:00")
    fresh, stale = desk.history("2026-11-23"), desk.history("2026-11-23", "2026-11-24 10:00")

    assert desk.freshness.of_result("portfolio", [fresh, fresh], is_partial=False) == 600
    assert desk.freshness.of_result("portfolio", [fresh, stale], is_partial=False) == 60
    assert desk.freshness.of_result("portfolio", [fresh], is_partial=True) == 60
    assert desk.freshness.of_result("portfolio", [], is_partial=False) == 60


def test_what_was_fetched_over_the_weekend_is_not_stale_before_monday() -> None:
    desk = Desk("2026-11-22 12:00")

    assert not desk.freshness.is_stale(desk.history("2026-11-20", "2026-11-20 18:00"))
    assert desk.freshness.is_stale(desk.history("2026-11-19", "2026-11-20 08:00"))


@pytest.mark.parametrize(
    ("now", "as_of", "is_complete", "session"),
    [
        ("2026-11-24 11:00", "2026-11-24", False, "running"),
        ("2026-11-24 11:00", "2026-11-23", True, "closed"),
        ("2026-11-24 17:00", "2026-11-24", True, "closed"),
        ("2026-11-24 17:00", "2026-11-23", True, "behind"),
        ("2026-11-22 12:00", "2026-11-20", True, "closed"),
        ("2026-11-26 12:00", "2026-11-25", True, "closed"),  # Thanksgiving
        ("2026-11-24 18:00", "2026-11-24", False, "behind"),  # fetched while it ran, which is over
    ],
)
def test_a_closed_market_is_told_apart_from_an_old_price(now: str, as_of: str, is_complete: bool, session: str) -> None:
    assert Desk(now).freshness.session(as_of, is_complete=is_complete) == session


@pytest.mark.parametrize("zone", ["Asia/Tokyo", AROUND_THE_CLOCK])
def test_of_another_exchange_nothing_is_told(zone: str) -> None:
    desk = Desk("2026-11-24 17:00")

    assert desk.freshness.session("2026-11-20", is_complete=True, zone=zone) is None


def test_what_was_fetched_by_a_clock_that_was_ahead_is_past_its_time() -> None:
    desk = Desk("2026-11-24 11:00")
    ahead = desk.history("2026-11-24", "2026-11-25 11:00")

    assert desk.freshness.is_stale(ahead)
    assert desk.freshness.of_price(ahead) == 60


def test_without_a_calendar_only_a_running_session_is_known() -> None:
    plain = Freshness(ManualClock())

    assert plain.session("2026-11-24", is_complete=True) is None
    assert plain.session("2026-11-24", is_complete=False) == "running"
    assert plain.is_open() is None


def test_a_span_leaves_out_what_does_not_matter() -> None:
    assert span([0.0, 5.0, 3.0]) == (3.0, 5.0)
    assert span([0.0]) == (None, None)


def test_the_market_keeps_scores_over_the_weekend() -> None:
    desk, kept = Desk("2026-11-20 20:00"), Kept()
    kept.clock.advance(at("2026-11-20 20:00") - kept.clock())
    friday = desk.history("2026-11-20")
    provider = MemoryProvider({"AAPL": friday, "MKT": replace(friday, ticker="MKT")})
    market = kept.market(provider, exchange_calendar("XNYS"))

    market.portfolio({"AAPL": 1})
    kept.clock.advance(61 * HOUR)
    market.portfolio({"AAPL": 1})
    market.score("AAPL")
    asked = provider.asked["AAPL"]
    kept.clock.advance(HOUR)

    assert asked == 1
    assert kept.cache.ttl("momentum:AAPL") is None
