"""Texts as people read them, and as nothing but text. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from avcache.formats import format_count

__all__ = ["counted", "lines", "literal", "named", "sentence"]

_ACTIVE = re.compile(r"([\\`*_{}\[\]()#+\-.!|~<>:$&])")
_NAMED_AT_MOST = 40


def literal(text: str) -> str:
    """*text* for a place that reads Markdown, with nothing in it taken as markup."""
    return _ACTIVE.sub(r"\\\1", text)


def lines(texts: Iterable[str]) -> str:
    """`literal` of several, one below the other."""
    return "  \n".join(map(literal, texts))


def sentence(text: str) -> str:
    """*text* with a capital, as it stands alone under a title."""
    return text[:1].upper() + text[1:]


def counted(number: int, noun: str) -> str:
    """`1 key`, `89 keys`."""
    return f"{format_count(number)} {noun if number == 1 else f'{noun}s'}"


def named(names: Sequence[str]) -> str:
    """*names* in one line, the first 40 of them."""
    shown = ", ".join(names[:_NAMED_AT_MOST])
    left = len(names) - _NAMED_AT_MOST
    return f"{shown} and {left} more" if left > 0 else shown
