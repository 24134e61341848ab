"""`make bench-console`: the table of docs/performance.md about the console, measured in one run."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator

from benchmarks.console.figures import page_rows, soak_rows, tab_rows
from benchmarks.console.stage import Stage, staged
from benchmarks.report import Row, machine, server_version, short_table


def main() -> None:
    asked = _asked()
    begun, rows = time.monotonic(), list[Row]()
    with staged(asked.keys) as stage:
        sys.stderr.write(f"{asked.keys:,} keys are there after {time.monotonic() - begun:.0f} s\n")
        try:
            for row in _rows(stage, asked):
                rows.append(row)
                sys.stderr.write(f"{row.what}: {row.value} (load {os.getloadavg()[0]:.1f})\n")
        finally:  # a row that fails ends the run, but takes no other with it
            sys.stdout.write(f"\n{short_table(rows)}\n\n{machine(server_version(stage.url))}\n")
    sys.stdout.write(f"Measured in {time.monotonic() - begun:.0f} s.\n")


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog='make bench-console ARGS="…"', description=__doc__)
    parser.add_argument("--tabs", type=int, nargs="*", default=[100, 200], help="how many browser tabs, in turn")
    parser.add_argument("--seconds", type=float, default=30.0, help="for how long they stay")
    parser.add_argument("--keys", type=int, default=1_000_000, help="how many are in the store")
    parser.add_argument(
        "--soak", type=float, default=0.0, help="minutes of 100 tabs, for the growth of memory; 0: none"
    )
    return parser.parse_args()


def _rows(stage: Stage, asked: argparse.Namespace) -> Iterator[Row]:
    yield from page_rows(stage, asked.keys)
    for tabs in asked.tabs:
        yield from tab_rows(stage, tabs, asked.seconds)
    if asked.soak:
        yield from soak_rows(stage, 100, asked.soak)


if __name__ == "__main__":
    main()
