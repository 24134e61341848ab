"""The parts of the shell that need no cache: what is printed, what words mean, what errors end with."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from avcache.api.schemas import ClearPlan
from avcache.cli.act import describe_plan
from avcache.cli.exits import Failed, NothingThere, exit_code
from avcache.cli.here import Here
from avcache.cli.output import plain, print_json, print_table
from avcache.cli.place import tickers_of
from avcache.errors import (
    BackendError,
    BackendUnavailable,
    CacheError,
    ConfigError,
    InvalidInput,
    ProviderError,
)
from avcache.market.provider import PriceHistory
from avcache.market.universe import SAMPLE_25
from avcache.runtime import Runtime
from tests.market.doubles import MemoryProvider, steady


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("price:AAPL", "price:AAPL"),
        ("[bold]é – ×[/]", "[bold]é – ×[/]"),
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("a\nb\rc\td\x07\x7f\x9b", "a\\nb\\rc\\td\\x07\\x7f\\x9b"),
        ("\u202eright to left\u2028", "\\u202eright to left\\u2028"),
        ("\udc80", "\\udc80"),
        (1.5, "1.5"),
    ],
)
def test_what_steers_a_terminal_is_written_out(text: object, shown: str) -> None:
    assert plain(text) == shown


def test_no_cell_is_cut_off_or_taken_for_markup(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    key = f"user:[red]{'x' * 60}:smile:"

    print_table(["Key", ("n", "right")], [(key, 1)], title="[b]Keys[/b]")

    out = capsys.readouterr().out
    assert "[b]Keys[/b]" in out
    assert key in "".join(out.split()).replace("1", "", 1)


def test_json_has_no_nan_and_no_letter_that_steers(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": [float("nan"), 1.5, None], "b": "\x1b[31mé", 3: (float("inf"),)})

    out = capsys.readouterr().out
    assert json.loads(out) == {"a": [None, 1.5, None], "b": "\x1b[31mé", "3": [None]}
    assert out.isascii()
    assert "\x1b" not in out


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidInput("a", "b", "c"), 2),
        (ConfigError("a"), 2),
        (NothingThere("a"), 3),
        (BackendUnavailable("a"), 3),
        (BackendError("a"), 1),
        (ProviderError("AAPL", "timeout", "a"), 1),
        (Failed("a"), 1),
        (CacheError("a"), 1),
    ],
)
def test_an_error_ends_with_its_exit_code(error: CacheError, code: int) -> None:
    assert exit_code(error) == code


@pytest.mark.parametrize(
    ("words", "universe", "tickers"),
    [
        (["aapl", "KO"], None, ("AAPL", "KO")),
        (["aapl,KO", "BRK.B"], None, ("AAPL", "KO", "BRK-B")),
        (["sample", "25"], None, SAMPLE_25),
        (["Sample 25"], None, SAMPLE_25),
        ([], "SAMPLE 25", SAMPLE_25),
        (["TSLA", "AAPL"], "Sample 25", ("TSLA", "AAPL", *SAMPLE_25[1:])),
    ],
)
def test_words_are_tickers_or_a_universe(words: list[str], universe: str | None, tickers: tuple[str, ...]) -> None:
    assert tickers_of(words, universe) == tickers


class Slow(MemoryProvider):
    """Answers for the first ticker, then waits for `go`."""

    def __init__(self, tickers: Sequence[str]) -> None:
        super().__init__({ticker: steady(0.001, ticker=ticker) for ticker in (*tickers, "MKT")})
        self.first = tickers[0]
        self.go = threading.Event()

    def histories(self, tickers: Sequence[str]) -> dict[str, PriceHistory | ProviderError]:
        if not {self.first, "MKT"}.issuperset(tickers):
            self.go.wait(10)
        return super().histories(tickers)


def test_a_warm_up_that_is_left_is_stopped(process: Callable[[], Runtime]) -> None:
    slow, caller = Slow(SAMPLE_25), process()
    vars(caller)["provider"] = slow
    caller.start()
    warming = Here(caller).warm(SAMPLE_25)
    first = next(warming)

    threading.Timer(0.05, slow.go.set).start()
    warming.close()

    job = caller.ops.warmup.latest
    assert first.ticker == SAMPLE_25[0]
    assert job is not None
    assert job.is_cancelled
    assert not job.is_running
    assert len(job.outcomes) < len(SAMPLE_25)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"exact": True, "low": 3000, "high": 3000}, "3,000 keys match price:*"),
        ({"exact": False, "low": 2800, "high": 3210}, "About 3,000 (2,800 to 3,210) keys match price:*"),
        ({"exact": False, "low": 3000, "high": 3000}, "At least 3,000 keys match price:*"),
    ],
)
def test_what_a_clear_would_drop_is_told_as_sure_as_it_is(keys: dict[str, Any], said: str) -> None:
    plan = ClearPlan(pattern="price:*", keys=3000, size_bytes=10, refill_seconds=None, sample_keys=[], **keys)

    assert describe_plan(plan) == f"{said}; 10 B"
