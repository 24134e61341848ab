"""Slow commands, as people read them; of other applications no argument, for it may be a key of theirs. Pure."""

from __future__ import annotations

from typing import Final

import pandas as pd

from avcache.backends.facts import SlowCommand
from avcache.formats import counted, format_seconds
from avcache.ops.server import ServerView
from avcache.ui.moments import local_time

__all__ = ["HIDDEN", "describe_slow_log", "exported", "slow_table"]

HIDDEN: Final = "hidden: names no key of this cache"


def slow_table(commands: tuple[SlowCommand, ...]) -> pd.DataFrame:
    """One row each: When (local time), Took (ms), Command, Arguments, Client."""
    return pd.DataFrame(
        {
            "When": local_time([line.at for line in commands]),
            "Took": [line.microseconds / 1000 for line in commands],
            "Command": [line.command for line in commands],
            "Arguments": list(map(_arguments, commands)),
            "Client": [line.client or "–" for line in commands],
        }
    )


def exported(commands: tuple[SlowCommand, ...]) -> pd.DataFrame:
    """The same as it goes into a file."""
    return pd.DataFrame(
        {
            "at": pd.to_datetime([line.at for line in commands], unit="s", utc=True),
            "microseconds": [line.microseconds for line in commands],
            "command": [line.command for line in commands],
            "arguments": list(map(_arguments, commands)),
            "is_cut": [line.is_cut and line.is_ours for line in commands],
            "client": [line.client for line in commands],
            "is_ours": [line.is_ours for line in commands],
        }
    )


def describe_slow_log(view: ServerView) -> str:
    """What is in the slow log, or why nothing is."""
    threshold = view.slow_microseconds
    if view.kind == "memory":
        return "Memory has no slow log."
    if view.slow_log is None:
        return "It is seen again when the server answers." if view.latency is None else "It may not be read, see above."
    if threshold is not None and threshold < 0:
        return "It is switched off on the server: slowlog-log-slower-than is negative."
    over = "" if threshold is None else f" that took {format_seconds(threshold / 1e6)} or longer"
    if not view.slow_log:
        return f"Empty: of late there was no command{over}."
    number = counted(len(view.slow_log), "command")
    hidden = "of other applications the arguments are hidden"
    return f"{number}{over}, waiting and the network not counted; {hidden}."


def _arguments(line: SlowCommand) -> str:
    if not line.arguments:
        return "–"
    if not line.is_ours:
        return HIDDEN
    return " ".join([*line.arguments, *(["…"] if line.is_cut else [])])
