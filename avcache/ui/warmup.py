"""Warm-up: who is missing, and what did filling it bring? Pure."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Final

import pandas as pd

from avcache.formats import counted, format_count, format_seconds
from avcache.ops.coverage import Coverage
from avcache.ops.warmup import WarmupJob, WarmupPlan

__all__ = [
    "coverage_exported",
    "coverage_table",
    "describe_coverage",
    "describe_plan",
    "exported",
    "legend",
    "outcome_table",
    "progress_text",
    "states_shown",
    "tickers_in",
]

_MARKS: Final = {
    "fresh": (":green[■]", "fresh"),
    "expiring": (":yellow[■]", "expiring < 5 min"),
    "stale": (":orange[■]", "stale"),
    "missing": (":red[□]", "missing"),
    "failed": (":red[✕]", "failed"),
}
_HEADINGS: Final = frozenset({"ticker", "tickers", "symbol", "symbols"})
_MOST_LINES: Final = 2000
_CELL_ENDS: Final = re.compile(r"[,;\t ]+")


def states_shown(coverage: Coverage, failures: Mapping[str, str]) -> dict[str, list[str]]:
    """By ticker its state of each kind; *failures* of the latest warm-up are told where something still is missing."""
    return {
        ticker: ["failed" if state == "missing" and ticker in failures else state for state in states]
        for ticker, states in coverage.rows.items()
    }


def coverage_table(coverage: Coverage, failures: Mapping[str, str]) -> pd.DataFrame:
    """One row per ticker, one column per kind holding its state (see `states_shown`), and why it failed."""
    rows = [
        {
            "Ticker": ticker,
            **{kind.capitalize(): [state] for kind, state in zip(coverage.kinds, states, strict=True)},
            "Why": coverage.reasons.get(ticker) or ("failed" in states and failures.get(ticker)) or "–",
        }
        for ticker, states in states_shown(coverage, failures).items()
    ]
    return pd.DataFrame(rows)


def describe_coverage(coverage: Coverage) -> str:
    """How many of the tickers are in the cache, and of how many there are no prices."""
    text = f"{coverage.covered} of {len(coverage.rows)} tickers fresh"
    return f"{text}, no prices of {len(coverage.reasons)}" if coverage.reasons else text


def legend(rows: Sequence[Sequence[str]]) -> str:
    """What the marks mean, and how often each is there, as Markdown; *rows* hold the states of a ticker each."""
    cells = [state for states in rows for state in states]
    return " · ".join(f"{mark} {name} {format_count(cells.count(state))}" for state, (mark, name) in _MARKS.items())


def coverage_exported(coverage: Coverage) -> pd.DataFrame:
    """Coverage as it goes into a file: one row per ticker, the states as words, and why there are no prices."""
    rows = [
        {"ticker": ticker, **dict(zip(coverage.kinds, states, strict=True)), "why": coverage.reasons.get(ticker, "")}
        for ticker, states in coverage.rows.items()
    ]
    return pd.DataFrame(rows, columns=["ticker", *coverage.kinds, "why"])


def describe_plan(
    plan: WarmupPlan, *, provider_rate: float | None = None, rate: float | None = None, seconds: float | None = None
) -> str:
    """
    What a warm-up would do.

    Args:
        provider_rate: Requests a second that the provider allows; None: any.
        rate: Tickers a second that it may begin; None: any.
        seconds: After so many it begins no further ticker; None: never.
    """
    number = len(plan.tickers)
    if not number:
        return "Nothing to load"
    known = [part for part in (plan.seconds, None if rate is None else number / rate) if part is not None]
    paces = [] if rate is None else [f"{rate:g} tickers/s"]
    paces += [] if provider_rate is None else [f"{provider_rate:g} requests/s"]
    at = f" at {', '.join(paces)}" if paces else ""
    parts = [f"{format_count(number)} to load", f"about {format_seconds(max(known))}{at}" if known else ""]
    parts += [counted(plan.requests, "request"), "most read first" if number > 1 else ""]
    if seconds is not None and (not known or max(known) > seconds):
        parts.append(f"stops after {format_seconds(seconds)}")
    return " · ".join(part for part in parts if part)


def tickers_in(text: str) -> str:
    """The first column of a file of CSV or text (of a single line: all of it), as one types tickers; no heading."""
    rows = [line for line in text.splitlines()[:_MOST_LINES] if line.strip()]
    cells = [_CELL_ENDS.split(row.strip()) for row in rows]
    names = cells[0] if len(cells) == 1 else [cell[0] for cell in cells]
    plain = dict.fromkeys(name.strip("\"' \ufeff") for name in names)
    return ", ".join(name for name in plain if name and name.lower() not in _HEADINGS)


def outcome_table(job: WarmupJob) -> pd.DataFrame:
    """
    One row per ticker: Ticker, Result, Took, Reason.

    While the job runs, those not done yet are waiting, so that no row moves when another one comes.
    """
    is_running = job.is_running  # asked first: what is over has all of its outcomes
    known = {outcome.ticker: outcome for outcome in job.outcomes}
    tickers = [ticker for ticker in job.tickers if is_running or ticker in known]
    found = [known.get(ticker) for ticker in tickers]
    return pd.DataFrame(
        {
            "Ticker": tickers,
            "Result": [[outcome.result if outcome else "waiting"] for outcome in found],
            "Took": [format_seconds(outcome.seconds if outcome else None) for outcome in found],
            "Reason": [(outcome and outcome.reason) or "–" for outcome in found],
        }
    )


def exported(job: WarmupJob) -> pd.DataFrame:
    """The outcomes as they go into a file: ticker, result, seconds, reason (or empty)."""
    return pd.DataFrame(list(map(dataclasses.asdict, job.outcomes)), columns=["ticker", "result", "seconds", "reason"])


def progress_text(job: WarmupJob) -> str:
    """How far a job is, or how it ended."""
    done, total = len(job.outcomes), len(job.tickers)
    if job.is_running:
        how = "Stopping: " if job.is_cancelled else "Paused: " if job.is_paused else ""
        return f"{how}{done} of {total}"
    ended = "Stopped" if job.is_cancelled and done < total else "Done"
    failed = f", {len(job.failures)} failed" if job.failures else ""
    return f"{ended}: {job.cached} of {total} cached{failed} in {format_seconds(job.seconds)}"
