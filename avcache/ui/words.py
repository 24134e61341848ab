"""Texts as people read them, and as nothing but text. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

__all__ = ["joined", "lines", "literal", "named", "sentence"]

# Inside a word _ . - mean nothing: names such as `user_x` stay as they are, in an address as well.
_ACTIVE = re.compile(r"([\\`*{}\[\]()#+!|~<>:$&=]|(?<![A-Za-z0-9])[_.\-]|[_.\-](?![A-Za-z0-9]))")
# What is changed after the escapes were read, so that only something in between prevents it: addresses become links,
# `:material/x:` and `:streamlit:` pictures, and `->`, `--`, `<=` among spaces other signs.
_REPLACED = re.compile(
    r"(?i)(?<=:)(?=//)|(?<=\bwww)(?=\.)|(?<=@)"
    r"|(?<=:)(?=material[/_]|streamlit:)"
    r"|(?<=[<>~-])(?<!\S[<>~-])(?=[=>-]+(?!\S))"
)
_WORD_JOINER = "\u2060"
# Four blanks or a tab before a line make it code; no escape prevents that.
_INDENT = re.compile(r"(?:\A|(?<=[\n\r]))[ \t]+")
_NO_BREAK_SPACE = "\u00a0"
# They turn what follows around, our own words too: `gnp.exe` reads exe.png.
_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")
_NAMED_AT_MOST = 40


def literal(text: str) -> str:
    """
    *text* for a place that reads Markdown, with nothing in it taken as markup or made a link.

    Marks that override the direction of writing are spelled out, as in `\\u202e`.
    """
    spelled = _TURNS.sub(lambda mark: f"\\u{ord(mark.group()):04x}", text)
    flush = _INDENT.sub(lambda blanks: _NO_BREAK_SPACE * len(blanks.group()), spelled)
    return _ACTIVE.sub(r"\\\1", _REPLACED.sub(_WORD_JOINER, flush))


def lines(texts: Iterable[str]) -> str:
    """`literal` of several, one below the other."""
    return "  \n".join(map(literal, texts))


def sentence(text: str) -> str:
    """*text* with a capital, as it stands alone under a title."""
    return text[:1].upper() + text[1:]


def joined(words: Sequence[str]) -> str:
    """`Monday`, `Monday and Friday`, `Monday, Tuesday and Friday`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def named(names: Sequence[str]) -> str:
    """*names* in one line, the first 40 of them."""
    shown = ", ".join(names[:_NAMED_AT_MOST])
    left = len(names) - _NAMED_AT_MOST
    return f"{shown} and {left} more" if left > 0 else shown
