"""`make bench-keyspace`: a million keys in one run; arguments select groups of rows, `--keys` another size."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping

from benchmarks.keyspace import bands, disturbance, looks, whatif
from benchmarks.keyspace.calm import await_calm
from benchmarks.keyspace.fill import KEYS
from benchmarks.keyspace.stage import Stage, staged
from benchmarks.report import Row, machine, server_version, short_table

GROUPS: Mapping[str, Callable[[Stage], Iterator[Row]]] = {
    "sweep": disturbance.sweep_rows,
    "looks": looks.rows,
    "clear": disturbance.clear_rows,
    "bands": bands.rows,
    "commands": looks.command_rows,
    "flat": looks.flat_rows,
    "whatif": whatif.rows,
}
_LEAST = 20_000
"""Below, a store is looked at as a whole: no sample, no sweep."""


def main() -> None:
    asked = _asked()
    # What a sweep or a clear logs would stand between the rows.
    logging.getLogger().addHandler(logging.NullHandler())
    begun, rows = time.monotonic(), list[Row]()
    with staged(asked.keys) as stage:
        sys.stderr.write(f"{stage.filled.keys:,} keys put there: {time.monotonic() - begun:.0f} s\n")
        try:
            for name in asked.groups or GROUPS:
                rows.extend(_measured(name, stage, asked.patience))
                stage.commands.collect()
            rows.extend(stage.commands.rows())
        finally:  # a row that fails ends the run, but takes no other with it
            sys.stdout.write(f"\n{short_table(rows)}\n\n{machine(server_version(stage.url))}\n")
    sys.stdout.write(f"Measured in {time.monotonic() - begun:.0f} s.\n")


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog='make bench-keyspace ARGS="…"', description=__doc__)
    parser.add_argument("groups", nargs="*", help=f"of {', '.join(GROUPS)}")
    parser.add_argument("--keys", type=int, default=KEYS, help=f"how many are put there, {_LEAST:,} at least")
    parser.add_argument(
        "--patience", type=float, default=0.0, help="seconds that each group may wait until the machine is idle"
    )
    asked = parser.parse_args()
    if unknown := [name for name in asked.groups if name not in GROUPS]:
        parser.error(f"no such group: {' '.join(unknown)}; there are {' '.join(GROUPS)}")
    if asked.keys < _LEAST:
        parser.error(f"--keys {asked.keys}: wanted {_LEAST} or more")
    return asked


def _measured(group: str, stage: Stage, patience: float) -> Iterator[Row]:
    idle, begun = await_calm(patience), time.monotonic()
    yield from GROUPS[group](stage)
    sys.stderr.write(f"{group}: {time.monotonic() - begun:.0f} s; the machine was {idle:.0%} idle before\n")


if __name__ == "__main__":
    main()
