"""The audit as people read it."""

from __future__ import annotations

import pytest

from avcache.backends.base import State
from avcache.formats import format_clock
from avcache.ops.audit import MOST_ENTRIES, AuditEntry
from avcache.ops.jobs import Job
from avcache.ui.audit import audit_table, chosen, describe_extent, describe_job, exported, how_much, names_of, page_of
from avcache.ui.export import csv_of

NOW = 1_700_000_000.0
SERVES = State("valkey", since=NOW - 900)

ENTRIES = (
    AuditEntry(NOW - 60, "console", "clear", "price:*", planned=3, reason="a wrong split", result="in force", job="j1"),
    AuditEntry(NOW - 7200, "REST", "warm-up", "AAPL NVDA", planned=2, job="j2"),
    AuditEntry(
        NOW - 90_000,
        "avcache",
        "outage",
        "server",
        reason="ConnectionError: redis get: Error 111 connecting to 10.0.0.7:6379. Connection refused.",
        result="Server away: connection refused",
    ),
)


@pytest.mark.parametrize(
    ("conditions", "actions"),
    [
        ({}, ["clear", "warm-up", "outage"]),
        ({"since": "1 h"}, ["clear"]),
        ({"since": "24 h"}, ["clear", "warm-up"]),
        ({"since": "7 d"}, ["clear", "warm-up", "outage"]),
        ({"actor": "REST"}, ["warm-up"]),
        ({"action": "outage"}, ["outage"]),
        ({"actor": "REST", "action": "outage"}, []),
        ({"text": "WRONG split "}, ["clear"]),
        ({"text": "nvda"}, ["warm-up"]),
        ({"text": "j2"}, ["warm-up"]),
    ],
)
def test_entries_are_chosen_by_every_condition(conditions: dict[str, str], actions: list[str]) -> None:
    found = chosen(ENTRIES, NOW, **conditions)

    assert [entry.action for entry in found] == actions


def test_a_table_tells_when_who_what_and_how_much() -> None:
    table = audit_table(ENTRIES)

    first, second, _ = table.to_dict("records")
    assert (first["Who"], first["Action"], first["On"], first["How much"]) == ("console", "clear", "price:*", "of 3")
    assert (second["Reason"], second["Result"]) == ("–", "–")
    assert first["When"].timestamp() == NOW - 60


def test_the_reason_of_an_outage_is_told_in_words_and_names_no_address() -> None:
    table, file = audit_table(ENTRIES), exported(ENTRIES)

    assert table["Reason"].iloc[2] == file["reason"].iloc[2] == "connection refused"
    assert "10.0.0.7" not in table.to_csv() + file.to_csv()
    assert chosen(ENTRIES, NOW, text="10.0.0.7") == []


def test_a_file_has_moments_in_utc_whole_numbers_and_no_formula() -> None:
    entry = AuditEntry(NOW, "=1+1", "clear", "price:*", planned=3)

    header, row = csv_of(exported([entry])).decode().splitlines()

    assert header == "at,actor,action,object,planned,done,reason,result,job"
    assert row == "2023-11-14 22:13:20+00:00,'=1+1,clear,price:*,3,,,,"


def test_an_empty_audit_makes_an_empty_table_and_file() -> None:
    assert audit_table([]).empty
    assert exported([]).empty
    assert names_of([]) == ([], [])


def test_names_are_listed_once_by_the_alphabet() -> None:
    assert names_of([*ENTRIES, ENTRIES[0]]) == (["REST", "avcache", "console"], ["clear", "outage", "warm-up"])


@pytest.mark.parametrize(
    ("planned", "done", "words"),
    [(None, None, "–"), (5, None, "of 5"), (None, 3, "3"), (5, 3, "3 of 5"), (12_345, 0, "0 of 12,345")],
)
def test_how_much_is_told_as_far_as_it_was_counted(planned: int | None, done: int | None, words: str) -> None:
    assert how_much(AuditEntry(NOW, "a", "clear", "*", planned=planned, done=done)) == words


def test_the_extent_tells_of_whom_and_since_when() -> None:
    first = format_clock(NOW - 90_000, NOW)

    shared = describe_extent(ENTRIES, SERVES, NOW, is_shared=True)
    alone = describe_extent((), State("memory", since=NOW), NOW, is_shared=False)
    full = describe_extent(ENTRIES[:1] * MOST_ENTRIES, SERVES, NOW, is_shared=True)

    assert shared == f"Of all processes on this store, as of {format_clock(NOW)}, back to {first}: 3 in all."
    assert alone == f"Of this process alone, as of {format_clock(NOW)}: 0 in all."
    assert full.endswith("10,000 in all; older ones have gone.")


def test_while_redis_is_away_it_says_what_is_shown() -> None:
    away = State("degraded", since=NOW - 30, error="x")

    told = describe_extent(ENTRIES, away, NOW, is_shared=False)

    as_of = f"As of {format_clock(NOW)} Redis has been away since {format_clock(NOW - 30)}"
    assert told.startswith(f"{as_of}: shown is what this process has noted")


def test_a_job_is_told_and_leads_to_its_page() -> None:
    job = Job(
        id="j", kind="warm-up", what={}, actor="REST", created_at=NOW, state="done", total=3, done=2, result="2 cached"
    )

    assert describe_job(job) == "Its job: done, 2 of 3. 2 cached"
    assert page_of(job) == "warmup"
    assert (describe_job(None), page_of(None)) == ("Its job is not kept any more.", None)
