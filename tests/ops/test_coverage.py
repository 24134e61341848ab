"""Coverage: a state for each ticker and kind, exact, by one look that counts nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from avcache.backends.base import Stored
from avcache.errors import InvalidInput, ProviderError
from avcache.market.service import Market
from avcache.ops.coverage import look
from tests.market.doubles import Kept, MemoryProvider, steady


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def provider() -> MemoryProvider:
    return MemoryProvider({ticker: steady(0.001, ticker=ticker) for ticker in ("AAPL", "MSFT", "MKT")})


@pytest.fixture
def market(kept: Kept, provider: MemoryProvider) -> Market:
    return kept.market(provider)


def test_it_tells_fresh_expiring_stale_and_missing_without_counting(kept: Kept, market: Market) -> None:
    market.score("AAPL")
    market.price("AAPL")
    before = kept.cache.stats()
    seen = []

    for seconds in (0, 239, 2, 60):
        kept.clock.advance(seconds)
        seen.append(look(kept.cache, market, ["AAPL", "msft"]))

    assert [found.rows["AAPL"][0] for found in seen] == ["fresh", "fresh", "expiring", "stale"]
    assert seen[3].kinds == ("price", "momentum")
    assert seen[3].rows == {"AAPL": ("stale", "fresh"), "MSFT": ("missing", "missing")}
    assert [found.covered for found in seen] == [1, 1, 1, 0]
    assert seen[2].gaps == ("MSFT",)
    assert seen[3].gaps == ("AAPL", "MSFT")
    assert kept.cache.stats() == before


def test_what_lasts_long_expires_in_its_last_five_minutes(kept: Kept, market: Market) -> None:
    market.score("AAPL")  # with fundamentals and prices, for 1,800 s
    states = []

    for seconds in (1_499, 2):
        kept.clock.advance(seconds)
        states.append(look(kept.cache, market, "AAPL", ["momentum"]).rows["AAPL"])

    assert states == [("fresh",), ("expiring",)]


def test_what_is_known_to_have_no_prices_has_failed_for_as_long_as_it_is_known(
    kept: Kept, market: Market, provider: MemoryProvider
) -> None:
    provider.given["ZZZZ"] = ProviderError("ZZZZ", "unknown", "memory does not know it")
    with pytest.raises(ProviderError):
        market.price("ZZZZ")

    known = look(kept.cache, market, "ZZZZ, AAPL")
    kept.clock.advance(901)
    forgotten = look(kept.cache, market, "ZZZZ")

    assert known.rows["ZZZZ"] == ("failed", "failed")
    assert known.reasons == {"ZZZZ": "memory does not know it"}
    assert known.gaps == ("AAPL",)
    assert forgotten.rows["ZZZZ"] == ("missing", "missing")
    assert not forgotten.reasons


def test_a_failure_that_passes_is_a_gap(kept: Kept, market: Market, provider: MemoryProvider) -> None:
    provider.given["MSFT"] = ProviderError("MSFT", "timeout", "no answer within 10 s")
    with pytest.raises(ProviderError):
        market.price("MSFT")

    assert look(kept.cache, market, "MSFT").gaps == ("MSFT",)


def test_a_score_held_against_another_benchmark_is_missing(kept: Kept, provider: MemoryProvider) -> None:
    kept.market(provider).score("AAPL")
    other = MemoryProvider(provider.given, benchmark="MSFT")

    assert look(kept.cache, kept.market(other), "AAPL", ["history", "momentum"]).rows == {"AAPL": ("fresh", "missing")}


def test_a_universe_is_looked_at_in_one_go(kept: Kept, market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    market.scores("AAPL MSFT")
    inspect, looks = kept.cache.backend.inspect, list[int]()

    def counted(keys: Sequence[str], *limits: Any) -> list[Stored | None]:
        looks.append(len(keys))
        return inspect(keys, *limits)

    monkeypatch.setattr(kept.cache.backend, "inspect", counted)

    look(kept.cache, market, [f"T{number}" for number in range(498)] + ["AAPL", "MSFT"])

    assert looks == [1500]


@pytest.mark.parametrize("kind", ["portfolio", "prices", "price:*", ""])
def test_a_kind_that_is_not_kept_by_ticker_is_named(kept: Kept, market: Market, kind: str) -> None:
    with pytest.raises(InvalidInput, match="price, history, fundamentals, momentum") as found:
        look(kept.cache, market, "AAPL", ["price", kind])

    assert found.value.field == "kinds"
