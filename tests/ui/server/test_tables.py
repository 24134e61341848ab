"""Slow commands, outages, settings, and where findings lead."""

from __future__ import annotations

from typing import Any

import pytest

from avcache.config import Settings, sources
from avcache.ops.audit import Event
from avcache.ops.doctor import Action
from avcache.ui.server.links import Link, link_of
from avcache.ui.server.model import server_model
from avcache.ui.server.settings import HIDDEN as SECRET
from avcache.ui.server.settings import settings_table
from avcache.ui.server.slow import HIDDEN, describe_slow_log, exported, slow_table
from tests.ui.server.cases import NOW, finding, slow, view


def settings_of(env: dict[str, str]) -> dict[str, dict[str, Any]]:
    table = settings_table(Settings.from_env(env), sources(env, {}))
    return {str(row["Setting"]): dict(row) for _, row in table.iterrows()}


def test_no_key_of_another_application_is_named() -> None:
    commands = (slow("alphavelocity:price:AAPL"), slow("theirs:customer-7", "x", is_ours=False, is_cut=True), slow())

    table, file = slow_table(commands), exported(commands)

    assert list(table["Arguments"]) == ["alphavelocity:price:AAPL", HIDDEN, "–"]
    assert list(table["Command"]) == ["GET"] * 3
    assert "customer-7" not in table.to_csv() + file.to_csv()


def test_a_slow_command_is_told_in_milliseconds_and_as_cut() -> None:
    row = slow_table((slow("alphavelocity:a", "b", is_cut=True),)).iloc[0]

    assert (row["Took"], row["Arguments"], row["Client"]) == (12.345, "alphavelocity:a b …", "10.0.0.1:5000 worker")
    assert row["When"].timestamp() == NOW


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "Empty: of late there was no command that took 10 ms or longer."),
        ({"slow_log": (slow("alphavelocity:a"),)}, "1 command that took 10 ms or longer"),
        ({"slow_microseconds": -1}, "switched off"),
        ({"slow_log": None}, "may not be read"),
        ({"slow_log": None, "latency": None}, "when the server answers"),
        ({"kind": "memory"}, "Memory has no slow log."),
    ],
)
def test_an_empty_slow_log_says_why_it_is(changes: dict[str, Any], words: str) -> None:
    assert words in describe_slow_log(view(**changes))


def test_outages_and_recoveries_stand_newest_first() -> None:
    events = [
        Event(NOW - 60, "outage", "Server away: no answer in time"),
        Event(NOW - 50, "clear", "clear price:* · by console"),
        Event(NOW - 40, "recovery", "Server back after 20.0 s"),
    ]

    made, unread = server_model(view(), (), events), server_model(view(), (), None)

    assert made.outages is not None
    assert list(made.outages["What"]) == ["Server back after 20.0 s", "Server away: no answer in time"]
    assert unread.outages is None


def test_settings_tell_their_source_and_those_that_were_set_stand_first() -> None:
    made = settings_of({"CACHE_PRICE_TTL": "60", "AVCACHE_PROVIDER": "sample"})

    assert list(made)[:2] == ["CACHE_PRICE_TTL", "AVCACHE_PROVIDER"]
    assert len(made) == len(Settings.model_fields)
    price, momentum = made["CACHE_PRICE_TTL"], made["CACHE_MOMENTUM_TTL"]
    assert (price["Value"], price["Source"], price["Default"]) == ("60", "environment", "300")
    assert (momentum["Value"], momentum["Source"]) == ("1800", "default")
    assert made["REDIS_ENABLED"]["Value"] == "false"


def test_no_secret_is_among_the_settings() -> None:
    env = {
        "REDIS_PASSWORD": "hunter2",
        "REDIS_URL": "redis://ann:hunter2@h:1/0",
        "AVCACHE_API_TOKEN": "hunter2-hunter2-hunter2",
        "AVCACHE_YAHOO_URL": "http://ann:hunter2@127.0.0.1:9",
    }

    made = settings_of(env)

    assert {made[name]["Value"] for name in env} == {SECRET}
    assert "hunter2" not in str(made)
    assert made["REDIS_HOST"]["Value"] == "unused: REDIS_URL"


def test_a_setting_of_unknown_source_has_a_dash() -> None:
    table = settings_table(Settings.from_env({}), {})

    assert set(table["Source"]) == {"–"}


@pytest.mark.parametrize(
    ("action", "link"),
    [
        (None, None),
        (Action("open", "server"), None),
        (Action("open", "keys", "price:*"), Link("keys", "See on Keys", {"keys_find": "price:*"})),
        (Action("open", "keys"), Link("keys", "See on Keys", {})),
        (Action("open", "expiry", "user:*"), Link("expiry", "See on Expiry", {"expiry_namespace": "user"})),
        (Action("open", "overview"), Link("overview", "See on Overview", {"overview_window": "1 h"})),
        (Action("clear", "user:*"), Link("clear", "Plan to clear user:*", {"clear_pattern": "user:*"})),
        (Action("warm", "price"), Link("warmup", "Warm price up", {"warmup_universe": "Sample 25"})),
    ],
)
def test_a_finding_leads_to_a_page_with_its_filters_set(action: Action | None, link: Link | None) -> None:
    assert link_of(finding("warning", action=action), "Sample 25") == link
