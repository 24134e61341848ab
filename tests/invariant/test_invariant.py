"""No read returns a value older than an invalidation or a set that was acknowledged, whatever happens."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.invariant.machine import Machine
from tests.servers import RealServer

EXAMPLES = int(os.environ.get("AVCACHE_TEST_EXAMPLES", "40"))


@pytest.fixture(scope="module")
def machine(server_binary: Path) -> Iterator[type[Machine]]:
    with RealServer() as first, RealServer() as second:

        class Here(Machine):
            servers = (first.port, second.port)

        yield Here


def test_no_read_is_older_than_what_was_acknowledged(machine: type[Machine]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=50,
            deadline=None,
            phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        ),
    )
