"""
What the store holds under a key: a header that says how old the value is, and the value's bytes.

    magic and format | version | written_at fresh_until load_seconds flags | lengths | key tags source | payload

The header comes first, so a short read of the beginning tells an entry's age without its value. The key stands
inside: an answer that belongs to another key is a miss, not a wrong value. The version is what barriers are held
against; it stands at a fixed place, so that a store can set it.
"""

from __future__ import annotations

import math
import struct
import unicodedata
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from avcache.backends.base import LONGEST_HEAD, MAGIC
from avcache.errors import InvalidInput

__all__ = [
    "ABSENT",
    "CHANGEABLE",
    "HEAD",
    "TAG_SEPARATOR",
    "UNREAD",
    "Carries",
    "CutShort",
    "Entry",
    "Foreign",
    "Head",
    "check_room",
    "check_tags",
    "encode",
    "encode_set",
    "fresh_payloads",
    "joined",
    "plain_part",
    "read_entry",
    "read_head",
    "source_bytes",
]

_HEADER = struct.Struct(">4sQddfBxHHH")
HEAD: Final = _HEADER.size
"""Bytes of a header before its key."""

_START: Final = HEAD
_unpack, _pack = _HEADER.unpack_from, _HEADER.pack
ABSENT: Final = 1
"""The flag that says: the value is the reason why there is none."""

TAG_SEPARATOR = "\x1f"
_MAX_TAG = 64
_MAX_TAGS = 512


class Foreign(ValueError):
    """These bytes are no entry of ours, or not a whole one."""


class CutShort(Foreign):
    """The beginning of an entry, too short for its header."""


@dataclass(frozen=True, slots=True)
class Head:
    """
    What an entry says of itself.

    *written_at* and *fresh_until* are wall-clock seconds; *load_seconds* is None for a value that was set, not loaded.
    *version* is the one that invalidations are held against. *is_absent*: the value is the reason why there is none.
    """

    key: str
    written_at: float
    fresh_until: float
    load_seconds: float | None = None
    tags: tuple[str, ...] = ()
    source: str = ""
    version: int = 0
    is_absent: bool = False


class Entry:
    """
    A whole entry that belongs to its key; all else that its header says is read when it is asked for.

    Attributes:
        payload: The bytes of the value.
        source: Where it comes from, as bytes.
        value: The value, once it was read, if it is one that nobody can change, else `CHANGEABLE`; before, `UNREAD`.
        make: Makes the value, for each caller his own, once it is `CHANGEABLE`.
        checked: The version of the barriers that it was last held against, and was found valid.
    """

    __slots__ = ("checked", "data", "fresh_until", "is_absent", "make", "payload", "source", "value", "version")

    def __init__(  # noqa: PLR0917 - called once for each read, by `read_entry` alone
        self, data: bytes, version: int, fresh_until: float, flags: int, source: bytes, payload: bytes
    ) -> None:
        self.data = data
        self.version = version
        self.fresh_until = fresh_until
        self.is_absent = flags & ABSENT
        self.source = source
        self.payload = payload
        self.value: object = UNREAD
        self.make: Callable[[], Any] = _nothing
        self.checked = -1

    @property
    def head(self) -> Head:
        """All that the header says."""
        return read_head(self.data)


def _nothing() -> None:
    raise RuntimeError("this entry was not read yet")


UNREAD: Final = object()
CHANGEABLE: Final = object()
"""Read once, so its bytes are good; each caller gets a value of his own."""


def read_entry(data: bytes, key: bytes) -> Entry | None:
    """Read an entry of *key*; None for what is none, or that of another key."""
    if len(data) < _START:
        return None
    magic, version, _written_at, fresh_until, _seconds, flags, length, tags, source = _unpack(data)
    if magic != MAGIC or data[_START : _START + length] != key or not fresh_until < math.inf:
        return None
    start = _START + length + tags + source
    if start > len(data):
        return None
    return Entry(data, version, fresh_until, flags, data[start - source : start] if source else b"", data[start:])


class _Named(Protocol):
    """A key as bytes, and the part of a header that a plain entry of it has: `plain_part`."""

    name: bytes
    part: bytes


_PART: Final = slice(32, _START)
_INFINITE: Final = struct.pack(">d", math.inf)


def plain_part(name: bytes) -> bytes:
    """Flags, lengths and key, as they stand in an entry without tags and source."""
    return _pack(MAGIC, 0, 0.0, 0.0, 0.0, 0, len(name), 0, 0)[_PART] + name


def fresh_payloads(
    entries: Sequence[bytes | None], keys: Sequence[_Named], now: float, newest: int
) -> list[bytes | None]:
    """
    The value's bytes of each entry that plainly belongs to its key, is fresh at *now* and reaches the version *newest*.

    None where it takes a closer look to say (tags, a source, another version). One loop without a call, that compares
    bytes as they stand: numbers that have their most significant byte first are in order as bytes too.
    """
    payloads: list[bytes | None] = []
    keep, endless, highest = payloads.append, _INFINITE, MAGIC + b"\xff" * 8
    moment, lowest = struct.pack(">d", max(0.0, now)), MAGIC + newest.to_bytes(8)
    for data, key in zip(entries, keys, strict=True):
        if data is not None:
            end = 32 + len(part := key.part)
            if data[32:end] == part and lowest <= data[:12] <= highest and moment < data[20:28] < endless:
                keep(data[end:])
                continue
        keep(None)
    return payloads


def encode_set(key: bytes, tags: bytes, written_at: float, fresh_until: float, payload: bytes) -> bytes:
    """`encode` for a value that was set, with texts that were encoded and checked before; of version 0."""
    fixed = _pack(MAGIC, 0, written_at, fresh_until, math.nan, 0, len(key), len(tags), 0)
    return b"".join((fixed, key, tags, payload))


def encode(head: Head, payload: bytes) -> bytes:
    """Put *head* before *payload*. Raises `InvalidInput` if key and tags together are too long."""
    key, tags, source = _texts(head.key, head.tags, head.source)
    fixed = _pack(
        MAGIC,
        head.version,
        head.written_at,
        head.fresh_until,
        math.nan if head.load_seconds is None else head.load_seconds,
        ABSENT if head.is_absent else 0,
        len(key),
        len(tags),
        len(source),
    )
    return b"".join((fixed, key, tags, source, payload))


def joined(tags: Sequence[str]) -> bytes:
    """Checked tags as they stand in a header."""
    return TAG_SEPARATOR.join(tags).encode()


def source_bytes(source: str) -> bytes:
    """A source as it stands in a header; of what can't be one, bytes that stand in none. Raises `InvalidInput`."""
    if not isinstance(source, str):
        raise InvalidInput("source", source, "text without lone surrogates")
    return source.encode(errors="surrogatepass")


def check_room(key: str, tags: Sequence[str], source: str) -> None:
    """Raise `InvalidInput` if these would not fit into a header: better before a load than after it."""
    _texts(key, tags, source)


def _texts(key: str, tags: Sequence[str], source: str) -> tuple[bytes, bytes, bytes]:
    try:
        texts = key.encode(), joined(tags), source.encode()
    except (AttributeError, UnicodeEncodeError):
        raise InvalidInput("source", source, "text without lone surrogates") from None
    if _START + sum(map(len, texts)) > LONGEST_HEAD:
        raise InvalidInput("tags", tags, f"key, tags and source together take at most {LONGEST_HEAD} bytes")
    return texts


def read_head(data: bytes) -> Head:
    """Read the header of an entry, or of its first bytes. Raises `Foreign`, or `CutShort` if more of it is needed."""
    if len(data) < _START:
        raise Foreign("too short")
    magic, version, written_at, fresh_until, seconds, flags, key_length, tags_length, source_length = _unpack(data)
    if magic != MAGIC:
        raise Foreign("not an entry of this format")
    tags_at = _START + key_length
    source_at = tags_at + tags_length
    end = source_at + source_length
    if len(data) < end:
        raise CutShort("cut short")
    try:  # written out, not looped over: a table of coverage reads 2,000 of these
        key, source = data[_START:tags_at].decode(), data[source_at:end].decode()
        tags = tuple(data[tags_at:source_at].decode().split(TAG_SEPARATOR)) if tags_length else ()
    except UnicodeDecodeError as exc:
        raise Foreign("undecodable") from exc
    if not math.isfinite(written_at) or not math.isfinite(fresh_until):
        raise Foreign("without a time")
    return Head(
        key,
        written_at,
        fresh_until,
        None if math.isnan(seconds) else seconds,
        tags,
        source,
        version,
        bool(flags & ABSENT),
    )


def check_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """Return *tags* sorted and once each. Raises `InvalidInput`."""
    if not tags and isinstance(tags, tuple | list):
        return ()
    allowed = f"at most {_MAX_TAGS} texts of 1 to {_MAX_TAG} printable characters"
    if isinstance(tags, str) or not isinstance(tags, Collection) or len(tags) > _MAX_TAGS:
        raise InvalidInput("tags", tags, allowed)
    for tag in tags:
        if not isinstance(tag, str) or not 1 <= len(tag) <= _MAX_TAG or not tag.isprintable():
            raise InvalidInput("tags", tag, allowed)
    return tuple(sorted({unicodedata.normalize("NFC", tag) for tag in tags}))


@dataclass(frozen=True, slots=True)
class Carries:
    """Whether an entry, of which the first bytes are given, carries *tag*."""

    tag: str

    def __call__(self, head: bytes) -> bool:
        try:
            return self.tag in read_head(head).tags
        except Foreign:
            return False
