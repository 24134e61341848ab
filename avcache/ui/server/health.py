"""How the store is, in one sentence. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from avcache.formats import counted, format_clock, format_seconds
from avcache.ops.doctor import SEVERITIES, Finding, Severity
from avcache.ops.faults import fault_of
from avcache.ops.server import ServerView
from avcache.ui.strip import RECOVERING, STORES, Badge, Colour
from avcache.ui.words import joined

__all__ = ["SEVERITY_COLOURS", "SEVERITY_ICONS", "Health", "describe_fallback", "health", "name_of"]

SEVERITY_COLOURS: Final[Mapping[Severity, Colour]] = {"problem": "red", "warning": "orange", "advice": "gray"}
SEVERITY_ICONS: Final[Mapping[Severity, str]] = {
    "problem": ":material/error:",
    "warning": ":material/warning:",
    "advice": ":material/lightbulb:",
}
_NOUNS: Final[dict[Severity, tuple[str, str]]] = {
    "problem": ("problem", "problems"),
    "warning": ("warning", "warnings"),
    "advice": ("piece of advice", "pieces of advice"),
}


@dataclass(frozen=True, slots=True)
class Health:
    """*badge* in a word, *sentence* in full."""

    badge: Badge
    sentence: str


def health(view: ServerView, findings: Sequence[Finding]) -> Health:
    """Judge by what serves, then by what the doctor has found. Never green while memory serves for a server."""
    return Health(_badge(view, findings), f"{_what_serves(view)} {_what_is_found(findings)}")


def name_of(view: ServerView) -> str:
    """The store with its version, where that is known: `Valkey 9.1.2`."""
    return " ".join(filter(None, (STORES[view.kind], view.version)))


def describe_fallback(view: ServerView) -> str:
    """Whether memory serves in place of the server, since when, and what waits to be written."""
    state, now = view.state, view.taken_at
    if view.kind == "memory":
        return "Redis is not used (REDIS_ENABLED=false): memory is the store, and there is nothing to fall back from."
    waiting = f"{counted(state.pending, 'invalidation')} waiting for it"
    since = format_clock(state.since, now)
    lasting = format_seconds(max(0.0, now - state.since))
    if not state.is_degraded:
        return f"{STORES[view.kind]} has served since {since}, for {lasting}; {waiting}."
    return f"Memory has served in its place since {since}, for {lasting}: {_reason(view)}; {waiting}."


def _badge(view: ServerView, findings: Sequence[Finding]) -> Badge:
    if view.state.name == "recovering":
        return RECOVERING
    if view.state.is_degraded:
        return Badge("Degraded", "orange", ":material/warning:", "Memory serves in its place.")
    if view.error is not None:
        text = "Refuses writes" if view.state.error is not None else "No answer"
        return Badge(text, "orange", ":material/edit_off:", "It does not answer all that it is asked.")
    severities = {finding.severity for finding in findings}
    if "problem" in severities:
        return Badge("Problem", "red", ":material/error:", "Something does not work as it should.")
    if "warning" in severities:
        return Badge("Attention", "orange", ":material/warning:", "Something will cost sooner or later.")
    return Badge("Healthy", "green", ":material/check_circle:", "Nothing needs attention.")


def _what_serves(view: ServerView) -> str:
    state, name = view.state, name_of(view)
    if state.name == "recovering":
        return f"{name} is back, and is told what it has missed before it serves again."
    if state.is_degraded:
        since = format_clock(state.since, view.taken_at)
        return (
            f"{name} has been away since {since} ({_reason(view)}); memory serves instead, entries live 60 s at most."
        )
    if state.error is not None:
        return f"{name} can be read, but refuses what is written ({_reason(view)})."
    if view.error is not None:
        return f"{name} gave no answer just now ({view.error})."
    if view.kind == "memory":
        return "Memory is the store: entries live in this process, and go with it."
    took = f" within {format_seconds(view.latency.median_ms / 1000)}" if view.latency is not None else ""
    return f"{name} answers{took}."


def _reason(view: ServerView) -> str:
    return view.error or fault_of(view.state.error or "").words


def _what_is_found(findings: Sequence[Finding]) -> str:
    if not findings:
        return "Nothing needs attention."
    numbers = Counter(finding.severity for finding in findings)
    parts = [f"{number} {_NOUNS[one][number > 1]}" for one in SEVERITIES if (number := numbers[one])]
    return f"{joined(parts)}, below."
