"""What people type becomes tickers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avcache.errors import InvalidInput
from avcache.market.tickers import parse_ticker, parse_tickers, shortened, ticker_or_none


@pytest.mark.parametrize(
    ("typed", "ticker"),
    [
        (" aapl\n", "AAPL"),
        ("brk.b", "BRK-B"),
        ("BF.A", "BF-A"),
        ("7203.T", "7203.T"),
        ("bmw.de", "BMW.DE"),
        ("vod.l", "VOD.L"),
        ("^gspc", "^GSPC"),
        ("BTC-USD", "BTC-USD"),
        ("EURUSD=X", "EURUSD=X"),
        ("\uff21\uff21\uff30\uff2c", "AAPL"),
    ],
)
def test_a_ticker_is_read_in_yahoos_spelling(typed: str, ticker: str) -> None:
    assert parse_ticker(typed) == ticker


@pytest.mark.parametrize("typed", ["", " ", "A B", "A/B", "A" * 21, "..", "^", "AAPL\u0131", "stra\u00dfe", "A:B", "*"])
def test_what_is_no_ticker_is_refused(typed: str) -> None:
    with pytest.raises(InvalidInput, match="symbol="):
        parse_ticker(typed, field="symbol")


def test_a_list_keeps_its_order_and_drops_repetitions() -> None:
    assert parse_tickers("msft, aapl\nMSFT;ko  aapl") == ("MSFT", "AAPL", "KO")
    assert parse_tickers(["brk.b", "BRK-B", "KO"]) == ("BRK-B", "KO")


def test_every_bad_ticker_of_a_list_is_named() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_tickers("AAPL, A/B, KO, x*y")

    assert "'A/B', 'x*y'" in str(caught.value)
    assert "'KO'" not in str(caught.value).split(": ", 1)[1]


@pytest.mark.parametrize("given_", ["", " ,\n", []])
def test_an_empty_list_is_refused(given_: str | list[str]) -> None:
    with pytest.raises(InvalidInput, match="1 to 500"):
        parse_tickers(given_)


def test_a_list_over_the_limit_is_refused() -> None:
    with pytest.raises(InvalidInput, match="1 to 2 tickers are allowed, 3 found"):
        parse_tickers("A B C", limit=2)


def test_repetitions_do_not_count_towards_the_limit() -> None:
    assert parse_tickers("A B A " * 300, limit=2) == ("A", "B")


def test_a_list_that_is_far_too_long_is_refused_before_it_is_read() -> None:
    with pytest.raises(InvalidInput, match="1 to 500 tickers are allowed, 10001 found"):
        parse_tickers(["no ticker"] * 10_001)


def test_of_many_bad_tickers_twenty_are_named() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_tickers([f"bad/{number}" for number in range(35)])

    assert "'bad/19' and 15 more; a ticker has" in caught.value.allowed
    assert "bad/20" not in caught.value.allowed


@pytest.mark.parametrize("bad", ["x" * 1000, "é" * 1000, ["x" * 1000], [10**5000], [None], [b"x" * 1000]])
def test_no_message_repeats_a_long_text(bad: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_tickers(bad)
    with pytest.raises(InvalidInput) as caught_one:
        parse_ticker(bad)

    assert "x" * 41 not in caught.value.allowed
    assert "x" * 61 not in str(caught.value) + str(caught_one.value)
    assert len(str(caught.value)) < 300


def test_piled_up_accents_are_refused_at_once() -> None:
    assert ticker_or_none("a" + "\u0316\u0301" * 100_000) is None


@given(st.text(), st.integers(1, 80))
def test_a_shortened_text_is_the_text_or_its_beginning(text: str, most: int) -> None:
    short = shortened(text, most)

    assert short == text if len(text) <= most else len(short) == most
    assert text.startswith(short.removesuffix("…"))


@given(st.text(max_size=40))
def test_no_text_crashes_the_parsers(text: str) -> None:
    for parse in (parse_ticker, parse_tickers):
        try:
            parse(text)
        except InvalidInput:
            continue
