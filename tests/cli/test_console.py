"""Commands about the cache of a running console, over REST; and about one that does not run."""

from __future__ import annotations

import http.server
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from avcache.cli.exits import NothingThere
from avcache.cli.remote import Remote
from avcache.errors import InvalidInput
from avcache.runtime import Runtime
from tests.cli.conftest import Done, run
from tests.servers import ROOT, ConsoleServer, RealServer, free_port

TOKEN = "a-token-of-this-test"


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleServer]:
    with ConsoleServer(tmp_path_factory.mktemp("console"), {"AVCACHE_API_TOKEN": TOKEN}) as server:
        yield server


@pytest.fixture
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVCACHE_API_TOKEN", TOKEN)


def in_shell(*words: str, env: dict[str, str] | None = None) -> Done:
    done = subprocess.run(
        [sys.executable, "-m", "avcache", *words],
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def test_a_shell_works_with_a_running_console(console: ConsoleServer) -> None:
    at = ["--url", console.url]

    warmed = in_shell("warmup", "AAPL", "TSLA", *at, "--json", env={"AVCACHE_API_TOKEN": TOKEN})
    found = in_shell("keys", "price:*", *at)

    assert warmed.code == 1
    assert {outcome["ticker"]: outcome["result"] for outcome in warmed.data["outcomes"]} == {
        "AAPL": "cached",
        "TSLA": "failed",
    }
    assert (found.code, found.err) == (0, "")
    assert "price:AAPL" in found.out


def test_a_shell_without_a_console_is_told_in_one_line() -> None:
    done = in_shell("info", "--url", f"http://127.0.0.1:{free_port()}")

    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("no console answers at http://127.0.0.1:")
    assert done.err.count("\n") == 1


def test_ctrl_c_ends_a_demo_in_a_shell(real_server: RealServer) -> None:
    env = {"REDIS_ENABLED": "true", "REDIS_URL": real_server.url, "AVCACHE_PROVIDER": "sample"}
    command = [sys.executable, "-m", "avcache", "demo", "--analysts", "2000", "--json"]
    child = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **env}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        with in_other_process(env) as other:
            while not other.cache.keys("price:*"):
                assert child.poll() is None
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=30)
    finally:
        child.kill()
        child.wait()

    assert (child.returncode, err) == (0, "")
    assert json.loads(out)["reads"] > 0


@contextmanager
def in_other_process(env: dict[str, str]) -> Iterator[Runtime]:
    from avcache.runtime import from_environment

    wired = from_environment(env)
    try:
        yield wired
    finally:
        wired.close()


@pytest.mark.usefixtures("_token")
def test_what_is_in_a_console_is_looked_at_and_cleared_over_rest(console: ConsoleServer) -> None:
    at = ["--url", console.url]
    warmed = run("warmup", "AAPL", "KO", "MSFT", "NVDA", "PEP", *at)

    info, stats = run("info", "--json", *at).data, run("stats", "--json", *at).data
    covered = run("coverage", "AAPL", "XOM", "--json", *at).data
    cleared = run("clear", "momentum:*", *at, typed="y\n")

    assert warmed.code == 0
    assert "5 of 5 tickers are cached" in warmed.out
    assert (info["state"], info["exact"]) == ("memory", True)
    (prices,) = (row for row in stats["namespaces"] if row["name"] == "price")
    assert prices["keys"] == 5
    assert prices["size"] is None
    assert covered["tickers"]["AAPL"] == {"price": "fresh", "momentum": "fresh", "reason": ""}
    assert covered["tickers"]["XOM"] == {"price": "missing", "momentum": "missing", "reason": ""}
    assert "5 keys match momentum:*; " in cleared.err
    assert "Cleared 5 keys matching momentum:*." in cleared.err
    assert run("keys", "momentum:*", "--json", *at).data["keys"] == []


@pytest.mark.usefixtures("_token")
def test_the_demo_can_only_warm_a_console_which_it_says(console: ConsoleServer) -> None:
    done = run("demo", "--seconds", "1", "--analysts", "500", "--seed", "2", "--json", "--url", console.url)

    assert done.code == 0
    assert "over REST it can only be warmed up" in done.err
    assert done.data["warm-ups"] > 0
    assert done.data["tickers cached"] > 0


def test_what_changes_something_needs_the_token(console: ConsoleServer) -> None:
    done = run("clear", "price:*", "--yes", "--url", console.url)

    assert done.code == 1
    assert "the console refuses (401): this needs the bearer token of AVCACHE_API_TOKEN" in done.err


def test_what_a_console_finds_wrong_is_bad_input_in_its_words(console: ConsoleServer) -> None:
    done = run("keys", "a*" * 9, "--url", console.url)

    assert done.code == 2
    assert done.err.startswith("pattern='a*a*")
    assert "at most 8 stars" in done.err


@pytest.mark.parametrize("words", ["info", "keys", "stats", "clear price:* --yes", "warmup AAPL", "coverage", "demo"])
def test_without_a_console_there_is_nothing_to_talk_to(words: str) -> None:
    done = run(*words.split(), "--url", f"http://127.0.0.1:{free_port()}")

    assert (done.code, done.out) == (3, "")
    assert "start it with `make run`, or name another with --url" in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    "url",
    [
        "localhost",
        "ftp://a",
        "http://",
        "http://a:x",
        "http://u:p@a",
        "http://a?b",
        "http://a b",
        "http://a\x1b[31m/",
        "http://a:0",
    ],
)
def test_an_address_that_is_none_is_bad_input(url: str) -> None:
    with pytest.raises(InvalidInput, match="http://host:port"):
        Remote(url)


@contextmanager
def answering(status: int, body: bytes, location: str = "") -> Iterator[tuple[str, list[str]]]:
    """A server that says the same whatever it is asked, and the `Authorization` of each request."""
    seen: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers.get("Authorization", ""))
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_given: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, b"<html>"), (404, b"not found"), (200, b"[1]"), (200, b"{}"), (500, b"{}"), (200, b"\xff")],
)
def test_another_server_is_no_console(status: int, body: bytes) -> None:
    with answering(status, body) as (url, _), pytest.raises(NothingThere, match="no console"):
        Remote(url).info()


def test_a_host_that_is_none_is_nothing_to_talk_to() -> None:
    with pytest.raises(NothingThere, match="no console answers"):
        Remote(f"http://{'ü' * 70}.example").info()


def test_a_token_goes_out_as_it_is_set() -> None:
    with answering(200, b'{"cache_type": "memory"}') as (url, seen):
        Remote(url, "pässwörd-of-16-letters-€").info()

    assert seen == ["Bearer pässwörd-of-16-letters-€".encode().decode("latin-1")]


def test_the_token_follows_no_redirect() -> None:
    with (
        answering(200, b"{}") as (elsewhere, stolen),
        answering(302, b"", f"{elsewhere}/api") as (url, seen),
        pytest.raises(NothingThere),
    ):
        Remote(url, TOKEN).info()

    assert seen == [f"Bearer {TOKEN}"]
    assert stolen == []
