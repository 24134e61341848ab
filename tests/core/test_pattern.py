"""The small grammar of patterns, held against a matcher written another way."""

from __future__ import annotations

import fnmatch
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from avcache.backends.pattern import EVERYTHING, Pattern
from avcache.errors import InvalidInput

LETTERS = "ab:*?[]^-\\é日{}"
PATTERNS = st.text(LETTERS, min_size=1, max_size=12).filter(lambda text: re.sub(r"\*+", "*", text).count("*") <= 8)
KEYS = st.text(LETTERS, max_size=14)


def matches(pattern: str, key: str) -> bool:
    """Which keys a pattern means, by the textbook: one row of the table for each character of the pattern."""
    reached = [True, *[False] * len(key)]
    for mark in pattern:
        row = [mark == "*" and reached[0]]
        for at, letter in enumerate(key):
            if mark == "*":
                row.append(row[at] or reached[at + 1])
            else:
                row.append(reached[at] and mark in {"?", letter})
        reached = row
    return reached[-1]


def redis_matches(glob: str, name: str) -> bool:
    """What Redis says: bytes, with a backslash before what stands for itself; no classes are left in our globs."""
    parts = re.findall(r"\\.|.", glob, re.DOTALL)
    readable = "".join(
        {"*": "*", "?": "?"}.get(part, f"[{part[-1]}]" if part[-1] in "*?[" else part[-1]) for part in parts
    )
    latin = readable.encode().decode("latin-1")
    return fnmatch.fnmatchcase(name.encode().decode("latin-1"), latin)


@given(PATTERNS, KEYS)
@example("a*b?", "a*b*")
@example("*", "")
@example("?", "\n")
def test_a_pattern_means_what_the_textbook_says(pattern: str, key: str) -> None:
    assert Pattern(pattern).matches(key) is matches(pattern, key)


@given(PATTERNS, KEYS)
@example("a?", "aé")
@example("?a?a?a?a?a?a?a?a?a?a", "bababababababababa")
def test_the_glob_for_redis_misses_no_key_that_is_meant(pattern: str, key: str) -> None:
    glob = Pattern(pattern).redis_glob("app[1]:")

    assert redis_matches(glob, "app[1]:" + key) or not Pattern(pattern).matches(key)


@given(PATTERNS, KEYS)
def test_the_glob_for_redis_never_leaves_the_prefix(pattern: str, key: str) -> None:
    glob = Pattern(pattern).redis_glob("app[1]:")

    assert not redis_matches(glob, "app1:" + key)
    assert not redis_matches(glob, "xapp[1]:" + key)


@given(st.text(LETTERS.replace("*", "").replace("?", ""), min_size=1, max_size=14), KEYS)
def test_a_pattern_without_wildcards_means_one_key(text: str, key: str) -> None:
    pattern = Pattern(text)

    assert pattern.is_literal
    assert pattern.matches(key) is (key == text)


def test_what_redis_reads_as_a_class_is_escaped_in_prefix_and_pattern() -> None:
    assert Pattern("p[x]:^a-\\*").redis_glob("app[1]?*:") == "app\\[1\\]\\?\\*:p\\[x\\]:\\^a\\-\\\\*"


def test_a_glob_has_eight_stars_at_most_however_many_question_marks_there_are() -> None:
    assert Pattern("?a" * 100).redis_glob("p:").count("*") == 8


def test_stars_in_a_row_are_one() -> None:
    assert Pattern("a****b") == Pattern("a*b")
    assert str(Pattern("**")) == "*"
    assert Pattern("**") == EVERYTHING


@pytest.mark.parametrize("text", ["x" * 256, "*a" * 8, "*" * 256, "[", "[a-", "\\", "\\*", "[^a]*", "%2a", "é", " "])
def test_what_the_grammar_allows_is_taken(text: str) -> None:
    assert Pattern(text).matches(text.replace("*", "z"))


@pytest.mark.parametrize(
    "text", ["", "x" * 257, "*a" * 9, "a\nb", "a\x00", "a\r\n", "\u200f", "\ud800", None, 1, True, b"*", ["*"]]
)
def test_what_the_grammar_does_not_allow_is_refused(text: object) -> None:
    with pytest.raises(InvalidInput, match=r"pattern=.*256"):
        Pattern(text)  # type: ignore[arg-type]


def test_a_pattern_of_many_stars_on_a_long_key_is_answered_at_once() -> None:
    assert not Pattern("*a" * 7 + "*b").matches("a" * 120)


@pytest.mark.parametrize("pattern", ["foo*", "foo?", "*o1", "f*1"])
def test_a_pattern_without_a_colon_means_keys_without_one_too(pattern: str) -> None:
    meant = Pattern(pattern)

    assert meant.matches("default:foo1")
    assert meant.matches("foo1")
    assert not meant.matches("default:bar")
    assert not meant.matches("other:foo1") or pattern.startswith("*")
