"""Does the cache answer what it is asked, and keep what it is given?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from avcache.core.counters import Counts
from avcache.formats import format_count, format_percent
from avcache.ops.coverage import KINDS
from avcache.ops.doctor.facts import DoctorFacts
from avcache.ops.doctor.finding import Action, Finding

__all__ = ["RULES"]

_COLD: Final = 0.5
_FALL: Final = 0.1
_ENOUGH: Final = 100
"""Requests from which on a hit rate says something."""

_TTLS: Final[Mapping[str, str]] = {
    "price": "CACHE_PRICE_TTL",
    "history": "CACHE_PRICE_TTL",
    "momentum": "CACHE_MOMENTUM_TTL",
    "universe": "CACHE_MOMENTUM_TTL",
    "portfolio": "CACHE_PORTFOLIO_TTL",
    "default": "CACHE_DEFAULT_TTL",
}

_STEPS: Final[Mapping[str, str]] = {
    "invalidated": "See in the log who clears it (ops.clear) and whether a narrower pattern would do.",
    "evicted": "Give the store more room: maxmemory of the server, or CACHE_MEMORY_MAX_BYTES.",
    "other_source": "Let all processes use one AVCACHE_PROVIDER: what another one has loaded is not taken.",
    "backend_errors": "See on Server why the store does not answer.",
    "foreign": "Set another REDIS_PREFIX: what is under these keys is somebody else's.",
}


def _cold(facts: DoctorFacts) -> Iterator[Finding]:
    for name, counts in sorted(facts.hour.items()):
        rate = counts.hit_rate
        if rate is None or counts.requests < _ENOUGH or rate >= _COLD:
            continue
        yield Finding(
            "cold_namespace",
            "warning",
            f"Most reads of {name} find nothing.",
            (_rate("last hour", counts), *_reasons(counts)),
            "Whoever asks waits for a load, which the cache is there to spare.",
            _warmer(name, counts),
            Action("warm", name) if name in KINDS else Action("open", "keys", f"{name}:*"),
        )


def _fell(facts: DoctorFacts) -> Iterator[Finding]:
    for name, counts in sorted(facts.hour.items()):
        before = facts.yesterday.get(name, Counts())
        rate, rate_before = counts.hit_rate, before.hit_rate
        if rate is None or rate_before is None or min(counts.requests, before.requests) < _ENOUGH:
            continue
        # Rounded: 0.9 - 0.8 is less than 0.1 to a computer.
        if round(rate_before - rate, 9) < _FALL:
            continue
        yield Finding(
            "hit_rate_fell",
            "warning",
            f"The hit rate of {name} fell by {(rate_before - rate) * 100:.0f} points since yesterday.",
            (_rate("last hour", counts), _rate("same hour yesterday", before), *_reasons(counts)),
            "Something changed since: other keys, a shorter ttl, more clears, or less room.",
            _warmer(name, counts),
            Action("open", "overview"),
        )


def _refused(facts: DoctorFacts) -> Iterator[Finding]:
    if facts.state.error is not None:  # then the store is why, and that has a finding of its own
        return
    for name, counts in sorted(facts.hour.items()):
        if counts.refused:
            yield Finding(
                "refused_values",
                "warning",
                f"Values of {name} were not kept.",
                (f"{format_count(counts.refused)} in the last hour", f"{format_count(counts.loads)} loads"),
                "They are loaded with every request: too large, or of a type that would not come back the same.",
                "The log says why (cache.not_stored). Raise CACHE_MAX_VALUE_BYTES, or return plain values.",
                Action("open", "overview"),
            )


def _rate(when: str, counts: Counts) -> str:
    return f"{when}: {format_percent(counts.hit_rate)} of {format_count(counts.requests)} reads"


def _reasons(counts: Counts) -> tuple[str, ...]:
    return tuple(f"misses, {name.replace('_', ' ')}: {format_count(n)}" for name, n in counts.misses_by_reason.items())


def _warmer(name: str, counts: Counts) -> str:
    """The step against the most frequent reason."""
    reason = next(iter(counts.misses_by_reason), "absent")
    if reason == "expired":
        return (
            f"Raise {_TTLS.get(name, 'the ttl it is cached with (@cached(ttl=…))')}: entries expire between two reads."
        )
    if reason in _STEPS:
        return _STEPS[reason]
    if name in KINDS:
        return f"Warm {name} up: POST /api/v1/cache/warmup?tickers=…, or on Warm-up."
    return f"See on Keys whether what is asked for is what is kept: patterns of {name} that never repeat do not cache."


RULES: Final[tuple[Callable[[DoctorFacts], Iterator[Finding]], ...]] = (_fell, _cold, _refused)
