"""From the arguments of a call to its key: which calls are one, and which are not."""

from __future__ import annotations

import functools
import hashlib
import inspect
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from avcache.core import serializers
from avcache.core.keys import Namespaces
from avcache.errors import ConfigError, InvalidInput, SerializationError

__all__ = ["Arguments", "KeyOf", "Keys", "argument_text", "digest"]

KeyOf = Callable[[Namespaces, Mapping[str, Any]], str]
"""Makes a key out of arguments by name."""
Found = tuple[str, Callable[[], Any]]
"""The key of a call, and what makes that call."""

_MAX_READABLE = 120
_REMEMBERED_CALLS: Final = 4096
_REMEMBERED_ARGUMENTS: Final = 16
_REMEMBERED_INT: Final = 2**64
_PLAIN = frozenset({str, int, bool, float, type(None)})
"""Types whose values have a text each: `-0.0` is not `0.0`, and `'1'` is not `1`."""
_CONSTANT = _PLAIN | {bytes}
_ALLOWED = (
    "a plain value (number, text, bytes, list, tuple, dict, set, date, Decimal, numpy, pandas), to be part of a cache "
    "key; or name the argument in ignore="
)


class Arguments:
    """
    What *function* may be called with.

    Args:
        ignored: Arguments that do not matter, or the name of one.
        ignores_receiver: Neither does the first one if it is `self` or `cls`.

    Raises:
        ConfigError: For an argument to ignore that there is not, and a function that does not tell its arguments.
    """

    def __init__(
        self, function: Callable[..., object], ignored: str | Collection[str], *, ignores_receiver: bool = False
    ) -> None:
        try:
            self._signature = inspect.signature(function)
        except (TypeError, ValueError) as exc:
            raise ConfigError(f"{function!r} does not tell its arguments: cache a function that calls it") from exc
        parameters = self._signature.parameters
        self._ignored = {ignored} if isinstance(ignored, str) else set(ignored)
        for name in self._ignored - parameters.keys():
            raise ConfigError(f"ignore={name!r}: {function!r} has no such argument")
        if ignores_receiver:
            self._ignored |= {"self", "cls"} & {*list(parameters)[:1]}
        kinds = [(at, name, parameters[name].kind) for at, name in enumerate(parameters) if name in self._ignored]
        by_position = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
        by_name = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
        self.ignores_some = bool(kinds)
        self._ignored_at = [at for at, _, kind in kinds if kind in by_position]
        self._ignored_names = frozenset(name for _, name, kind in kinds if kind in by_name)
        kept = [parameter for name, parameter in parameters.items() if name not in self._ignored]
        self.can_be_remembered = all(kind in by_position | by_name for _, _, kind in kinds) and all(
            _is_constant(parameter.default) for parameter in kept if parameter.default is not parameter.empty
        )
        """Not if a default may change, or what is ignored has no place of its own."""

    def by_name(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """All that matter, defaults too. Raises `TypeError` as the function itself would for a wrong call."""
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return {name: value for name, value in bound.arguments.items() if name not in self._ignored}

    def blanked(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
        """The same call with None in place of what is ignored: nobody is to keep that, or to look at it."""
        for at in self._ignored_at:
            if at < len(args):
                args = (*args[:at], None, *args[at + 1 :])
        if kwargs and not self._ignored_names.isdisjoint(kwargs):
            kwargs = {**kwargs, **dict.fromkeys(self._ignored_names & kwargs.keys())}
        return args, kwargs


class Keys:
    """
    The keys of the calls of *function*.

    Those of plain arguments are remembered: to bind arguments to names takes several times as long as a hit.
    """

    def __init__(self, function: Callable[..., Any], arguments: Arguments, key_of: KeyOf) -> None:
        self._function = function
        self._arguments = arguments
        self._key_of = key_of
        self._ignores_some = arguments.ignores_some
        self._known: tuple[Namespaces | None, Callable[..., Found]] = (None, _nothing)

    def find(self, namespaces: Namespaces, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Found:
        """
        The key of a call, and what makes that call.

        Raises:
            InvalidInput: An argument cannot be part of a key.
            TypeError: The function cannot be called in this way.
        """
        if self._ignores_some:
            key, _ = self._find(namespaces, *self._arguments.blanked(args, kwargs))
            return key, functools.partial(self._function, *args, **kwargs)
        return self._find(namespaces, args, kwargs)

    def _find(self, namespaces: Namespaces, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Found:
        known, remembered = self._known
        if known is not namespaces:
            remembered = self._remember(namespaces)
        try:
            return remembered(*args, **kwargs)
        except TypeError:  # not to be remembered, or a wrong call
            pass
        return self._make(namespaces, args, kwargs)

    def _make(self, namespaces: Namespaces, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Found:
        key = self._key_of(namespaces, self._arguments.by_name(args, kwargs))
        return key, functools.partial(self._function, *args, **kwargs)

    def _remember(self, namespaces: Namespaces) -> Callable[..., Found]:
        """What is remembered holds for one cache; that of the process may be built anew."""

        # typed: f(1), f(True) and f(1.0) are three calls. What raises is not remembered.
        @functools.lru_cache(_REMEMBERED_CALLS, typed=True)
        def remembered(*args: Any, **kwargs: Any) -> Found:
            given = (*args, *kwargs.values())
            if not self._arguments.can_be_remembered or len(given) > _REMEMBERED_ARGUMENTS:
                raise _NotRemembered
            if not all(map(_is_light, given)):
                raise _NotRemembered
            return self._make(namespaces, args, kwargs)

        self._known = namespaces, remembered
        return remembered


class _NotRemembered(TypeError):
    """As for what cannot be hashed."""


def _nothing(*_args: object, **_kwargs: object) -> Found:
    raise _NotRemembered


def argument_text(given: Mapping[str, Any]) -> str:
    """
    A text for each set of arguments by name: readable where it is short and simple, else a hash of the same.

    The order of dicts and sets does not matter. Raises `InvalidInput` naming the argument that is no plain value.
    """
    if all(type(value) in _PLAIN for value in given.values()):
        readable = ",".join(f"{name}={value}" for name, value in given.items())
        # A key has one form of each composed letter, and a star in a key looks like a pattern.
        is_plain = readable.isprintable() and unicodedata.is_normalized("NFC", readable)
        if is_plain and not set(readable) & set('*?"') and len(readable) <= _MAX_READABLE:
            return ",".join(f"{name}={value!r}" for name, value in given.items()) or "-"
    return digest(b"".join(_argument_bytes(name, value) for name, value in given.items()))


def digest(content: str | bytes) -> str:
    """A text of 32 characters that stands for *content*."""
    return hashlib.blake2b(content.encode() if isinstance(content, str) else content, digest_size=16).hexdigest()


def _argument_bytes(name: str, value: object) -> bytes:
    try:
        return serializers.dumps([name, _ordered(value)])
    except (SerializationError, RecursionError) as exc:
        raise _refusal(name, value) from exc


def _refusal(name: str, value: object) -> InvalidInput:
    try:
        return InvalidInput(name, value, _ALLOWED)
    except Exception:  # noqa: BLE001 - nested too deeply to be shown, or whatever a `__repr__` raises
        return InvalidInput(name, type(value), _ALLOWED)


def _ordered(value: object) -> Any:
    """The same bytes for equal dicts and sets, whatever their order; what kind it was goes with it."""
    kind: type = type(value)  # no subclass: the serializer refuses those
    if kind is dict:
        packed = {serializers.dumps(_ordered(key)): _ordered(item) for key, item in value.items()}  # type: ignore[attr-defined]
        return ["dict", [[key, packed[key]] for key in sorted(packed)]]
    if kind is set or kind is frozenset:
        return [kind.__name__, sorted(serializers.dumps(_ordered(item)) for item in value)]  # type: ignore[attr-defined]
    if kind is list or kind is tuple:
        return [kind.__name__, [_ordered(item) for item in value]]  # type: ignore[attr-defined]
    return value


def _is_light(value: object) -> bool:
    """Whether a call may be remembered: what equals *value* is the same to every function, and weighs little."""
    kind = type(value)
    if kind is str or kind is bytes:
        return len(value) <= _MAX_READABLE  # type: ignore[arg-type]
    if kind is int:
        return -_REMEMBERED_INT < value < _REMEMBERED_INT  # type: ignore[operator]
    if kind is float:
        return value != 0 and value == value  # noqa: PLR0124 - 0.0 equals -0.0, and no nan equals itself
    return kind is bool or value is None


def _is_constant(value: object) -> bool:
    """Whether *value* cannot change from call to call."""
    return type(value) in _CONSTANT or (type(value) is tuple and all(map(_is_constant, value)))
