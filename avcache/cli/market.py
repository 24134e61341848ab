"""Read: score, portfolio, coverage."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from avcache import runtime
from avcache.cli.exits import FAILED
from avcache.cli.output import Column, note, print_facts, print_json, print_table
from avcache.cli.place import CONSOLE, Json, Url, connected, place_of, tickers_of, universes
from avcache.errors import InvalidInput, ProviderError
from avcache.formats import format_money, format_percent
from avcache.runtime import Runtime

if TYPE_CHECKING:
    from avcache.market.portfolio import PortfolioAnalysis
    from avcache.market.scoring import Score

__all__ = ["coverage", "portfolio", "score"]

_MOST_CHARACTERS: Final = 200_001
"""One more than holdings may have: what is longer is refused, not cut."""
_PARTS: Final = ("price", "technical", "fundamental", "relative")
_LONG: Final = frozenset({"table", "over_time", "correlation"})


def score(
    tickers: Annotated[list[str], typer.Argument(help="Such as AAPL NVDA.")],
    *,
    profile: Annotated[str, typer.Option(help="By which it is computed.")] = "alphavelocity",
    json: Json = False,
) -> None:
    """The momentum score of each ticker, and what it is made of."""
    wanted = tickers_of(tickers)
    market = _wired().market
    found = market.scores(wanted, profile=profile)
    failed = {ticker: made for ticker, made in found.items() if isinstance(made, ProviderError)}
    scores = [made for made in found.values() if not isinstance(made, ProviderError)]
    if json:
        _print_scores_as_json(market.label, scores, failed)
    else:
        _print_scores(f"{market.label}; profile {profile}", scores)
        for error in failed.values():
            note(str(error))
    if failed:
        raise typer.Exit(FAILED)


def portfolio(
    holdings: Annotated[
        list[str], typer.Argument(help="A file (CSV, or lines of ticker and shares), - for stdin, or AAPL=100 NVDA=50.")
    ],
    *,
    json: Json = False,
) -> None:
    """Value, scores, weights and profit of what is held."""
    given = _held(" ".join(holdings))
    market = _wired().market
    found = market.portfolio(given)
    if json:
        from avcache.market.portfolio import to_record  # noqa: PLC0415 - pandas

        figures = {name: value for name, value in to_record(found).items() if name not in _LONG}
        print_json({"label": market.label, **figures, "positions": found.table.to_dict("records")})
    else:
        _print_portfolio(market.label, found)
    if found.table.empty:
        raise typer.Exit(FAILED)


def coverage(
    words: Annotated[list[str] | None, typer.Argument(help="A universe or tickers; else the first universe.")] = None,
    *,
    url: Url = CONSOLE,
    json: Json = False,
) -> None:
    """How each ticker stands in the cache: fresh, stale, missing…"""
    found = place_of(url).coverage(tickers_of(words or [universes().default]))
    rows = {ticker: (*states, found.reasons.get(ticker, "")) for ticker, states in found.states.items()}
    if json:
        records = {ticker: dict(zip((*found.kinds, "reason"), row, strict=True)) for ticker, row in rows.items()}
        print_json({"covered": found.covered, "of": len(rows), "tickers": records})
        return
    title = f"{found.covered} of {len(rows)} tickers are in the cache"
    print_table(["Ticker", *found.kinds, "Why"], [(ticker, *row) for ticker, row in rows.items()], title=title)


def _wired() -> Runtime:
    """The runtime to compute with: on the server of the settings, or of this process alone, which is said then."""
    wired = runtime.shared()
    if wired.settings.redis_enabled:
        return connected(wired)
    note("Computed in this process and kept nowhere: without a Redis, the console's cache is its own.")
    return wired


def _held(text: str) -> str:
    """The holdings, as text that `parse_holdings` takes: those of a file, of stdin, or pairs with an equals sign."""
    if text == "-":
        return sys.stdin.read(_MOST_CHARACTERS)
    if not all("=" in word for word in text.split()):
        return _of_file(text)
    # A currency has an equals sign of its own: EURUSD=X=100.
    return "\n".join(" ".join(word.rsplit("=", 1)) for word in text.split())


def _of_file(name: str) -> str:
    try:
        with Path(name).open(encoding="utf-8-sig") as file:
            return file.read(_MOST_CHARACTERS)
    except FileNotFoundError:
        raise InvalidInput("holdings", name, "a file, - for stdin, or pairs such as AAPL=100") from None
    except (OSError, ValueError) as exc:
        raise InvalidInput("holdings", name, f"a file of text ({exc})") from None


def _print_scores_as_json(label: str, scores: list[Score], failed: dict[str, ProviderError]) -> None:
    from avcache.market.scoring import to_record  # noqa: PLC0415 - pandas

    reasons = {ticker: {"reason": error.reason, "detail": error.detail} for ticker, error in failed.items()}
    print_json({"label": label, "scores": [to_record(made) for made in scores], "failures": reasons})


def _print_scores(title: str, scores: list[Score]) -> None:
    columns: list[Column] = ["Ticker", ("Composite", "right"), ("0–10", "right"), "Rating"]
    columns += [(part.capitalize(), "right") for part in _PARTS]
    columns += [("1 week", "right"), ("Price", "right"), "As of"]
    ranked = sorted(
        scores, key=lambda made: -1.0 if made.composite_score is None else made.composite_score, reverse=True
    )
    print_table(columns, map(_score_row, ranked), title=title)


def _score_row(made: Score) -> tuple[str, ...]:
    parts = [made.components[part].value if part in made.components else None for part in _PARTS]
    week = made.changes["1w"].change if "1w" in made.changes else None
    return (
        made.ticker,
        _figure(made.composite_score),
        _figure(made.score),
        made.rating,
        *map(_figure, parts),
        "–" if week is None else f"{week:+.1f}",
        format_money(made.price, made.currency),
        made.as_of,
    )


def _print_portfolio(label: str, found: PortfolioAnalysis) -> None:
    columns: list[Column] = [
        "Ticker",
        *((name, "right") for name in ("Shares", "Price", "Value", "Weight", "Profit", "Score")),
    ]
    columns += ["Rating", "As of"]
    rows = [
        (
            row["ticker"],
            f"{row['shares']:g}",
            format_money(row["price"], found.currency),
            format_money(row["value"], found.currency),
            format_percent(row["weight"]),
            "–" if math.isnan(row["profit"]) else format_money(row["profit"], found.currency),
            _figure(row["composite_score"]),
            row["rating"],
            row["as_of"],
        )
        for row in found.table.to_dict("records")
    ]
    print_table(columns, rows, title=label)
    totals = {
        "Value": format_money(found.total_value, found.currency),
        "Profit": "–" if found.profit is None else format_money(found.profit, found.currency),
        "Mean score": _figure(found.average_score),
        "Mean score by value": _figure(found.weighted_score),
        **{f"Return {span}": format_percent(share) for span, share in found.returns.items()},
    }
    print_facts(totals)
    for ticker, reason in found.missing.items():
        note(f"{ticker} counts in nothing: {reason}")


def _figure(value: float | None) -> str:
    return "–" if value is None or math.isnan(value) else f"{value:.1f}"
