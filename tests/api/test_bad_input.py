"""Bad input is a 4xx problem document that names the parameter, and nothing is done."""

from __future__ import annotations

from urllib.parse import quote, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from avcache import runtime
from avcache.config import Settings
from tests.api.conftest import BASE, Serve, Service, stack
from tests.market.doubles import MemoryProvider

CLEAR, KEYS, WARMUP = ("DELETE", "clear", "pattern"), ("GET", "keys", "pattern"), ("POST", "warmup", "tickers")
LIMIT, CURSOR = ("GET", "keys", "limit"), ("GET", "keys", "cursor")

BAD_PATTERNS = {
    "empty": "",
    "257 characters": "p" * 257,
    "257 characters with a star": "p" * 256 + "*",
    "9 stars": "a*" * 9,
    "NUL": "price:\0*",
    "line break": "price:*\r\n",
    "right-to-left mark": "price:\u202e*",
    "no namespace": ":AAPL",
    "no rest": "price:",
    "space in the namespace": "a b:c",
    "bracket in the namespace": "a[1]:c",
}
BAD_TICKERS = {
    "empty": "",
    "commas": ",,,",
    "spaces": "  ",
    "path": "../../etc/passwd",
    "address": "http://169.254.169.254/latest",
    "commands": "AAPL' OR '1'='1",
    "10 kB": "A" * 10_240,
    "10,001 tickers": ",".join(map(str, range(10_001))),
    "201 tickers": ",".join(f"A{number}" for number in range(201)),
    "one bad among good": "AAPL,MS FT,@@@",
    "NUL": "AA\0PL",
    "umlaut": "ÄAPL",
    "emoji": "🚀",
    "pattern": "*",
    "JSON": '["AAPL"]',
}
BAD_LIMITS = ["0", "-1", "1000000000", "10001", "abc", "", "1.5", "1e3", "0x10", "NaN", "null", "true", "9" * 5000]
BAD_CURSORS = ["nonsense", "price:aapl", "-1", "1.5", "\0", "a b:c", "9" * 1024, "x" * 1025, "*", ":"]

CASES = [
    *(pytest.param(*CLEAR, text, id=f"clear {name}") for name, text in BAD_PATTERNS.items()),
    *(pytest.param(*KEYS, text, id=f"keys {name}") for name, text in BAD_PATTERNS.items()),
    *(pytest.param(*WARMUP, text, id=f"warmup {name}") for name, text in BAD_TICKERS.items()),
    *(pytest.param(*LIMIT, text, id=f"limit {text[:9]}") for text in BAD_LIMITS),
    *(pytest.param(*CURSOR, text, id=f"cursor {text[:9]!a}") for text in BAD_CURSORS),
]


@pytest.fixture
def watched(serve: Serve) -> Service:
    """One entry to lose, and a provider that notes whoever asks."""
    service = serve(provider=MemoryProvider({}))
    service.runtime.cache.set("price:AAPL", 1.0)
    return service


def assert_nothing_done(service: Service) -> None:
    assert service.runtime.cache.keys() == ["price:AAPL"]
    assert service.runtime.ops.warmup.latest is None


@pytest.mark.parametrize(("method", "call", "parameter", "text"), CASES)
def test_a_bad_value_is_refused_by_name(watched: Service, method: str, call: str, parameter: str, text: str) -> None:
    # Commas as they are: three bytes each would make ten thousand tickers longer than an address may be.
    answer = watched.client.request(method, f"{BASE}/{call}?{parameter}={quote(text, safe=',')}")

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert {error["parameter"] for error in problem["errors"]} == {parameter}
    assert parameter in problem["detail"]
    assert problem["status"] == 422
    assert_nothing_done(watched)


@pytest.mark.parametrize(
    ("method", "query", "parameter"),
    [
        ("DELETE", "clear", "pattern"),
        ("DELETE", "clear?patern=price:*", "patern"),
        ("DELETE", "clear?Pattern=*", "Pattern"),
        ("DELETE", "clear?pattern=price:*&pattern=*", "pattern"),
        ("DELETE", "clear?pattern=price:*&confirm=yes", "confirm"),
        ("DELETE", "clear?pattern[]=*", "pattern[]"),
        ("GET", "keys?patern=price:*", "patern"),
        ("GET", "keys?pattern=a&pattern=b", "pattern"),
        ("GET", "keys?limit=1&limit=2", "limit"),
        ("GET", "info?verbose=1", "verbose"),
        ("GET", "stats?namespace=price", "namespace"),
        ("POST", "warmup", "tickers"),
        ("POST", "warmup?ticker=AAPL", "ticker"),
        ("POST", "warmup?tickers=AAPL&tickers=MSFT", "tickers"),
        ("POST", "warmup?tickers=AAPL&force=1", "force"),
    ],
)
def test_missing_double_and_misspelt_parameters_are_refused(
    watched: Service, method: str, query: str, parameter: str
) -> None:
    answer = watched.client.request(method, f"{BASE}/{query}")

    assert answer.status_code == 422
    assert parameter in {error["parameter"] for error in answer.json()["errors"]}
    assert_nothing_done(watched)


@pytest.mark.parametrize("text", ["%", "%zz", "%ff", "%ed%a0%80", "%C0%80", "price%3A%ff*"])
def test_broken_percent_encodings_drop_nothing(watched: Service, text: str) -> None:
    answer = watched.client.delete(f"{BASE}/clear?pattern={text}")

    assert answer.status_code in {200, 422}
    assert_nothing_done(watched)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", f"{BASE}/clear?pattern=*", 405),
        ("POST", f"{BASE}/clear?pattern=*", 405),
        ("DELETE", f"{BASE}/keys?pattern=*", 405),
        ("GET", f"{BASE}/warmup?tickers=AAPL", 405),
        ("PUT", f"{BASE}/info", 405),
        ("PATCH", f"{BASE}/info", 405),
        ("OPTIONS", f"{BASE}/clear", 405),
        ("TRACE", f"{BASE}/info", 405),
        ("DELETE", f"{BASE}/clear/?pattern=*", 404),
        ("GET", f"{BASE}/info/", 404),
        ("GET", "/api/V1/cache/info", 404),
        ("GET", "/api//v1/cache/info", 404),
        ("GET", "/api/v1/cache", 404),
        ("GET", "/api/", 404),
        ("GET", "/api/redoc", 404),
        ("GET", "/api/v2/cache/info", 404),
        ("GET", f"{BASE}/%2e%2e/info", 404),
        ("DELETE", f"{BASE}/clear%3Fpattern=*", 404),
    ],
)
def test_wrong_methods_and_unknown_paths_are_problems(watched: Service, method: str, path: str, status: int) -> None:
    answer = watched.client.request(method, path, follow_redirects=False)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert_nothing_done(watched)


def test_head_is_refused_and_says_what_is_allowed(watched: Service) -> None:
    answer = watched.client.head(f"{BASE}/info")

    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET"


@pytest.mark.parametrize("body", [b'{"pattern": "*"}', b"pattern=*", b"x" * 1_000_000, b"\xff\xfe"])
def test_a_body_means_nothing(watched: Service, body: bytes) -> None:
    answer = watched.client.request(
        "DELETE", f"{BASE}/clear", content=body, headers={"content-type": "application/json"}
    )

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == "pattern"
    assert_nothing_done(watched)


@pytest.mark.parametrize("cursor", ["nonsense", "price:AAPL", "99999999999999999999999", "-1", "٣", "1_0", " 1"])
def test_a_cursor_that_no_server_gave_is_refused_and_does_no_harm(on_redis: Service, cursor: str) -> None:
    answer = on_redis.client.get(f"{BASE}/keys", params={"cursor": cursor})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == "cursor"
    assert not on_redis.runtime.cache.state().is_degraded


def test_the_largest_cursor_of_a_server_is_one(on_redis: Service) -> None:
    answer = on_redis.client.get(f"{BASE}/keys", params={"cursor": str(2**64 - 1)})

    assert answer.status_code == 200
    assert not on_redis.runtime.cache.state().is_degraded


def test_a_cursor_of_another_store_is_refused(away: Service) -> None:
    answer = away.client.get(f"{BASE}/keys", params={"cursor": "17"})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == "cursor"


def test_a_bad_value_is_shown_escaped(watched: Service) -> None:
    answer = watched.client.delete(f"{BASE}/clear", params={"pattern": "<script>\x1b[31m\r\nSet-Cookie: a=b"})

    assert answer.status_code == 422
    assert not set(answer.text) & set("\x1b\r\n")
    assert answer.headers["x-content-type-options"] == "nosniff"


NAMES = st.sampled_from(["pattern", "limit", "cursor", "tickers", "x"]) | st.text(max_size=5)
VALUES = st.text(max_size=300) | st.integers().map(str) | st.from_regex(r"[a-z*?:\[\]\\^.-]{0,40}")


@settings(max_examples=300)
@given(
    call=st.sampled_from([("GET", "info"), ("GET", "keys"), ("GET", "stats"), ("DELETE", "clear"), ("POST", "warmup")]),
    query=st.lists(st.tuples(NAMES, VALUES), max_size=4),
)
def test_no_query_whatsoever_makes_an_error_of_ours(call: tuple[str, str], query: list[tuple[str, str]]) -> None:
    method, name = call

    answer = _fuzzed().request(method, f"{BASE}/{name}?{urlencode(query, errors='replace')}")

    assert answer.status_code in {200, 422}
    if answer.status_code == 422:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["errors"]


@settings(max_examples=150)
@given(path=st.text(max_size=30))
def test_no_path_whatsoever_makes_an_error_of_ours(path: str) -> None:
    answer = _fuzzed().get(f"/api/{quote(path, errors='replace')}", follow_redirects=False)

    assert answer.status_code < 500


_CLIENTS: list[TestClient] = []


def _fuzzed() -> TestClient:
    if not _CLIENTS:
        wired = runtime.build(Settings.from_env({"AVCACHE_PROVIDER": "sample"}))
        vars(wired)["provider"] = MemoryProvider({})
        _CLIENTS.append(TestClient(stack(wired), "http://localhost", raise_server_exceptions=False))
    return _CLIENTS[0]
