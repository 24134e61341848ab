"""What stands for a function in its keys, and that no two functions answer for each other under one name."""

from __future__ import annotations

import inspect
import re
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from types import CodeType
from typing import Any

from avcache.core.keys import DEFAULT_NAMESPACE, is_namespace, split_key
from avcache.errors import ConfigError, InvalidInput

__all__ = ["Owner", "check_name", "claim", "prefix_of", "shown", "title_of"]

_TICKER_NAME = re.compile(r"[\w.-]{1,64}")
_MAX_NAME = 128
_HASH = "0" * 32
_GLOB = frozenset("*?[]\\")


@dataclass(frozen=True, slots=True)
class Owner:
    """The function under a name, and what its module was executed as: a reload brings a new spec."""

    function: Callable[[], Callable[..., object] | None]
    spec: object


def title_of(function: Callable[..., object]) -> str:
    """
    The full name of *function*.

    Raises:
        ConfigError: It has none of its own: a partial, an object that can be called, a method of an object.
    """
    owner = getattr(function, "__self__", None)
    if not hasattr(function, "__qualname__") or not (owner is None or inspect.ismodule(owner)):
        raise ConfigError(f"{function!r} has no name of its own, by which to tell its results: give it a name=")
    return shown(function)


def check_name(name: object, *, is_suffix: bool = False) -> None:
    """Raise `ConfigError` for a *name* that no key can carry; *is_suffix*: it stands behind a ticker and @."""
    if is_suffix:
        if not isinstance(name, str) or not _TICKER_NAME.fullmatch(name):
            raise ConfigError(f"name={name!r}: 1 to 64 letters, digits and _ . - are allowed")
    elif not isinstance(name, str) or not _fits(name):
        raise ConfigError(f"name={name!r}: 1 to {_MAX_NAME} characters without * ? [ ] \\ and control characters")


def prefix_of(given: str, title: str) -> str:
    """
    What stands before *title*: the prefix given, or nothing where the title can be a namespace itself.

    Raises:
        ConfigError: No key begins with the prefix, or it looks like a pattern.
    """
    if not isinstance(given, str):
        raise ConfigError(f"key_prefix={given!r}: a text such as 'user:'")
    prefix = given if ":" in given or not given else f"{given}:"
    if not prefix and not is_namespace(title):  # too long, or not of ASCII letters only
        return f"{DEFAULT_NAMESPACE}:"
    if prefix and not is_namespace(prefix.partition(":")[0]):
        raise ConfigError(f"key_prefix={given!r}: letters, digits and _ . - are allowed before the colon")
    if prefix and not _fits(prefix):
        raise ConfigError(
            f"key_prefix={given!r}: at most {_MAX_NAME} characters without * ? [ ] \\ and control characters"
        )
    return prefix


def claim(owners: dict[str, Owner], place: str, function: Callable[..., object]) -> None:
    """
    Make *function* the owner of *place*, which it keeps while it lives.

    Raises:
        ConfigError: Another function has it; not if that is what *function* was before its module was executed anew.
    """
    owner = owners.get(place)
    known = None if owner is None else owner.function()
    if owner is not None and known is not None and not _is_same(known, owner.spec, function):
        raise ConfigError(f"{place} already belongs to {shown(known)}: give {shown(function)} a name= of its own")
    owners[place] = Owner(_reference(function), _globals(function).get("__spec__"))


def _is_same(known: Callable[..., object], spec: object, function: Callable[..., object]) -> bool:
    """Whether *function* is *known*, or what a reload of its module, or of a cell of a notebook, made of it."""
    if known is function:
        return True
    code, known_code = _code(function), _code(known)
    if code is None or known_code is None or shown(known) != shown(function):
        return False
    is_lambda = "<lambda>" in shown(function)
    if _globals(known) is not _globals(function) or spec is not _globals(function).get("__spec__"):
        return not is_lambda or code == known_code
    if code == known_code:  # a closure, and what wraps a function, may hold something else
        return not any(getattr(one, "__closure__", True) for one in (known, function))
    is_typed = code.co_filename != known_code.co_filename or code.co_filename.startswith("<")
    return is_typed and not is_lambda


def _code(function: Callable[..., object]) -> CodeType | None:
    return getattr(inspect.unwrap(function), "__code__", None)


def _globals(function: Callable[..., object]) -> dict[str, Any]:
    return getattr(inspect.unwrap(function), "__globals__", {})


def _reference(function: Callable[..., object]) -> Callable[[], Callable[..., object] | None]:
    try:
        return weakref.ref(function)
    except TypeError:  # an object that nobody can refer to weakly
        return lambda: function


def shown(function: object) -> str:
    """How a message names *function*."""
    name = getattr(function, "__qualname__", None)
    return repr(function) if name is None else f"{getattr(function, '__module__', None)}.{name}"


def _fits(text: str) -> bool:
    """Whether keys may begin with *text*."""
    try:
        split_key(f"{text}{_HASH}")
    except InvalidInput:
        return False
    return 1 <= len(text) <= _MAX_NAME and not _GLOB & set(text)
