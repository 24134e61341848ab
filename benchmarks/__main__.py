"""`make bench`: the table of docs/performance.md, measured in one run; arguments select groups of rows."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator

from benchmarks import bulk, hits, market, memory, outage, stampede, threads
from benchmarks.report import Row, machine, server_version, table
from tests.servers import RealServer

GROUPS = {
    "hits": hits.rows,
    "bulk": bulk.rows,
    "stampede": stampede.rows,
    "threads": threads.rows,
    "outage": outage.rows,
    "memory": memory.rows,
    "market": market.rows,
}


def main(chosen: list[str]) -> None:
    if unknown := [name for name in chosen if name not in GROUPS]:
        sys.exit(f"no such group: {' '.join(unknown)}; there are {' '.join(GROUPS)}")
    # An outage is staged here on purpose: its log lines would stand between the rows.
    logging.getLogger().addHandler(logging.NullHandler())
    begun, rows = time.monotonic(), list[Row]()
    with RealServer() as server:
        try:
            for name in chosen or GROUPS:
                rows.extend(_measured(name, server.url))
        finally:  # a row that fails ends the run, but takes no other with it
            sys.stdout.write(f"\n{table(rows)}\n\n{machine(server_version(server.url))}\n")
    sys.stdout.write(f"Measured in {time.monotonic() - begun:.0f} s.\n")


def _measured(group: str, url: str) -> Iterator[Row]:
    begun = time.monotonic()
    yield from GROUPS[group](url)
    sys.stderr.write(f"{group}: {time.monotonic() - begun:.0f} s\n")


if __name__ == "__main__":
    main(sys.argv[1:])
