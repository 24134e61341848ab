"""What a key is, and what is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avcache.core.keys import DEFAULT_NAMESPACE, Key, Namespace, Namespaces
from avcache.errors import ConfigError, InvalidInput

NAMESPACES = Namespaces(
    Namespace(DEFAULT_NAMESPACE, 100.0), [Namespace("price", 10.0, canonical=str.upper), Namespace("user", 20.0)]
)


@pytest.mark.parametrize(
    ("typed", "text", "namespace"),
    [
        ("price:AAPL", "price:AAPL", "price"),
        ("price:aapl", "price:AAPL", "price"),
        ("user:aapl", "user:aapl", "user"),
        ("unknown:x", "unknown:x", "unknown"),
        ("plain", "default:plain", "default"),
        ("default:plain", "default:plain", "default"),
        ("user:a:b", "user:a:b", "user"),
        ("x", "default:x", "default"),
        ("user:../../etc", "user:../../etc", "user"),
        ("user:a\u0308", "user:\u00e4", "user"),
        ("user:日本 *?[x]\\{t}", "user:日本 *?[x]\\{t}", "user"),
        ("user:😀", "user:😀", "user"),
        ("x" * 512, "default:" + "x" * 512, "default"),
    ],
)
def test_a_key_has_one_form_and_a_namespace(typed: str, text: str, namespace: str) -> None:
    assert NAMESPACES.key(typed) == Key(text, namespace)


@pytest.mark.parametrize(
    "typed",
    [
        *("", ":", "user:", ":x", "x" * 513, "x" * 10_000, "a b:c", "ü:c", "a/b:c", "!lock:x", "*:x", "n" * 65 + ":x"),
        *("a\x00b", "user:a\r\nb", "user:a\tb", "user:\u200f", "user:\ud800", "user:\x1f", "\x7f"),
        *(b"user:x", 1, 1.5, float("nan"), None, True, ["user:x"], {"a": 1}, {1, 2}, object()),
    ],
    ids=ascii,
)
def test_what_is_no_key_is_refused_with_what_is_allowed(typed: object) -> None:
    with pytest.raises(InvalidInput, match=r"key=.*512 characters") as caught:
        NAMESPACES.key(typed)  # type: ignore[arg-type]

    assert len(str(caught.value)) < 300
    assert str(caught.value).isprintable()


@given(st.text(max_size=20), st.sampled_from(["price:", "user:", ""]))
def test_the_one_form_of_a_key_is_its_own_one_form(rest: str, prefix: str) -> None:
    try:
        key = NAMESPACES.key(prefix + rest)
    except InvalidInput:
        return

    assert NAMESPACES.key(key.text) == key
    assert NAMESPACES.is_canonical(key.text)


def test_the_upper_case_of_a_letter_that_has_none_of_its_own_is_one_form_still() -> None:
    key = NAMESPACES.key("price:\u0390")

    assert NAMESPACES.key(key.text) == key


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=12))
def test_two_texts_that_differ_in_more_than_composition_are_two_keys(text: str) -> None:
    key = NAMESPACES.key(f"user:{text}")

    assert NAMESPACES.key(f"user:{text}x") != key
    assert NAMESPACES.key(f"user:x{text}") != key


def test_only_a_key_in_its_one_form_is_canonical() -> None:
    assert NAMESPACES.is_canonical("price:AAPL")
    assert not NAMESPACES.is_canonical("price:aapl")
    assert not NAMESPACES.is_canonical("plain")
    assert not NAMESPACES.is_canonical("bad name:x")


def test_an_unknown_namespace_has_the_rules_of_the_default() -> None:
    assert NAMESPACES["price"].ttl == 10.0
    assert NAMESPACES["unknown"].ttl == 100.0
    assert [namespace.name for namespace in NAMESPACES] == ["default", "price", "user"]


@pytest.mark.parametrize("name", ["", "a b", "a:b", "*", "!x", "n" * 65])
def test_a_namespace_of_a_name_that_begins_no_key_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="namespace"):
        Namespaces(Namespace(DEFAULT_NAMESPACE, 1.0), [Namespace(name, 1.0)])


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("price:aapl", "price:AAPL"),
        ("price:a*", "price:A*"),
        ("user:a*", "user:a*"),
        ("plain", "default:plain"),
        ("*", "*"),
        ("pri*", "pri*"),
        ("unknown:a?", "unknown:a?"),
        ("user:a\u0308*", "user:\u00e4*"),
    ],
)
def test_a_pattern_is_brought_into_the_form_of_the_keys_it_means(typed: str, text: str) -> None:
    assert NAMESPACES.pattern(typed).text == text


@pytest.mark.parametrize("typed", ["", "a b:c", "user:", "x" * 257, "*" + "a*" * 9, "a\nb", None, 3, b"*"], ids=ascii)
def test_what_is_neither_key_nor_pattern_is_refused(typed: object) -> None:
    with pytest.raises(InvalidInput):
        NAMESPACES.pattern(typed)  # type: ignore[arg-type]
