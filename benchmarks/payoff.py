"""What the cache brings: the same questions asked cold and warm, on sample prices, in memory (`make bench`)."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from avcache.market.universe import SAMPLE_25
from avcache.runtime import Runtime, from_environment

ROUNDS = 9
HOLDINGS = dict.fromkeys(SAMPLE_25, 10.0)
QUESTIONS: dict[str, Callable[[Runtime], object]] = {
    "momentum score of AAPL": lambda runtime: runtime.market.score("AAPL"),
    "ranking of 25 tickers": lambda runtime: runtime.market.scores(SAMPLE_25),
    "portfolio of 25 positions": lambda runtime: runtime.market.portfolio(HOLDINGS),
}


def main() -> None:
    runtime = from_environment({"AVCACHE_PROVIDER": "sample"})
    runtime.market.score("AAPL")  # imports and the reading of the file are no part of the question
    rows = [(name, *measured(runtime, ask)) for name, ask in QUESTIONS.items()]
    runtime.close()
    lines = [f"{'question':<28}{'cold, ms':>20}{'warm, ms':>20}{'ratio':>9}"]
    for name, cold, warm in rows:
        ratio = statistics.median(cold) / statistics.median(warm)
        lines.append(f"{name:<28}{spread(cold):>20}{spread(warm):>20}{ratio:>8.0f}×")
    lines.append(f"median of {ROUNDS} (lowest–highest); no network: with Yahoo every miss adds its requests")
    print("\n".join(lines))  # noqa: T201 - the purpose of this script


def measured(runtime: Runtime, ask: Callable[[Runtime], object]) -> tuple[list[float], list[float]]:
    """Milliseconds of each round, cold and warm in turn."""
    cold, warm = [], []
    for _ in range(ROUNDS):
        runtime.cache.clear("*")
        cold.append(timed(runtime, ask))
        warm.append(timed(runtime, ask))
    return cold, warm


def timed(runtime: Runtime, ask: Callable[[Runtime], object]) -> float:
    begun = time.perf_counter()
    ask(runtime)
    return (time.perf_counter() - begun) * 1000


def spread(times: list[float]) -> str:
    return f"{statistics.median(times):.2f} ({min(times):.2f}–{max(times):.2f})"


if __name__ == "__main__":
    main()
