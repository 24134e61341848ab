"""The tables of Overview: a row per namespace, a row per process; for people, and as they go into a file. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import pandas as pd
import pyarrow as pa

from avcache.core.keys import Namespaces
from avcache.formats import format_bytes, format_clock, format_seconds
from avcache.ops.activity import ActivityWindow, Tally
from avcache.telemetry.totals import Worker
from avcache.ui.overview.look import WINDOWS, Look

__all__ = [
    "NamespaceRow",
    "exported_namespaces",
    "exported_workers",
    "namespace_rows",
    "namespace_table",
    "worker_table",
]

_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class NamespaceRow:
    """
    What one namespace holds, and what it did in the window.

    Attributes:
        hit_rates: Of each of `WINDOWS`, 0 to 1; None where nobody read.
        load_p50_seconds: Half of the loads took that long or less; None without any. So *load_p95_seconds*.
        miss_cost_seconds_per_hour: Seconds of loading that its misses cost in an hour, at the pace of the window.
    """

    namespace: str
    keys: int
    size_bytes: int
    requests: int
    misses: int
    stale_hits: int
    loads: int
    load_failures: int
    hit_rates: tuple[float | None, ...]
    load_p50_seconds: float | None
    load_p95_seconds: float | None
    miss_cost_seconds_per_hour: float
    ttl_seconds: float


def namespace_rows(seen: Look, rules: Namespaces) -> list[NamespaceRow]:
    """The namespaces that hold keys or were read in the last day, by name."""
    read = {name for window in seen.by_window.values() for name in window.by_namespace}
    return [_row(name, seen, rules) for name in sorted({*seen.snapshot.namespaces, *read})]


def namespace_table(rows: Sequence[NamespaceRow]) -> pa.Table:
    """As people read it and as it is sent: counts, rates (percent) and costs stay numbers, by which they may sort."""
    columns = {
        "Namespace": pa.array([row.namespace for row in rows], pa.string()),
        "Keys": pa.array([row.keys for row in rows], pa.int64()),
        "Size": pa.array([format_bytes(row.size_bytes) for row in rows], pa.string()),
        **{
            label: pa.array([_percent(row.hit_rates[at]) for row in rows], pa.float64())
            for at, label in enumerate(WINDOWS)
        },
        "Load p50 / p95": pa.array([_loads(row) for row in rows], pa.string()),
        "Miss cost": pa.array([row.miss_cost_seconds_per_hour for row in rows], pa.float64()),
        "TTL": pa.array([format_seconds(row.ttl_seconds) for row in rows], pa.string()),
    }
    return pa.table(columns)


def exported_namespaces(rows: Sequence[NamespaceRow]) -> pd.DataFrame:
    """As it goes into a file: plain numbers, a column `hit_rate_…` (0 to 1) for each window."""
    frame = pd.DataFrame([asdict(row) for row in rows], columns=list(NamespaceRow.__dataclass_fields__))
    rates = {
        f"hit_rate_{label.replace(' ', '_')}": pd.Series([row.hit_rates[at] for row in rows], dtype=float)
        for at, label in enumerate(WINDOWS)
    }
    return frame.drop(columns="hit_rates").assign(**rates)


def worker_table(seen: Look) -> pa.Table:
    """Each process that lives, or did read within the window, those that live first; the hit rate in percent."""
    shown = [worker for worker in seen.workers if worker.is_alive or worker.stats.total.requests]
    workers = sorted(shown, key=lambda worker: not worker.is_alive)
    totals = [worker.stats.total for worker in workers]
    columns = {
        "Worker": pa.array([_name(worker) for worker in workers], pa.string()),
        "State": pa.array([["alive" if worker.is_alive else "gone"] for worker in workers], pa.list_(pa.string())),
        "Hit rate": pa.array([_percent(total.hit_rate) for total in totals], pa.float64()),
        "Requests": pa.array([total.requests for total in totals], pa.int64()),
        "Loads": pa.array([total.loads for total in totals], pa.int64()),
        "Last seen": pa.array([format_clock(worker.last_seen, seen.now) for worker in workers], pa.string()),
    }
    return pa.table(columns)


def exported_workers(seen: Look) -> pd.DataFrame:
    """The same in plain numbers; moments in ISO 8601, UTC."""
    rows = [
        {
            "host": worker.process.host,
            "pid": worker.process.pid,
            "is_alive": worker.is_alive,
            "is_this": worker.is_this,
            "hit_rate": worker.stats.total.hit_rate,
            "requests": worker.stats.total.requests,
            "loads": worker.stats.total.loads,
            "last_seen": pd.Timestamp(round(worker.last_seen), unit="s", tz="UTC").isoformat(),
        }
        for worker in seen.workers
    ]
    return pd.DataFrame(rows)


def _row(name: str, seen: Look, rules: Namespaces) -> NamespaceRow:
    size, done = seen.snapshot.namespaces.get(name), seen.recent.by_namespace.get(name)
    return NamespaceRow(
        namespace=name,
        keys=size.keys if size else 0,
        size_bytes=size.size if size else 0,
        requests=done.requests if done else 0,
        misses=done.misses if done else 0,
        stale_hits=done.stale_hits if done else 0,
        loads=done.loads if done else 0,
        load_failures=done.load_failures if done else 0,
        hit_rates=tuple(_hit_rate(window, name) for window in seen.by_window.values()),
        load_p50_seconds=done.load_p50 if done else None,
        load_p95_seconds=done.load_p95 if done else None,
        miss_cost_seconds_per_hour=_cost_per_hour(done, seen.recent) if done else 0.0,
        ttl_seconds=rules[name].ttl,
    )


def _name(worker: Worker) -> str:
    name = f"{worker.process.host}:{worker.process.pid}"
    return f"{name} (this one)" if worker.is_this else name


def _hit_rate(window: ActivityWindow, name: str) -> float | None:
    done = window.by_namespace.get(name)
    return None if done is None else done.hit_rate


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _cost_per_hour(done: Tally, window: ActivityWindow) -> float:
    return done.load_seconds * _HOUR / max(1.0, window.until - window.since)


def _loads(row: NamespaceRow) -> str:
    if row.load_p50_seconds is None:
        return "–"
    return f"{format_seconds(row.load_p50_seconds)} / {format_seconds(row.load_p95_seconds)}"
