"""What is wrong with a server, in words, from what a state or an answer says of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["Fault", "FaultKind", "fault_of"]

FaultKind = Literal[
    "password",
    "permission",
    "not_connected",
    "no_such_host",
    "timeout",
    "closed",
    "clients",
    "loading",
    "primary_away",
    "not_redis",
    "out_of_memory",
    "read_only",
    "replicas",
    "disk",
    "no_such_command",
    "unknown",
]


@dataclass(frozen=True, slots=True)
class Fault:
    """*words* go on a sentence: "Redis is away: *connection refused*"."""

    kind: FaultKind
    words: str


_UNKNOWN: Final = Fault("unknown", "no usable answer")

_SIGNS: Final[Mapping[str, Fault]] = {
    "Authentication": Fault("password", "the password is refused"),
    "NoPermission": Fault("permission", "permission denied"),
    "Authorization": Fault("permission", "permission denied"),
    "Connection refused": Fault("not_connected", "connection refused"),
    "No route to host": Fault("not_connected", "there is no way to its host"),
    "Network is unreachable": Fault("not_connected", "there is no way to its host"),
    "Name or service not known": Fault("no_such_host", "no such host is known"),
    "nodename nor servname": Fault("no_such_host", "no such host is known"),
    "getaddrinfo": Fault("no_such_host", "no such host is known"),
    "name resolution": Fault("no_such_host", "no such host is known"),
    "Timeout": Fault("timeout", "no answer in time"),
    "max number of clients": Fault("clients", "it takes no more clients, see maxclients"),
    "BusyLoading": Fault("loading", "it still loads its data"),
    "MasterDown": Fault("primary_away", "its primary is away"),
    "MasterNotFound": Fault("primary_away", "the Sentinels know no primary"),
    "InvalidResponse": Fault("not_redis", "what answers is no Redis"),
    "BackendMisconfigured": Fault("not_redis", "what answers is no Redis"),
    "OutOfMemory": Fault("out_of_memory", "it is out of memory, see maxmemory"),
    "ReadOnly": Fault("read_only", "it is read-only"),
    "NOREPLICAS": Fault("replicas", "too few replicas"),
    "MISCONF": Fault("disk", "it cannot save to its disk"),
    "unknown command": Fault("no_such_command", "it knows no such command"),
    "closed by server": Fault("closed", "the connection was closed"),
    "reset by peer": Fault("closed", "the connection was closed"),
    "Broken pipe": Fault("closed", "the connection was closed"),
}
"""What an error's text has in it: the name of redis-py's class, or words of the server or of the system."""


def fault_of(error: str) -> Fault:
    """The fault behind *error*, a `State.error` or the like; *unknown* where nothing tells."""
    return next((fault for sign, fault in _SIGNS.items() if sign in error), _UNKNOWN)
