"""Examine: doctor."""

from __future__ import annotations

import typer

from avcache.cli.exits import FAILED
from avcache.cli.output import note, print_json, print_table
from avcache.cli.place import CONSOLE, Json, Url, place_of

__all__ = ["doctor"]

_PROBLEM = "problem"


def doctor(*, url: Url = CONSOLE, json: Json = False) -> None:
    """What is wrong with the cache or its server, and the step that mends it; ends with 1 if there is a problem."""
    found = place_of(url).findings()
    if json:
        print_json({"findings": [one.model_dump() for one in found]})
    elif found:
        rows = [(one.severity, f"{one.what} ({'; '.join(one.evidence)})", one.why, one.step) for one in found]
        print_table(["", "What", "Why it matters", "Step"], rows)
    else:
        note("Nothing deserves attention.")
    if any(one.severity == _PROBLEM for one in found):
        raise typer.Exit(FAILED)
