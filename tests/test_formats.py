"""Figures read as people write them, at the edges too."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avcache.formats import (
    add_up,
    format_age,
    format_bytes,
    format_clock,
    format_count,
    format_days,
    format_money,
    format_percent,
    format_seconds,
    price_digits,
)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1, "1 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1234, "1.2 kB"),
        (9940, "9.9 kB"),
        (9960, "10 kB"),
        (80_000, "80 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (1_200_000, "1.2 MB"),
        (268_435_456, "268 MB"),
        (5e9, "5.0 GB"),
        (12_345e9, "12345 GB"),
    ],
)
def test_bytes_are_in_powers_of_a_thousand(size: float, text: str) -> None:
    assert format_bytes(size) == text


@given(st.integers(0, 10**12 - 10**9))
def test_bytes_below_a_terabyte_have_three_digits_at_most(size: int) -> None:
    number, unit = format_bytes(size).split(" ")

    assert sum(map(str.isdigit, number)) <= 3
    assert float(number) * {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}[unit] == pytest.approx(size, rel=0.051, abs=0.5)


@pytest.mark.parametrize(("number", "text"), [(0, "0"), (999, "999"), (1250, "1,250"), (1_234_567.6, "1,234,568")])
def test_counts_are_in_groups_of_three(number: float, text: str) -> None:
    assert format_count(number) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.934, "93.4 %"), (0.0, "0.0 %"), (1.0, "100.0 %"), (None, "–"), (math.nan, "–"), (math.inf, "–")],
)
def test_a_share_is_in_percent_or_a_dash(share: float | None, text: str) -> None:
    assert format_percent(share) == text


def test_a_share_has_as_many_digits_as_asked_for() -> None:
    assert format_percent(0.1234, 0) == "12 %"
    assert format_percent(0.1234, 2) == "12.34 %"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (math.nan, "–"),
        (math.inf, "–"),
        (0, "0.0 ms"),
        (0.00001, "< 0.1 ms"),
        (0.0008, "0.8 ms"),
        (0.00994, "9.9 ms"),
        (0.00996, "10 ms"),
        (0.48, "480 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.0 s"),
        (1, "1.0 s"),
        (2.44, "2.4 s"),
        (59.9, "59.9 s"),
        (59.96, "1 min"),
        (60, "1 min"),
        (214, "3 min 34 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h"),
        (8040, "2 h 14 min"),
        (86_400, "1 d"),
        (90_000, "1 d 1 h"),
        (1e9, "11574 d 1 h"),
    ],
)
def test_durations_change_their_unit_where_people_do(seconds: float | None, text: str) -> None:
    assert format_seconds(seconds) == text


@given(st.floats(0, 1e6))
def test_no_rounding_ends_in_a_full_next_unit(seconds: float) -> None:
    assert not re.search(r"\b(1000 ms|60\.0 s|60 s|60 min|24 h)\b", format_seconds(seconds))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (math.nan, "–"),
        (math.inf, "–"),
        (-3, "0:00"),
        (0, "0:00"),
        (0.99, "0:00"),
        (59.99, "0:59"),
        (108, "1:48"),
        (1862, "31:02"),
        (8045, "2:14:05"),
        (86_399, "23:59:59"),
        (86_400, "1 d 0 h"),
        (3 * 86_400 + 4 * 3600, "3 d 4 h"),
    ],
)
def test_ages_read_as_a_clock(seconds: float | None, text: str) -> None:
    assert format_age(seconds) == text


@given(st.lists(st.floats(0, 100), min_size=1, max_size=8))
def test_rounded_figures_add_up_and_move_by_one_digit_at_most(values: list[float]) -> None:
    total = round(sum(values), 2)

    rounded = add_up(values, total, 2)

    assert round(sum(rounded), 2) == total
    assert all(abs(after - before) < 0.0101 for before, after in zip(values, rounded, strict=True))


def test_another_day_is_named_beside_the_time() -> None:
    told = format_clock(0.0, 40 * 86_400.0)

    assert "Jan" in told or "Dec" in told


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        (19622.4, "USD", "$19,622"),
        (999.5, "USD", "$999.50"),
        (19622.4, "EUR", "19,622 EUR"),
        (12.345, None, "12.35"),
    ],
)
def test_money_names_its_currency(amount: float, currency: str | None, shown: str) -> None:
    assert format_money(amount, currency) == shown


def test_money_has_the_digits_asked_for() -> None:
    assert format_money(1234.5, "USD", 2) == "$1,234.50"


def test_days_are_named_once_if_they_are_the_same() -> None:
    assert format_days("2022-12-28", "2022-12-28") == "28 Dec 2022"
    assert format_days("2022-12-23", "2022-12-28") == "23 Dec 2022 to 28 Dec 2022"


@pytest.mark.parametrize(("price", "digits"), [(126.04, 2), (1.0, 2), (0.5, 4), (0.0014, 6), (0.0, 2), (math.nan, 2)])
def test_a_price_has_two_decimals_or_four_digits(price: float, digits: int) -> None:
    assert price_digits(price) == digits
