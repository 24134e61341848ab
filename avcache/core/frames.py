"""numpy and pandas as bytes: price frames as raw buffers, other pandas objects as Arrow IPC, checked on writing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
from msgspec.msgpack import Ext

from avcache.core import serializers
from avcache.errors import SerializationError

__all__ = ["pack", "unpack"]

_ARRAY, _SCALAR, _TIMESTAMP, _TIMEDELTA, _NAT, _PRICES, _FRAME, _SERIES = range(
    serializers.FRAMES_FROM, serializers.FRAMES_FROM + 8
)
_encoder = msgspec.msgpack.Encoder()


def pack(value: object) -> Ext:
    """Turn a numpy or pandas object into an extension. Raises `SerializationError` if it would come back changed."""
    if value is pd.NaT:
        return Ext(_NAT, b"")
    for kind, packer in _PACKERS.items():
        if type(value) is kind or (kind is np.generic and isinstance(value, np.generic)):
            return packer(value)
    raise SerializationError(f"a {type(value).__name__} cannot be cached: it would not come back the same")


def unpack(code: int, data: memoryview) -> object:
    """Turn an extension back into its object, which shares no memory with *data*."""
    unpacker = _UNPACKERS.get(code)
    if unpacker is None:
        raise SerializationError(f"unknown extension {code}")
    return unpacker(data)


def _ext(code: int, content: object) -> Ext:
    return Ext(code, _encoder.encode(serializers.pack(content)))


def _pack_array(value: np.ndarray[Any, Any]) -> Ext:
    _check_dtype(value.dtype)
    return _ext(_ARRAY, [value.dtype.str, list(value.shape), value.tobytes()])


def _unpack_array(data: memoryview) -> np.ndarray[Any, Any]:
    dtype, shape, raw = serializers.loads(data)
    return np.frombuffer(raw, dtype=_dtype(dtype)).reshape(shape).copy()


def _pack_scalar(value: np.generic) -> Ext:
    _check_dtype(value.dtype)
    if value.dtype.kind in "SU" and np.frombuffer(value.tobytes(), dtype=value.dtype)[0] != value:
        raise SerializationError("numpy text that is empty or ends with NUL cannot be cached: use str")
    return _ext(_SCALAR, [value.dtype.str, value.tobytes()])


def _unpack_scalar(data: memoryview) -> object:
    dtype, raw = serializers.loads(data)
    return np.frombuffer(raw, dtype=_dtype(dtype))[0]


def _check_dtype(dtype: np.dtype[Any]) -> None:
    if dtype.kind not in "biufcmMSU":
        raise SerializationError(f"numpy values of dtype {dtype} cannot be cached: use numbers, dates or text")


def _dtype(text: str) -> np.dtype[Any]:
    dtype = np.dtype(text)
    _check_dtype(dtype)
    return dtype


def _pack_timestamp(value: pd.Timestamp) -> Ext:
    zone = serializers.pack(value.to_pydatetime(warn=False).replace(microsecond=0)) if value.tzinfo else None
    return Ext(_TIMESTAMP, _encoder.encode([int(value.value), value.unit, zone]))


def _unpack_timestamp(data: memoryview) -> object:
    nanoseconds, unit, zoned = serializers.loads(data)
    stamp = pd.Timestamp(nanoseconds, unit="ns").as_unit(unit)
    return stamp if zoned is None else stamp.tz_localize("UTC").tz_convert(zoned.tzinfo)


def _unpack_timedelta(data: memoryview) -> object:
    nanoseconds, unit = serializers.loads(data)
    return pd.Timedelta(nanoseconds, unit="ns").as_unit(unit)


def _unpack_nat(_data: memoryview) -> object:
    return pd.NaT


def _pack_frame(value: pd.DataFrame) -> Ext:
    if _is_prices(value):
        return _pack_prices(value)
    plain = value.copy(deep=False)
    plain.attrs = {}  # Arrow would carry them too, as JSON
    packed = _ext(_FRAME, [_arrow(plain), _frequency(value.index), dict(value.attrs)])
    _check_same(_unpack_frame(memoryview(packed.data)), value)
    return packed


def _unpack_frame(data: memoryview) -> pd.DataFrame:
    raw, frequency, attrs = serializers.loads(data)
    with pa.ipc.open_stream(raw) as stream:
        table = stream.read_all()
    table.validate(full=True)  # offsets that point anywhere would be followed
    frame: pd.DataFrame = table.to_pandas()
    if frequency is not None and isinstance(frame.index, pd.DatetimeIndex):
        frame.index = pd.DatetimeIndex(frame.index, freq=frequency)
    frame.attrs.update(attrs)
    return frame


def _arrow(frame: pd.DataFrame) -> bytes:
    try:
        table = pa.Table.from_pandas(frame)
    except (pa.ArrowException, ValueError, TypeError) as exc:
        raise SerializationError(f"this frame cannot be cached: {exc}") from exc
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return bytes(sink.getvalue())


def _frequency(index: pd.Index[Any]) -> str | None:
    return index.freqstr if isinstance(index, pd.DatetimeIndex) else None


def _check_same(found: pd.DataFrame, wanted: pd.DataFrame) -> None:
    try:
        pd.testing.assert_frame_equal(found, wanted, check_exact=True)
    except (AssertionError, TypeError, ValueError) as exc:
        reason = str(exc).replace("\n", " ")[:200]
        raise SerializationError(f"this frame cannot be cached: it would come back changed ({reason})") from exc
    # None and NaN pass for equal above.
    for (name, one), (_, other) in zip(found.items(), wanted.items(), strict=True):
        if other.dtype == object and [type(item) for item in one] != [type(item) for item in other]:
            raise SerializationError(f"this frame cannot be cached: column {name!r} would come back changed")


def _is_prices(frame: pd.DataFrame) -> bool:
    """Floats by unique column name and date, the shape of every price history."""
    columns, index = frame.columns, frame.index
    return (
        type(index) is pd.DatetimeIndex
        and all(dtype == np.float64 for dtype in frame.dtypes)
        and type(columns) is pd.Index
        and columns.nlevels == 1
        and columns.dtype == _text_columns().dtype
        and columns.is_unique
        and len(columns) > 0
        and (index.tz is None or index.tz is dt.UTC)
        and isinstance(index.name, str | None)
        and isinstance(columns.name, str | None)
        and (index.freq is None or pd.tseries.frequencies.to_offset(index.freqstr) == index.freq)
    )


def _text_columns() -> pd.Index[str]:
    return pd.Index(["a"])


def _pack_prices(frame: pd.DataFrame) -> Ext:
    index = frame.index
    assert isinstance(index, pd.DatetimeIndex)  # noqa: S101 - _is_prices saw it
    content = [
        list(frame.columns),
        frame.columns.name,
        index.asi8.tobytes(),
        [index.unit, index.tz is not None, index.freqstr, index.name],
        np.ascontiguousarray(frame.to_numpy()).tobytes(),
        dict(frame.attrs),
    ]
    return _ext(_PRICES, content)


def _unpack_prices(data: memoryview) -> pd.DataFrame:
    names, columns_name, stamps, (unit, is_utc, frequency, index_name), raw, attrs = serializers.loads(data)
    moments = np.frombuffer(stamps, dtype=np.int64).copy().view(f"M8[{unit}]")
    index = pd.DatetimeIndex(moments, name=index_name, tz=dt.UTC if is_utc else None, freq=frequency)
    # Read-only memory would make every assignment of the caller fail.
    values = np.frombuffer(raw, dtype=np.float64).reshape(len(index), len(names)).copy()
    frame = pd.DataFrame(values, index=index, columns=pd.Index(names, name=columns_name), copy=False)
    frame.attrs.update(attrs)
    return frame


def _pack_series(value: pd.Series[Any]) -> Ext:
    return _ext(_SERIES, [value.to_frame("value"), value.name, dict(value.attrs)])


def _unpack_series(data: memoryview) -> pd.Series[Any]:
    frame, name, attrs = serializers.loads(data)
    series: pd.Series[Any] = frame["value"].rename(name)
    series.attrs = attrs
    return series


_PACKERS: dict[type, Callable[[Any], Ext]] = {
    np.ndarray: _pack_array,
    np.generic: _pack_scalar,
    pd.Timestamp: _pack_timestamp,
    pd.Timedelta: lambda value: _ext(_TIMEDELTA, [int(value.value), value.unit]),
    pd.DataFrame: _pack_frame,
    pd.Series: _pack_series,
}
_UNPACKERS: dict[int, Callable[[memoryview], object]] = {
    _ARRAY: _unpack_array,
    _SCALAR: _unpack_scalar,
    _TIMESTAMP: _unpack_timestamp,
    _TIMEDELTA: _unpack_timedelta,
    _NAT: _unpack_nat,
    _PRICES: _unpack_prices,
    _FRAME: _unpack_frame,
    _SERIES: _unpack_series,
}
