"""What a forked process begins anew: its parent's threads are not there, but the locks they held would be."""

from __future__ import annotations

import os
import weakref
from typing import Any, Protocol

__all__ = ["Forked", "renew_in_children"]


class Forked(Protocol):
    """Something with locks, or with work of threads of this process."""

    def begin_anew(self) -> None:
        """Called in a forked process, before anything else runs there: take new locks, drop what threads had begun."""


_all: weakref.WeakSet[Any] = weakref.WeakSet()


def renew_in_children(thing: Forked) -> None:
    """Have *thing* begin anew in every process that is forked from this one, for as long as it lives."""
    _all.add(thing)


def _in_child() -> None:
    for thing in list(_all):
        thing.begin_anew()


if hasattr(os, "register_at_fork"):  # there is no fork on Windows
    os.register_at_fork(after_in_child=_in_child)
