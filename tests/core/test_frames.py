"""numpy and pandas objects come back equal and of the same types, and are nobody else's."""

from __future__ import annotations

import cmath
import datetime as dt
import math
import subprocess
import sys
import threading
import zoneinfo
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pandas.tseries.offsets import CustomBusinessDay

from avcache.core import frames
from avcache.core.serializers import dumps, loads
from avcache.errors import SerializationError

often = settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

ZONES = [
    dt.UTC,
    zoneinfo.ZoneInfo("UTC"),
    zoneinfo.ZoneInfo("America/New_York"),
    dt.timezone(dt.timedelta(hours=5, minutes=30)),
]
UNITS: st.SearchStrategy[Any] = st.sampled_from(["s", "ms", "us", "ns"])
STAMPS = st.integers(-(2**33), 2**33) | st.just(-(2**63))  # the least is NaT
OBJECTS = (
    st.sampled_from([None, math.nan, pd.NaT, pd.NA, True, 1, 1.0, -0.0, "1", "", b"1", 2**70, (1, [2]), [1], {"a": 1}])
    | st.sampled_from([dt.date(2024, 1, 1), Decimal("1.50"), np.float64(1), np.int8(1), pd.Timestamp("2024", tz="UTC")])
    | st.text(max_size=3)
)
NUMPY = ["bool", "int8", "int64", "uint64", "float32", "float64", "complex128"]


def same(one: Any, other: Any) -> bool:
    """Whether two cells are of one type and equal, or the same kind of nothing."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float | complex) and cmath.isnan(one):
        return cmath.isnan(other)
    return one is other or (bool(one == other) and str(one) == str(other))


def assert_same_values(one: Any, other: Any) -> None:
    assert one.dtype == other.dtype
    assert type(one.array) is type(other.array)
    assert all(map(same, one.tolist(), other.tolist()))


def assert_same_index(one: Any, other: Any) -> None:
    assert type(one) is type(other)
    assert list(map(type, one.names)) == list(map(type, other.names))
    pd.testing.assert_index_equal(one, other, exact=True)
    assert getattr(one, "freq", None) == getattr(other, "freq", None)
    if isinstance(one, pd.MultiIndex):
        for level, another in zip(one.levels, other.levels, strict=True):
            assert_same_index(level, another)
    elif not isinstance(one, pd.RangeIndex | pd.IntervalIndex):
        assert_same_values(one, other)


def assert_same(one: Any, other: Any) -> None:
    """Whether two frames or series are equal: values, types, indexes, names, attributes and flags."""
    assert type(one) is type(other)
    assert_same_index(one.index, other.index)
    assert one.attrs == other.attrs
    assert one.flags == other.flags
    if isinstance(one, pd.Series):
        assert one.name == other.name
        assert type(one.name) is type(other.name)
        assert_same_values(one, other)
        return
    assert_same_index(one.columns, other.columns)
    for (_, column), (_, another) in zip(one.items(), other.items(), strict=True):
        assert_same_values(column, another)


def objects(values: list[Any]) -> np.ndarray[Any, Any]:
    made = np.empty(len(values), dtype=object)
    for at, value in enumerate(values):
        made[at] = value
    return made


@st.composite
def moments(draw: st.DrawFn, rows: int, kind: str) -> Any:
    raw = draw(st.lists(STAMPS, min_size=rows, max_size=rows))
    return np.array(raw, dtype="i8").view(f"{kind}8[{draw(UNITS)}]")


@st.composite
def arrays(draw: st.DrawFn, rows: int) -> Any:
    """A column of *rows* values, of any type that pandas knows and we keep."""

    def cells(of: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(of, min_size=rows, max_size=rows))

    kind = draw(st.sampled_from(["numpy", "M", "m", "zoned", "masked", "text", "object", "category", "period", "pair"]))
    if kind == "numpy":
        return draw(hnp.arrays(draw(st.sampled_from(NUMPY)), rows))
    if kind in "Mm":
        return draw(moments(rows, kind))
    if kind == "zoned":
        utc = pd.DatetimeIndex(draw(moments(rows, "M"))).tz_localize("UTC")
        return utc.tz_convert(draw(st.sampled_from(ZONES))).array
    if kind == "masked":
        dtype: Any = draw(st.sampled_from(["boolean", "Int64", "UInt8", "Float32", "Float64"]))
        return pd.array(cells(st.sampled_from([None, 0, 1])), dtype=dtype)
    if kind == "text":
        dtype = draw(st.sampled_from(["str", "string", "string[python]", "string[pyarrow]"]))
        return pd.array(cells(st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=4)), dtype=dtype)
    if kind == "object":
        return objects(cells(OBJECTS))
    if kind == "category":
        categories = pd.Index(["b", "a", "unused"], name=draw(st.sampled_from([None, "of"])))
        codes = cells(st.integers(-1, 1))
        return pd.Categorical.from_codes(codes, categories, ordered=draw(st.booleans()))
    if kind == "period":
        ordinals = np.array(cells(st.integers(0, 900) | st.just(-(2**63))), dtype="i8")
        frequency = draw(st.sampled_from(["D", "M", "Q-FEB", "W-FRI", "2h"]))
        return pd.arrays.PeriodArray(ordinals, dtype=pd.PeriodDtype(frequency))
    edges = np.arange(rows + 1).astype(draw(st.sampled_from(["i8", "f8", "M8[ns]"])))
    return pd.arrays.IntervalArray.from_breaks(edges, closed=draw(st.sampled_from(["left", "right", "both"])))


NAMES = st.sampled_from([None, "name", 5, ("a", 1), dt.date(2024, 1, 1), True, 1.0])
FREQUENCIES = st.sampled_from(["D", "B", "W-FRI", "ME", "QS-FEB", "2D", "h", "15min", "-1D", "BQE-JAN", "YS"])


@st.composite
def indexes(draw: st.DrawFn, size: int) -> Any:
    kind = draw(st.sampled_from(["range", "dates", "durations", "array", "array", "text", "levels"]))
    name: Any = draw(NAMES)
    if kind == "range":
        return pd.RangeIndex(5, 5 + 2 * size, 2, name=name)
    if kind == "dates":
        zone = draw(st.sampled_from([None, *ZONES]))
        dates = pd.date_range("2024-03-08", periods=size, freq=draw(FREQUENCIES), tz=zone, name=name, unit=draw(UNITS))
        return draw(st.sampled_from([dates, dates[::-1], dates.tz_convert("UTC") if zone else dates]))
    if kind == "durations":
        return pd.timedelta_range("1h", periods=size, freq=draw(st.sampled_from(["h", "D", "90s"])), name=name)
    if kind == "text":
        texts = draw(st.lists(st.sampled_from(["a", "b", "é", ""]), min_size=size, max_size=size))
        return pd.Index(texts, dtype=draw(st.sampled_from(["str", "object", "category"])), name=name)
    if kind == "levels":
        levels = [draw(arrays(size)), draw(st.lists(st.sampled_from("ab"), min_size=size, max_size=size))]
        try:
            return pd.MultiIndex.from_arrays(levels, names=[name, None])
        except TypeError:  # objects without a hash or an order
            return pd.RangeIndex(size)
    array = draw(arrays(size))
    return pd.Index(array, dtype=array.dtype, name=name)


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    rows, width = draw(st.integers(0, 4)), draw(st.integers(0, 4))
    columns = [pd.Series(draw(arrays(rows))) for _ in range(width)]
    frame = pd.DataFrame(dict(enumerate(columns)), index=range(rows))
    frame.index = draw(indexes(rows))
    frame.columns = draw(indexes(width))
    frame.attrs = draw(st.sampled_from([{}, {"source": "yahoo", "days": (1, 2), 5: None}]))
    return frame


@often
@given(tables())
def test_frames_come_back_the_same(frame: pd.DataFrame) -> None:
    assert_same(loads(dumps(frame)), frame)


@often
@given(st.data())
def test_series_come_back_the_same(data: st.DataObject) -> None:
    rows = data.draw(st.integers(0, 4))
    array = data.draw(arrays(rows))
    series = pd.Series(array, dtype=array.dtype, index=data.draw(indexes(rows)), name=data.draw(NAMES))
    series.attrs = {"unit": "USD"}

    assert_same(loads(dumps(series)), series)


@often
@given(st.integers(0, 4).flatmap(indexes))
def test_indexes_come_back_the_same(index: pd.Index[Any]) -> None:
    assert_same_index(loads(dumps(index)), index)


@often
@given(st.data())
def test_price_frames_come_back_the_same(data: st.DataObject) -> None:
    rows, width = data.draw(st.integers(0, 5)), data.draw(st.integers(1, 3))
    zone = data.draw(st.sampled_from([None, *ZONES]))
    index = pd.DatetimeIndex(data.draw(moments(rows, "M")), name=data.draw(st.sampled_from([None, "Date"])))
    if data.draw(st.booleans()):
        index = pd.date_range("2024-03-08", periods=rows, freq=data.draw(FREQUENCIES), name="Date", unit="s")
    columns = data.draw(st.lists(st.sampled_from(["open", "close", ""]), min_size=width, max_size=width))
    values = data.draw(hnp.arrays("float64", (rows, width)))
    prices = pd.DataFrame(values, index.tz_localize("UTC").tz_convert(zone) if zone else index, columns)
    prices.columns.name = data.draw(st.sampled_from([None, "field"]))

    back = loads(dumps(prices))

    assert_same(back, prices)
    assert np.array_equal(np.signbit(back.to_numpy()), np.signbit(prices.to_numpy()))


@often
@given(hnp.arrays(hnp.scalar_dtypes() | hnp.unicode_string_dtypes(), hnp.array_shapes(min_dims=0, min_side=0)))
def test_arrays_come_back_equal_with_dtype_and_shape(array: np.ndarray[Any, Any]) -> None:
    for given_array in (array, array.T, array[::2] if array.ndim else array, np.asfortranarray(array)):
        back = loads(dumps(given_array))

        assert (back.dtype, back.shape) == (given_array.dtype, given_array.shape)
        np.testing.assert_array_equal(back, given_array)
        assert back.flags.writeable


@often
@given(st.lists(OBJECTS, max_size=4))
def test_arrays_of_objects_come_back_the_same(cells: list[Any]) -> None:
    back = loads(dumps(objects(cells)))

    assert back.dtype == object
    assert all(map(same, back.tolist(), cells))


@often
@given(hnp.scalar_dtypes().flatmap(lambda dtype: hnp.arrays(dtype, 1)))
def test_numpy_scalars_come_back_the_same(array: np.ndarray[Any, Any]) -> None:
    scalar = array[0]

    try:
        data = dumps(scalar)
    except SerializationError:
        assert array.dtype.kind in "SU"
        return
    back = loads(data)

    assert type(back) is type(scalar)
    assert back.dtype == scalar.dtype
    np.testing.assert_array_equal(back, scalar)


@pytest.mark.parametrize("freq", ["D", "B", "W-FRI", "ME", "QS-FEB", "2D", "h", "15min", "-1D"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
@pytest.mark.parametrize("unit", ["s", "ns"])
def test_a_price_frame_keeps_index_frequency_zone_and_unit(freq: str, zone: str | None, unit: str) -> None:
    index = pd.date_range("2024-01-31", periods=6, freq=freq, tz=zone, name="Date").as_unit(unit)  # type: ignore[arg-type]
    prices = pd.DataFrame({"open": [1.0, math.nan, 3, 4, 5, -0.0], "close": 2.0}, index=index)
    prices.columns.name = "field"

    back = loads(dumps(prices))

    assert_same(back, prices)
    assert (back.index.freq, back.index.tz, back.index.unit) == (index.freq, index.tz, unit)
    assert math.copysign(1, back["open"].iloc[-1]) == -1


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame(),
        pd.DataFrame(index=["a", "b"]),
        pd.DataFrame(index=pd.date_range("2024", periods=2)),
        pd.DataFrame(columns=["a", "b"], dtype=float),
        pd.DataFrame({"a": [1.0]}, index=pd.DatetimeIndex(["2024-01-01"])).iloc[:0],
        pd.DataFrame(np.zeros((2, 2))),
        pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")], names=["one", "two"])),
        pd.DataFrame([[1, 2.5]], columns=["a", "a"]),
        pd.DataFrame({"a": [1]}, index=pd.Index([5], name="a")),
        pd.DataFrame({"__index_level_0__": [1]}, index=[5]),
        pd.DataFrame({"a": [1, None, math.nan, "x", True, 1.0]}, dtype=object),
        pd.DataFrame({"a": [[1, 2], [3]], "b": [(1, 2), {"x": 1}]}),
        pd.DataFrame({"a": [1.0]}, pd.date_range("2024", periods=1)).set_flags(allows_duplicate_labels=False),
        *(
            pd.DataFrame({"a": column}, index=pd.date_range("2024", periods=2))
            for column in (pd.array([1.0, 2], dtype="Float64"), pd.array([1, 2], dtype="Int64"), [1, 2])
        ),
        pd.DataFrame({"a": [1.0, 2], "n": [1, 2]}, index=pd.date_range("2024", periods=2)),
        pd.DataFrame(
            {"a": np.array([1, 2], "f4"), "b": np.array([3, 4], "f4")}, index=pd.date_range("2024", periods=2)
        ),
    ],
    ids=range(18),
)
def test_frames_of_odd_shapes_come_back_the_same(frame: pd.DataFrame) -> None:
    assert_same(loads(dumps(frame)), frame)


class Prices(pd.DataFrame):
    pass


@pytest.mark.parametrize(
    "value",
    [
        Prices({"a": [1.0]}),
        pd.DataFrame({"a": pd.arrays.SparseArray([0.0, 1.0])}, pd.date_range("2024", periods=2)),
        pd.DataFrame({"a": [1]}).astype("int64[pyarrow]"),
        pd.DataFrame({"a": 1.0}, pd.date_range("2024", periods=5, freq=CustomBusinessDay(holidays=["2024-01-03"]))),
        pd.Series(1, pd.date_range("2024", periods=5, freq=CustomBusinessDay(holidays=["2024-01-03"]))),
    ],
    ids=["subclass", "sparse", "arrow", "holidays", "holidays of a series"],
)
def test_what_would_not_come_back_the_same_is_refused(value: object) -> None:
    with pytest.raises(SerializationError):
        dumps(value)


FREQUENT = pd.date_range("2024", periods=3, name="date")
INDEXES = [FREQUENT, pd.DatetimeIndex(list(FREQUENT), name="date"), FREQUENT.tz_localize("UTC")]


@pytest.mark.parametrize("index", INDEXES, ids=["frequency", "none", "zone"])
def test_what_comes_back_can_be_written_to_and_is_nobody_elses(index: pd.DatetimeIndex) -> None:
    wanted = pd.DataFrame({"a": [1.0, 2, 3]}, index)
    wanted.attrs = {"days": [1]}
    data = dumps(wanted)
    first = loads(data)
    reset = first.reset_index()
    moved = pd.Series(first.index)

    first.iloc[0, 0] = 99.0
    first["new"] = 1
    first.attrs["days"].append(2)
    first.index.name = first.columns.name = "spoiled"
    first.index.freq = None
    reset.iloc[0, 0] = reset.iloc[2, 0]
    del first
    moved.iloc[0] = moved.iloc[2]

    assert_same(loads(data), wanted)


@pytest.mark.parametrize("index", INDEXES, ids=["frequency", "none", "zone"])
def test_frames_share_no_dates_that_can_be_written_to(index: pd.DatetimeIndex) -> None:
    data = dumps(pd.DataFrame({"a": [1.0, 2, 3]}, index))

    one, other = loads(data).index.asi8, loads(data).index.asi8

    assert not np.shares_memory(one, other) or not (one.flags.writeable or other.flags.writeable)


@pytest.mark.parametrize("of", ["index", "columns"])
def test_the_labels_of_a_price_frame_cannot_be_written_through(of: str) -> None:
    wanted = pd.DataFrame({"a": [1.0, 2], "b": 3.0}, pd.date_range("2024", periods=2))
    data = dumps(wanted)
    labels = getattr(loads(data), of)

    for memory in (labels.array, labels.values, labels.to_numpy()):
        try:
            memory[0] = memory[1]
        except ValueError:  # read-only
            continue

    assert_same(loads(data), wanted)


@pytest.mark.parametrize("column", [["x", "y"], [1, 2], pd.array([1, None], dtype="Int64"), pd.Categorical(["a", "b"])])
def test_other_columns_can_be_written_to(column: Any) -> None:
    data = dumps({"frame": pd.DataFrame({"a": column, "b": 1}), "series": pd.Series(column)})
    first = loads(data)

    first["frame"].loc[0, "a"] = column[1]
    first["series"].loc[0] = column[1]

    assert_same(loads(data)["frame"], pd.DataFrame({"a": column, "b": 1}))
    assert_same(loads(data)["series"], pd.Series(column))


def test_zoned_moments_can_be_written_to() -> None:
    series = pd.Series(pd.date_range("2024", periods=3, tz="Europe/Berlin"))

    back = loads(dumps(series))
    back.iloc[0] = back.iloc[2]

    assert_same(loads(dumps(series)), series)


def test_threads_that_read_one_frame_share_no_hash_table() -> None:
    data = dumps(pd.DataFrame({"a": [1.0, 2, 3]}, FREQUENT))
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(loads(data))) for _ in range(4)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({id(frame.index._engine) for frame in found}) == 4
    assert len({id(frame.columns._engine) for frame in found}) == 4


def test_indexes_are_kept_by_their_content_and_large_ones_not_at_all() -> None:
    frames._kept_dates.cache_clear()
    small = pd.DataFrame({"a": 1.0}, pd.date_range("2024", periods=5))
    large = pd.DataFrame({"a": 1.0}, pd.date_range("2024", periods=10_000, freq="min"))

    for frame in (small, small * 2, large):
        assert_same(loads(dumps(frame)), frame)

    assert frames._kept_dates.cache_info().currsize == 1


def test_pandas_is_loaded_by_those_who_cache_it_only() -> None:
    program = (
        "import sys, avcache\n"
        "from avcache.core import serializers\n"
        "assert serializers.loads(serializers.dumps({'a': (1, 2)})) == {'a': (1, 2)}\n"
        "assert not {'numpy', 'pandas', 'pyarrow'} & set(sys.modules), 'loaded'\n"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0
