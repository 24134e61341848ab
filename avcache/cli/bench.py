"""`bench`: the same questions cold and cached, on sample prices, in the memory of this process."""

from __future__ import annotations

import http.client
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Final

import typer

from avcache.cli.exits import Failed
from avcache.cli.output import Column, note, print_json, print_table
from avcache.cli.place import Json
from avcache.market.universe import SAMPLE_25
from avcache.runtime import Runtime, from_environment

__all__ = ["Measured", "bench", "measure"]

_ROUNDS: Final = 9
_MOST_ROUNDS: Final = 1000
_HOLDINGS: Final = dict.fromkeys(SAMPLE_25, 10.0)
_PATIENCE: Final = 10.0


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds of each round."""

    question: str
    cold: tuple[float, ...]
    cached: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """How many times the cached answer is faster, by the medians."""
        return statistics.median(self.cold) / statistics.median(self.cached)


def bench(
    *,
    rounds: Annotated[int, typer.Option(min=1, max=_MOST_ROUNDS, help="How often each is asked.")] = _ROUNDS,
    json: Json = False,
) -> None:
    """What the cache brings: cold against cached, on this machine."""
    rows = measure(rounds)
    if json:
        print_json({"rounds": rounds, "rows": [_record(row) for row in rows]})
        return
    columns: list[Column] = ["Question", ("Cold, ms", "right"), ("Cached, ms", "right"), ("Ratio", "right")]
    print_table(columns, [(row.question, _spread(row.cold), _spread(row.cached), f"{row.ratio:,.0f}×") for row in rows])
    note(
        f"Median of {rounds} (lowest–highest), sample prices, in memory, REST over loopback. "
        "With Yahoo every miss adds its requests."
    )


def measure(rounds: int = _ROUNDS) -> list[Measured]:
    """Ask each question cold and cached in turn, *rounds* times, of a cache made for this."""
    wired = from_environment({"AVCACHE_PROVIDER": "sample"})
    try:
        with _served(wired) as ask_rest:
            questions: dict[str, Callable[[], object]] = {
                "price of AAPL": lambda: wired.market.price("AAPL"),
                "momentum score of AAPL": lambda: wired.market.score("AAPL"),
                "ranking of 25 tickers": lambda: wired.market.scores(SAMPLE_25),
                "portfolio of 25 positions": lambda: wired.market.portfolio(_HOLDINGS),
                "warm-up of 25 tickers over REST": lambda: ask_rest(
                    f"/api/v1/cache/warmup?tickers={','.join(SAMPLE_25)}"
                ),
            }
            for ask in questions.values():  # imports and the reading of the file are no part of the question
                ask()
            return [_measured(wired, name, ask, rounds) for name, ask in questions.items()]
    finally:
        wired.close()


def _measured(wired: Runtime, name: str, ask: Callable[[], object], rounds: int) -> Measured:
    cold, cached = [], []
    for _ in range(rounds):
        wired.cache.clear("*")
        cold.append(_seconds(ask))
        cached.append(_seconds(ask))
    return Measured(name, tuple(cold), tuple(cached))


def _seconds(ask: Callable[[], object]) -> float:
    begun = time.perf_counter()
    ask()
    return time.perf_counter() - begun


@contextmanager
def _served(wired: Runtime) -> Iterator[Callable[[str], None]]:
    """Serve REST on a free port of 127.0.0.1, and give a way to POST to it over one connection."""
    import uvicorn  # noqa: PLC0415 - only for this
    from starlette.applications import Starlette  # noqa: PLC0415
    from starlette.routing import Mount  # noqa: PLC0415

    from avcache.api.guard import guards  # noqa: PLC0415
    from avcache.api.routes import build_app  # noqa: PLC0415

    app = Starlette(routes=[Mount("/api", build_app(lambda: wired))], middleware=guards(wired.settings))

    # Named, so that asyncio knows that it is TCP, and does not wait for more to send: 40 ms for each answer.
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()  # who asks before the server has begun waits for it
        config = uvicorn.Config(app, lifespan="off", log_level="critical", access_log=False)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), name="avcache-bench", daemon=True)
        thread.start()
        link = http.client.HTTPConnection("127.0.0.1", listener.getsockname()[1], timeout=_PATIENCE)

        def post(target: str) -> None:
            link.request("POST", target)
            answer = link.getresponse()
            body = answer.read()
            if answer.status != http.HTTPStatus.OK:
                raise Failed(f"REST answered {answer.status}: {body[:200].decode(errors='replace')}")

        try:
            yield post
        finally:
            link.close()
            server.should_exit = True
            thread.join(_PATIENCE)


def _spread(seconds: Sequence[float]) -> str:
    return f"{_milliseconds(statistics.median(seconds))} ({_milliseconds(min(seconds))}–{_milliseconds(max(seconds))})"


def _milliseconds(seconds: float) -> str:
    shown = seconds * 1000
    return f"{shown:.3f}" if shown < 1 else f"{shown:.2f}"


def _record(row: Measured) -> dict[str, object]:
    figures = {
        name: {"median": statistics.median(times), "lowest": min(times), "highest": max(times)}
        for name, times in (("cold_seconds", row.cold), ("cached_seconds", row.cached))
    }
    return {"question": row.question, **figures, "ratio": row.ratio}
