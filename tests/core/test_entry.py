"""An entry tells of itself, and whatever is none is told apart."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avcache.backends.base import HEAD_BYTES, Stored
from avcache.core.entry import Foreign, Head, check_room, check_tags, encode, payload_of, read_head
from avcache.core.keys import Key
from avcache.core.peek import describe
from avcache.errors import InvalidInput

TIMES = st.floats(min_value=0, max_value=4e9)
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=30)
HEADS = st.builds(
    Head,
    key=TEXT,
    written_at=TIMES,
    fresh_until=TIMES,
    load_seconds=st.none() | TIMES,
    tags=st.lists(TEXT.filter(bool), max_size=4).map(tuple),
    source=TEXT,
)
HEAD = Head("price:AAPL", 1000.0, 1300.0, 2.5, ("AAPL", "été"), "yahoo")


@given(HEADS, st.binary(max_size=100))
def test_head_and_payload_come_back_as_they_were(head: Head, payload: bytes) -> None:
    data = encode(head, payload)

    assert read_head(data) == head
    assert payload_of(data) == payload


@given(HEADS)
def test_the_beginning_of_an_entry_tells_its_whole_head(head: Head) -> None:
    data = encode(head, b"x" * 50_000)

    assert read_head(data[:HEAD_BYTES]) == head


def test_a_head_that_is_cut_anywhere_is_foreign() -> None:
    whole = encode(HEAD, b"payload")
    length = len(whole) - len(b"payload")

    for cut in range(length):
        with pytest.raises(Foreign):
            read_head(whole[:cut])
    for cut in range(length, len(whole) + 1):
        assert read_head(whole[:cut]) == HEAD


@given(st.binary(max_size=200))
def test_bytes_of_others_are_foreign(data: bytes) -> None:
    with pytest.raises(Foreign):
        read_head(data)


@given(st.integers(0, 60), st.integers(1, 255))
def test_a_changed_byte_gives_foreign_or_a_head_and_nothing_else(at: int, change: int) -> None:
    data = bytearray(encode(HEAD, b"payload"))
    data[at] ^= change

    try:
        read = read_head(bytes(data))
    except Foreign:
        return
    assert isinstance(read, Head)


@pytest.mark.parametrize("moment", [float("nan"), float("inf"), float("-inf")])
def test_an_entry_without_a_time_is_foreign(moment: float) -> None:
    with pytest.raises(Foreign):
        read_head(encode(Head("k", moment, 1.0), b""))
    with pytest.raises(Foreign):
        read_head(encode(Head("k", 1.0, moment), b""))


def test_a_later_format_is_foreign() -> None:
    data = bytearray(encode(HEAD, b""))
    struct.pack_into("<B", data, 2, 200)

    with pytest.raises(Foreign, match="format"):
        read_head(bytes(data))


def test_five_hundred_long_tickers_fit_as_tags() -> None:
    tags = check_tags([f"TICKER{number:03}-{'X' * 10}" for number in range(500)])

    check_room("portfolio:0123456789abcdef", tags, "yahoo/classic")

    assert read_head(encode(Head("k", 0.0, 1.0, tags=tags), b"")).tags == tags


def test_what_does_not_fit_into_a_head_is_refused() -> None:
    with pytest.raises(InvalidInput, match="at most"):
        check_room("k", ["x" * 64] * 500, "")
    with pytest.raises(InvalidInput, match="at most"):
        encode(Head("k", 0.0, 1.0, source="x" * 70_000), b"")


@pytest.mark.parametrize("source", ["\ud800", None, 5])
def test_a_source_that_is_no_text_is_refused(source: object) -> None:
    with pytest.raises(InvalidInput, match="source"):
        check_room("k", (), source)  # type: ignore[arg-type]


def test_tags_are_sorted_and_once_each() -> None:
    assert check_tags(["b", "a", "b"]) == ("a", "b")
    assert check_tags(("e\u0301", "\u00e9")) == ("\u00e9",)
    assert check_tags([]) == ()


@pytest.mark.parametrize(
    "tags",
    ["AAPL", [""], ["a\nb"], ["a\x1fb"], ["x" * 65], [1], [None], [b"a"], ["\ud800"], ["x"] * 513, None, 5],
    ids=lambda tags: ascii(tags)[:20],
)
def test_what_are_no_tags_is_refused(tags: object) -> None:
    with pytest.raises(InvalidInput, match="tags="):
        check_tags(tags)  # type: ignore[arg-type]


def test_a_look_from_outside_tells_age_and_what_is_left() -> None:
    data = encode(HEAD, b"payload")

    peek = describe(Key("price:AAPL", "price"), Stored(500.0, len(data), data), now=1100.0)

    assert (peek.age, peek.ttl, peek.ttl_left, peek.expires_in) == (100.0, 300.0, 200.0, 500.0)
    assert (peek.load_seconds, peek.tags, peek.source, peek.size) == (2.5, HEAD.tags, "yahoo", len(data))
    assert (peek.is_stale, peek.is_foreign) == (False, False)


def test_an_entry_past_its_ttl_is_stale_and_never_of_negative_age() -> None:
    stored = Stored(500.0, 10, encode(HEAD, b""))

    assert describe(Key("price:AAPL", "price"), stored, now=1300.0).is_stale
    assert describe(Key("price:AAPL", "price"), stored, now=900.0).age == 0.0


@pytest.mark.parametrize("head", [b"", b"nothing of ours", encode(Head("price:MSFT", 1000.0, 9999.0), b"v")])
def test_foreign_bytes_and_an_entry_of_another_key_are_shown_as_foreign_and_never_as_fresh(head: bytes) -> None:
    peek = describe(Key("price:AAPL", "price"), Stored(500.0, len(head), head), now=1100.0)

    assert (peek.is_foreign, peek.is_stale, peek.ttl_left, peek.source) == (True, False, 0.0, "")
