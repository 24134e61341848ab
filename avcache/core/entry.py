"""
What the store holds under a key: a header that says how old the value is, and the value's bytes.

    magic format | written_at fresh_until load_seconds | lengths | key tags source | payload

The header comes first, so a short read of the beginning tells an entry's age without its value. The key stands
inside: an answer that belongs to another key is a miss, not a wrong value.
"""

from __future__ import annotations

import math
import struct
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from avcache.backends.base import HEAD_BYTES
from avcache.errors import InvalidInput

__all__ = ["Foreign", "Head", "check_room", "check_tags", "encode", "payload_of", "read_head"]

_MAGIC = b"AV"
_FORMAT = 1
_HEADER = struct.Struct("<2sBdddHHH")
_TAG_SEPARATOR = "\x1f"
_MAX_TAG = 64
_MAX_TAGS = 512


class Foreign(ValueError):
    """These bytes are no entry of ours, or not a whole one."""


@dataclass(frozen=True, slots=True)
class Head:
    """
    What an entry says of itself.

    *written_at* and *fresh_until* are wall-clock seconds; *load_seconds* is None for a value that was set, not loaded.
    """

    key: str
    written_at: float
    fresh_until: float
    load_seconds: float | None = None
    tags: tuple[str, ...] = ()
    source: str = ""


def encode(head: Head, payload: bytes) -> bytes:
    """Put *head* before *payload*. Raises `InvalidInput` if key and tags together are too long."""
    key, tags, source = _texts(head.key, head.tags, head.source)
    seconds = math.nan if head.load_seconds is None else head.load_seconds
    fixed = _HEADER.pack(_MAGIC, _FORMAT, head.written_at, head.fresh_until, seconds, len(key), len(tags), len(source))
    return b"".join((fixed, key, tags, source, payload))


def check_room(key: str, tags: Sequence[str], source: str) -> None:
    """Raise `InvalidInput` if these would not fit into a header: better before a load than after it."""
    _texts(key, tags, source)


def _texts(key: str, tags: Sequence[str], source: str) -> tuple[bytes, bytes, bytes]:
    try:
        texts = key.encode(), _TAG_SEPARATOR.join(tags).encode(), source.encode()
    except (AttributeError, UnicodeEncodeError):
        raise InvalidInput("source", source, "text without lone surrogates") from None
    if _HEADER.size + sum(map(len, texts)) > HEAD_BYTES:
        raise InvalidInput("tags", tags, f"key, tags and source together take at most {HEAD_BYTES} bytes")
    return texts


def read_head(data: bytes) -> Head:
    """Read the header of an entry, or of its first bytes. Raises `Foreign`."""
    if len(data) < _HEADER.size:
        raise Foreign("too short")
    magic, version, written_at, fresh_until, seconds, *lengths = _HEADER.unpack_from(data)
    if magic != _MAGIC or version != _FORMAT:
        raise Foreign("not an entry of this format")
    parts, at = [], _HEADER.size
    for length in lengths:
        parts.append(data[at : at + length])
        at += length
    if len(data) < at:
        raise Foreign("cut short")
    try:
        key, tags, source = (part.decode() for part in parts)
    except UnicodeDecodeError as exc:
        raise Foreign("undecodable") from exc
    if not math.isfinite(written_at) or not math.isfinite(fresh_until):
        raise Foreign("without a time")
    return Head(
        key,
        written_at,
        fresh_until,
        None if math.isnan(seconds) else seconds,
        tuple(tags.split(_TAG_SEPARATOR)) if tags else (),
        source,
    )


def payload_of(data: bytes) -> memoryview:
    """The value's bytes of a whole entry whose header was read before."""
    *_, key, tags, source = _HEADER.unpack_from(data)
    return memoryview(data)[_HEADER.size + key + tags + source :]


def check_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """Return *tags* sorted and once each. Raises `InvalidInput`."""
    allowed = f"at most {_MAX_TAGS} texts of 1 to {_MAX_TAG} printable characters"
    if isinstance(tags, str) or not isinstance(tags, Collection) or len(tags) > _MAX_TAGS:
        raise InvalidInput("tags", tags, allowed)
    for tag in tags:
        if not isinstance(tag, str) or not 1 <= len(tag) <= _MAX_TAG or not tag.isprintable():
            raise InvalidInput("tags", tag, allowed)
    return tuple(sorted({unicodedata.normalize("NFC", tag) for tag in tags}))
