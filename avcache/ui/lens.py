"""What an entry means: a score as a score, prices as prices, a portfolio as its holdings, all else as data. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import pandas as pd

from avcache.core.peek import Peek
from avcache.formats import format_age, format_count, format_percent
from avcache.market import price as prices
from avcache.market import records, scoring
from avcache.market.caching import UNREADABLE
from avcache.market.price import Price
from avcache.market.provider import PriceHistory
from avcache.market.scoring import Score
from avcache.ui.entry import named_apart
from avcache.ui.momentum.score import composite_shown
from avcache.ui.states import state_of

__all__ = [
    "Comparison",
    "Lens",
    "comparison",
    "holdings_table",
    "input_table",
    "inputs_of",
    "json_of_value",
    "lens_of",
    "plain",
]

Lens: TypeAlias = Score | Price | PriceHistory | None

_DEEPEST: Final = 20
_SAME: Final = 1e-9
_DASH: Final = "–"


def lens_of(namespace: str, value: object) -> Lens:
    """What an entry of *namespace* with this *value* is to the market; None: nothing that it knows, or can read."""
    readers: Mapping[str, Any] = {
        "momentum": scoring.from_record,
        "price": prices.from_record,
        "history": records.to_history,
    }
    if namespace not in readers or not isinstance(value, dict):
        return None
    try:
        found: Lens = readers[namespace](value)
    except UNREADABLE:
        return None
    return found


def inputs_of(score: Score) -> dict[str, str]:
    """Under which key each input of a score is kept."""
    keys = {
        "prices": f"history:{score.ticker}",
        "benchmark": f"history:{score.benchmark}",
        "fundamentals": f"fundamentals:{score.ticker}",
    }
    return {name: keys[name] for name in score.inputs if name in keys}


def input_table(score: Score, entries: Mapping[str, Peek | None], now: float) -> pd.DataFrame:
    """
    What a score rests on: Input (its key), Age (since it was fetched for this score) and Now, its state in the cache.

    Args:
        entries: By key, what is there now.
        now: Wall clock.
    """
    kept = inputs_of(score)
    found = [entries.get(key) for key in kept.values()]
    fetched = [score.inputs[name] for name in kept]  # 0: prices that never change
    ages = [now - at if at else None if entry is None else entry.age for at, entry in zip(fetched, found, strict=True)]
    return pd.DataFrame(
        {
            "Input": list(kept.values()),
            "Age": list(map(format_age, ages)),
            "Now": [["missing" if entry is None else state_of(entry)] for entry in found],
        }
    )


def holdings_table(holdings: Mapping[str, float | None]) -> pd.DataFrame:
    """Ticker and Shares, in the order given; no number where a position has no price."""
    return pd.DataFrame({"Ticker": list(holdings), "Shares": list(holdings.values())}).astype({"Shares": "float64"})


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """How far a cached score is from one computed now: *table* has the fields that differ, of *fields* in all."""

    table: pd.DataFrame
    fields: int

    @property
    def text(self) -> str:
        """The same in a sentence."""
        if self.table.empty:
            return f"All {self.fields} fields are the same: the cached score is what its prices make now."
        return f"{format_count(len(self.table))} of {self.fields} fields differ."


def comparison(cached: Score, now: Score) -> Comparison:
    """Hold each field of *cached* against *now*: Field, Cached, Recomputed, Difference."""
    before, after = _fields(cached), _fields(now)
    names = list(dict.fromkeys((*before, *after)))
    differing = [
        (name, _shown(was), _shown(is_now), _difference(was, is_now))
        for name in names
        if _differ(was := before.get(name), is_now := after.get(name))
    ]
    return Comparison(pd.DataFrame(differing, columns=["Field", "Cached", "Recomputed", "Difference"]), len(names))


def plain(value: object, depth: int = 0) -> Any:
    """*value* as JSON knows it: tables as rows, numbers that are none as null, what JSON lacks as Python writes it."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, pd.DataFrame):
        return _rows(value)
    if depth >= _DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        return {str(key): plain(part, depth + 1) for key, part in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [plain(part, depth + 1) for part in value]
    return repr(value)


def _rows(table: pd.DataFrame) -> Any:
    named = named_apart(table.reset_index(allow_duplicates=True))
    try:
        return json.loads(named.to_json(orient="records", date_format="iso") or "[]")
    except ValueError:  # bytes, periods
        return [{str(name): str(cell) for name, cell in row.items()} for row in named.to_dict("records")]


def json_of_value(value: object) -> bytes:
    """*value* as a JSON document in UTF-8, see `plain`."""
    return json.dumps(plain(value), ensure_ascii=False, indent=1).encode(errors="replace")


def _fields(score: Score) -> dict[str, object]:
    parts: dict[str, object] = {
        "composite": composite_shown(score.composite_score, 2),
        "rating": score.rating,
        "coverage": format_percent(score.coverage, 0),
        "as of": score.as_of,
        "price": score.price,
        "sessions": score.rows,
    }
    for name, part in score.components.items():
        parts[f"{name}: value"] = part.value
        parts[f"{name}: contribution"] = part.contribution
    return parts | {f"measure {name}": value for name, value in score.measures.items()}


def _differ(was: object, now: object) -> bool:
    if isinstance(was, int | float) and isinstance(now, int | float):
        return not math.isclose(was, now, rel_tol=_SAME, abs_tol=_SAME) and not (math.isnan(was) and math.isnan(now))
    return was != now


def _shown(value: object) -> str:
    if value is None:
        return _DASH
    return f"{value:,.6g}" if isinstance(value, float) else str(value)


def _difference(was: object, now: object) -> str:
    if isinstance(was, int | float) and isinstance(now, int | float):
        return f"{now - was:+,.4g}"
    return _DASH
