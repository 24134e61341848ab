"""Three questions, and whose accesses the answers are about."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from avcache.clock import ManualClock
from avcache.core.accesses import HIT, Accesses
from avcache.core.analytics import Analytics
from avcache.core.cache import Cache
from avcache.core.counters import Counters, Stats


class OfAll(Counters):
    """Figures of all processes; notes for which windows they were asked."""

    def __init__(self) -> None:
        super().__init__(ManualClock())
        self.windows: list[float | None] = []

    def stats(self, window: float | None = None) -> Stats:
        self.windows.append(window)
        return super().stats(window)


@pytest.fixture
def counters() -> Counters:
    return Counters(ManualClock())


@pytest.fixture
def accesses() -> Accesses:
    return Accesses()


@pytest.fixture
def analytics(counters: Counters, accesses: Accesses) -> Analytics:
    cache: Any = SimpleNamespace(counters=counters)
    return Analytics(cast("Cache", cache), accesses)


def test_without_others_the_hit_rate_is_that_of_this_process(analytics: Analytics, counters: Counters) -> None:
    assert analytics.get_hit_rate() is None
    counters.of("price").hits += 3
    counters.of("momentum").misses += 1

    assert analytics.get_hit_rate() == 0.75
    assert analytics.get_hit_rate(60, "price") == 1.0
    assert analytics.get_hit_rate(namespace="momentum") == 0.0
    assert analytics.get_hit_rate(namespace="portfolio") is None


def test_the_runtime_may_give_the_figures_of_all_processes(analytics: Analytics, counters: Counters) -> None:
    counters.of("price").hits += 1
    of_all = OfAll()
    of_all.of("price").hits += 1
    of_all.of("price").misses += 3

    analytics.figures = of_all

    assert analytics.get_hit_rate(900) == 0.25
    assert of_all.windows == [900]


def test_popular_keys_are_those_of_the_last_accesses(analytics: Analytics, accesses: Accesses) -> None:
    for name in ("price:A", "price:B", "price:B"):
        accesses.record(accesses.mark(name, "price"), HIT, 1.0)

    assert analytics.get_popular_keys(1) == [("price:B", 2)]
    assert analytics.get_popular_keys() == [("price:B", 2), ("price:A", 1)]
