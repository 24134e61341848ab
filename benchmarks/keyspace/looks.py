"""What the pages look at: the figures of the whole, pages of known names, coverage; in a store of any size."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack

from avcache.ops.coverage import look
from avcache.ops.forecast import forecast
from avcache.runtime import Runtime
from avcache.ui.expiry import expiry
from avcache.ui.overview.look import look as look_at_all
from avcache.ui.overview.model import overview
from avcache.ui.overview.tables import namespace_rows
from benchmarks.keyspace.commands import busiest_row
from benchmarks.keyspace.stage import Stage, check, median_row, staged
from benchmarks.measure import Samples, rotated
from benchmarks.report import Bar, Row, duration, times

__all__ = ["command_rows", "flat_rows", "rows"]

_ROUNDS = 15
_PAGE = 50
_TICKERS = 500
_PREFIXES = 5
_WINDOW = 900.0
_FEW = 100
"""So many tickers are there in every kind even among 1,000 keys."""

_SMALLER = (1_000, 100_000)
_FLAT = Bar(2.0, unit=times)


def rows(stage: Stage) -> Iterator[Row]:
    """First paint with and without a sweep, a page, coverage."""
    stage.keep_sweep()
    yield median_row("first paint, figures of the last sweep", _repeated(lambda: first_paint(stage)), Bar(0.02))
    stage.forget_sweep()
    share = f"from a sample of {_sampled(stage):.1%}" if stage.filled.keys > _SMALLER[0] else "all keys looked at"
    yield median_row("first paint, never swept", _repeated(lambda: first_paint(stage)), Bar(0.15), share)
    with stage.runtime() as runtime:
        names = _names(stage)
        yield median_row(f"page of {_PAGE} known names", _repeated(lambda: page(runtime, names)), Bar(0.005))
        kinds = tuple(runtime.market.sources)
        what = f"coverage, {_TICKERS} tickers × {len(kinds)} kinds (all there are)"
        yield median_row(what, _repeated(lambda: coverage(runtime, stage)), Bar(0.03))
        many = _names(stage, _TICKERS)
        what = f"a look at {len(many):,} names at once: {_TICKERS} in each of {_PREFIXES} prefixes"
        yield median_row(what, _repeated(lambda: _look_at(runtime, many)), Bar(0.03))


def command_rows(stage: Stage) -> Iterator[Row]:
    """Every kind of command that pages and sweeps send, one at a time."""
    with stage.runtime() as runtime:
        runtime.cache.get("none:none")  # connects
        yield from busiest_row(stage.pid, runtime, _names(stage, 10_000))


def flat_rows(stage: Stage) -> Iterator[Row]:
    """The same at other sizes, in turn."""
    with ExitStack() as stack:
        stages = [stack.enter_context(staged(keys)) for keys in _SMALLER if keys < stage.filled.keys] + [stage]
        runtimes = [stack.enter_context(one.runtime()) for one in stages]
        for one, runtime in zip(stages, runtimes, strict=True):
            runtime.ops.keyspace.tend()  # sweeps a large one; of a small one no record is kept
            if one is stage:
                stage.keep_sweep()
        pairs = list(zip(stages, runtimes, strict=True))
        actions: Mapping[str, Callable[[Stage, Runtime], float]] = {
            "first paint, as it is after a minute": lambda one, _: first_paint(one),
            f"page of {_PAGE} known names": lambda one, runtime: page(runtime, _names(one)),
            f"coverage of {_FEW} tickers": lambda one, runtime: coverage(runtime, one, _FEW),
        }
        for what, action in actions.items():
            yield _flat_row(what, pairs, action)


def first_paint(stage: Stage) -> float:
    """Seconds until a console that was just started has the data of Overview and Expiry."""
    with stage.runtime() as runtime:
        keyspace, cache = runtime.ops.keyspace, runtime.cache
        begun = time.perf_counter()
        snapshot = keyspace.snapshot()
        age = max(0.0, time.time() - snapshot.taken_at)
        model, due = expiry(snapshot, age=age), forecast(snapshot, age=age)
        seen = look_at_all(runtime.ops, cache.analytics.figures, _WINDOW, time.time(), [])
        shown, rows = overview(seen), namespace_rows(seen, cache.namespaces)
        took = time.perf_counter() - begun
    check(model.fresh > 0 and len(due.keys) > 0 and bool(shown.tiles) and len(rows) > 0, "figures of what is there")
    return took


def page(runtime: Runtime, names: Sequence[str]) -> float:
    """Seconds for a page of known names."""
    begun = time.perf_counter()
    found = runtime.ops.keyspace.page(names)
    took = time.perf_counter() - begun
    check([peek.key for peek in found] == list(names), f"all {len(names)} names")
    return took


def coverage(runtime: Runtime, stage: Stage, number: int = _TICKERS) -> float:
    """Seconds to tell how that *number* of tickers stand in every kind."""
    tickers = [f"T{at:06}" for at in range(number)]
    kinds = tuple(runtime.market.sources)
    begun = time.perf_counter()
    found = look(runtime.cache, runtime.market, tickers, kinds)
    took = time.perf_counter() - begun
    there = sum(state != "missing" for states in found.rows.values() for state in states)
    expected = sum(min(number, stage.filled.prefixes[kind]) for kind in kinds)
    check(there == expected, f"{expected} entries that the market can read")
    return took


def _look_at(runtime: Runtime, names: Sequence[str]) -> float:
    begun = time.perf_counter()
    found = runtime.cache.peek_many(names)
    took = time.perf_counter() - begun
    check(None not in found, f"all {len(names)} names")
    return took


def _names(stage: Stage, number: int = _PAGE // _PREFIXES) -> list[str]:
    """The first *number* names of each of the five largest prefixes."""
    return [name for prefix in list(stage.filled.prefixes)[:_PREFIXES] for name in stage.filled.names(prefix, number)]


def _sampled(stage: Stage) -> float:
    with stage.runtime() as runtime:
        return runtime.ops.keyspace.snapshot().share


def _repeated(action: Callable[[], float]) -> Samples:
    action()
    return Samples(tuple(action() for _ in range(_ROUNDS)))


def _flat_row(what: str, pairs: Sequence[tuple[Stage, Runtime]], action: Callable[[Stage, Runtime], float]) -> Row:
    taken: dict[int, list[float]] = {stage.filled.keys: [] for stage, _ in pairs}
    for turn in range(_ROUNDS + 1):
        for stage, runtime in rotated(pairs, turn):
            seconds = action(stage, runtime)
            if turn:  # the first one warms up
                taken[stage.filled.keys].append(seconds)
    samples = {keys: Samples(tuple(values)) for keys, values in taken.items()}
    ratio = max(one.median for one in samples.values()) / samples[min(samples)].median
    told = ", ".join(f"{keys:,} keys {one.text(duration)}" for keys, one in samples.items())
    return Row(f"{what}: slowest size over {min(samples):,} keys", times(ratio), told, str(_FLAT), _FLAT.verdict(ratio))
