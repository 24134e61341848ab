"""Look: info, keys, stats."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from avcache.cli.output import Column, print_facts, print_json, print_table
from avcache.cli.place import CONSOLE, Json, KeyRow, Sizes, Url, place_of
from avcache.formats import format_age, format_bytes, format_clock, format_count, format_percent

__all__ = ["info", "keys", "stats"]

_MOST_KEYS = 10_000


def info(*, url: Url = CONSOLE, json: Json = False) -> None:
    """What the store is, and how full."""
    found = dict(place_of(url).info())
    if json:
        print_json(found)
        return
    since = found.get("degraded_since")
    bound = "at most " if found.get("cache_type") == "memory" else "at least "
    about = "" if found.get("exact", True) else bound
    rows = {
        "Store": " ".join(str(found[name]) for name in ("cache_type", "redis_version") if found.get(name)),
        "State": found.get("state"),
        "Keys": f"{about}{format_count(_number(found.get('total_keys')))}",
        "Memory": found.get("memory_usage"),
        "Clients": found.get("connected_clients"),
        "Degraded since": format_clock(since) if isinstance(since, float) else None,
        "Error": found.get("error"),
        "Pending invalidations": found.get("pending") or None,
    }
    print_facts({name: value for name, value in rows.items() if value is not None})


def keys(
    pattern: Annotated[str, typer.Argument(help="* stands for any text, ? for one character.")] = "*",
    *,
    limit: Annotated[int, typer.Option(min=1, max=_MOST_KEYS, help="Print at most so many.")] = 100,
    url: Url = CONSOLE,
    json: Json = False,
) -> None:
    """The keys that match; on a server, soonest to expire first."""
    found = place_of(url).keys(pattern, limit)
    if json:
        print_json(
            {
                "pattern": pattern,
                "found": found.found,
                "exact": found.is_exact,
                "keys": [asdict(row) for row in found.rows],
            }
        )
        return
    count = f"{'' if found.is_exact else 'at least '}{format_count(found.found)} keys match {pattern}"
    shown = "" if len(found.rows) == found.found else f", {format_count(len(found.rows))} of them shown"
    if not found.rows or found.rows[0].size is None:  # over REST there are names only
        print_table(["Key"], [(row.key,) for row in found.rows], title=count + shown)
        return
    columns: list[Column] = ["Key", ("Age", "right"), ("Fresh for", "right"), ("Size", "right"), "State"]
    print_table(columns, map(_key_row, found.rows), title=count + shown)


def stats(*, url: Url = CONSOLE, json: Json = False) -> None:
    """What each namespace takes; on a server its hit rate of a day."""
    rows, is_exact = place_of(url).sizes()
    total = sum(row.keys for row in rows)
    if json:
        print_json({"namespaces": [asdict(row) for row in rows], "total": total, "exact": is_exact})
        return
    columns: list[Column] = [
        "Namespace",
        ("Keys", "right"),
        ("Stale", "right"),
        ("Size", "right"),
        ("Hit rate 24 h", "right"),
        "Such as",
    ]
    title = f"{'' if is_exact else 'at least '}{format_count(total)} keys"
    print_table(columns, map(_namespace_row, rows), title=title)


def _key_row(row: KeyRow) -> tuple[object, ...]:
    left = "–" if not row.ttl_left else format_age(row.ttl_left)
    return row.key, format_age(row.age), left, _bytes(row.size), row.state or "–"


def _namespace_row(row: Sizes) -> tuple[object, ...]:
    stale = "–" if row.stale is None else format_count(row.stale)
    shown = ", ".join(row.samples[:3])
    return row.name, format_count(row.keys), stale, _bytes(row.size), format_percent(row.hit_rate), shown


def _bytes(size: int | None) -> str:
    return "–" if size is None else format_bytes(size)


def _number(value: object) -> float:
    return value if isinstance(value, int | float) else 0
