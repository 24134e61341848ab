"""Act: clear, warmup."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from avcache.cli.exits import FAILED
from avcache.cli.output import console, note, plain, print_json, print_table
from avcache.cli.place import CONSOLE, Json, Place, Url, Warmed, place_of, tickers_of
from avcache.errors import CacheError, InvalidInput
from avcache.formats import format_bytes, format_count, format_seconds

if TYPE_CHECKING:
    from avcache.api.schemas import ClearPlan

__all__ = ["clear", "describe_plan", "warmup"]


def clear(
    pattern: Annotated[str, typer.Argument(help="What to drop, such as 'price:*'; there is no default.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    reason: Annotated[str, typer.Option(help="Why: for the record of who did what.")] = "",
    url: Url = CONSOLE,
    json: Json = False,
) -> None:
    """Drop the keys that match, after showing what and its cost."""
    place = place_of(url)
    plan = place.plan(pattern)
    note(describe_plan(plan))
    if not yes and plan.exact and not plan.keys:
        dropped = None
    elif not yes and not _confirmed():
        note("Nothing was cleared.")
        raise typer.Exit(FAILED)
    else:
        dropped = place.clear(pattern, reason)
    if json:
        result = None if dropped is None else {"keys": int(dropped), "pending": dropped.pending}
        print_json({"plan": plan.model_dump(), "cleared": result, "reason": reason})
    elif dropped is not None:
        pending = "; the rest goes before it is read again" if dropped.pending else ""
        note(f"Cleared {format_count(dropped)} keys matching {pattern}{pending}.")


def warmup(
    tickers: Annotated[list[str] | None, typer.Argument(help="Such as AAPL NVDA.")] = None,
    *,
    universe: Annotated[str | None, typer.Option(help="All tickers of this universe.")] = None,
    url: Url = CONSOLE,
    json: Json = False,
) -> None:
    """Load the prices and scores that are not fresh."""
    if not tickers and universe is None:
        raise InvalidInput("tickers", "", "name tickers, or a --universe")
    wanted, outcomes = tickers_of(tickers or [], universe), list[Warmed]()
    try:
        _warm(place_of(url), wanted, outcomes)
    except (KeyboardInterrupt, CacheError):
        if outcomes:  # what is loaded by then is told
            _tell(wanted, outcomes, json=json)
        raise
    _tell(wanted, outcomes, json=json)
    if any(outcome.result == "failed" for outcome in outcomes):
        raise typer.Exit(FAILED)


def _warm(place: Place, wanted: tuple[str, ...], outcomes: list[Warmed]) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    screen = console(is_error=True)
    with (
        Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as progress,
        closing(place.warm(wanted)) as warming,
    ):
        task = progress.add_task("Warming up", total=len(wanted))
        for outcome in warming:
            outcomes.append(outcome)
            progress.update(task, advance=1, description=plain(outcome.ticker))


def _tell(wanted: tuple[str, ...], outcomes: list[Warmed], *, json: bool) -> None:
    outcomes = sorted(outcomes, key=lambda outcome: wanted.index(outcome.ticker))
    if json:
        print_json({"tickers": list(wanted), "outcomes": [asdict(outcome) for outcome in outcomes]})
        return
    cached = sum(outcome.result != "failed" for outcome in outcomes)
    rows = [(one.ticker, one.result, format_seconds(one.seconds), one.reason) for one in outcomes]
    title = f"{cached} of {len(wanted)} tickers are cached"
    print_table(["Ticker", "Outcome", ("Took", "right"), "Why"], rows, title=title)


def describe_plan(plan: ClearPlan) -> str:
    """What a clear would drop, how sure that is, and what loading it again takes."""
    count = f"{_how_many(plan)} keys match {plan.pattern}"
    facts = [
        format_bytes(plan.size_bytes),
        "" if plan.refill_seconds is None else f"{format_seconds(plan.refill_seconds)} to load again",
    ]
    unnamed = plan.keys - len(plan.sample_keys)
    more = f" and {format_count(unnamed)} more" if unnamed > 0 else ""
    samples = f": {', '.join(plan.sample_keys)}{more}" if plan.sample_keys else ""
    return "; ".join(filter(None, [count, *facts])) + samples


def _how_many(plan: ClearPlan) -> str:
    if plan.exact:
        return format_count(plan.keys)
    if plan.low == plan.high:  # while Redis is away, only memory was seen
        return f"At least {format_count(plan.keys)}"
    return f"About {format_count(plan.keys)} ({format_count(plan.low)} to {format_count(plan.high)})"


def _confirmed() -> bool:
    try:
        return typer.confirm("Clear them?", err=True)
    except typer.Abort:  # nobody is there to be asked
        return False
