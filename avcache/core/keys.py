"""What a key is: `<namespace>:<rest>`, and what its namespace decides about it."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from avcache.backends.pattern import Pattern
from avcache.errors import ConfigError, InvalidInput

__all__ = ["DEFAULT_NAMESPACE", "Key", "Namespace", "Namespaces", "is_namespace", "split_key"]

DEFAULT_NAMESPACE = "default"
_MAX_CHARACTERS = 512
_NAMESPACE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_ALLOWED = (
    f"namespace:rest or plain text, 1 to {_MAX_CHARACTERS} characters without control characters; "
    "a namespace has letters, digits and _ . - only"
)


def is_namespace(text: str) -> bool:
    """Whether *text* may stand before the colon of a key."""
    return _NAMESPACE.fullmatch(text) is not None


def split_key(text: str) -> tuple[str, str]:
    """The namespace of a key and what follows it. Raises `InvalidInput`."""
    if not 1 <= len(text) <= _MAX_CHARACTERS:
        raise InvalidInput("key", text, _ALLOWED)
    if any(unicodedata.category(character).startswith("C") for character in text):
        raise InvalidInput("key", text, _ALLOWED)
    name, colon, rest = unicodedata.normalize("NFC", text).partition(":")
    if not colon:
        name, rest = DEFAULT_NAMESPACE, name
    if not rest or not is_namespace(name):
        raise InvalidInput("key", text, _ALLOWED)
    return name, rest


@dataclass(frozen=True, slots=True)
class Key:
    """One key: *text* is what the store sees."""

    text: str
    namespace: str


def _same(rest: str) -> str:
    return rest


@dataclass(frozen=True, slots=True)
class Namespace:
    """
    What the keys under one prefix have in common.

    Args:
        ttl: Seconds an entry counts as fresh, where the caller does not say.
        stale_ttl: Further seconds a loaded value may be served while it is loaded again.
        canonical: Brings the part after the colon into its one form (`aapl` and `AAPL` are one key).
    """

    name: str
    ttl: float
    stale_ttl: float = 0.0
    canonical: Callable[[str], str] = _same


class Namespaces:
    """The known namespaces, and the rules of *default* for all others."""

    def __init__(self, default: Namespace, known: Iterable[Namespace] = ()) -> None:
        self._default = default
        self._known = {namespace.name: namespace for namespace in (default, *known)}
        for name in self._known:
            if not is_namespace(name):
                raise ConfigError(f"namespace {name!r}: letters, digits and _ . - only")
        self._parsed = functools.lru_cache(maxsize=4096)(self._parse)

    def __iter__(self) -> Iterator[Namespace]:
        return iter(self._known.values())

    def __getitem__(self, name: str) -> Namespace:
        """The rules for *name*; those of the default namespace if it is not known."""
        return self._known.get(name, self._default)

    def key(self, text: str) -> Key:
        """Read a key, in its one form. Raises `InvalidInput`."""
        if not isinstance(text, str):  # what cannot be hashed would not get past the memo below
            raise InvalidInput("key", text, _ALLOWED)
        return self._parsed(text)

    def is_canonical(self, text: str) -> bool:
        """Whether *text* is a key in its one form, as all of ours are in the store."""
        try:
            return self.key(text).text == text
        except InvalidInput:
            return False

    def pattern(self, text: str) -> Pattern:
        """Read a pattern; without a star or question mark it means the one key of that text."""
        pattern = Pattern(unicodedata.normalize("NFC", Pattern(text).text))
        if pattern.is_literal:
            return Pattern(self.key(text).text)
        name, colon, rest = pattern.text.partition(":")
        if not colon or name not in self._known:
            return pattern
        return Pattern(f"{name}:{self._known[name].canonical(rest)}")

    def _parse(self, text: str) -> Key:
        name, rest = split_key(text)
        # Once more: the upper case of a composed letter may be two characters.
        return Key(unicodedata.normalize("NFC", f"{name}:{self[name].canonical(rest)}"), name)
