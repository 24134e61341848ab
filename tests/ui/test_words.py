from __future__ import annotations

import itertools

import pytest

from avcache.formats import counted
from avcache.ui.words import lines, literal, named, sentence


def test_a_long_list_is_cut_and_says_so() -> None:
    tickers = [f"T{number}" for number in range(45)]

    assert named(tickers).endswith("T39 and 5 more")
    assert named(tickers[:2]) == "T0, T1"


@pytest.mark.parametrize("text", ["**b**", ":red[x]", "[y](javascript:alert(2))", "$x$", "<b>", "_a_", "&amp;"])
def test_nothing_in_a_literal_text_is_markup(text: str) -> None:
    shown = literal(text)

    assert shown.replace("\\", "") == text
    assert all(before == "\\" for before, mark in itertools.pairwise(shown) if mark in "*:[]()$<>_&")


@pytest.mark.parametrize("text", ["https://evil.example/x", "www.evil.example", "me@evil.example"])
def test_an_address_does_not_become_a_link(text: str) -> None:
    shown = literal(text)

    assert shown.replace("\\", "").replace("\u2060", "") == text
    assert "\u2060" in shown


@pytest.mark.parametrize("text", [":material/delete:", ":streamlit:", "a -> b", "--", "x <= y", "<-> z"])
def test_a_text_becomes_no_picture_and_no_other_sign(text: str) -> None:
    shown = literal(text)

    assert shown.replace("\\", "").replace("\u2060", "") == text
    assert shown.count("\u2060") == 1


@pytest.mark.parametrize("text", ["momentum:AAPL", "a--b", "price:* -1", "=1+1", "a_b"])
def test_nothing_is_put_into_a_text_that_needs_it_not(text: str) -> None:
    assert literal(text).replace("\\", "") == text


def test_an_ordinary_name_stays_as_it_is() -> None:
    assert literal("user_1.old-2") == "user_1.old-2"


@pytest.mark.parametrize("text", ["\t=1", "    x", "a\n\n    x", "a\n\n \tx", "a\r\n\r\n\tx"])
def test_no_line_becomes_code(text: str) -> None:
    shown = literal(text)

    assert not any(line.startswith((" ", "\t")) for line in shown.splitlines())
    assert shown.replace("\\", "").split() == text.split()


def test_marks_that_turn_what_follows_around_are_spelled_out() -> None:
    shown = literal("\u202egnp.exe \u2066x\u2069 שלום")

    assert shown.replace("\\", "") == "u202egnp.exe u2066xu2069 שלום"
    assert shown.startswith(r"\\u202e")


def test_no_line_becomes_a_heading() -> None:
    assert literal("a\n===") == "a\n\\=\\=\\="


def test_lines_stand_one_below_the_other() -> None:
    assert lines(["a*", "b"]) == "a\\*  \nb"


def test_a_sentence_begins_with_a_capital() -> None:
    assert (sentence("no tickers"), sentence("")) == ("No tickers", "")


@pytest.mark.parametrize(("number", "shown"), [(1, "1 key"), (0, "0 keys"), (1250, "1,250 keys")])
def test_what_is_counted_has_its_plural(number: int, shown: str) -> None:
    assert counted(number, "key") == shown
