"""What people type becomes tickers, holdings and one key per portfolio."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avcache.errors import InvalidInput
from avcache.market.tickers import parse_holdings, parse_ticker, parse_tickers, portfolio_key

SHARES = st.floats(min_value=1e-6, max_value=1e9)


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


@pytest.mark.parametrize(
    "pasted",
    [
        "AAPL 100\nKO 2.5",
        "aapl,100\nko,2.5",
        "AAPL: 100\nKO: 2.5",
        "AAPL\t100\nKO\t2.5",
        "AAPL;100\r\nKO ; 2.5\r\n",
        "Ticker,Shares\nAAPL,100\nKO,2.5",
        "\nSymbol  Quantity\n\nAAPL  +1e2\n\nKO .25e1\n",
        "AAPL 60\nKO 2.5\naapl 40",
    ],
)
def test_pasted_lines_become_holdings(pasted: str) -> None:
    assert parse_holdings(pasted) == {"AAPL": 100.0, "KO": 2.5}


def test_the_shares_of_one_ticker_are_summed() -> None:
    assert parse_holdings({"aapl": 1, "AAPL": 2.5, "KO": np.float64(3)}) == {"AAPL": 3.5, "KO": 3.0}


def test_every_bad_line_is_named_with_its_number() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_holdings("AAPL 100\nKO\nMSFT ten\n\nA/B 3\nNVDA,100,150")

    message = str(caught.value).split("not understood: ")[1]
    assert message.startswith("line 2 'KO'; line 3 'MSFT ten'; line 5 'A/B 3'; line 6 'NVDA,100,150'; ")
    assert "AAPL" not in message


@pytest.mark.parametrize("shares", [0, -1, math.nan, math.inf, True, np.True_, None, "x", 10**400])
def test_shares_are_finite_and_more_than_nothing(shares: object) -> None:
    given_: Mapping[str, object] = {"AAPL": shares}

    with pytest.raises(InvalidInput, match="'AAPL'"):
        parse_holdings(given_)  # type: ignore[arg-type]


@pytest.mark.parametrize("given_", ["", "Ticker Shares", {}])
def test_a_portfolio_holds_something(given_: str | dict[str, float]) -> None:
    with pytest.raises(InvalidInput, match="1 to 500 positions"):
        parse_holdings(given_)


def test_one_portfolio_has_one_key_however_it_is_written() -> None:
    key = portfolio_key({"AAPL": 100})

    assert key == portfolio_key({"aapl": 100.0}) == portfolio_key({"AAPL": 60, " aapl ": 40})
    assert key.removeprefix("portfolio:").isalnum()
    assert len(key) == len("portfolio:") + 16
    assert key != portfolio_key({"AAPL": 100.5})


@given(st.dictionaries(st.sampled_from("ABCDEFGH"), SHARES, min_size=1), st.randoms())
def test_the_order_of_the_holdings_changes_no_key(holdings: dict[str, float], random: object) -> None:
    names = list(holdings)
    random.shuffle(names)  # type: ignore[attr-defined]

    assert portfolio_key({name.lower(): holdings[name] for name in names}) == portfolio_key(holdings)


@given(st.text(max_size=40))
def test_no_text_crashes_the_parsers(text: str) -> None:
    for parse in (parse_ticker, parse_tickers, parse_holdings):
        try:
            parse(text)
        except InvalidInput:
            continue
