"""All of what the page shows that changes by itself. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from avcache.ops.audit import Event
from avcache.ops.doctor import Finding
from avcache.ops.server import ServerView
from avcache.ui.moments import local_time
from avcache.ui.server.figures import Figure, figures
from avcache.ui.server.health import Health, health

__all__ = ["ServerModel", "server_model"]


@dataclass(frozen=True, slots=True)
class ServerModel:
    """
    Attributes:
        outages: When (local time) and What of each outage and recovery of the last day, newest first; None if they
            could not be read.
    """

    view: ServerView
    health: Health
    findings: tuple[Finding, ...]
    figures: tuple[Figure, ...]
    outages: pd.DataFrame | None


def server_model(
    view: ServerView,
    findings: Sequence[Finding],
    events: Sequence[Event] | None,
    other_workers: Sequence[int] | None = (),
) -> ServerModel:
    """
    Put together one look at the store.

    Args:
        events: Of the last day, oldest first; None if they could not be read.
        other_workers: Processes with a store in memory of their own; None where that cannot be known.
    """
    return ServerModel(
        view,
        health(view, findings),
        tuple(findings),
        figures(view, other_workers),
        None if events is None else _outages(events),
    )


def _outages(events: Sequence[Event]) -> pd.DataFrame:
    found = [event for event in reversed(events) if event.kind in {"outage", "recovery"}]
    return pd.DataFrame({"When": local_time([one.at for one in found]), "What": [one.text for one in found]})
