"""Is what lies below our prefix as it should be?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from avcache.formats import format_bytes, format_count, format_seconds
from avcache.ops.coverage import KINDS
from avcache.ops.doctor.facts import DoctorFacts
from avcache.ops.doctor.finding import Action, Finding, listed

__all__ = ["RULES"]

_LONG_LOAD: Final = 60.0
"""Seconds of loading that do not fit into the minute in which they fall due, one after the other."""


def _no_ttl(facts: DoctorFacts) -> Iterator[Finding]:
    found = sorted((one for one in facts.namespaces if one.no_ttl), key=lambda one: -one.no_ttl)
    if not found:
        return
    settings = facts.settings
    # Clearing drops entries of ours alone: it would not help against others'.
    first, ours = found[0], f"{found[0].name}:*"
    yield Finding(
        "no_ttl",
        "warning",
        f"Below {settings.prefix} there are keys without a ttl.",
        listed([f"{one.name}: {format_count(one.no_ttl)} of {format_count(one.keys)} keys" for one in found]),
        "They stay for good: avcache itself writes nothing without a ttl, so somebody else did, or took it away.",
        f"{settings.cli} EXPIRE {settings.prefix}<key> 3600 for each{'' if first.foreign else f', or clear {ours}'}.",
        Action("open", "keys", ours) if first.foreign else Action("clear", ours),
    )


def _cliffs(facts: DoctorFacts) -> Iterator[Finding]:
    seen = set[str]()
    for cliff in facts.cliffs:
        if cliff.namespace in seen:  # the highest comes first
            continue
        seen.add(cliff.namespace)
        is_warmable = cliff.namespace in KINDS
        yield Finding(
            "ttl_cliff",
            "warning" if cliff.load_seconds >= _LONG_LOAD else "advice",
            f"{format_count(cliff.keys)} keys of {cliff.namespace} expire {_soon(cliff.minute)}.",
            (f"loading them took: {format_seconds(cliff.load_seconds) if cliff.load_seconds else 'not known'}",),
            "Whoever asks then waits, and their source is asked for all of them at once.",
            f"Warm {cliff.namespace} up before, in parts: what is loaded at different times expires at different times."
            if is_warmable
            else "Set them with ttls that differ (ttl=3600 + random.uniform(0, 360)), or load them with get_or_load, "
            "which spreads them by up to 10 %.",
            Action("warm", cliff.namespace) if is_warmable else Action("open", "expiry", f"{cliff.namespace}:*"),
        )


def _big_values(facts: DoctorFacts) -> Iterator[Finding]:
    limit = facts.settings.max_value_bytes
    if limit is None:
        return
    biggest = [item for one in facts.namespaces for item in one.biggest if 2 * item[1] >= limit]
    if not biggest:
        return
    biggest.sort(key=lambda item: -item[1])
    yield Finding(
        "big_values",
        "advice",
        "There are values of at least half the size that is kept at most.",
        (f"limit: {format_bytes(limit)}", *listed([f"{key}: {format_bytes(size)}" for key, size in biggest])),
        "Each read fetches all of it; and if it grows past the limit, it is loaded with every request for it.",
        f"Keep it in parts, or less of it; or set CACHE_MAX_VALUE_BYTES={2 * limit}.",
        Action("open", "keys", biggest[0][0]),
    )


def _foreign(facts: DoctorFacts) -> Iterator[Finding]:
    found = sorted((one for one in facts.namespaces if one.foreign), key=lambda one: -one.foreign)
    if not found:
        return
    settings = facts.settings
    yield Finding(
        "foreign_keys",
        "advice",
        f"Below {settings.prefix} there are keys that avcache did not write.",
        listed([f"{one.name}: {format_count(one.foreign)} of {format_count(one.keys)} keys" for one in found]),
        "Reads of them are misses, and avcache never drops them.",
        f"Set another REDIS_PREFIX, or see with {settings.cli} --scan --pattern '{settings.prefix}*' whose they are "
        "and move them.",
        Action("open", "keys", f"{found[0].name}:*"),
    )


def _soon(minute: int) -> str:
    return "within the next minute" if minute == 0 else f"in one minute, {minute} min from now"


RULES: Final[tuple[Callable[[DoctorFacts], Iterator[Finding]], ...]] = (_cliffs, _no_ttl, _foreign, _big_values)
