"""
Values as bytes and back, the same types on both sides, and nothing that is read is ever executed.

MessagePack carries None, bool, int, float, str, bytes, list and dict as they are; what it lacks travels as an
extension. What cannot come back the same is refused. numpy and pandas have modules of their own (`frames`,
`columns`), loaded on first use, that know nothing of bytes: they take an object apart into values, and put it together.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

import msgspec
from msgspec.msgpack import Ext

from avcache.errors import SerializationError

__all__ = ["decode", "dumps", "loads"]

_TUPLE, _SET, _FROZENSET, _PAIRS, _BIG_INT, _DECIMAL = 1, 2, 3, 4, 5, 6
_DATE, _TIME, _DATETIME, _TIMEDELTA = 10, 11, 12, 13
_FRAMES_FROM: Final = 32
"""Extension codes from here on are those of `frames`, counted from 0 there."""

_MIN_INT, _MAX_INT = -(2**63), 2**64 - 1
_MAX_DIGITS = 4000
_LEAVES = frozenset({type(None), bool, int, float, str, bytes})
_are_leaves = _LEAVES.issuperset
_encode = msgspec.msgpack.Encoder().encode


def dumps(value: object) -> bytes:
    """Return the bytes of *value*. Raises `SerializationError` for what would not come back the same."""
    try:
        return _encoded(value)
    except SerializationError:
        raise
    except RecursionError:
        raise SerializationError("the value is nested too deeply or contains itself") from None
    except Exception as exc:
        # numpy and pandas raise what they like (NotImplementedError, AttributeError, …) for what they can't do.
        raise SerializationError(f"{type(value).__name__}: {exc}") from exc


def loads(data: bytes | memoryview) -> Any:
    """Return the value of *data*. Raises `SerializationError` for bytes that no `dumps` wrote."""
    try:
        return decode(data)
    except Exception as exc:
        # As above, and zoneinfo: IsADirectoryError for the zone "America".
        raise SerializationError(f"undecodable value: {exc}") from exc


def _encoded(value: object) -> bytes:
    """Plain values go to the encoder as they are: a look at their types costs a third of taking them apart."""
    if type(value) in _LEAVES or _is_plain(value):
        try:
            return _encode(value)
        except OverflowError:  # an integer beyond 64 bits
            pass
    return _encode(_packed(value))


def _is_plain(value: object) -> bool:
    """
    Whether MessagePack carries *value* as it is, integers beyond 64 bits excepted.

    By type, not by instance: the encoder takes enums, dataclasses, tuples and subclasses too, and writes what comes
    back as something else.
    """
    kind = type(value)
    if kind is dict:
        for key, item in value.items():  # type: ignore[attr-defined]
            if type(key) is not str:
                return False
            if type(item) not in _LEAVES and not _is_plain(item):
                return False
        return True
    if kind is list:
        return _are_leaves(map(type, value)) or all(map(_is_plain, value))  # type: ignore[call-overload]
    return kind in _LEAVES


def _packed(value: object) -> object:
    """Replace what MessagePack cannot carry by extensions, all the way down."""
    kind = type(value)
    packer = _PACKERS.get(kind)
    if packer is not None:
        return packer(value)
    if kind in _LEAVES:
        return value
    if kind.__module__.partition(".")[0] in {"numpy", "pandas"}:
        from avcache.core import frames  # noqa: PLC0415 - pandas and numpy only for those who cache them

        code, content = frames.pack(value)
        return _ext(_FRAMES_FROM + code, content)
    raise SerializationError(
        f"a value of type {kind.__module__}.{kind.__qualname__} cannot be cached: it would not come back as the same "
        "type. Cache plain values (numbers, text, bytes, list, tuple, dict, set, dates, Decimal, numpy, pandas)"
    )


def _ext(code: int, content: object) -> Ext:
    return Ext(code, _encoded(content))


def _pack_int(value: int) -> object:
    if _MIN_INT <= value <= _MAX_INT:
        return value
    digits = hex(value).encode()
    if len(digits) > _MAX_DIGITS:
        raise SerializationError(f"an integer of more than {_MAX_DIGITS} hexadecimal digits cannot be cached")
    return Ext(_BIG_INT, digits)


def _pack_list(value: list[object]) -> object:
    return [item if type(item) in _SAFE else _packed(item) for item in value]


def _pack_dict(value: dict[object, object]) -> object:
    if all(type(key) in _SAFE for key in value):
        return {key: item if type(item) in _SAFE else _packed(item) for key, item in value.items()}
    return _ext(_PAIRS, [[key, item] for key, item in value.items()])


def _pack_datetime(value: dt.datetime) -> object:
    return _ext(_DATETIME, [value.replace(tzinfo=None).isoformat(), _zone_name(value.tzinfo), value.fold])


def _pack_time(value: dt.time) -> object:
    return _ext(_TIME, [value.replace(tzinfo=None).isoformat(), _zone_name(value.tzinfo), value.fold])


def _zone_name(zone: dt.tzinfo | None) -> str | float | None:
    """A zone's name, or its fixed offset in seconds."""
    if zone is None:
        return None
    if type(zone) is zoneinfo.ZoneInfo and zone.key:
        zone.__reduce__()  # refuses a zone made from a file, which may have any name
        return zone.key
    # Compared by name: two fixed zones of one offset are equal, whatever they are called.
    if type(zone) is dt.timezone and zone.tzname(None) == dt.timezone(zone.utcoffset(None)).tzname(None):
        return zone.utcoffset(None).total_seconds()
    raise SerializationError(f"a zone of type {type(zone).__name__} cannot be cached: use zoneinfo")


_PACKERS: dict[type, Callable[[Any], object]] = {
    int: _pack_int,
    list: _pack_list,
    dict: _pack_dict,
    tuple: lambda value: _ext(_TUPLE, list(value)),
    set: lambda value: _ext(_SET, list(value)),
    frozenset: lambda value: _ext(_FROZENSET, list(value)),
    Decimal: lambda value: Ext(_DECIMAL, str(value).encode()),
    dt.date: lambda value: Ext(_DATE, value.isoformat().encode()),
    dt.time: _pack_time,
    dt.datetime: _pack_datetime,
    dt.timedelta: lambda value: _ext(_TIMEDELTA, [value.days, value.seconds, value.microseconds]),
}
_SAFE = _LEAVES - _PACKERS.keys()


def _unpacked(code: int, data: memoryview) -> object:
    if code >= _FRAMES_FROM:
        from avcache.core import frames  # noqa: PLC0415 - as above

        return frames.unpack(code - _FRAMES_FROM, decode(data))
    unpacker = _UNPACKERS.get(code)
    if unpacker is None:
        raise SerializationError(f"unknown extension {code}")
    return unpacker(data)


def _items(data: memoryview) -> list[Any]:
    """The list in *data*. All else that can be iterated over may go on for ever, as a range of 2⁵⁰ numbers does."""
    items = decode(data)
    if type(items) is not list:
        raise SerializationError(f"a {type(items).__name__} stands where a list should")
    return items


def _unpack_pairs(data: memoryview) -> dict[Any, Any]:
    pairs = _items(data)
    if not {list}.issuperset(map(type, pairs)):
        raise SerializationError("what should be pairs is not")
    return dict(pairs)


def _unpack_big_int(data: memoryview) -> int:
    if len(data) > _MAX_DIGITS:
        raise SerializationError("an integer of that size is not ours")
    return int(bytes(data), 16)


def _unpack_datetime(data: memoryview) -> dt.datetime:
    text, zone, fold = _items(data)
    return dt.datetime.fromisoformat(text).replace(tzinfo=_zone(zone), fold=fold)


def _unpack_time(data: memoryview) -> dt.time:
    text, zone, fold = _items(data)
    return dt.time.fromisoformat(text).replace(tzinfo=_zone(zone), fold=fold)


def _zone(name: str | float | None) -> dt.tzinfo | None:
    if name is None:
        return None
    if isinstance(name, str):
        return zoneinfo.ZoneInfo(name)
    return dt.timezone(dt.timedelta(seconds=name))  # of no offset, this is dt.UTC itself


_UNPACKERS: dict[int, Callable[[memoryview], object]] = {
    _TUPLE: lambda data: tuple(_items(data)),
    _SET: lambda data: set(_items(data)),
    _FROZENSET: lambda data: frozenset(_items(data)),
    _PAIRS: _unpack_pairs,
    _BIG_INT: _unpack_big_int,
    _DECIMAL: lambda data: Decimal(bytes(data).decode()),
    _DATE: lambda data: dt.date.fromisoformat(bytes(data).decode()),
    _TIME: _unpack_time,
    _DATETIME: _unpack_datetime,
    _TIMEDELTA: lambda data: dt.timedelta(*_items(data)),
}
decode: Callable[[bytes | memoryview], Any] = msgspec.msgpack.Decoder(ext_hook=_unpacked).decode
"""`loads` for bytes that are known to be good."""
