"""How an app of this package logs: one line per event, its facts behind it."""

from __future__ import annotations

import logging

__all__ = ["configure"]

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class _WithFacts(logging.Formatter):
    """Adds what stands in `extra`, quoted, so that no value can begin a line of its own."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is logging's
        # Here, not in `format`: a traceback comes after the facts, not between event and facts.
        facts = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        line = super().formatMessage(record)
        return f"{line} {' '.join(f'{name}={value!r}' for name, value in facts.items())}" if facts else line


def configure(level: int = logging.INFO) -> None:
    """Send the events of this package to stderr. For apps: the library itself never configures logging."""
    logger = logging.getLogger("avcache")
    if logger.handlers:
        return
    handler = logging.StreamHandler()
    handler.setFormatter(_WithFacts("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(level)
    logger.propagate = False
