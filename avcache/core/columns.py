"""
The columns and indexes of pandas, taken apart into plain values, numpy arrays and each other, and put together again.

Whole by construction: each type is named here with all that makes it what it is, and a type that is not is refused.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import lru_cache
from types import NoneType
from typing import Any, Final

import numpy as np
import pandas as pd

from avcache.errors import SerializationError

__all__ = ["ARRAY", "PACKERS", "UNPACKERS", "filling", "offset_name", "short", "values_of", "zone_carrier"]

ARRAY = (np.ndarray, pd.api.extensions.ExtensionArray)
_LONGEST_NAME: Final = 64
_MOST_LABELS: Final = 2**20
"""Of a range as level or categories: pandas looks at each, and few bytes can name 2⁵⁰."""


def zone_carrier(zone: dt.tzinfo | None) -> dt.datetime | None:
    """A moment in *zone*: a datetime can be serialized, a zone alone cannot."""
    return None if zone is None else dt.datetime(2000, 1, 1, tzinfo=zone)


@lru_cache(64)
def offset_name(offset: Any) -> str | None:
    """The name of the frequency of an index, from which pandas makes the same frequency again; None for none."""
    if offset is None:
        return None
    name: str = offset.freqstr
    if pd.tseries.frequencies.to_offset(name) != offset:
        raise SerializationError(f"an index of frequency {offset!r} cannot be cached: its name does not say all")
    return name


def short(name: str) -> str:
    """Return the *name* of a dtype or a frequency if it is no longer than one: pandas parses 20 000 digits for 7 s."""
    if len(name) > _LONGEST_NAME:
        raise SerializationError(f"a name of {len(name)} characters is that of no dtype and of no frequency")
    return name


def values_of(labelled: Any) -> object:
    """The array of an index or a series, of the very dtype."""
    return labelled.to_numpy() if isinstance(labelled.dtype, np.dtype) else labelled.array


def filling(values: Any, index: pd.Index[Any]) -> Any:
    """Return *values* if they are an array, one for each label: pandas would repeat a single one 2⁵⁰ times."""
    if not isinstance(values, ARRAY) or values.shape != (len(index),):
        raise SerializationError(f"a {type(values).__name__} stands where an array of {len(index)} should")
    return values


def _bounded(labels: Any) -> Any:
    if not isinstance(labels, pd.Index) or (isinstance(labels, pd.RangeIndex) and len(labels) > _MOST_LABELS):
        raise SerializationError(f"levels and categories are an index, and if a range of {_MOST_LABELS} at most")
    return labels


def _pack_datetimes(array: Any) -> list[object]:
    return [array.view("i8"), array.unit, zone_carrier(array.dtype.tz)]


def _unpack_datetimes(moments: np.ndarray[Any, Any], unit: str, carrier: dt.datetime) -> object:
    utc = pd.DatetimeIndex(moments.view(f"M8[{unit}]")).tz_localize("UTC")
    return utc.tz_convert(carrier.tzinfo).array.copy()


def _pack_masked(array: Any) -> list[object]:
    return [array.to_numpy(dtype=array.dtype.numpy_dtype, na_value=array.dtype.numpy_dtype.type(0)), array.isna()]


def _unpack_masked(values: np.ndarray[Any, Any], mask: np.ndarray[Any, Any]) -> object:
    kind: Any = {"b": pd.arrays.BooleanArray, "f": pd.arrays.FloatingArray}.get(
        values.dtype.kind, pd.arrays.IntegerArray
    )
    return kind(values, mask)


def _pack_texts(array: Any) -> list[object]:
    is_nullable = array.dtype.na_value is pd.NA
    return [array.to_numpy(dtype=object, na_value=None).tolist(), array.dtype.storage, is_nullable]


def _unpack_texts(texts: list[Any], storage: Any, is_nullable: object) -> object:
    if not {str, np.str_, NoneType}.issuperset(map(type, texts)):
        raise SerializationError("what should be texts is not")
    return pd.array(texts, dtype=pd.StringDtype(storage, na_value=pd.NA if is_nullable else np.nan))


def _pack_categories(array: Any) -> list[object]:
    return [array.codes, _bounded(array.categories), bool(array.ordered)]


def _unpack_categories(codes: np.ndarray[Any, Any], categories: pd.Index[Any], ordered: object) -> object:
    return pd.Categorical.from_codes(codes, categories=_bounded(categories), ordered=bool(ordered))


def _pack_periods(array: Any) -> list[object]:
    if pd.PeriodDtype(array.freqstr) != array.dtype:
        raise SerializationError(f"periods of frequency {array.freq!r} cannot be cached: its name does not say all")
    return [array.view("i8"), array.freqstr]


def _unpack_periods(ordinals: np.ndarray[Any, Any], frequency: str) -> object:
    return pd.arrays.PeriodArray(ordinals, dtype=pd.PeriodDtype(short(frequency)))


def _pack_intervals(array: Any) -> list[object]:
    return [values_of(array.left), values_of(array.right), array.closed]


def _unpack_intervals(left: Any, right: Any, closed: Any) -> object:
    return pd.arrays.IntervalArray.from_arrays(left, right, closed=closed)


def _pack_index(index: pd.Index[Any]) -> list[object]:
    values = values_of(index)
    frequency = offset_name(index.freq) if isinstance(index, pd.DatetimeIndex | pd.TimedeltaIndex) else None
    if frequency is not None:
        _unpack_index(type(index).__name__, values, None, frequency)  # pandas must find it right, or refuse it now
    return [type(index).__name__, values, index.name, frequency]


_INDEXES: dict[str, Any] = {
    kind.__name__: kind
    for kind in (pd.Index, pd.DatetimeIndex, pd.TimedeltaIndex, pd.PeriodIndex, pd.CategoricalIndex, pd.IntervalIndex)
}


def _unpack_index(kind: str, values: Any, name: Any, frequency: str | None) -> pd.Index[Any]:
    # Without the dtype, pandas would make text of objects that are all text.
    options: dict[str, Any] = {"dtype": values.dtype} if kind == "Index" else {}
    if frequency is not None:
        options["freq"] = short(frequency)
    index: pd.Index[Any] = _INDEXES[kind](values, name=name, **options)
    return index


def _pack_range(index: pd.RangeIndex) -> list[object]:
    return [index.start, index.stop, index.step, index.name]


def _unpack_range(start: int, stop: int, step: int, name: Any) -> pd.RangeIndex:
    return pd.RangeIndex(start, stop, step, name=name)


def _pack_levels(index: pd.MultiIndex) -> list[object]:
    return [
        [_bounded(level) for level in index.levels],
        [np.asarray(codes) for codes in index.codes],
        list(index.names),
    ]


def _unpack_levels(levels: list[Any], codes: list[Any], names: list[Any]) -> pd.MultiIndex:
    if not all(isinstance(item, np.ndarray) for item in codes):
        raise SerializationError("codes of a level are no array")
    return pd.MultiIndex(levels=[_bounded(level) for level in levels], codes=codes, names=names, verify_integrity=True)


_DATETIMES, _MASKED, _TEXTS, _CATEGORIES, _PERIODS, _INTERVALS, _INDEX, _RANGE, _LEVELS = range(16, 25)

PACKERS: dict[type, tuple[int, Callable[[Any], list[object]]]] = {
    pd.arrays.DatetimeArray: (_DATETIMES, _pack_datetimes),
    pd.arrays.IntegerArray: (_MASKED, _pack_masked),
    pd.arrays.FloatingArray: (_MASKED, _pack_masked),
    pd.arrays.BooleanArray: (_MASKED, _pack_masked),
    pd.arrays.StringArray: (_TEXTS, _pack_texts),
    pd.arrays.ArrowStringArray: (_TEXTS, _pack_texts),
    pd.Categorical: (_CATEGORIES, _pack_categories),
    pd.arrays.PeriodArray: (_PERIODS, _pack_periods),
    pd.arrays.IntervalArray: (_INTERVALS, _pack_intervals),
    **dict.fromkeys(_INDEXES.values(), (_INDEX, _pack_index)),
    pd.RangeIndex: (_RANGE, _pack_range),
    pd.MultiIndex: (_LEVELS, _pack_levels),
}
"""Type → code of its extension, and what takes it apart into what its unpacker asks for."""

UNPACKERS: dict[int, tuple[Callable[..., object], tuple[Any, ...]]] = {
    _DATETIMES: (_unpack_datetimes, (np.ndarray, str, dt.datetime)),
    _MASKED: (_unpack_masked, (np.ndarray, np.ndarray)),
    _TEXTS: (_unpack_texts, (list, str, bool)),
    _CATEGORIES: (_unpack_categories, (np.ndarray, pd.Index, bool)),
    _PERIODS: (_unpack_periods, (np.ndarray, str)),
    _INTERVALS: (_unpack_intervals, (ARRAY, ARRAY, str)),
    _INDEX: (_unpack_index, (str, ARRAY, object, (str, NoneType))),
    _RANGE: (_unpack_range, (int, int, int, object)),
    _LEVELS: (_unpack_levels, (list, list, list)),
}
"""Code of an extension → what makes the object again, and the types of the parts it takes."""
