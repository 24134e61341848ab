"""Figures that only grow: by how much, and since when."""

from __future__ import annotations

from collections.abc import Callable

from avcache.formats import format_seconds
from avcache.ops.doctor.facts import DoctorFacts
from avcache.ops.server import ServerView

__all__ = ["risen"]


def risen(facts: DoctorFacts, figure: Callable[[ServerView], int | None]) -> tuple[int | None, str]:
    """
    By how much *figure* rose between two looks, and in what time; without an earlier one, since the store started.

    None where it is not known now. With another run of the server it began anew, and so it did if it is lower now.
    """
    view, earlier = facts.server, facts.earlier
    value = figure(view) if view else None
    before = figure(earlier) if earlier else None
    if view is None or value is None:
        return None, ""
    if earlier is None or before is None or earlier.run_id != view.run_id or value < before:
        return value, "since it started"
    return value - before, f"in the last {format_seconds(view.taken_at - earlier.taken_at)}"
