"""Every page on a store of a million keys, which is what a console of many teams has before it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest
import redis

from avcache import runtime
from avcache.config import Settings
from avcache.core import serializers
from avcache.core.entry import Head, encode
from avcache.market.universe import SAMPLE_25
from tests.pages.shown import open_page, texts
from tests.servers import RealServer

PREFIX: Final = "million:"
NAMESPACES: Final = {"note": 600_000, "user": 300_000, "report": 100_000}
ENV: Final = {"AVCACHE_PROVIDER": "sample", "REDIS_ENABLED": "true", "REDIS_PREFIX": PREFIX}
TTL: Final = 3000.0
BATCH: Final = 10_000


@pytest.fixture(scope="module")
def million(server_binary: Path) -> Iterator[str]:
    """The address of a server with a million keys beside the scores of the sample."""
    with RealServer() as server:
        with closing(runtime.build(Settings.from_env({**ENV, "REDIS_URL": server.url}))) as wired:
            wired.cache.clear("none:*", sweep=False)  # makes the table of invalidations, which older entries fall under
            wired.market.scores(SAMPLE_25)
            wired.market.prices(SAMPLE_25)
            fill(server.url, wired.cache.backend.barriers.newest)
        yield server.url


def fill(url: str, version: int) -> None:
    payload, now = serializers.dumps("x" * 40), time.time()
    with redis.Redis.from_url(url) as client:
        pipe = client.pipeline(transaction=False)
        for namespace, number in NAMESPACES.items():
            for at in range(number):
                key = f"{namespace}:{at}"
                pipe.set(PREFIX + key, encode(Head(key, now, now + TTL, version=version), payload), ex=int(2 * TTL))
                if not at % BATCH:
                    pipe.execute()
        pipe.execute()


@pytest.fixture
def on_million(million: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**ENV, "REDIS_URL": million}.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("on_million")
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("overview", "reckoned from"),
        ("keys", "of the store searched"),
        ("expiry", "reckoned from"),
        ("clear", "Nothing is dropped before you have seen what it is"),
        ("warmup", "25 of 25 tickers fresh"),
        ("server", "Settings in force"),
        ("audit", "Nothing is written down yet"),
        ("momentum", "25 of 25 scores cached"),
        ("portfolio", "Enter or paste what you hold"),
    ],
)
def test_a_page_renders_on_a_million_keys(name: str, said: str) -> None:
    app = open_page(name, **({"warmup_universe": "Sample 25"} if name == "warmup" else {}))

    assert not app.error
    assert not app.warning
    assert said in texts(app)


@pytest.mark.usefixtures("on_million")
def test_a_million_keys_are_counted_from_a_sample_with_their_error() -> None:
    app = open_page("overview")

    table = next(table.value for table in app.dataframe if "Keys" in table.value.columns).set_index("Namespace")
    for namespace, number in NAMESPACES.items():
        assert table.loc[namespace, "Keys"] == pytest.approx(number, rel=0.2)


@pytest.mark.usefixtures("on_million")
def test_a_clear_of_hundreds_of_thousands_is_planned_and_wants_its_pattern_typed() -> None:
    app = open_page("clear", clear_pattern="note:*")

    app.button[0].click().run()
    app.button(key="clear_confirm").click().run()

    assert not app.exception
    assert app.text_input(key="clear_typed").label == "Type the pattern to confirm"
