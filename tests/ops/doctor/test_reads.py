"""Rules about what the cache is asked, and whether it answers."""

from __future__ import annotations

import pytest

from avcache.core.counters import Counts
from avcache.ops.doctor import Action, examine
from tests.ops.doctor.cases import facts, find, rules, state
from tests.ops.stores import memory_cache


@pytest.mark.parametrize(
    ("hits", "misses", "fires"),
    [(49, 51, True), (50, 50, False), (0, 99, False), (0, 100, True), (0, 0, False)],
)
def test_less_than_half_of_a_hundred_reads_is_cold(hits: int, misses: int, fires: bool) -> None:
    found = rules(facts(hour={"price": Counts(hits=hits, misses=misses)}))

    assert found == (["cold_namespace"] if fires else [])


@pytest.mark.parametrize("answered", ["stale_hits", "negative_hits"])
def test_a_stale_answer_and_a_known_absence_are_answers(answered: str) -> None:
    counts = Counts(misses=50)
    setattr(counts, answered, 50)

    assert rules(facts(hour={"price": counts})) == []


def test_what_a_cache_is_asked_in_vain_makes_it_cold() -> None:
    cache = memory_cache()
    for number in range(100):
        cache.get(f"price:{number}")

    found = find(facts(state=cache.state(), server=None, hour=cache.stats(3600).by_namespace), "cold_namespace")

    assert found.evidence == ("last hour: 0.0 % of 100 reads", "misses, absent: 100")
    assert found.action == Action("warm", "price")
    assert "warmup" in found.step


@pytest.mark.parametrize(
    ("namespace", "reason", "step"),
    [
        ("price", "expired", "CACHE_PRICE_TTL"),
        ("user", "expired", "@cached(ttl="),
        ("price", "invalidated", "ops.clear"),
        ("price", "evicted", "room"),
        ("price", "other_source", "AVCACHE_PROVIDER"),
        ("price", "backend_errors", "Server"),
        ("price", "foreign", "REDIS_PREFIX"),
        ("user", "absent", "never repeat"),
    ],
)
def test_the_step_is_against_what_most_misses_come_from(namespace: str, reason: str, step: str) -> None:
    counts = Counts(misses=100)
    counts.absent = 10
    setattr(counts, reason, 90)

    assert step in find(facts(hour={namespace: counts}), "cold_namespace").step


def test_only_what_can_be_warmed_up_has_a_button_for_it() -> None:
    hour = {"user": Counts(misses=100), "momentum": Counts(misses=100)}

    actions = {finding.what: finding.action for finding in examine(facts(hour=hour))}

    assert actions == {
        "Most reads of user find nothing.": Action("open", "keys", "user:*"),
        "Most reads of momentum find nothing.": Action("warm", "momentum"),
    }


@pytest.mark.parametrize(
    ("now", "before", "fires"),
    [
        ((80, 20), (90, 10), True),
        ((81, 19), (90, 10), False),
        ((90, 10), (80, 20), False),
        ((79, 20), (100, 0), False),  # 99 reads
        ((80, 20), (99, 0), False),
        ((80, 20), None, False),
        (None, (100, 0), False),
    ],
)
def test_ten_points_less_than_yesterday_is_a_fall(
    now: tuple[int, int] | None, before: tuple[int, int] | None, fires: bool
) -> None:
    hour, yesterday = ({"price": Counts(hits=found[0], misses=found[1])} if found else {} for found in (now, before))

    assert rules(facts(hour=hour, yesterday=yesterday)) == (["hit_rate_fell"] if fires else [])


def test_a_fall_is_told_in_points_with_both_rates() -> None:
    hour = {"price": Counts(hits=700, misses=300, expired=300)}

    found = find(facts(hour=hour, yesterday={"price": Counts(hits=95, misses=5)}), "hit_rate_fell")

    assert found.what == "The hit rate of price fell by 25 points since yesterday."
    assert found.evidence[:2] == ("last hour: 70.0 % of 1,000 reads", "same hour yesterday: 95.0 % of 100 reads")


@pytest.mark.parametrize(("refused", "error", "fires"), [(0, None, False), (1, None, True), (1, "OutOfMemory", False)])
def test_values_that_were_not_kept_are_a_finding_unless_the_store_is_why(
    refused: int, error: str | None, fires: bool
) -> None:
    found = rules(facts(state=state(error=error), hour={"price": Counts(refused=refused)}))

    assert ("refused_values" in found) is fires


def test_a_value_too_large_for_the_cache_is_found() -> None:
    cache = memory_cache(max_bytes=2**24)
    cache.get_or_load("price:A", lambda: "x" * 2_000_000)

    found = find(facts(state=cache.state(), server=None, hour=cache.stats(3600).by_namespace), "refused_values")

    assert found.evidence == ("1 in the last hour", "1 loads")
