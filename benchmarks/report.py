"""Rows of the table: what was measured, its ratio to what stands beside it, and whether the bar is met."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Samples
from benchmarks.stores import raw_client

__all__ = [
    "OWN",
    "Bar",
    "Row",
    "duration",
    "machine",
    "none_row",
    "race_row",
    "rate",
    "server_version",
    "short_table",
    "table",
    "times",
]

OWN = "avcache"
_PEERS = (
    "redis",
    "hiredis",
    "aiocache",
    "cachebox",
    "cachetools",
    "cashews",
    "django-redis",
    "dogpile.cache",
    "numpy",
    "pandas",
    "TA-Lib",
)
_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
_THREE_DIGITS, _TWO_DIGITS = 99.95, 9.995


def duration(seconds: float) -> str:
    """Three digits and the unit that suits them."""
    size, unit = next(((size, unit) for size, unit in _UNITS if seconds >= size), _UNITS[-1])
    return f"{_digits(seconds / size)} {unit}"


def times(ratio: float) -> str:
    return f"{_digits(ratio)}×"


def rate(per_second: float) -> str:
    return f"{per_second:,.0f}/s"


def _digits(number: float) -> str:
    if number >= _THREE_DIGITS:
        return f"{number:.0f}"
    # Trailing zeros say nothing in a bar such as 1.5 µs.
    text = f"{number:.1f}" if number >= _TWO_DIGITS else f"{number:.2f}"
    return text.rstrip("0").rstrip(".")


@dataclass(frozen=True, slots=True)
class Bar:
    """What a figure has to reach, and what would be better still; *unit* writes both."""

    limit: float
    stretch: float | None = None
    unit: Callable[[float], str] = duration
    at_least: bool = False

    def __str__(self) -> str:
        better = "" if self.stretch is None else f" ({self.unit(self.stretch)})"
        return f"{'≥' if self.at_least else '≤'} {self.unit(self.limit)}{better}"

    def verdict(self, figure: float) -> str:
        if not self._reached(self.limit, figure):
            return "**no**"
        return "yes, stretch" if self.stretch is not None and self._reached(self.stretch, figure) else "yes"

    def _reached(self, mark: float, figure: float) -> bool:
        return figure >= mark if self.at_least else figure <= mark


@dataclass(frozen=True, slots=True)
class Row:
    what: str
    value: str
    ratio: str
    bar: str
    met: str
    beside: str = ""


def race_row(what: str, samples: Mapping[str, Samples], bar: Bar, *, floor: str = "") -> Row:
    """The row of a race: held against *floor* by ratio; without a floor by time, beside the fastest peer."""
    own, peers = samples[OWN], {name: found for name, found in samples.items() if name != OWN}
    beside = floor or min(peers, key=lambda name: peers[name].median)
    ratio = own.over(samples[beside])
    shown = f"{times(ratio.median)} {beside} ({times(min(ratio.values))}–{times(max(ratio.values))})"
    met = bar.verdict(ratio.median if floor else own.median)
    others = ", ".join(f"{name} {duration(found.median)}" for name, found in peers.items())
    return Row(what, own.text(duration), shown, str(bar), met, others)


def none_row(what: str, number: int, beside: str = "") -> Row:
    """The row of what must not be at all."""
    return Row(what, f"{number:,}", beside, "0", "**no**" if number else "yes")


def table(rows: Iterable[Row]) -> str:
    """The rows in Markdown."""
    lines = [
        "| what | avcache: median (lowest–highest) | beside the floor or fastest peer | bar (stretch) | met | others |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines += [f"| {row.what} | {row.value} | {row.ratio} | {row.bar} | {row.met} | {row.beside} |" for row in rows]
    return "\n".join(lines)


def short_table(rows: Iterable[Row]) -> str:
    """The same where no peers are: beside a figure stands what it has to be read with."""
    lines = ["| what | median (lowest–highest) | beside | bar | met |", "| --- | --- | --- | --- | --- |"]
    for row in rows:
        beside = "; ".join(text for text in (row.ratio, row.beside) if text)
        lines.append(f"| {row.what} | {row.value} | {beside} | {row.bar} | {row.met} |")
    return "\n".join(lines)


def machine(server: str) -> str:
    """One line: when, where, with which versions, and how busy the machine was."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _PEERS)
    today = datetime.datetime.now(datetime.UTC).date()
    return (
        f"{today}; {os.cpu_count()} cores ({_processor()}), {platform.system()}, "
        f"load {os.getloadavg()[0]:.1f} at the end; Python {platform.python_version()}, {server}; {versions}."
    )


def server_version(url: str) -> str:
    """Name and version of the server there."""
    with raw_client(url) as client:
        facts = client.info("server")
    name = facts.get("server_name", "redis")
    return f"{name} {facts.get(f'{name}_version', facts['redis_version'])}"


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    if facts.exists():
        for line in facts.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
