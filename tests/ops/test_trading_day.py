"""
A trading day with the documented times to live, and the hit rates that come of it.

The traffic is that of `avcache.cli.traffic`, the one which `python -m avcache demo` sends as well. A team of 12
analysts works from open to close, 6.5 hours. Each has a watch list that reads a price every 12 seconds, opens the score
of a ticker every two and a half minutes and one of the team's 8 portfolios every six minutes, on average and
independently of the others (Poisson). All of them watch the same 25 tickers, popular by Zipf's law: the second is read
half as often as the first, the third a third; so are the portfolios. The day begins with an empty cache, and nothing is
served past its time to live: each read of an expired entry counts as a miss. (With CACHE_STALE_TTL, as it is set by
default, most of these are answered at once as well, and the rates are higher.)

What to expect: a key that is read λ times a second and stays fresh for T seconds is loaded, answers λT reads on average
until it expires, and is loaded again by the next: λT hits in every 1 + λT reads. (Jitter, by which a load may live up
to a tenth less, is off here: it costs a point at most.)
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import partial

import pytest

from avcache.cli.traffic import KINDS, Kind, Read, Team, popularity
from avcache.market.holdings import portfolio_key
from avcache.market.universe import SAMPLE_25
from tests.market.doubles import Kept

TRADING_DAY = 6.5 * 3600
TEAM = Team(SAMPLE_25)
TTLS: Mapping[Kind, float] = {"price": 300.0, "momentum": 1800.0, "portfolio": 600.0}
DOCUMENTED: Mapping[Kind, tuple[float, float]] = {
    "price": (0.90, 0.95),
    "momentum": (0.85, 0.90),
    "portfolio": (0.70, 0.80),
}


def expected_hit_rate(kind: Kind) -> float:
    """λT / (1 + λT) of each key, weighted by how often it is read."""
    shares = popularity(TEAM.items(kind))
    answered = [TEAM.rate(kind) * share * TTLS[kind] for share in shares]
    return sum(share * reads / (1 + reads) for share, reads in zip(shares, answered, strict=True))


def key_of(read: Read) -> str:
    if read.kind == "portfolio":
        return portfolio_key(TEAM.holdings(read.item))
    return f"{read.kind}:{TEAM.tickers[read.item]}"


def hit_rates_of_a_day(seed: int) -> dict[Kind, float]:
    """Send a day's reads through a cache whose clock stands where the read does."""
    kept = Kept({"CACHE_STALE_TTL": "0"})
    opened = kept.clock()
    for read in TEAM.reads(random.Random(seed), TRADING_DAY):
        kept.clock.advance(opened + read.at - kept.clock())
        kept.cache.get_or_load(key_of(read), partial(float, read.at))  # for the ttl of its namespace
    rates = {kind: kept.cache.analytics.get_hit_rate(namespace=kind) for kind in KINDS}
    return {kind: rate for kind, rate in rates.items() if rate is not None}


@pytest.fixture(scope="module")
def week() -> list[dict[Kind, float]]:
    return [hit_rates_of_a_day(seed) for seed in range(5)]


def test_the_ttls_of_the_day_are_the_documented_defaults() -> None:
    settings = Kept().settings

    found = settings.cache_price_ttl, settings.cache_momentum_ttl, settings.cache_portfolio_ttl

    assert found == tuple(TTLS[kind] for kind in KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_the_hit_rate_of_a_day_is_the_documented_one(week: list[dict[Kind, float]], kind: Kind) -> None:
    least, most = DOCUMENTED[kind]

    assert least <= expected_hit_rate(kind) <= most
    assert least <= week[0][kind] <= most


@pytest.mark.parametrize("kind", KINDS)
def test_the_hit_rate_is_what_the_rate_of_reads_and_the_ttl_make_it(week: list[dict[Kind, float]], kind: Kind) -> None:
    mean = sum(day[kind] for day in week) / len(week)

    assert week[0][kind] == pytest.approx(expected_hit_rate(kind), abs=0.02)
    assert mean == pytest.approx(expected_hit_rate(kind), abs=0.01)


def test_the_same_seed_is_the_same_day() -> None:
    first, second = (list(TEAM.reads(random.Random(1), 600)) for _ in range(2))

    assert first == second
    assert 400 < len(first) < 950  # 66.8 a minute
    assert all(read.at < 600 for read in first)


def test_what_is_popular_is_read_by_zipf() -> None:
    reads = [read.item for read in TEAM.reads(random.Random(2), TRADING_DAY) if read.kind == "price"]

    counts = [reads.count(item) for item in range(3)]

    assert counts[0] / counts[1] == pytest.approx(2, rel=0.1)
    assert counts[0] / counts[2] == pytest.approx(3, rel=0.1)


def test_every_portfolio_holds_something_else() -> None:
    held = [TEAM.holdings(number) for number in range(TEAM.items("portfolio"))]

    assert len({portfolio_key(one) for one in held}) == TEAM.items("portfolio")
    assert {ticker for one in held for ticker in one} == set(SAMPLE_25)
