"""What a server tells of itself, and who can ask it. Asking changes nothing there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

__all__ = ["FactsReader", "ServerFacts", "ServerKind", "SlowCommand", "kind_of", "version_of"]

ServerKind = Literal["redis", "valkey"]


@dataclass(frozen=True, slots=True)
class SlowCommand:
    """
    A line of the server's slow log. Its texts are printable; other applications may have written them.

    Attributes:
        at: When it ran, seconds of the epoch by the server's clock.
        microseconds: How long the server worked on it; waiting and the network are not in it.
        command: Its name.
        arguments: The first four, at most 60 characters of each.
        is_cut: There was more, in length or in number.
        client: Address and, if it has one, name of who sent it; "" where the server does not tell.
        is_ours: One of the arguments lies below our prefix.
    """

    at: float
    microseconds: int
    command: str
    arguments: tuple[str, ...]
    is_cut: bool
    client: str
    is_ours: bool


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """
    The answers to one look.

    Attributes:
        database: The number of the database that is ours.
        info: INFO by name; None if it may not be asked.
        config: The parameters that were asked for and told, by name.
        slow_log: The latest first, at most 32; None if it may not be read.
        pings: Seconds that each PING took, there and back.
        refused: The commands that were refused, with what the server said.
    """

    kind: ServerKind
    database: int
    info: Mapping[str, str] | None
    config: Mapping[str, str]
    slow_log: tuple[SlowCommand, ...] | None
    pings: tuple[float, ...]
    refused: Mapping[str, str]


class FactsReader(Protocol):
    """Whoever can ask a server about itself."""

    def last_known(self) -> Mapping[str, str]:
        """INFO server as of the last connection, without asking; empty if there was none, or it was refused."""
        ...

    def read(self) -> ServerFacts:
        """Ask. Raises `BackendUnavailable` if the server does not answer; a refusal is a fact like others."""
        ...


def kind_of(told: Mapping[str, str]) -> ServerKind:
    """Which server told this in INFO server; Redis if it does not say."""
    return "valkey" if told.get("server_name") == "valkey" or "valkey_version" in told else "redis"


def version_of(told: Mapping[str, str]) -> str | None:
    """Its own version, not the one of Redis that a Valkey says it is compatible with."""
    return told.get(f"{kind_of(told)}_version") or told.get("redis_version")
