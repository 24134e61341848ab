"""Where a finding leads: to a page, with its filters set. Nothing is done by following it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from avcache.ops.doctor import Action, Finding

__all__ = ["Link", "link_of"]

_TITLES: Final = {"keys": "Keys", "expiry": "Expiry", "overview": "Overview", "clear": "Clear", "warmup": "Warm-up"}


@dataclass(frozen=True, slots=True)
class Link:
    """To the page in `pages/<page>.py`; *query* goes into its address."""

    page: str
    label: str
    query: Mapping[str, str]


def link_of(finding: Finding, universe: str) -> Link | None:
    """
    The link that helps with *finding*; None if there is none, or it is to the page where findings are shown.

    Args:
        universe: Which one to warm up.
    """
    action = finding.action
    if action is None:
        return None
    if action.kind == "clear":
        return Link("clear", f"Plan to clear {action.target}", {"clear_pattern": action.target})
    if action.kind == "warm":
        return Link("warmup", f"Warm {action.target} up", {"warmup_universe": universe})
    title = _TITLES.get(action.target)
    return None if title is None else Link(action.target, f"See on {title}", _filters(action))


def _filters(action: Action) -> dict[str, str]:
    if action.target == "overview":  # what is said there is said of the last hour
        return {"overview_window": "1 h"}
    if action.target == "keys" and action.about:
        return {"keys_find": action.about}
    if action.target == "expiry" and action.about:
        return {"expiry_namespace": action.about.partition(":")[0]}
    return {}
