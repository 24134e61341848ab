"""One score in words and tables: how strong, how sure, how fresh, and how it is made. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import pandas as pd

from avcache.core.peek import Peek
from avcache.formats import add_up, format_clock, format_day, format_money, format_percent, price_digits
from avcache.market.freshness import Session
from avcache.market.scoring import Score, rate
from avcache.market.scoring.cross_section import FEWEST_TICKERS, percentiles
from avcache.market.scoring.measures import MEASURES
from avcache.ui.export import dated
from avcache.ui.numbers import Number
from avcache.ui.states import SESSIONS, describe_age

__all__ = [
    "LABELS",
    "MEANINGS",
    "PARTS",
    "breakdown",
    "composite_shown",
    "exported_measures",
    "freshness",
    "measure_table",
    "measure_text",
    "standing_among",
    "strength",
]

PARTS: Final[Mapping[str, Number]] = {
    "value": Number("Value", "%.1f", "0 to 100"),
    "weight_percent": Number("Weight", "%.0f %%", "As the score is defined"),
    "effective_weight_percent": Number("Used", "%.1f %%", "Weight of what is there, the missing spread over it"),
    "contribution": Number("Adds", "%.2f", "Together they are the composite"),
}
"""The numbers of a breakdown."""

_PARTS_OF_FACTOR: Final = {
    "momentum_12_1": "12-1 momentum",
    "risk_adjusted": "Risk-adjusted",
    "residual_momentum": "Residual momentum",
    "of_high_52w": "52-week high",
}
"""How parts are called whose name is not what people say."""

_MEASURES: Final = (
    ("return_1m", "1 month", "%", "return over 20 sessions"),
    ("return_3m", "3 months", "%", "return over 62 sessions"),
    ("return_6m", "6 months", "%", "return over 125 sessions"),
    ("momentum_12_1", "12-1 momentum", "%", "return over 12 months without the newest one"),
    ("tsmom_position", "TSMOM position", "ratio", "sign of the 12-month return, sized to 40 % volatility"),
    ("msci_ratio_12", "Risk-adjusted 12 m", "ratio", "12-month return without the newest month, by weekly volatility"),
    ("residual_momentum", "Residual momentum", "ratio", "11 months of what the market does not explain, by its spread"),
    ("clenow", "Clenow", "ratio", "yearly slope of the log price over 90 sessions, times its R²"),
    ("information_discreteness", "Discreteness", "ratio", "jumps or drift: the lower, the smoother the way"),
    ("vs_sma20", "vs SMA 20", "%", "price against its average of 20 sessions"),
    ("vs_sma50", "vs SMA 50", "%", "price against its average of 50 sessions"),
    ("vs_sma200", "vs SMA 200", "%", "price against its average of 200 sessions"),
    ("of_high_52w", "Of 52-week high", "share", "100 % is a new high"),
    ("rsi_wilder", "RSI 14", "points", "Wilder's; above 70 overbought, below 30 oversold"),
    ("volatility_1y", "Volatility, 1 year", "share", "standard deviation of daily returns, annualised"),
    ("max_drawdown", "Deepest fall", "%", "below an earlier high, over all prices there are"),
    ("beta", "Beta", "ratio", "daily moves against those of the benchmark"),
)

LABELS: Final = {name: label for name, label, _, _ in _MEASURES}
"""What the measures are called."""

_FORMS: Final = {name: form for name, _, form, _ in _MEASURES}
_DEFINED: Final = {measure.name: measure for measure in MEASURES}

MEANINGS: Final = "  \n".join(f"**{label}**: {meaning}" for _, label, _, meaning in _MEASURES)
"""Every measure explained, as Markdown."""


def strength(score: Score) -> str:
    """How strong, and how sure: `9.2 (92.3, Strong Buy, coverage 75 %)`."""
    shown = composite_shown(score.composite_score)
    coverage = format_percent(score.coverage, 0)
    if score.score is None or shown is None:
        return f"No score ({score.rating}, coverage {coverage})"
    return f"{score.score:.1f} ({shown:.1f}, {score.rating}, coverage {coverage})"


def freshness(score: Score, entry: Peek, source_label: str, now: float, session: Session | None = None) -> str:
    """Of which day, from prices of when, how old, from where; *now* is a wall-clock reading, *session* of its price."""
    age = describe_age(entry, if_stale="stale, loaded again when read")
    fetched_at = score.inputs.get("prices", 0.0)
    prices = f" from prices of {format_clock(fetched_at, now)}" if fetched_at else ""
    computed = f"computed {format_clock(score.computed_at, now)}{prices}, {age}"
    said = [SESSIONS[session]] if session else []
    notes = [score.note] if score.note else []
    if score.is_provisional:
        notes.append("provisional: it rests on older prices, or lacks what may be there in a minute")
    return " · ".join([f"as of {format_day(score.as_of)}", *said, computed, *notes, source_label])


def breakdown(score: Score) -> pd.DataFrame:
    """
    How a score is made: one row per component, and the composite as the last.

    Columns: component, value (0 to 100), weight_percent, effective_weight_percent, contribution, missing
    (why, or empty). Contributions have two decimals and add up to the composite that is shown.
    """
    total = composite_shown(score.composite_score, 2)
    parts = score.components
    added = add_up([part.contribution for part in parts.values()], total or 0.0, 2)
    rows: list[tuple[str, float | None, float, float, float | None, str]] = [
        (
            _PARTS_OF_FACTOR.get(name) or name.capitalize(),
            part.value,
            100 * part.weight,
            100 * part.effective_weight,
            contribution,
            part.missing or "",
        )
        for (name, part), contribution in zip(parts.items(), added, strict=True)
    ]
    weight = sum(part.weight for part in parts.values())
    used = sum(part.effective_weight for part in parts.values())
    too_little = "" if total is not None else f"coverage {format_percent(score.coverage, 0)}, 50 % needed"
    rows.append(("Composite", None, 100 * weight, 100 * used, total, too_little))
    columns = ["component", "value", "weight_percent", "effective_weight_percent", "contribution", "missing"]
    return pd.DataFrame(rows, columns=columns).astype({"value": "float64", "contribution": "float64"})


def measure_table(score: Score, standing: Mapping[str, float] | None = None) -> pd.DataFrame:
    """
    Published measures beside the score: Measure, Value (text with its unit), Percentile (0 to 100, NaN where unknown),
    Meaning, Formula, Source.

    *standing* is what `standing_among` says.
    """
    rows = [
        (
            label,
            measure_text(name, score.measures.get(name)),
            None if standing is None or name not in standing else 100 * standing[name],
            meaning,
            _DEFINED[name].formula,
            _DEFINED[name].source,
        )
        for name, label, _, meaning in _MEASURES
    ]
    price = format_money(score.price, score.currency, price_digits(score.price))
    rows.append(("Price", price, None, f"last close, {format_day(score.as_of)}", "", ""))
    columns = ["Measure", "Value", "Percentile", "Meaning", "Formula", "Source"]
    return pd.DataFrame(rows, columns=columns).astype({"Percentile": "float64"})


def exported_measures(score: Score, standing: Mapping[str, float] | None = None) -> pd.DataFrame:
    """`measure_table` as it goes into a file: the ticker, and values as numbers (0.05 is 5 %), NaN where unknown."""
    values = [*(score.measures.get(name) for name, *_ in _MEASURES), score.price]
    table = measure_table(score, standing).assign(Value=pd.Series(values, dtype="float64"), Ticker=score.ticker)
    return dated(table, score.as_of, score.computed_at)


def standing_among(scores: Mapping[str, Score], ticker: str) -> dict[str, float]:
    """
    The share of *scores* that is at most as high as *ticker*, one of them, in each measure; nothing among fewer than
    10, where that says little.
    """
    if len(scores) < FEWEST_TICKERS or ticker not in scores:
        return {}
    measured = {name: {key: score.measures.get(key) for key in _DEFINED} for name, score in scores.items()}
    return percentiles(pd.DataFrame.from_dict(measured, orient="index").astype("float64"), ticker)


def composite_shown(composite: float | None, digits: int = 1) -> float | None:
    """Rounded, but never into the next band: 79.96 is a Buy and must not show as 80.0."""
    if composite is None:
        return None
    rounded, unit = round(composite, digits), 10**digits
    return rounded if rate(rounded) == rate(composite) else math.floor(composite * unit) / unit


def measure_text(name: str, value: float | None) -> str:
    """The *value* of the measure *name*, with its unit."""
    if value is None:
        return "–"
    form = _FORMS[name]
    if form == "%":
        return f"{100 * value:+z.1f} %"
    if form == "share":
        return format_percent(value)
    return f"{value:.1f}" if form == "points" else f"{value:z.2f}"
