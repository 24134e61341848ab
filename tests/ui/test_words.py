from __future__ import annotations

import itertools

import pytest

from avcache.ui.words import counted, lines, literal, named, sentence


def test_a_long_list_is_cut_and_says_so() -> None:
    tickers = [f"T{number}" for number in range(45)]

    assert named(tickers).endswith("T39 and 5 more")
    assert named(tickers[:2]) == "T0, T1"


@pytest.mark.parametrize("text", ["**b**", ":red[x]", "[y](javascript:alert(2))", "$x$", "<b>", "a_b", "&amp;"])
def test_nothing_in_a_literal_text_is_markup(text: str) -> None:
    shown = literal(text)

    assert shown.replace("\\", "") == text
    assert all(before == "\\" for before, mark in itertools.pairwise(shown) if mark in "*:[]()$<>_&")


@pytest.mark.parametrize("text", ["https://evil.example/x", "www.evil.example", "me@evil.example"])
def test_an_address_does_not_become_a_link(text: str) -> None:
    shown = literal(text)

    assert shown.replace("\\", "").replace("\u2060", "") == text
    assert "\u2060" in shown


def test_lines_stand_one_below_the_other() -> None:
    assert lines(["a*", "b"]) == "a\\*  \nb"


def test_a_sentence_begins_with_a_capital() -> None:
    assert (sentence("no tickers"), sentence("")) == ("No tickers", "")


@pytest.mark.parametrize(("number", "shown"), [(1, "1 key"), (0, "0 keys"), (1250, "1,250 keys")])
def test_what_is_counted_has_its_plural(number: int, shown: str) -> None:
    assert counted(number, "key") == shown
