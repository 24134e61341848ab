"""What people type, paste or export becomes holdings, and one key per portfolio."""

from __future__ import annotations

import csv
import io
import math
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avcache.errors import InvalidInput
from avcache.market.holdings import Holding, fault_of, parse_holdings, portfolio_key

SHARES = st.floats(min_value=1e-6, max_value=1e9)
COSTS = st.none() | st.floats(min_value=0, max_value=1e12)
PORTFOLIOS = st.dictionaries(st.sampled_from("ABCDEFGH"), st.builds(Holding, SHARES, COSTS), min_size=1)
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.binary(max_size=3)
ANYTHING = PLAIN | st.lists(PLAIN) | st.tuples(PLAIN, PLAIN) | st.builds(Holding, PLAIN, PLAIN) | st.just(range(2**64))
TWO = {"AAPL": Holding(100.0), "KO": Holding(2.5)}
TWO_WITH_COSTS = {"AAPL": Holding(100.0, 15000.0), "KO": Holding(2.5, 100.0)}


def refused(given_: Any) -> str:
    with pytest.raises(InvalidInput, match=r"^holdings=") as caught:
        parse_holdings(given_)
    return caught.value.allowed


# Mappings


def test_a_mapping_holds_shares_holdings_or_pairs() -> None:
    given_: Any = {"aapl": 1, "brk.b": Holding(2, 30), "KO": (np.float64(3), 0), "PEP": (4, None), "T": Holding(5.5)}

    assert parse_holdings(given_) == {
        "AAPL": Holding(1.0),
        "BRK-B": Holding(2.0, 30.0),
        "KO": Holding(3.0, 0.0),
        "PEP": Holding(4.0),
        "T": Holding(5.5),
    }


def test_what_was_parsed_parses_again() -> None:
    assert parse_holdings(parse_holdings(TWO_WITH_COSTS)) == TWO_WITH_COSTS


def test_the_shares_of_one_ticker_are_summed() -> None:
    assert parse_holdings({"aapl": 1, "AAPL": 2.5, "KO": 3}) == {"AAPL": Holding(3.5), "KO": Holding(3.0)}


def test_costs_are_summed_if_all_are_known() -> None:
    assert parse_holdings({"ko": (1, 10), "KO": (2, 20.5)}) == {"KO": Holding(3.0, 30.5)}
    assert parse_holdings({"ko": (1, 10), "KO": 2, " KO": (1, 1)}) == {"KO": Holding(4.0)}


@pytest.mark.parametrize("shares", [0, -1, math.nan, math.inf, -math.inf, 10**400, Holding(0), (-1, 5)])
def test_shares_are_finite_and_more_than_nothing(shares: Any) -> None:
    assert refused({"AAPL": shares}).startswith(
        "not understood: 'AAPL' (shares negative, zero or not finite); each position"
    )


@pytest.mark.parametrize("shares", [True, np.True_, "x", "5", [], (1,), (1, 2, 3), {}, 1j, Holding(True)])
def test_shares_are_a_number(shares: Any) -> None:
    assert "'AAPL' (shares not a number)" in refused({"AAPL": shares})


@pytest.mark.parametrize("cost", [-0.01, math.nan, math.inf, True, "10", 10**400])
def test_a_cost_is_finite_and_not_negative(cost: Any) -> None:
    for value in (Holding(1, cost), (1, cost)):
        allowed = refused({"AAPL": value})

        assert "'AAPL' (cost not understood)" in allowed
        assert allowed.endswith("a cost is a finite number, 0 or more")


def test_what_is_missing_is_said() -> None:
    assert "'AAPL' (shares missing)" in refused({"AAPL": None})
    assert "'A/B' (no ticker); None (no ticker)" in refused({"A/B": 1, None: 1})


def test_a_sum_that_is_no_number_is_refused() -> None:
    assert "'ko' (more than a sum can hold)" in refused({"KO": 1.5e308, "ko": 1.5e308})
    assert "'ko' (more than a sum can hold)" in refused({"KO": (1, 1.5e308), "ko": (1, 1.5e308)})


@pytest.mark.parametrize("given_", [None, 5, [("AAPL", 1)], {"AAPL"}])
def test_what_are_no_holdings_is_refused(given_: Any) -> None:
    assert refused(given_) == "holdings are a mapping of tickers to shares, or text"


# Pasted lines


@pytest.mark.parametrize(
    "pasted",
    [
        "AAPL 100\nKO 2.5",
        "aapl,100\nko,2.5",
        "AAPL: 100\nKO: 2.5",
        "AAPL\t100\nKO\t2.5",
        "AAPL;100\r\nKO ; 2.5\r\n",
        "Ticker,Shares\nAAPL,100\nKO,2.5",
        "Ticker, Shares\nAAPL 100\nKO: 2.5",
        "Ticker: shares\nAAPL 100\nKO: 2.5",
        "\nSymbol  Quantity\n\nAAPL  +1e2\n\nKO .25e1\n",
        "AAPL 60\nKO 2.5\naapl 40",
        "\ufeffAAPL 100\nKO 2.5",
        "AAPL,100,\nKO,2.5,\n",
        "\uff21\uff21\uff30\uff2c\uff0c\uff11\uff10\uff10\nKO 2.5",
    ],
)
def test_pasted_lines_become_holdings(pasted: str) -> None:
    assert parse_holdings(pasted) == TWO


def test_every_bad_line_is_named_with_its_number_and_the_reason() -> None:
    allowed = refused("AAPL 100\nKO\nMSFT ten\n\nA/B 3\nT -5\nPEP 1 each\nPG 0\nXOM 1e999")

    assert allowed.split("; each position")[0] == (
        "not understood: line 2 'KO' (shares missing); line 3 'MSFT ten' (shares not a number);"
        " line 5 'A/B 3' (no ticker); line 6 'T -5' (shares negative, zero or not finite);"
        " line 7 'PEP 1 each' (more than ticker and shares);"
        " line 8 'PG 0' (shares negative, zero or not finite); line 9 'XOM 1e999' (shares negative, zero or not finite)"
    )


@pytest.mark.parametrize("line", ["NVDA,100,150", "NVDA 100 150", "NVDA 1,000"])
def test_a_third_number_needs_a_heading(line: str) -> None:
    allowed = refused(f"KO 1\n{line}")

    assert f"line 2 '{line}' (a third number)" in allowed
    assert "heading" in allowed
    assert allowed.endswith("must say what a third number is: cost per share, or cost basis for the total")


# CSV


@pytest.mark.parametrize(
    "text",
    [
        "Ticker,Shares,Cost\nAAPL,100,15000\nKO,2.5,100",
        "\ufeffSYMBOL;Qty;Cost Basis Total\r\nAAPL;100;15000\r\n;;\r\nKO;2.5;100\r\n",
        "Instrument\tUnits\tAvg Price\nAAPL\t100\t150\nKO\t2.5\t40",
        '"Symbol","Name","Quantity","Price Paid $"\n"AAPL","Apple, Inc.","100","$150.00"\n"KO","Coca-Cola",2.5,$40',
        'Name,cost basis,SHARES,Stock\n"Apple\nInc.","$15,000.00",100,aapl\nCoke,100,2.5,ko',
        'Symbol, Qty (Quantity), Cost/Share, Value\nAAPL, 100, 150, "1"\nKO, 2.5, 40, n/a\n\n',
        "Ticker,Shares,Cost basis,Unit cost\nAAPL,100,15000,7\nKO,2.5,,40",
        "Ticker,Shares,Cost\naapl,60,10000\nKO,2.5,100\nAAPL,40,5000",
        "\n  \nShares,Ticker,Average Cost\n100,AAPL,150,,\n2.5,KO,40",
    ],
)
def test_csv_with_a_heading_becomes_holdings_with_costs(text: str) -> None:
    assert parse_holdings(text) == TWO_WITH_COSTS


@pytest.mark.parametrize(
    "heading",
    ["cost", "Cost Basis", "TOTAL COST", "cost basis total", " Cost_Basis ($) "],
)
def test_a_total_cost_is_kept_as_it_is(heading: str) -> None:
    assert parse_holdings(f"ticker,shares,{heading}\nKO,4,10") == {"KO": Holding(4.0, 10.0)}


@pytest.mark.parametrize(
    "heading",
    ["price paid", "cost per share", "average cost", "avg cost", "Avg. Price", "unit cost", "Purchase Price"],
)
def test_a_cost_per_share_is_multiplied(heading: str) -> None:
    assert parse_holdings(f"ticker,shares,{heading}\nKO,4,10") == {"KO": Holding(4.0, 40.0)}


def test_a_blank_cost_is_unknown() -> None:
    assert parse_holdings("Ticker,Shares,Cost\nKO,4,\nPEP,1, \nT,2") == {
        "KO": Holding(4.0),
        "PEP": Holding(1.0),
        "T": Holding(2.0),
    }


@pytest.mark.parametrize(
    ("shares", "read"), [("1,000", 1000.0), ("1,000.50", 1000.5), ("12,345,678", 12345678.0), ("$5", None)]
)
def test_quoted_shares_may_be_grouped(shares: str, read: float | None) -> None:
    for delimiter in ",;\t":
        text = f'Ticker{delimiter}Shares\n"KO"{delimiter}"{shares}"'
        if read is None:
            assert "(shares not a number)" in refused(text)
        else:
            assert parse_holdings(text) == {"KO": Holding(read)}


@pytest.mark.parametrize(
    "row", ['KO;"1,00"', 'KO;"1,0000"', 'KO;"0,125"', 'KO;"1.000,5"', 'KO;",100"', "KO;1,125", 'KO;"1,000,50"']
)
def test_no_other_comma_is_guessed_at(row: str) -> None:
    assert f"line 2 {row!r} (shares not a number)" in refused(f"Ticker;Shares\n{row}")


def test_every_bad_row_is_named_with_its_number_and_the_reason() -> None:
    rows = [
        "Ticker,Shares,Cost",
        "AAPL,100,150",
        "MSFT,1,000,5",
        "Account Total,,1000",
        '"Two',
        'lines",5,7',
        "KO,,9",
        "PEP,5,a lot",
        "PG,-5,1",
        "T,5,-1",
        '"XOM"x,1,1',
        "XOM,ten,1",
        '"WMT,3,4',
    ]

    allowed = refused("\n".join(rows))

    assert allowed.split("; each position")[0] == (
        "not understood: line 3 'MSFT,1,000,5' (more fields than the heading);"
        " line 4 'Account Total,,1000' (no ticker); line 5 '\"Two\\nlines\",5,7' (no ticker);"
        " line 7 'KO,,9' (shares missing); line 8 'PEP,5,a lot' (cost not understood);"
        " line 9 'PG,-5,1' (shares negative, zero or not finite); line 10 'T,5,-1' (cost not understood);"
        " line 11 '\"XOM\"x,1,1' (quotes do not match); line 12 'XOM,ten,1' (shares not a number);"
        " line 13 '\"WMT,3,4' (quotes do not match)"
    )


@pytest.mark.parametrize(
    ("heading", "reason"),
    [
        ("Ticker,Price", "no column of shares"),
        ("Ticker,Cost,Price", "no column of shares"),
        ("Ticker,Shares,Quantity", "more than one column of shares"),
        ("Ticker,Shares,Cost,Cost basis", "more than one column of cost"),
        ("Ticker,Shares,Avg price,Price paid", "more than one column of cost per share"),
        ("Ticker,Shares,Ticker", "more than one column of ticker"),
    ],
)
def test_a_heading_that_is_not_clear_is_refused(heading: str, reason: str) -> None:
    assert refused(f"{heading}\nKO,5,5,5").startswith(f"the heading names {reason}")


def test_a_ticker_that_is_a_word_of_headings_is_held_all_the_same() -> None:
    assert parse_holdings("STOCK,100\nKO,1") == {"STOCK": Holding(100.0), "KO": Holding(1.0)}


@given(PORTFOLIOS, st.sampled_from(",;\t"), st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]))
def test_what_is_written_as_csv_is_read_as_it_was(holdings: dict[str, Holding], delimiter: str, quoting: Any) -> None:
    written = io.StringIO()
    writer = csv.writer(written, delimiter=delimiter, quoting=quoting)
    writer.writerow(["Name", "Symbol", "Shares", "Cost basis"])
    writer.writerows([f'The "{name}"\n{delimiter}', name, one.shares, one.cost] for name, one in holdings.items())

    assert parse_holdings(written.getvalue()) == holdings


# Limits


@pytest.mark.parametrize("given_", ["", "\ufeff", " \n\t\n", "Ticker Shares", "Ticker,Shares\n,\n", {}])
def test_a_portfolio_holds_something(given_: Any) -> None:
    assert refused(given_) == "1 to 500 positions are allowed, 0 found"


@pytest.mark.parametrize("heading", ["", "Ticker Shares\n", "Ticker,Shares\n"])
def test_too_many_lines_are_refused_before_they_are_read(heading: str) -> None:
    assert refused(heading + "no ticker\n\n" * 501) == "1 to 500 positions are allowed, 501 found"


def test_five_hundred_positions_are_allowed() -> None:
    names = [f"T{number}" for number in range(500)]

    assert len(parse_holdings(dict.fromkeys(names, 1.0))) == 500
    assert len(parse_holdings("Ticker,Shares\n" + "".join(f"{name},1\n\n" for name in names))) == 500


def test_too_many_entries_of_a_mapping_are_refused_before_they_are_read() -> None:
    assert refused(dict.fromkeys(range(501), "?")) == "1 to 500 positions are allowed, 501 found"


def test_a_text_that_is_too_long_is_refused() -> None:
    assert refused("x" * 200_001) == "at most 200,000 characters are allowed, 200,001 found"


@pytest.mark.parametrize(
    "given_",
    [
        "x" * 1000,
        f"KO 1\nKO {'x' * 1000}",
        f"Ticker,Shares\n{'x' * 1000},1",
        f"Ticker,Shares,Cost\nKO,1,{'x' * 1000}",
        f"Ticker,{'x' * 1000}",
        {"x" * 1000: 1},
        {"KO": "x" * 1000},
        {"KO": ["x" * 1000]},
        {("x" * 1000,): Holding("x" * 1000)},  # type: ignore[arg-type]
        ["x" * 1000],
    ],
)
def test_no_message_repeats_a_long_text(given_: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_holdings(given_)

    assert "x" * 61 not in str(caught.value)


def test_a_number_too_long_to_be_shown_is_refused_like_any_other() -> None:
    assert "(shares negative, zero or not finite)" in refused({"KO": -(10**5000)})


@pytest.mark.parametrize(
    "text",
    [
        "A" + " " * 199_990 + "1 2",
        "A" + "\u0316\u0301" * 99_000,
        "Ticker,Shares,Cost\n" + "(" * 199_000,
        "Ticker,Shares,Cost" + "," * 199_000,
        '"' * 199_999,
        '"\n' * 99_999,
        "KO " + "1" * 199_000 + "x",
    ],
    ids=range(7),
)
def test_no_text_takes_long_to_refuse(text: str) -> None:
    begun = time.perf_counter()

    refused(text)

    assert time.perf_counter() - begun < 3


# Keys


def test_the_keys_of_portfolios_without_costs_stay_what_they_were() -> None:
    assert portfolio_key({"AAPL": 100}) == "portfolio:0ca7a078c47835b9"
    assert portfolio_key({"AAPL": 100, "KO": 2.5}) == "portfolio:b26cf9ec4882fd9a"
    assert portfolio_key("brk.b 3\nko 1") == "portfolio:7f00d14a9445b46b"


def test_one_portfolio_has_one_key_however_it_is_written() -> None:
    key = portfolio_key({"AAPL": 100})

    assert key == portfolio_key({"aapl": 100.0}) == portfolio_key({"AAPL": 60, " aapl ": 40})
    assert key == portfolio_key({"AAPL": Holding(100)}) == portfolio_key("Ticker,Shares,Cost\nAAPL,100,")
    assert key != portfolio_key({"AAPL": 100.5})


def test_a_portfolio_with_costs_has_another_key() -> None:
    keys = {portfolio_key({"AAPL": Holding(100, cost)}) for cost in (None, 0, 100)}

    assert len(keys) == 3
    assert portfolio_key({"AAPL": (100, -0.0)}) == portfolio_key({"AAPL": (100, 0)})


@given(PORTFOLIOS, st.randoms())
def test_the_order_of_the_holdings_changes_no_key(holdings: dict[str, Holding], random: Any) -> None:
    names = list(holdings)
    random.shuffle(names)

    assert portfolio_key({name.lower(): holdings[name] for name in names}) == portfolio_key(holdings)


@given(PORTFOLIOS, PORTFOLIOS)
def test_different_portfolios_have_different_keys(one: Mapping[str, Holding], other: Mapping[str, Holding]) -> None:
    assert (portfolio_key(one) == portfolio_key(other)) == (parse_holdings(one) == parse_holdings(other))


# Anything


@given(st.text(max_size=80) | st.text('Ticker,Shares;Cost\t\n"$1 ', max_size=80).map("Ticker,Shares,Cost\n".__add__))
def test_no_text_crashes_the_parser(text: str) -> None:
    try:
        holdings = parse_holdings(text)
    except InvalidInput:
        return

    assert all(one.shares > 0 for one in holdings.values())


@given(st.dictionaries(st.text(max_size=3) | st.none(), ANYTHING, max_size=3))
def test_no_mapping_crashes_the_parser(given_: Any) -> None:
    try:
        parse_holdings(given_)
    except InvalidInput:
        return


@pytest.mark.parametrize(
    ("position", "fault"),
    [
        (("brk.b", 3.0, 12.0), None),
        (("AAPL", 3.0), None),
        (("<b>", 3.0), "no ticker"),
        (("AAPL", None), "shares missing"),
        (("AAPL", 0.0), "shares negative, zero or not finite"),
        (("AAPL", 1.0, -1.0), "cost not understood"),
    ],
)
def test_one_position_is_told_what_is_wrong_with_it(position: tuple[object, ...], fault: str | None) -> None:
    assert fault_of(*position) == fault
