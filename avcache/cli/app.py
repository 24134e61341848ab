"""The commands by name, and what their errors end with."""

from __future__ import annotations

import logging
from typing import Any

import typer
from typer.core import TyperGroup

from avcache import runtime
from avcache.cli import act, bench, demo, doctor, look, market
from avcache.cli.exits import exit_code
from avcache.cli.output import note
from avcache.errors import CacheError
from avcache.telemetry import logs

__all__ = ["app", "main"]


class _Group(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        """Run a command; an error of ours is one line and an exit code, and what the command has begun ends with it."""
        try:
            return super().invoke(ctx)
        except CacheError as exc:
            note(str(exc))
            raise typer.Exit(exit_code(exc)) from exc
        finally:
            _close()


def _close() -> None:
    if runtime.shared.cache_info().currsize:
        runtime.shared().close()
        runtime.shared.cache_clear()


app = typer.Typer(
    cls=_Group,
    help="Look at the cache of AlphaVelocity, clear it, warm it up, and read scores and portfolios through it. "
    "With REDIS_ENABLED=true it is the one on that server, else that of the console at --url.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (
    look.info,
    look.keys,
    look.stats,
    market.score,
    market.portfolio,
    market.coverage,
    doctor.doctor,
    act.clear,
    act.warmup,
    bench.bench,
    demo.demo,
):
    app.command()(command)


def main() -> None:
    """Run the command line. Ends with 0, 1 (failed), 2 (bad input), 3 (nothing there) or 130 (Ctrl-C)."""
    logs.configure(logging.ERROR)
    # What is wrong with a setting is for whoever typed it.
    logging.getLogger("avcache.config").setLevel(logging.WARNING)
    app(prog_name="python -m avcache")
