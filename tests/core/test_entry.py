"""An entry tells of itself, and whatever is none is told apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avcache.backends.base import LONGEST_HEAD, Stored, stamp_of, stamped
from avcache.core.entry import (
    CutShort,
    Foreign,
    Head,
    check_room,
    check_tags,
    encode,
    encode_set,
    fresh_payloads,
    joined,
    plain_part,
    read_entry,
    read_head,
)
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
    load_seconds=st.none() | st.floats(min_value=0, max_value=4e9, width=32),
    tags=st.lists(TEXT.filter(bool), max_size=4).map(tuple),
    source=TEXT,
    version=st.integers(0, 2**53),
    is_absent=st.booleans(),
)
HEAD = Head("price:AAPL", 1000.0, 1300.0, 2.5, ("AAPL", "été"), "yahoo")


@given(HEADS, st.binary(max_size=100))
def test_head_and_payload_come_back_as_they_were(head: Head, payload: bytes) -> None:
    data = encode(head, payload)

    assert read_head(data) == head
    entry = read_entry(data, head.key.encode())
    assert entry is not None
    assert (entry.payload, entry.head, entry.source) == (payload, head, head.source.encode())
    assert (entry.version, entry.fresh_until, bool(entry.is_absent)) == (head.version, head.fresh_until, head.is_absent)


@given(HEADS)
def test_the_beginning_of_an_entry_tells_its_whole_head(head: Head) -> None:
    data = encode(head, b"x" * 50_000)

    assert read_head(data[:LONGEST_HEAD]) == head


def test_a_head_that_is_cut_anywhere_is_foreign() -> None:
    whole = encode(HEAD, b"payload")
    length = len(whole) - len(b"payload")

    for cut in range(length):
        with pytest.raises(Foreign):
            read_head(whole[:cut])
        assert read_entry(whole[:cut], b"price:AAPL") is None
    with pytest.raises(CutShort):
        read_head(whole[: length - 1])
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
    data[3] = 200

    with pytest.raises(Foreign, match="format"):
        read_head(bytes(data))
    assert read_entry(bytes(data), b"price:AAPL") is None
    assert stamp_of(bytes(data)) is None


@given(HEADS, st.integers(0, 2**63))
def test_a_stamp_changes_the_version_and_nothing_else(head: Head, version: int) -> None:
    data = encode(head, b"payload")

    changed = stamped(data, version)

    assert stamp_of(changed) == version
    assert stamped(changed, head.version) == data


@given(HEADS, TEXT)
def test_an_entry_of_another_key_is_none(head: Head, key: str) -> None:
    assert (read_entry(encode(head, b"v"), key.encode()) is None) == (key != head.key)


def test_what_is_set_is_an_entry_like_any_other() -> None:
    tags = check_tags(["b", "a"])

    data = encode_set(b"price:AAPL", joined(tags), 1000.0, 1300.0, b"v")

    assert data == encode(Head("price:AAPL", 1000.0, 1300.0, tags=tags), b"v")


class Named:
    def __init__(self, name: bytes) -> None:
        self.name = name
        self.part = plain_part(name)


@given(st.lists(st.tuples(HEADS, TEXT, TIMES), max_size=5), st.integers(0, 2**53))
def test_many_entries_are_read_as_each_alone(cases: list[tuple[Head, str, float]], newest: int) -> None:
    """What the one loop for many takes for fresh is what a closer look takes for fresh; the rest it leaves to that."""
    for head, other, now in cases:
        for key in (head.key, other):
            data = encode(head, b"payload")

            (found,) = fresh_payloads([data], [Named(key.encode())], now, newest)

            is_plain = now < head.fresh_until and head.version >= newest
            is_plain = is_plain and not (head.is_absent or head.tags or head.source)
            assert found == (b"payload" if is_plain and key == head.key else None)
    assert fresh_payloads([None, b"", b"x" * 100], [Named(b"k")] * 3, 0.0, 0) == [None, None, None]


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
