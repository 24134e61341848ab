"""
numpy and pandas objects, taken apart into plain values and each other, and put together again.

A price history (floats by column name and date) goes as two buffers. Its date index is kept by its content: the
tickers of one market share their trading days, and building an index costs a third of reading a frame.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Hashable
from functools import lru_cache
from types import NoneType
from typing import Any, Final

import numpy as np
import pandas as pd

from avcache.core.columns import ARRAY, PACKERS, UNPACKERS, filling, offset_name, short, values_of, zone_carrier
from avcache.errors import SerializationError

__all__ = ["pack", "unpack"]

_KEPT: Final = 64
_KEPT_ROWS, _KEPT_COLUMNS = 8192, 256
"""At most so many indexes of at most so many labels are kept: 4 MiB of dates."""

_TEXT = pd.Index(["a"]).dtype


def pack(value: object) -> tuple[int, list[object]]:
    """Return the code of *value*'s type and its parts. Raises `SerializationError` if they would not make it again."""
    kind = np.generic if isinstance(value, np.generic) else type(value)
    if kind is pd.DataFrame and _is_prices(value):  # type: ignore[arg-type]
        return _PRICES, _pack_prices(value)  # type: ignore[arg-type]
    found = _PACKERS.get(kind)
    if found is None:
        raise SerializationError(f"a {type(value).__name__} cannot be cached: it would not come back the same")
    code, packer = found
    return code, packer(value)


def unpack(code: int, parts: object) -> object:
    """
    Make the object of *parts* again. It shares no memory that can be written to with anything else.

    A part of another type than its packer gave is refused, and so takes no more memory than it is long.
    """
    found = _UNPACKERS.get(code)
    if found is None:
        raise SerializationError(f"unknown extension {code}")
    unpacker, kinds = found
    if type(parts) is not list or len(parts) != len(kinds) or not all(map(isinstance, parts, kinds)):
        raise SerializationError(f"extension {code} is made of other parts")
    return unpacker(*parts)


def _pack_array(value: np.ndarray[Any, Any]) -> list[object]:
    if value.dtype.kind == "O":
        return ["O", list(value.shape), value.ravel().tolist()]
    _check_dtype(value.dtype)
    return [value.dtype.str, list(value.shape), value.tobytes()]


def _unpack_array(dtype: str, shape: list[int], content: list[object] | bytes) -> np.ndarray[Any, Any]:
    if isinstance(content, bytes):
        return np.frombuffer(content, dtype=_dtype(dtype)).reshape(shape).copy()
    array = np.empty(len(content), dtype=object)
    for at, item in enumerate(content):  # assigned at once, lists of one length would become rows
        array[at] = item
    return array.reshape(shape)


def _pack_scalar(value: np.generic) -> list[object]:
    _check_dtype(value.dtype)
    parts = value.dtype.str, value.tobytes()
    made = _unpack_scalar(*parts)
    if value.dtype.kind in "SU" and made != value:
        raise SerializationError("numpy text that is empty or ends with NUL cannot be cached: use str")
    if type(made) is not type(value):  # longlong, of the same size as int64
        raise SerializationError(f"a numpy {type(value).__name__} cannot be cached: use {type(made).__name__}")
    return [*parts]


def _unpack_scalar(dtype: str, content: bytes) -> object:
    return np.frombuffer(content, dtype=_dtype(dtype))[0]


def _check_dtype(dtype: np.dtype[Any]) -> None:
    # A long double is another number on another processor.
    if dtype.kind not in "biufcmMSU" or dtype.char in "gG" or not dtype.itemsize:
        raise SerializationError(f"numpy values of dtype {dtype} cannot be cached: use numbers, dates or text")


def _dtype(text: str) -> np.dtype[Any]:
    dtype = np.dtype(short(text))
    _check_dtype(dtype)
    return dtype


def _pack_timestamp(value: pd.Timestamp) -> list[object]:
    return [int(value.asm8.view("i8")), value.unit, zone_carrier(value.tzinfo)]


def _unpack_timestamp(moment: int, unit: str, carrier: dt.datetime | None) -> object:
    stamp = pd.Timestamp(np.datetime64(moment, unit))  # type: ignore[call-overload]
    return stamp if carrier is None else stamp.tz_localize("UTC").tz_convert(carrier.tzinfo)


def _pack_duration(value: pd.Timedelta) -> list[object]:
    return [int(value.asm8.view("i8")), value.unit]


def _unpack_duration(duration: int, unit: str) -> object:
    return pd.Timedelta(np.timedelta64(duration, unit))  # type: ignore[call-overload]


def _is_prices(frame: pd.DataFrame) -> bool:
    """Floats by column name and date, the shape of every price history."""
    index, names = frame.index, frame.columns
    return (
        type(index) is pd.DatetimeIndex
        and type(names) is pd.Index
        and names.dtype == _TEXT
        and len(names) > 0
        and isinstance(index.name, str | None)
        and isinstance(names.name, str | None)
        and frame.flags.allows_duplicate_labels
        and _is_float(frame)
    )


def _is_float(frame: pd.DataFrame) -> bool:
    values = frame.to_numpy()
    # Under copy-on-write only a view of the frame's one block is read-only, and a block of several columns has one
    # numpy dtype: 2 µs, where asking each column costs 25.
    if frame.shape[1] > 1 and not values.flags.writeable:
        return values.dtype == np.float64
    return all(dtype == np.float64 for dtype in frame.dtypes)


def _pack_prices(frame: pd.DataFrame) -> list[object]:
    index: Any = frame.index
    dates = [index.asi8.tobytes(), index.unit, zone_carrier(index.tz), offset_name(index.freq)]
    if index.freq is not None:
        _shared_dates(*dates)  # pandas must find the frequency right, or refuse it now
    names = [frame.columns.tolist(), frame.columns.name, index.name]
    return [names, dates, frame.to_numpy().T.tobytes(), dict(frame.attrs)]  # column after column, as pandas has them


def _unpack_prices(names: list[Any], dates: list[Any], content: bytes, attrs: dict[Hashable, object]) -> pd.DataFrame:
    labels, labels_name, dates_name = names
    if type(labels) is not list:
        raise SerializationError(f"a {type(labels).__name__} stands where the names of columns should")
    # Each caller's own, down to its hash table, which no two threads may fill at once.
    index, columns = _own_dates(_shared_dates(*dates)), _shared_names(labels)[:]
    index.name, columns.name = dates_name, labels_name
    # Copied, for read-only memory would make every assignment of the caller fail.
    values = np.frombuffer(content, dtype=np.float64).reshape(len(columns), len(index)).copy()
    frame = pd.DataFrame(values.T, index=index, columns=columns, copy=False)
    if attrs:
        frame.attrs.update(attrs)
    return frame


def _own_dates(shared: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """A copy; of an index with a frequency a slice: all else makes pandas check the frequency against every date."""
    return pd.DatetimeIndex(shared.array, copy=True) if shared.freq is None else shared[:]


def _shared_dates(stamps: bytes, unit: str, carrier: dt.datetime | None, frequency: str | None) -> pd.DatetimeIndex:
    build = _kept_dates if len(stamps) <= 8 * _KEPT_ROWS else _kept_dates.__wrapped__
    return build(stamps, unit, None if carrier is None else carrier.tzinfo, frequency)


@lru_cache(_KEPT)
def _kept_dates(stamps: bytes, unit: Any, zone: dt.tzinfo | None, frequency: str | None) -> pd.DatetimeIndex:
    dtype: Any = f"M8[{unit}]" if zone is None else pd.DatetimeTZDtype(unit, zone)
    # Over the bytes themselves: what many share cannot be written to.
    index = pd.DatetimeIndex(np.frombuffer(stamps, dtype=np.int64), dtype=dtype, copy=False)
    return index if frequency is None else pd.DatetimeIndex(index, freq=short(frequency))


def _shared_names(names: list[str]) -> pd.Index[str]:
    build = _kept_names if len(names) <= _KEPT_COLUMNS else _kept_names.__wrapped__
    return build(tuple(names))


@lru_cache(_KEPT)
def _kept_names(names: tuple[str, ...]) -> pd.Index[str]:
    return pd.Index(names, dtype=_TEXT)


def _pack_frame(frame: pd.DataFrame) -> list[object]:
    values = [values_of(column) for _, column in frame.items()]
    return [frame.columns, frame.index, values, dict(frame.attrs), frame.flags.allows_duplicate_labels]


def _unpack_frame(
    names: pd.Index[Any], index: pd.Index[Any], values: list[Any], attrs: dict[Hashable, object], duplicates: object
) -> pd.DataFrame:
    frame = pd.DataFrame({at: _column(array, index) for at, array in enumerate(values)}, index=index)
    frame.columns = names
    _describe(frame, attrs, duplicates)
    return frame


def _pack_series(series: pd.Series[Any]) -> list[object]:
    return [series.name, series.index, values_of(series), dict(series.attrs), series.flags.allows_duplicate_labels]


def _unpack_series(
    name: Hashable, index: pd.Index[Any], values: Any, attrs: dict[Hashable, object], duplicates: object
) -> pd.Series[Any]:
    series: pd.Series[Any] = pd.Series(filling(values, index), index, values.dtype, name=name, copy=True)
    _describe(series, attrs, duplicates)
    return series


def _column(values: Any, index: pd.Index[Any]) -> Any:
    """Objects as such: of an array of objects that are all text or moments, pandas would make text or moments."""
    return pd.Series(values, index=index, dtype=object) if filling(values, index).dtype == object else values


def _describe(made: Any, attrs: dict[Hashable, object], duplicates: object) -> None:
    made.attrs.update(attrs)
    made.flags.allows_duplicate_labels = duplicates


_ARRAY, _SCALAR, _TIMESTAMP, _DURATION, _NAT, _PRICES, _FRAME, _SERIES, _NA = range(9)

_PACKERS: dict[type, tuple[int, Callable[[Any], list[object]]]] = {
    np.ndarray: (_ARRAY, _pack_array),
    np.generic: (_SCALAR, _pack_scalar),
    pd.Timestamp: (_TIMESTAMP, _pack_timestamp),
    pd.Timedelta: (_DURATION, _pack_duration),
    type(pd.NaT): (_NAT, lambda _: []),
    type(pd.NA): (_NA, lambda _: []),
    pd.DataFrame: (_FRAME, _pack_frame),
    pd.Series: (_SERIES, _pack_series),
    **PACKERS,
}
_UNPACKERS: dict[int, tuple[Callable[..., object], tuple[Any, ...]]] = {
    _ARRAY: (_unpack_array, (str, list, (bytes, list))),
    _SCALAR: (_unpack_scalar, (str, bytes)),
    _TIMESTAMP: (_unpack_timestamp, (int, str, (dt.datetime, NoneType))),
    _DURATION: (_unpack_duration, (int, str)),
    _NAT: (lambda: pd.NaT, ()),
    _NA: (lambda: pd.NA, ()),
    _PRICES: (_unpack_prices, (list, list, bytes, dict)),
    _FRAME: (_unpack_frame, (pd.Index, pd.Index, list, dict, bool)),
    _SERIES: (_unpack_series, (object, pd.Index, ARRAY, dict, bool)),
    **UNPACKERS,
}
"""Code of an extension → what makes the object again, and the types of the parts it takes."""
