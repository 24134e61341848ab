"""What another ttl would have done to a million accesses."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator

from benchmarks.keyspace.stage import Stage
from benchmarks.report import Bar, Row, duration

__all__ = ["replay_rows"]

_MODULE = "benchmarks.whatif"
_BAR = Bar(1.0)


def replay_rows(_stage: Stage) -> Iterator[Row]:
    """One; none in a checkout that cannot replay accesses."""
    if importlib.util.find_spec(_MODULE) is None:
        sys.stderr.write(f"whatif: left out, there is no {_MODULE} here\n")
        return
    took = importlib.import_module(_MODULE).measure_what_if()
    what = "what-if: 1,000,000 accesses under 8 ttls"
    yield Row(what, duration(took), "median of 5", str(_BAR), _BAR.verdict(took))
