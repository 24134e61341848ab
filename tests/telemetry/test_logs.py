"""How events look on stderr, and that configuring it twice or for others does no harm."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator

import pytest

from avcache.telemetry import logs


@pytest.fixture
def out(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What a configured app prints; the logger is as before afterwards."""
    logger, stream = logging.getLogger("avcache"), io.StringIO()
    before = (list(logger.handlers), logger.level, logger.propagate)
    logger.handlers = []
    monkeypatch.setattr("sys.stderr", stream)
    logs.configure()
    yield stream
    logger.handlers, (logger.level, logger.propagate) = before[0], before[1:]


def test_facts_stand_behind_the_event_on_one_line(out: io.StringIO) -> None:
    logging.getLogger("avcache.core").info("cache.load", extra={"key": "price:AAPL", "seconds": 0.5})

    stamp = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} "
    assert re.fullmatch(stamp + r"INFO cache.load key='price:AAPL' seconds=0.5\n", out.getvalue())


def test_an_event_without_facts_is_the_event(out: io.StringIO) -> None:
    logging.getLogger("avcache").warning("backend.recovered")

    assert out.getvalue().endswith(" WARNING backend.recovered\n")


def test_no_fact_begins_a_line_of_its_own(out: io.StringIO) -> None:
    logging.getLogger("avcache").info("ops.clear", extra={"pattern": "a\n2026-01-01 INFO fake\x1b[31m"})

    assert out.getvalue().count("\n") == 1
    assert "\x1b" not in out.getvalue()


def test_a_traceback_comes_after_the_facts(out: io.StringIO) -> None:
    try:
        raise ValueError("inside")
    except ValueError:
        logging.getLogger("avcache").exception("warmup.failed", extra={"ticker": "AAPL"})

    first, *rest = out.getvalue().splitlines()
    assert first.endswith("ERROR warmup.failed ticker='AAPL'")
    assert rest[0].startswith("Traceback")
    assert rest[-1] == "ValueError: inside"


def test_configuring_twice_prints_once(out: io.StringIO) -> None:
    logs.configure()

    logging.getLogger("avcache").info("once")

    assert out.getvalue().count("once") == 1


def test_details_are_left_out_unless_asked_for(out: io.StringIO) -> None:
    logging.getLogger("avcache").debug("detail")

    assert out.getvalue() == ""


def test_the_loggers_of_others_are_left_alone(out: io.StringIO) -> None:
    handlers = list(logging.getLogger().handlers)

    logging.getLogger("other").warning("not ours")

    assert "not ours" not in out.getvalue()
    assert logging.getLogger().handlers == handlers
