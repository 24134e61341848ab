"""The five calls answer in the documented shape: in memory, on a server, and while Redis is away."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import redis

from avcache.errors import BackendError
from tests.api.conftest import BASE, Serve, Service
from tests.market.doubles import MemoryProvider, steady

INFO = {
    "cache_type": str,
    "total_keys": int,
    "memory_usage": str,
    "is_redis": bool,
    "is_memory": bool,
}


def fill(service: Service) -> None:
    service.runtime.cache.set_many({"price:AAPL": 175.5, "price:MSFT": 300.0, "momentum:AAPL": 7, "user:1": "Ada"})


# -- info ------------------------------------------------------------------------------------------


def test_info_has_the_documented_fields_and_types(anywhere: Service) -> None:
    fill(anywhere)

    answer = anywhere.client.get(f"{BASE}/info")

    found = answer.json()
    assert answer.status_code == 200
    assert {name: type(found[name]) for name in INFO} == INFO
    assert {"redis_version", "connected_clients"} <= found.keys()
    assert found["total_keys"] == 4


def test_info_in_memory_leaves_out_what_only_a_server_knows(memory: Service) -> None:
    found = memory.client.get(f"{BASE}/info").json()

    assert found["cache_type"] == found["state"] == "memory"
    assert (found["is_redis"], found["is_memory"]) == (False, True)
    assert found["redis_version"] is None
    assert found["connected_clients"] is None
    assert found["degraded_since"] is None


def test_info_on_a_server_names_it(on_redis: Service, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        facts: dict[str, Any] = client.info()

    found = on_redis.client.get(f"{BASE}/info").json()

    kind = facts.get("server_name", "redis")
    assert found["cache_type"] == found["state"] == kind
    assert (found["is_redis"], found["is_memory"]) == (True, False)
    assert found["redis_version"] == facts[f"{kind}_version"]
    assert found["connected_clients"] >= 1
    assert found["memory_bytes"] > 0
    assert found["memory_usage"].endswith("B")


def test_info_says_since_when_and_why_memory_serves_for_redis(away: Service) -> None:
    found = away.client.get(f"{BASE}/info").json()

    assert found["state"] == "degraded"
    assert found["cache_type"] == "memory"
    assert found["degraded_since"] > 1_700_000_000
    assert "ConnectionError" in found["error"]


def test_what_is_written_while_redis_is_away_is_shown_as_pending(away: Service) -> None:
    away.runtime.cache.set("user:1", "Ada")

    found = away.client.get(f"{BASE}/info").json()

    assert found["pending"] == 1


# -- keys ------------------------------------------------------------------------------------------


def test_keys_without_a_pattern_are_all_keys(anywhere: Service) -> None:
    fill(anywhere)

    found = anywhere.client.get(f"{BASE}/keys").json()

    assert found["pattern"] == "*"
    assert found["keys"] == ["momentum:AAPL", "price:AAPL", "price:MSFT", "user:1"]
    assert (found["count"], found["truncated"], found["exact"], found["cursor"]) == (4, False, True, None)


def test_keys_of_a_pattern_are_those_that_match(anywhere: Service) -> None:
    fill(anywhere)

    found = anywhere.client.get(f"{BASE}/keys", params={"pattern": "price:*"}).json()

    assert found["pattern"] == "price:*"
    assert found["keys"] == ["price:AAPL", "price:MSFT"]
    assert found["count"] == 2


def test_keys_that_were_cleared_and_not_swept_are_none(anywhere: Service) -> None:
    fill(anywhere)
    anywhere.runtime.cache.clear("price:*", sweep=False)
    anywhere.runtime.cache.set("price:MSFT", 2)

    found = anywhere.client.get(f"{BASE}/keys").json()

    assert (found["count"], found["keys"]) == (3, ["momentum:AAPL", "price:MSFT", "user:1"])


def test_pages_of_keys_together_are_all_keys(anywhere: Service) -> None:
    names = {f"user:{number}" for number in range(1300)}
    anywhere.runtime.cache.set_many(dict.fromkeys(names, 1))

    seen, cursor, pages = list[str](), "", 0
    while cursor is not None:
        page = anywhere.client.get(f"{BASE}/keys", params={"limit": 100, "cursor": cursor}).json()
        assert page["truncated"] == (page["cursor"] is not None)
        assert not page["exact"]
        seen, cursor, pages = seen + page["keys"], page["cursor"], pages + 1

    assert set(seen) == names
    assert pages > 1


def test_a_thousand_keys_are_the_most_by_default(memory: Service) -> None:
    memory.runtime.cache.set_many({f"user:{number}": 1 for number in range(1001)})

    found = memory.client.get(f"{BASE}/keys").json()

    assert (found["count"], found["truncated"], found["exact"]) == (1000, True, False)


# -- stats -----------------------------------------------------------------------------------------


def test_stats_of_an_empty_cache_name_the_three_namespaces(anywhere: Service) -> None:
    found = anywhere.client.get(f"{BASE}/stats").json()

    empty = {"count": 0, "sample_keys": []}
    assert found["price"] == found["momentum"] == found["portfolio"] == empty
    assert found["total"]["count"] == 0


def test_stats_count_each_namespace_and_show_five_keys_at_most(anywhere: Service) -> None:
    anywhere.runtime.cache.set_many({f"price:A{number}": 1 for number in range(7)} | {"user:1": 1})

    found = anywhere.client.get(f"{BASE}/stats").json()

    assert (found["price"]["count"], len(found["price"]["sample_keys"])) == (7, 5)
    assert set(found["price"]["sample_keys"]) <= {f"price:A{number}" for number in range(7)}
    assert found["price"]["sample_keys"] == sorted(found["price"]["sample_keys"])
    assert found["user"] == {"count": 1, "sample_keys": ["user:1"]}
    # While Redis is away, what it holds was not seen.
    assert found["total"] == {"count": 8, "exact": not anywhere.runtime.cache.state().is_degraded}


def test_stats_see_what_was_written_a_moment_ago(memory: Service) -> None:
    memory.client.get(f"{BASE}/stats")

    memory.runtime.cache.set("price:AAPL", 1)

    assert memory.client.get(f"{BASE}/stats").json()["price"]["count"] == 1


def test_names_that_are_no_keys_of_ours_do_not_break_the_looks(on_redis: Service, redis_url: str, prefix: str) -> None:
    foreign = ["a b:c", "line\nbreak:1", "price:aapl", ":", "ns:", "ü" * 600, "nocolon"]
    with redis.Redis.from_url(redis_url) as client:
        for name in foreign:
            client.set(f"{prefix}{name}", b"of another program")

    stats = on_redis.client.get(f"{BASE}/stats")
    keys = on_redis.client.get(f"{BASE}/keys")

    assert stats.status_code == keys.status_code == 200
    assert stats.json()["total"]["count"] == keys.json()["count"] == len(foreign)


# -- clear -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("service_name", ["memory", "on_redis"])
def test_clear_drops_what_matches_and_counts_it(service_name: str, request: pytest.FixtureRequest) -> None:
    service: Service = request.getfixturevalue(service_name)
    fill(service)

    answer = service.client.delete(f"{BASE}/clear", params={"pattern": "price:*"})

    assert answer.status_code == 200
    assert answer.json() == {
        "message": "Cleared 2 keys matching price:*",
        "pattern": "price:*",
        "keys_cleared": 2,
        "pending": False,
    }
    assert service.runtime.cache.keys() == ["momentum:AAPL", "user:1"]


def test_clear_while_redis_is_away_is_accepted_and_pending(away: Service) -> None:
    fill(away)

    answer = away.client.delete(f"{BASE}/clear", params={"pattern": "price:*"})

    found = answer.json()
    assert answer.status_code == 202
    assert (found["pending"], found["pattern"], found["keys_cleared"]) == (True, "price:*", 2)
    assert away.runtime.cache.get("price:AAPL") is None


def test_clear_of_everything_touches_no_other_prefix(on_redis: Service, redis_url: str, prefix: str) -> None:
    fill(on_redis)
    other = f"{prefix[:-1]}-other:"
    with redis.Redis.from_url(redis_url) as client:
        client.set(f"{other}price:AAPL", b"foreign", ex=60)
        client.set(prefix.removesuffix(":"), b"the prefix itself", ex=60)
        try:
            answer = on_redis.client.delete(f"{BASE}/clear", params={"pattern": "*"})

            assert answer.json()["keys_cleared"] == 4
            assert client.get(f"{other}price:AAPL") == b"foreign"
            assert client.get(prefix.removesuffix(":")) == b"the prefix itself"
        finally:
            client.delete(f"{other}price:AAPL", prefix.removesuffix(":"))


def test_an_escaped_star_is_a_star_and_not_a_pattern(memory: Service) -> None:
    fill(memory)

    answer = memory.client.delete(f"{BASE}/clear?pattern=price:%252a")

    assert answer.json()["keys_cleared"] == 0
    assert len(memory.runtime.cache.keys()) == 4


# -- warm-up ---------------------------------------------------------------------------------------


def test_warmup_loads_and_names_what_failed(anywhere: Service) -> None:
    answer = anywhere.client.post(f"{BASE}/warmup", params={"tickers": "AAPL,nvda,MSFT,NONE1"})

    found = answer.json()
    assert answer.status_code == 200
    assert found["tickers"] == ["AAPL", "NVDA", "MSFT", "NONE1"]
    assert (found["tickers_processed"], found["successfully_cached"]) == (4, 3)
    assert found["failures"] == {"NONE1": "not among the 25 stocks of the sample"}
    assert found["message"].startswith("Cached 3 of 4 tickers")
    assert anywhere.runtime.cache.exists("price:NVDA")
    assert anywhere.runtime.cache.exists("momentum:NVDA")


def test_a_ticker_given_twice_is_loaded_once(serve: Serve) -> None:
    provider = MemoryProvider({"AAPL": steady(0.001), "MKT": steady(0.001, ticker="MKT")})
    service = serve(provider=provider)

    found = service.client.post(f"{BASE}/warmup", params={"tickers": "AAPL,aapl, AAPL"}).json()

    assert found["tickers"] == ["AAPL"]
    assert found["tickers_processed"] == 1
    assert provider.asked["AAPL"] == 1


def test_a_second_warmup_at_the_same_time_is_refused(serve: Serve) -> None:
    provider = Gate({"AAPL": steady(0.001), "MKT": steady(0.001, ticker="MKT")})
    service = serve(provider=provider)
    first: list[int] = []
    caller = threading.Thread(
        target=lambda: first.append(service.client.post(f"{BASE}/warmup?tickers=AAPL").status_code)
    )
    caller.start()
    assert provider.entered.wait(10)

    second = service.client.post(f"{BASE}/warmup?tickers=MSFT")
    provider.opened.set()
    caller.join(10)
    third = service.client.post(f"{BASE}/warmup?tickers=AAPL")

    assert second.status_code == 409
    assert int(second.headers["Retry-After"]) > 0
    assert second.headers["content-type"] == "application/problem+json"
    assert first == [200]
    assert third.status_code == 200
    assert "MSFT" not in provider.asked


class Gate(MemoryProvider):
    """Lets nobody through before it is opened."""

    def __init__(self, histories: dict[str, Any]) -> None:
        super().__init__(histories)
        self.entered = threading.Event()
        self.opened = threading.Event()

    def histories(self, tickers: Sequence[str]) -> Any:
        self.entered.set()
        assert self.opened.wait(10)
        return super().histories(tickers)


# -- errors ----------------------------------------------------------------------------------------


def test_an_unforeseen_error_tells_nothing_of_the_inside(memory: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError("secret-detail in /srv/avcache/core.py")

    monkeypatch.setattr(memory.runtime.cache, "info", broken)

    answer = memory.client.get(f"{BASE}/info")

    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["title"] == "Internal Server Error"
    assert not any(word in answer.text for word in ("secret-detail", "Traceback", "RuntimeError", ".py"))
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_store_without_a_usable_answer_is_a_503_that_names_no_host(
    memory: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise BackendError("redis info: 10.1.2.3:6379 said no")

    monkeypatch.setattr(memory.runtime.cache, "info", broken)

    answer = memory.client.get(f"{BASE}/info")

    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert "10.1.2.3" not in answer.text


# -- the documentation -----------------------------------------------------------------------------


def test_the_docs_are_served(memory: Service) -> None:
    answer = memory.client.get("/api/docs")

    assert answer.status_code == 200
    assert "/api/openapi.json" in answer.text


def test_a_plan_says_what_a_clear_would_drop_and_touches_nothing(anywhere: Service) -> None:
    anywhere.runtime.cache.set_many({"price:AAPL": 1, "price:MSFT": 2, "user:1": 3})

    found = anywhere.client.get(f"{BASE}/plan", params={"pattern": "price:*"}).json()

    assert (found["pattern"], found["keys"], found["low"], found["high"]) == ("price:*", 2, 2, 2)
    assert found["sample_keys"] == ["price:AAPL", "price:MSFT"]
    assert (found["refill_seconds"], found["size_bytes"] > 0) == (None, True)
    assert found["exact"] is not anywhere.runtime.cache.state().is_degraded
    assert anywhere.runtime.cache.get("price:AAPL") == 1


def test_coverage_says_how_each_ticker_stands(anywhere: Service) -> None:
    anywhere.runtime.market.price("AAPL")

    found = anywhere.client.get(f"{BASE}/coverage", params={"tickers": "aapl,MRK"}).json()

    assert found["kinds"] == ["price", "momentum"]
    assert found["states"] == {"AAPL": ["fresh", "missing"], "MRK": ["missing", "missing"]}
    assert (found["covered"], found["reasons"]) == (0, {})


def test_the_doctor_says_what_is_wrong_and_what_mends_it(anywhere: Service) -> None:
    found = anywhere.client.get(f"{BASE}/doctor").json()["findings"]

    rules = [one["rule"] for one in found]
    assert ("redis_away" in rules) == anywhere.runtime.cache.state().is_degraded
    assert ("no_maxmemory" in rules) == (anywhere.runtime.cache.state().name in {"redis", "valkey"})
    assert all(one["step"] and one["why"] and one["evidence"] for one in found)


@pytest.mark.parametrize(
    ("call", "parameter"),
    [("plan", "pattern"), ("coverage", "tickers"), ("plan?pattern=a*a*a*a*a*a*a*a*a*", "pattern")],
)
def test_a_look_without_what_it_needs_is_refused(memory: Service, call: str, parameter: str) -> None:
    answer = memory.client.get(f"{BASE}/{call}")

    assert answer.status_code == 422
    assert parameter in answer.json()["detail"]


def test_a_reason_goes_on_record(memory: Service) -> None:
    memory.client.delete(f"{BASE}/clear", params={"pattern": "user:*", "reason": "a try"})
    too_long = memory.client.delete(f"{BASE}/clear", params={"pattern": "user:*", "reason": "x" * 501})

    assert too_long.status_code == 422
    acts = [(entry.actor, entry.action, entry.reason) for entry in memory.runtime.ops.audit.latest(action="clear")]
    assert acts == [("REST", "clear", "a try")]


def test_the_openapi_document_names_exactly_these_calls(memory: Service) -> None:
    document = memory.client.get("/api/openapi.json").json()

    calls = {(method, path) for path, operations in document["paths"].items() for method in operations}
    assert calls == {
        ("get", "/v1/cache/info"),
        ("get", "/v1/cache/keys"),
        ("get", "/v1/cache/stats"),
        ("get", "/v1/cache/plan"),
        ("get", "/v1/cache/coverage"),
        ("get", "/v1/cache/doctor"),
        ("delete", "/v1/cache/clear"),
        ("post", "/v1/cache/warmup"),
    }
    assert document["servers"] == [{"url": "/api"}]


def test_every_reference_of_the_openapi_document_leads_somewhere(memory: Service) -> None:
    document = memory.client.get("/api/openapi.json").json()

    def references(part: Any) -> list[str]:
        if isinstance(part, dict):
            own = [part["$ref"]] if "$ref" in part else []
            return own + [ref for inner in part.values() for ref in references(inner)]
        return [ref for inner in part for ref in references(inner)] if isinstance(part, list) else []

    schemas = document["components"]["schemas"]
    assert references(document)
    assert {ref.removeprefix("#/components/schemas/") for ref in references(document)} <= schemas.keys()
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(
    ("method", "path", "query", "status"),
    [
        ("get", "/v1/cache/info", "", 200),
        ("get", "/v1/cache/keys", "", 200),
        ("get", "/v1/cache/keys", "limit=0", 422),
        ("get", "/v1/cache/stats", "", 200),
        ("delete", "/v1/cache/clear", "pattern=price:*", 200),
        ("delete", "/v1/cache/clear", "", 422),
        ("post", "/v1/cache/warmup", "tickers=AAPL", 200),
        ("post", "/v1/cache/warmup", "tickers=,", 422),
    ],
)
def test_answers_are_of_the_documented_type_and_schema(
    memory: Service, method: str, path: str, query: str, status: int
) -> None:
    document = memory.client.get("/api/openapi.json").json()

    answer = memory.client.request(method, f"/api{path}?{query}")

    content = document["paths"][path][method]["responses"][str(status)]["content"]
    assert answer.status_code == status
    assert list(content) == [answer.headers["content-type"]]
    schema = {**content[answer.headers["content-type"]]["schema"], "components": document["components"]}
    jsonschema.validate(answer.json(), schema)


def test_every_write_asks_for_the_bearer_token_in_the_docs(memory: Service) -> None:
    document = memory.client.get("/api/openapi.json").json()

    secured = {
        method
        for operations in document["paths"].values()
        for method, found in operations.items()
        if "security" in found
    }

    assert secured == {"delete", "post"}
