"""Values come back as they were, or are refused; what is read is never executed."""

from __future__ import annotations

import datetime as dt
import io
import math
import os
import zoneinfo
from collections import OrderedDict
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from importlib.resources import files
from pathlib import Path
from types import NoneType
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.msgpack import Ext
from pandas.tseries.offsets import CustomBusinessDay

from avcache.core import frames
from avcache.core.serializers import dumps, loads
from avcache.errors import SerializationError

often = settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

ZONES = [
    None,
    dt.UTC,
    zoneinfo.ZoneInfo("Europe/Berlin"),
    zoneinfo.ZoneInfo("UTC"),
    dt.timezone(dt.timedelta(hours=-3)),
]
MOMENTS = st.datetimes(min_value=dt.datetime(1800, 1, 1), timezones=st.sampled_from(ZONES))  # noqa: DTZ001
HASHABLE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.binary(max_size=8)
    | st.decimals(allow_nan=False)
    | st.dates()
    | st.times()
    | st.timedeltas()
    | MOMENTS,
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=5,
)
VALUES = st.recursive(
    HASHABLE | st.sets(HASHABLE, max_size=4),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(HASHABLE, inner, max_size=4) | st.tuples(inner, inner, inner)
    ),
    max_leaves=10,
)
SAMPLES: list[object] = [
    *(
        0,
        -0.0,
        2**63,
        2**64,
        -(2**63) - 1,
        10**400,
        -(10**400),
        math.inf,
        -math.inf,
        True,
        None,
        "",
        b"",
        "\x00",
        "日本",
    ),
    *((), [], {}, set(), frozenset(), (1, (2, [3, {4: (5,)}])), {1: "a", (1, 2): "b", None: "c", b"x": 1.5}),
    *({"nested": {"deep": [1.5, None]}}, Decimal("1.10"), Decimal("-0"), Decimal("Infinity"), dt.timedelta(-1, 5, 7)),
    *(dt.time(1, tzinfo=dt.UTC), dt.time(1, tzinfo=ZONES[2]), [2**64], {"a": [2**64, (2**64,)]}, {2**64: 1, -1: 2}),
    *(dt.date.min, dt.date.max, dt.time(1, 2, 3, 4, fold=1), dt.datetime(2024, 10, 27, 2, 30, tzinfo=ZONES[2], fold=1)),
    *(dt.datetime(2024, 1, 1), dt.datetime(1, 1, 1, tzinfo=ZONES[4]), np.float64(1.5), np.int8(-3), np.bool_(True)),  # noqa: DTZ001
    *(np.datetime64("2024-01-01T00:00", "m"), np.timedelta64(5, "D"), np.str_("é"), np.float32(0.1), np.complex128(1j)),
    *(
        pd.Timestamp("2024-01-01 00:00:00.123456789"),
        pd.Timestamp("2024-06-01", tz="America/New_York"),
        pd.Timedelta(1),
    ),
    *(
        pd.Timestamp("3000-01-01"),
        pd.Timestamp("2024-10-27 01:30", tz="UTC").tz_convert("Europe/Berlin"),
        pd.Timestamp.max,
    ),
    *(pd.Timestamp("2024-06-01", tz="UTC").as_unit("s"), pd.Timedelta("-1D").as_unit("s")),
]


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal and of the same types all the way down."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return len(one) == len(other) and all(map(same, one.items(), other.items()))
    if isinstance(one, set | frozenset):
        types = sorted(type(item).__name__ for item in one), sorted(type(item).__name__ for item in other)
        return bool(one == other) and types[0] == types[1]
    if isinstance(one, dt.datetime):
        zones = [getattr(moment.tzinfo, "key", moment.tzinfo) for moment in (one, other)]
        return bool(one == other) and one.fold == other.fold and zones[0] == zones[1]
    if isinstance(one, float):
        return bool(one == other and math.copysign(1, one) == math.copysign(1, other))
    return bool(one == other)


@often
@given(VALUES)
def test_plain_values_come_back_equal_and_of_the_same_types(value: object) -> None:
    assert same(loads(dumps(value)), value)


@pytest.mark.parametrize("value", SAMPLES, ids=lambda value: ascii(value)[:30])
def test_each_type_comes_back_as_itself(value: object) -> None:
    back = loads(dumps(value))

    assert same(back, value)
    assert str(back) == str(value)


def test_what_is_not_a_number_comes_back_as_such() -> None:
    assert math.isnan(loads(dumps(math.nan)))
    assert loads(dumps(Decimal("NaN"))).is_nan()
    assert loads(dumps(pd.NaT)) is pd.NaT


@pytest.mark.parametrize("more", [{}, {"a": 1}, {5: 1}, {(1, 2): 1}], ids=repr)
def test_each_key_that_is_not_a_number_is_a_key_of_its_own(more: dict[Any, Any]) -> None:
    back = loads(dumps({math.nan: 2, -math.nan: 3, float("nan"): 4, **more}))

    assert list(back.values()) == [2, 3, 4, *more.values()]
    assert all(map(math.isnan, list(back)[:3]))


class Colour(Enum):
    RED = 1


class Level(IntEnum):
    LOW = 1


class Word(StrEnum):
    YES = "yes"


class Point(NamedTuple):
    x: int


@dataclass
class Record:
    x: int


class Text(str):
    __slots__ = ()


def _renamed_zone() -> zoneinfo.ZoneInfo:
    """A zone made from a file, under a name that is another's."""
    return zoneinfo.ZoneInfo.from_file(io.BytesIO(files("tzdata.zoneinfo.Asia").joinpath("Tokyo").read_bytes()), "UTC")


def _itself() -> list[object]:
    made: list[object] = []
    made.append(made)
    return made


def _nested(depth: int) -> object:
    made: object = 1
    for _ in range(depth):
        made = [made]
    return made


@pytest.mark.parametrize(
    "value",
    [
        *(
            object(),
            Colour.RED,
            Text("x"),
            bytearray(b"x"),
            OrderedDict(a=1),
            range(3),
            lambda: 1,
            int,
            1j,
            ValueError(),
        ),
        *((number for number in [1]), Path(), memoryview(b"x"), "\ud800", {"a": object()}, _itself(), _nested(5000)),
        *(Level.LOW, Word.YES, Point(1), Record(1), [Point(1)], {"a": Level.LOW}, {Text("a"): 1}, (Word.YES,)),
        *(1 << 20_000, dt.datetime(2024, 1, 1, tzinfo=dt.timezone(dt.timedelta(0), "Z"))),
        *(dt.datetime(2024, 1, 1, tzinfo=_renamed_zone()), pd.Timestamp("2024", tz=_renamed_zone())),
        *(np.longlong(1), np.longdouble(1), np.array([1j], dtype=np.clongdouble), {"\udc00": 1}),
        *(np.str_(""), np.str_("a\x00"), np.bytes_(b""), np.array([object()]), np.void(b"x")),
        *(np.ma.masked, np.ma.masked_array([1], [True]), np.zeros(2, "i4,f8"), pd.Period("2024")),
        *(pd.DataFrame({"a": [object()]}), pd.DataFrame({"a": [1j]}, dtype=object), pd.Interval(1, 2)),
        pd.DataFrame({"a": pd.arrays.SparseArray([0, 1])}),
        pd.DataFrame({"a": 1.0}, pd.date_range("2024", periods=5, freq=CustomBusinessDay(holidays=["2024-01-03"]))),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_would_not_come_back_the_same_is_refused(value: object) -> None:
    with pytest.raises(SerializationError):
        dumps(value)


def test_the_refusal_names_the_type_and_what_may_be_cached() -> None:
    with pytest.raises(SerializationError, match=r"test_serializers\.Colour cannot be cached.*plain values"):
        dumps({"a": [Colour.RED]})


def _encoded(value: object) -> bytes:
    return msgspec.msgpack.encode(value)


@often
@given(st.binary(max_size=300))
def test_random_bytes_are_a_value_or_a_serialization_error(data: bytes) -> None:
    try:
        loads(data)
    except SerializationError:
        return


JUNK = st.recursive(
    st.none() | st.integers(-(2**63), 2**63) | st.text(max_size=6) | st.binary(max_size=16) | st.floats(),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@often
@given(st.integers(0, 60), JUNK)
def test_an_extension_that_holds_junk_is_a_value_or_a_serialization_error(code: int, junk: object) -> None:
    for content in (_encoded(junk), junk if isinstance(junk, bytes) else b""):
        try:
            loads(_encoded(Ext(code, content)))
        except SerializationError:
            continue


ENDLESS = pd.RangeIndex(2**50)
ONE = np.array([0])
WORDS = ["O", "<f8", "<U3", "V8", "m8", "ns", "s", "D", "2h", "W-FRI", "Index", "DatetimeIndex", "left", "python", ""]
ANYTHING = JUNK | st.sampled_from([ENDLESS, ONE, pd.Index(["a"]), pd.NaT, dt.datetime(2024, 1, 1, tzinfo=dt.UTC)])
PARTS: dict[Any, st.SearchStrategy[Any]] = {
    object: ANYTHING,
    NoneType: st.none(),
    bool: st.booleans(),
    int: st.integers(-(2**63), 2**63) | st.integers(-2, 2),
    str: st.sampled_from(WORDS) | st.text(max_size=3),
    bytes: st.sampled_from([b"", b"\0" * 8, b"\xff" * 16]) | st.binary(max_size=16),
    list: st.lists(ANYTHING, max_size=4) | st.just([0]) | st.just([ONE]),
    dict: st.dictionaries(st.sampled_from(["a", "dtype", "tzinfo"]), ANYTHING, max_size=2),
    dt.datetime: st.sampled_from([dt.datetime(2024, 1, 1), pd.Timestamp("2024", tz="Europe/Berlin")]),  # noqa: DTZ001
    np.ndarray: st.sampled_from([ONE, ONE == 0, np.array(1.5), np.zeros((1, 2)), np.array([2**62, -(2**63)])])
    | st.sampled_from([np.array(["a"]), np.array([None]), np.array([5], "M8[s]"), np.array([-1, 9], "i1")]),
    pd.api.extensions.ExtensionArray: st.sampled_from([pd.array([1, None]), pd.array(["a"]), pd.Categorical(["a"])]),
    pd.Index: st.sampled_from([ENDLESS, pd.RangeIndex(1), pd.Index(["a"]), pd.date_range("2024", periods=2)])
    | st.just(pd.MultiIndex.from_tuples([(1, 2)])),
}


def _forged(code: int, content: object) -> bytes:
    return _encoded(Ext(code, dumps(content)))


@st.composite
def forgeries(draw: st.DrawFn) -> bytes:
    """An extension of numpy or pandas, made of parts of the types it asks for."""
    code = draw(st.sampled_from(sorted(frames._UNPACKERS)))
    asked = [kinds if isinstance(kinds, tuple) else (kinds,) for kinds in frames._UNPACKERS[code][1]]
    return _forged(32 + code, [draw(st.one_of([PARTS[kind] for kind in kinds])) for kinds in asked])


@settings(often, max_examples=500)
@given(forgeries())
def test_an_extension_of_parts_of_the_right_types_is_a_value_or_a_serialization_error(data: bytes) -> None:
    cause = None

    try:
        loads(data)
    except SerializationError as exc:
        cause = exc.__cause__

    assert not isinstance(cause, MemoryError)


RICH = {
    "prices": pd.DataFrame({"a": [1.0, 2.0]}, pd.date_range("2024", periods=2)),
    "frame": pd.DataFrame({"a": ["x", "y"], "b": [1, 2], "c": pd.Categorical(["u", "v"])}, pd.RangeIndex(2)),
    "series": pd.Series([1, None], pd.MultiIndex.from_tuples([("a", 1), ("b", 2)]), dtype="Int64"),
    "zoned": pd.Series(pd.date_range("2024", periods=2, tz="Europe/Berlin"), pd.period_range("2024", periods=2)),
    "objects": pd.Series([1, "x"], pd.interval_range(0, 2), dtype=object),
    "more": (1 << 70, {1, 2}, Decimal("1.5"), dt.datetime(2024, 1, 1, tzinfo=dt.UTC), np.arange(3)),
}
RICH_BYTES = dumps(RICH)


def test_a_value_that_is_cut_anywhere_is_a_serialization_error() -> None:
    for cut in range(len(RICH_BYTES)):
        with pytest.raises(SerializationError):
            loads(RICH_BYTES[:cut])


@settings(often, max_examples=600)
@given(st.integers(0, len(RICH_BYTES) - 1), st.integers(1, 255))
def test_a_changed_byte_gives_a_value_or_a_serialization_error(at: int, change: int) -> None:
    data = bytearray(RICH_BYTES)
    data[at] ^= change

    try:
        loads(bytes(data))
    except SerializationError:
        return


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"\xc1", b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff", b"\x91" * 100_000),
        _encoded(Ext(12, _encoded(["2020-01-01T00:00:00", "America", 0]))),
        _encoded(Ext(12, _encoded(["2020-01-01T00:00:00", "../../etc/passwd", 0]))),
        _encoded(Ext(34, _encoded([1, "ns", 5]))),
        _encoded(Ext(39, _encoded([{"value": 3}, "n", {}]))),
        _encoded(Ext(32, _encoded(["|O", [1], b"12345678"]))),
        _encoded(Ext(32, _encoded(["(", [1], b"12345678"]))),
        _encoded(Ext(5, b"f" * 10_000)),
        _encoded(Ext(99, b"")),
    ],
    ids=range(14),
)
def test_what_no_dumps_wrote_is_a_serialization_error(data: bytes) -> None:
    with pytest.raises(SerializationError):
        loads(data)


def _in_tuples(depth: int) -> bytes:
    data = _encoded(1)
    for _ in range(depth):
        data = _encoded(Ext(1, data))
    return data


def test_bytes_that_nest_too_deeply_are_a_serialization_error() -> None:
    with pytest.raises(SerializationError):
        loads(_in_tuples(3000))


LONG: Any = pd.RangeIndex(3_000_000)
DATES = [b"\0" * 8, "ns", None, None]
LABEL = pd.Index(["a"])


@pytest.mark.parametrize("code", [1, 2, 3, 4, 11, 12, 13, *(32 + code for code in sorted(frames._UNPACKERS))])
def test_a_range_for_a_list_is_refused_before_it_is_spread_out(code: int) -> None:
    with pytest.raises(SerializationError) as refused:
        loads(_forged(code, ENDLESS))

    assert isinstance(refused.value.__cause__, SerializationError)


@pytest.mark.parametrize(
    ("code", "parts"),
    [
        (4, [ENDLESS]),
        (32, ["O", [1], ENDLESS]),
        (32, ["<f8", ENDLESS, b""]),
        (37, [[ENDLESS, None, None], DATES, b"\0" * 8, {}]),
        (38, [LABEL, ENDLESS, [np.float64(1)], {}, True]),
        (38, [LABEL, ENDLESS, [np.array(1.0)], {}, True]),
        (38, [LABEL, ENDLESS, [np.array([1.0])], {}, True]),
        (38, [LABEL, ENDLESS, [np.array(["a"], dtype=object)], {}, True]),
        (38, [LABEL, ENDLESS, [pd.array([1.0])], {}, True]),
        (38, [LABEL, ENDLESS, [ENDLESS], {}, True]),
        (39, ["name", ENDLESS, np.float64(1), {}, True]),
        (39, ["name", ENDLESS, np.array(1.0), {}, True]),
        (48, [ENDLESS, "ns", dt.datetime(2024, 1, 1, tzinfo=dt.UTC)]),
        (50, [ENDLESS, "pyarrow", False]),
        (50, [[ENDLESS], "pyarrow", False]),
        (51, [ENDLESS, LABEL, False]),
        (51, [ONE, ENDLESS, False]),
        (52, [ENDLESS, "D"]),
        (53, [ENDLESS, ENDLESS, "left"]),
        (54, ["Index", ENDLESS, None, None]),
        (54, [ENDLESS, ONE, None, None]),
        (54, ["DatetimeIndex", ONE, None, ENDLESS]),
        (56, [[ENDLESS], [ONE], [None]]),
        (56, [[[ENDLESS]], [ONE], [None]]),
        (56, [[LABEL], [ENDLESS], [None]]),
        (56, [[LABEL], [ONE], ENDLESS]),
    ],
    ids=range(26),
)
def test_forged_bytes_take_no_more_memory_than_they_are_long(code: int, parts: list[object]) -> None:
    forged = _forged(code, parts)

    with pytest.raises(SerializationError) as refused:
        loads(forged)

    assert isinstance(refused.value.__cause__, SerializationError)


@pytest.mark.parametrize(
    ("code", "parts"),
    [
        (32, ["9" * 20_000, [1], b""]),
        (33, ["f8," * 20_000, b""]),
        (37, [[["a"], None, None], [b"\0" * 8, "ns", None, "9" * 20_000], b"\0" * 8, {}]),
        (52, [ONE, "9" * 20_000]),
        (54, ["DatetimeIndex", np.array([0], "M8[ns]"), None, " " * 20_000]),
    ],
    ids=range(5),
)
def test_a_name_that_takes_long_to_parse_is_not_parsed(code: int, parts: list[object]) -> None:
    with pytest.raises(SerializationError, match="is that of no dtype and of no frequency"):
        loads(_forged(code, parts))


@pytest.mark.parametrize("value", [pd.Categorical.from_codes([0], LONG), pd.MultiIndex([LONG], [[0]])])
def test_a_range_that_pandas_would_spread_out_is_refused_when_written(value: object) -> None:
    with pytest.raises(SerializationError, match="if a range of 1048576 at most"):
        dumps(value)


def _pickled(protocol: int, canary: Path) -> bytes:
    """A pickle by hand that would create *canary* if anybody loaded it."""
    command = f"touch {canary}"
    head = b"" if protocol < 2 else bytes([0x80, protocol])
    return head + b"cos\nsystem\n(V" + command.encode() + b"\ntR."


@pytest.mark.parametrize("protocol", range(6))
def test_a_planted_pickle_is_never_executed(protocol: int, tmp_path: Path) -> None:
    canary = tmp_path / "executed"
    planted = _pickled(protocol, canary)
    field = pa.field("a", pa.int64(), metadata={"ARROW:extension:name": "arrow.py_extension_type"})
    evil = field.with_metadata({**(field.metadata or {}), "ARROW:extension:metadata": planted})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, pa.schema([evil])) as stream:
        stream.write_table(pa.table([[1]], schema=pa.schema([evil])))
    in_arrow = dumps([])[:0] + _encoded(Ext(38, _encoded([bytes(sink.getvalue()), None, {}])))

    for data in (planted, _encoded(planted), _encoded(Ext(6, planted)), _encoded(Ext(38, planted)), in_arrow):
        try:
            loads(data)
        except SerializationError:
            continue

    assert not canary.exists()
    with pytest.raises(SerializationError):
        loads(planted)


def test_the_planted_pickle_of_the_test_above_is_a_real_one(tmp_path: Path) -> None:
    canary = tmp_path / "executed"
    namespace: dict[str, Any] = {}

    exec("import pickle as loader", namespace)  # noqa: S102 - the very thing the package must never do
    namespace["loader"].loads(_pickled(2, canary))

    assert canary.exists()
    assert os.name == "posix"
