"""Warm-up: who is missing, and what did filling it bring? Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pandas as pd

from avcache.formats import format_seconds
from avcache.ops.coverage import Coverage
from avcache.ops.warmup import WarmupJob

__all__ = ["coverage_table", "describe_coverage", "exported", "outcome_table", "progress_text"]


def coverage_table(coverage: Coverage, failures: Mapping[str, str]) -> pd.DataFrame:
    """
    One row per ticker, one column per kind holding its state, and why it failed.

    *failures* of the latest warm-up are told as such where something still is missing.
    """
    rows = []
    for ticker, states in coverage.rows.items():
        is_missing = "missing" in states
        seen = ["failed" if state == "missing" and ticker in failures else state for state in states]
        why = coverage.reasons.get(ticker) or (failures.get(ticker) if is_missing else None)
        rows.append(
            {
                "Ticker": ticker,
                **{kind.capitalize(): [state] for kind, state in zip(coverage.kinds, seen, strict=True)},
                "Why": why or "–",
            }
        )
    return pd.DataFrame(rows)


def describe_coverage(coverage: Coverage) -> str:
    """How many of the tickers are in the cache, and of how many there are no prices."""
    text = f"{coverage.covered} of {len(coverage.rows)} tickers fresh"
    return f"{text}, no prices of {len(coverage.reasons)}" if coverage.reasons else text


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
