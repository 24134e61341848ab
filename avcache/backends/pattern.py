"""The small grammar of key patterns: `*` and `?`, everything else stands for itself."""

from __future__ import annotations

import functools
import re
import unicodedata
from dataclasses import dataclass

from avcache.errors import InvalidInput

__all__ = ["EVERYTHING", "Pattern"]

_MAX_CHARACTERS = 256
_MAX_STARS = 8
_GRAMMAR = f"1 to {_MAX_CHARACTERS} printable characters with at most {_MAX_STARS} stars (* any text, ? one character)"
_REDIS_SPECIAL = re.compile(r"([\\\[\]^*?-])")
_WILD = re.compile(r"[*?]+")
_UNNAMED = "default:"


@dataclass(frozen=True, slots=True)
class Pattern:
    """Which keys are meant; compares and prints as its text."""

    text: str

    def __post_init__(self) -> None:
        if not isinstance(self.text, str) or not 1 <= len(self.text) <= _MAX_CHARACTERS:
            raise InvalidInput("pattern", self.text, _GRAMMAR)
        if any(unicodedata.category(character).startswith("C") for character in self.text):
            raise InvalidInput("pattern", self.text, _GRAMMAR)
        collapsed = re.sub(r"\*+", "*", self.text)
        if collapsed.count("*") > _MAX_STARS:
            raise InvalidInput("pattern", self.text, _GRAMMAR)
        object.__setattr__(self, "text", collapsed)

    def __str__(self) -> str:
        return self.text

    @property
    def is_literal(self) -> bool:
        """Whether the pattern names exactly one key."""
        return "*" not in self.text and "?" not in self.text

    def matches(self, key: str) -> bool:
        """Whether *key* is meant; a pattern without a colon means keys without one (kept as `default:…`) as well."""
        meant = _regex(self.text)
        if meant.fullmatch(key) is not None:
            return True
        return ":" not in self.text and key.startswith(_UNNAMED) and meant.fullmatch(key, len(_UNNAMED)) is not None

    def redis_glob(self, prefix: str) -> str:
        """
        A pattern in Redis' own grammar for what lies below *prefix*; it finds all keys that match, and maybe others.

        Redis' ? is one byte, ours one character: each becomes a star, as many as a server may be asked to try.
        """
        text = self.text if ":" in self.text or self.is_literal else f"*{self.text}"
        parts = [_REDIS_SPECIAL.sub(r"\\\1", part) for part in _WILD.split(text)]
        if len(parts) > _MAX_STARS + 1:
            parts = [*parts[:_MAX_STARS], ""]
        return _REDIS_SPECIAL.sub(r"\\\1", prefix) + "*".join(parts)


@functools.lru_cache(maxsize=256)
def _regex(text: str) -> re.Pattern[str]:
    first, *others = (
        "".join("." if letter == "?" else re.escape(letter) for letter in part) for part in text.split("*")
    )
    # The first place where a part fits is as good as any later one: without going back, eight stars cost no more than
    # one. (With `.*` for each, a key of 120 letters took minutes.)
    between = "".join(f"(?>.*?{part})" for part in others[:-1])
    return re.compile(first + between + "".join(f".*{part}" for part in others[-1:]), re.DOTALL)


EVERYTHING = Pattern("*")
