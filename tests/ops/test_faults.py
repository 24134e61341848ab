"""Faults in words: each kind is known from what a server, redis-py or the system really says."""

from __future__ import annotations

import pytest

from avcache.ops.faults import FaultKind, fault_of


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("AuthenticationError: redis ping: invalid username-password pair or user is disabled.", "password"),
        ("NoPermissionError: redis get: User x has no permissions to run the 'mget' command", "permission"),
        ("AuthorizationError: redis get: not allowed", "permission"),
        ("ConnectionError: redis get: Error 111 connecting to h:1. Connection refused.", "not_connected"),
        ("ConnectionError: redis get: Error 113 connecting to h:1. No route to host.", "not_connected"),
        ("ConnectionError: redis get: Error -2 connecting to h:1. Name or service not known.", "no_such_host"),
        ("ConnectionError: redis get: Error -3 connecting. Temporary failure in name resolution.", "no_such_host"),
        ("TimeoutError: redis get: Timeout reading from socket", "timeout"),
        ("ConnectionError: redis get: Connection closed by server.", "closed"),
        ("ConnectionResetError: redis get: [Errno 104] Connection reset by peer", "closed"),
        ("ConnectionError: redis get: Error 32 while writing to socket. Broken pipe.", "closed"),
        ("ConnectionError: redis get: max number of clients reached", "clients"),
        ("BusyLoadingError: redis get: Redis is loading the dataset in memory", "loading"),
        ("MasterDownError: redis get: Link with MASTER is down", "primary_away"),
        ("MasterNotFoundError: redis get: No master found for 'main'", "primary_away"),
        ("InvalidResponse: redis connect: Protocol Error", "not_redis"),
        ("OutOfMemoryError: redis put: command not allowed when used memory > 'maxmemory'.", "out_of_memory"),
        ("ReadOnlyError: redis put: You can't write against a read only replica.", "read_only"),
        ("ResponseError: redis put: NOREPLICAS Not enough good replicas to write.", "replicas"),
        ("ResponseError: redis put: MISCONF Valkey is configured to save RDB snapshots", "disk"),
        ("ResponseError: unknown command 'SLOWLOG', with args beginning with:", "no_such_command"),
        ("ResponseError: redis get: something else", "unknown"),
        ("", "unknown"),
    ],
)
def test_an_error_has_its_kind(error: str, kind: FaultKind) -> None:
    found = fault_of(error)

    assert found.kind == kind
    assert found.words
