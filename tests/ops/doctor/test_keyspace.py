"""Rules about what lies below our prefix."""

from __future__ import annotations

import pytest

from avcache.ops.doctor import Action, NamespaceFacts, SettingFacts, examine
from avcache.ops.forecast import Cliff, forecast
from tests.ops.census import Kept, snapshot
from tests.ops.doctor.cases import facts, find, rules


def names(*changes: NamespaceFacts) -> tuple[NamespaceFacts, ...]:
    return (NamespaceFacts("well", 5, 500), *changes)


@pytest.mark.parametrize(("no_ttl", "fires"), [(0, False), (1, True)])
def test_a_key_without_a_ttl_is_a_finding(no_ttl: int, fires: bool) -> None:
    found = rules(facts(namespaces=names(NamespaceFacts("price", 10, 1000, no_ttl=no_ttl))))

    assert found == (["no_ttl"] if fires else [])


def test_keys_without_a_ttl_are_told_by_namespace_and_cleared_where_they_are_ours() -> None:
    price = NamespaceFacts("price", 10, 1000, no_ttl=2)

    ours = find(facts(namespaces=names(NamespaceFacts("user", 9, 900, no_ttl=7), price)), "no_ttl")
    theirs = find(facts(namespaces=names(NamespaceFacts("user", 9, 900, no_ttl=7, foreign=1), price)), "no_ttl")

    assert ours.evidence == ("user: 7 of 9 keys", "price: 2 of 10 keys")
    assert (ours.action, theirs.action) == (Action("clear", "user:*"), Action("open", "keys", "user:*"))


def test_of_many_namespaces_five_are_named() -> None:
    many = [NamespaceFacts(f"n{at}", 9, 900, no_ttl=9 - at) for at in range(8)]

    found = find(facts(namespaces=many), "no_ttl")

    assert [text.partition(":")[0] for text in found.evidence] == ["n0", "n1", "n2", "n3", "n4", "and 3 more"]


@pytest.mark.parametrize(("together", "expected"), [(9, []), (10, ["ttl_cliff"])])
def test_ten_keys_that_expire_in_one_minute_are_a_cliff(together: int, expected: list[str]) -> None:
    entries = [Kept(f"price:{at}", left=610, ttl=3600) for at in range(together)]

    assert rules(facts(cliffs=forecast(snapshot(entries)).cliffs)) == expected


@pytest.mark.parametrize(("seconds", "severity"), [(59.9, "advice"), (60.0, "warning")])
def test_a_cliff_of_more_than_a_minutes_work_is_a_warning(seconds: float, severity: str) -> None:
    found = find(facts(cliffs=[Cliff("price", 0, 10, seconds)]), "ttl_cliff")

    assert found.severity == severity
    assert found.what == "10 keys of price expire within the next minute."


def test_of_each_namespace_the_highest_cliff_is_told() -> None:
    cliffs = [Cliff("price", 9, 50, 70), Cliff("user", 3, 40, 0), Cliff("price", 5, 20, 10)]

    price, user = examine(facts(cliffs=cliffs))

    assert (price.what, price.action) == (
        "50 keys of price expire in one minute, 9 min from now.",
        Action("warm", "price"),
    )
    assert (user.evidence, user.action) == (("loading them took: not known",), Action("open", "expiry", "user:*"))


@pytest.mark.parametrize(("size", "limit", "fires"), [(499, 1000, False), (500, 1000, True), (10**9, None, False)])
def test_half_of_the_largest_size_is_big(size: int, limit: int | None, fires: bool) -> None:
    settings = SettingFacts(max_value_bytes=limit)
    spaces = names(NamespaceFacts("price", 1, size, biggest=(("price:A", size), ("price:B", 10))))

    assert rules(facts(namespaces=spaces, settings=settings)) == (["big_values"] if fires else [])


def test_the_biggest_of_all_namespaces_come_first() -> None:
    spaces = names(
        NamespaceFacts("price", 1, 1, biggest=(("price:A", 700), ("price:B", 10))),
        NamespaceFacts("user", 1, 1, biggest=(("user:1", 900),)),
    )

    found = find(facts(namespaces=spaces, settings=SettingFacts(max_value_bytes=1000)), "big_values")

    assert found.evidence == ("limit: 1.0 kB", "user:1: 900 B", "price:A: 700 B")
    assert "CACHE_MAX_VALUE_BYTES=2000" in found.step


@pytest.mark.parametrize(("foreign", "fires"), [(0, False), (1, True)])
def test_a_key_that_is_not_ours_is_a_finding(foreign: int, fires: bool) -> None:
    found = rules(facts(namespaces=names(NamespaceFacts("celery", 10, 1000, foreign=foreign))))

    assert found == (["foreign_keys"] if fires else [])


def test_foreign_keys_are_told_with_how_to_find_them() -> None:
    settings = SettingFacts("mine:", "redis-cli -n 2")

    found = find(facts(namespaces=[NamespaceFacts("celery", 10, 1000, foreign=4)], settings=settings), "foreign_keys")

    assert found.severity == "advice"
    assert found.evidence == ("celery: 4 of 10 keys",)
    assert "redis-cli -n 2 --scan --pattern 'mine:*'" in found.step
