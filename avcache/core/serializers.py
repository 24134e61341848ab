"""
Values as bytes and back, the same types on both sides, and nothing that is read is ever executed.

MessagePack carries None, bool, int, float, str, bytes, list and dict as they are; what it lacks travels as an
extension. What cannot come back the same is refused. numpy and pandas have a module of their own (`frames`), loaded
on first use.
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

__all__ = ["dumps", "loads"]

_TUPLE, _SET, _FROZENSET, _PAIRS, _BIG_INT, _DECIMAL = 1, 2, 3, 4, 5, 6
_DATE, _TIME, _DATETIME, _TIMEDELTA = 10, 11, 12, 13
FRAMES_FROM: Final = 32
"""Extension codes from here on belong to `frames`."""

_MIN_INT, _MAX_INT = -(2**63), 2**63 - 1
_MAX_DIGITS = 4000
_PLAIN = {type(None), bool, float, str, bytes}
_encoder = msgspec.msgpack.Encoder()


def dumps(value: object) -> bytes:
    """Return the bytes of *value*. Raises `SerializationError` for what would not come back the same."""
    try:
        return _encoder.encode(pack(value))
    except SerializationError:
        raise
    except RecursionError:
        raise SerializationError("the value is nested too deeply or contains itself") from None
    except Exception as exc:
        # numpy, pandas and Arrow raise what they like (NotImplementedError, AttributeError, …) for what they can't do.
        raise SerializationError(f"{type(value).__name__}: {exc}") from exc


def loads(data: bytes | memoryview) -> Any:
    """Return the value of *data*. Raises `SerializationError` for bytes that no `dumps` wrote."""
    try:
        return _decoder.decode(data)
    except Exception as exc:
        # As above, and zoneinfo: IsADirectoryError for the zone "America".
        raise SerializationError(f"undecodable value: {exc}") from exc


def pack(value: object) -> object:
    """Replace what MessagePack cannot carry by extensions, all the way down."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    packer = _PACKERS.get(kind)
    if packer is not None:
        return packer(value)
    if kind.__module__.partition(".")[0] in {"numpy", "pandas"}:
        from avcache.core import frames  # noqa: PLC0415 - pandas and numpy only for those who cache them

        return frames.pack(value)
    raise SerializationError(
        f"a value of type {kind.__module__}.{kind.__qualname__} cannot be cached: it would not come back as the same "
        "type. Cache plain values (numbers, text, bytes, list, tuple, dict, set, dates, Decimal, numpy, pandas)"
    )


def _pack_int(value: int) -> object:
    if _MIN_INT <= value <= _MAX_INT:
        return value
    digits = hex(value).encode()
    if len(digits) > _MAX_DIGITS:
        raise SerializationError(f"an integer of more than {_MAX_DIGITS} hexadecimal digits cannot be cached")
    return Ext(_BIG_INT, digits)


def _pack_dict(value: dict[object, object]) -> object:
    if all(type(key) is str for key in value):
        return {key: pack(item) for key, item in value.items()}
    return _ext(_PAIRS, [[key, item] for key, item in value.items()])


def _pack_datetime(value: dt.datetime) -> object:
    return _ext(_DATETIME, [value.replace(tzinfo=None).isoformat(), _zone_name(value), value.fold])


def _pack_time(value: dt.time) -> object:
    if value.tzinfo is not None:
        raise SerializationError("a time of day with a zone cannot be cached: use a datetime")
    return _ext(_TIME, [value.isoformat(), value.fold])


def _zone_name(value: dt.datetime) -> str | float | None:
    """A zone's name, or its fixed offset in seconds."""
    zone = value.tzinfo
    if zone is None:
        return None
    if isinstance(zone, zoneinfo.ZoneInfo) and zone.key:
        return zone.key
    # Compared by name: two fixed zones of one offset are equal, whatever they are called.
    if type(zone) is dt.timezone and zone.tzname(None) == dt.timezone(zone.utcoffset(None)).tzname(None):
        return zone.utcoffset(None).total_seconds()
    raise SerializationError(f"a datetime with a zone of type {type(zone).__name__} cannot be cached: use zoneinfo")


def _ext(code: int, content: object) -> Ext:
    return Ext(code, _encoder.encode(pack(content)))


_PACKERS: dict[type, Callable[[Any], object]] = {
    int: _pack_int,
    list: lambda value: [pack(item) for item in value],
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


def _unpack(code: int, data: memoryview) -> object:
    if code >= FRAMES_FROM:
        from avcache.core import frames  # noqa: PLC0415 - as above

        return frames.unpack(code, data)
    unpacker = _UNPACKERS.get(code)
    if unpacker is None:
        raise SerializationError(f"unknown extension {code}")
    return unpacker(data)


def _unpack_big_int(data: memoryview) -> int:
    if len(data) > _MAX_DIGITS:
        raise SerializationError("an integer of that size is not ours")
    return int(bytes(data), 16)


def _unpack_datetime(data: memoryview) -> dt.datetime:
    text, zone, fold = loads(data)
    naive = dt.datetime.fromisoformat(text).replace(fold=fold)
    if zone is None:
        return naive
    if isinstance(zone, str):
        return naive.replace(tzinfo=zoneinfo.ZoneInfo(zone))
    return naive.replace(tzinfo=dt.UTC if zone == 0 else dt.timezone(dt.timedelta(seconds=zone)))


def _unpack_time(data: memoryview) -> dt.time:
    text, fold = loads(data)
    return dt.time.fromisoformat(text).replace(fold=fold)


_UNPACKERS: dict[int, Callable[[memoryview], object]] = {
    _TUPLE: lambda data: tuple(loads(data)),
    _SET: lambda data: set(loads(data)),
    _FROZENSET: lambda data: frozenset(loads(data)),
    _PAIRS: lambda data: dict(loads(data)),
    _BIG_INT: _unpack_big_int,
    _DECIMAL: lambda data: Decimal(bytes(data).decode()),
    _DATE: lambda data: dt.date.fromisoformat(bytes(data).decode()),
    _TIME: _unpack_time,
    _DATETIME: _unpack_datetime,
    _TIMEDELTA: lambda data: dt.timedelta(*loads(data)),
}
_decoder = msgspec.msgpack.Decoder(ext_hook=_unpack)
