"""Who may reach a door at all: hosts, addresses, tokens, other sites; and what every response carries."""

from __future__ import annotations

import http.client
import subprocess
import sys
from collections.abc import Mapping

import anyio
import pytest
from starlette.types import Message, Scope

from avcache.api.guard import check_bind, is_loopback
from avcache.config import Settings
from avcache.errors import ConfigError
from tests.api.conftest import BASE, Serve, Service
from tests.servers import ROOT, ConsoleServer

TOKEN = "a-token-of-thirty-two-characters"
ANYWHERE = "0.0.0.0"  # noqa: S104 - an address that is to be refused
HEADERS = {"x-content-type-options": "nosniff", "referrer-policy": "no-referrer", "x-frame-options": "DENY"}
WRITES = [("DELETE", f"{BASE}/clear?pattern=price:*"), ("POST", f"{BASE}/warmup?tickers=AAPL")]
READS = [f"{BASE}/info", f"{BASE}/keys", f"{BASE}/stats", "/api/docs", "/api/openapi.json"]


@pytest.fixture
def guarded(serve: Serve) -> Service:
    service = serve({"AVCACHE_API_TOKEN": TOKEN})
    service.runtime.cache.set("price:MSFT", 1.0)
    return service


# -- the token -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "path"), WRITES)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": f"Bearer {TOKEN[:-1]}"},
        {"Authorization": f"Bearer {TOKEN.upper()}"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": TOKEN},
        {"Cookie": f"token={TOKEN}; AVCACHE_API_TOKEN={TOKEN}; Authorization=Bearer {TOKEN}"},
        {"X-API-Key": TOKEN},
    ],
    ids=lambda headers: repr(headers).replace(TOKEN, "T"),
)
def test_a_write_without_the_token_is_refused_and_does_nothing(
    guarded: Service, method: str, path: str, headers: Mapping[str, str]
) -> None:
    answer = guarded.client.request(method, path, headers=headers)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"
    assert TOKEN not in answer.text
    assert guarded.runtime.cache.keys() == ["price:MSFT"]
    assert guarded.runtime.ops.warmup.latest is None


def test_a_token_in_the_query_is_no_token(guarded: Service) -> None:
    answer = guarded.client.delete(f"{BASE}/clear?pattern=*&token={TOKEN}")

    assert answer.status_code == 401


@pytest.mark.parametrize(("method", "path"), WRITES)
@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_a_write_with_the_token_is_done(guarded: Service, method: str, path: str, scheme: str) -> None:
    answer = guarded.client.request(method, path, headers={"Authorization": f"{scheme} {TOKEN}"})

    assert answer.status_code == 200


@pytest.mark.parametrize("path", READS)
def test_reads_are_free(guarded: Service, path: str) -> None:
    assert guarded.client.get(path).status_code == 200


def test_without_the_token_a_bad_parameter_is_not_even_looked_at(guarded: Service) -> None:
    assert guarded.client.delete(f"{BASE}/clear").status_code == 401


@pytest.mark.parametrize("token", [b"\xff\xfe" * 8, "Schlüssel-Schlüssel".encode(), b"\xc3\x28" * 16])
def test_bytes_that_are_no_ascii_are_a_wrong_token_and_no_error(guarded: Service, token: bytes) -> None:
    answer = guarded.client.delete(f"{BASE}/clear?pattern=*", headers={b"Authorization": b"Bearer " + token})

    assert answer.status_code == 401


def test_a_token_that_is_no_ascii_works_as_the_bytes_a_client_sends(serve: Serve) -> None:
    token = "Schlüssel-für-alles-€"
    service = serve({"AVCACHE_API_TOKEN": token})

    answer = service.client.delete(f"{BASE}/clear?pattern=*", headers={b"Authorization": b"Bearer " + token.encode()})

    assert answer.status_code == 200


def test_without_a_token_set_this_machine_may_write(memory: Service) -> None:
    assert memory.client.delete(f"{BASE}/clear?pattern=*").status_code == 200


# -- other sites -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "path"), WRITES)
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://localhost:3000"},
        {"Origin": "http://localhost:8501.evil.example"},
        {"Origin": "http://localhost:8501", "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=repr,
)
def test_a_page_of_another_site_can_write_nothing(
    memory: Service, method: str, path: str, headers: Mapping[str, str]
) -> None:
    memory.runtime.cache.set("price:MSFT", 1.0)

    answer = memory.client.request(method, path, headers=headers)

    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"
    assert memory.runtime.cache.keys() == ["price:MSFT"]
    assert memory.runtime.ops.warmup.latest is None


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://localhost:8501"},
        {"Origin": "http://localhost:8501", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
    ],
    ids=repr,
)
def test_our_own_docs_page_can_write(memory: Service, headers: Mapping[str, str]) -> None:
    assert memory.client.delete(f"{BASE}/clear?pattern=*", headers=headers).status_code == 200


def test_no_other_site_may_read_an_answer(memory: Service) -> None:
    answer = memory.client.get(f"{BASE}/info", headers={"Origin": "https://evil.example"})

    assert not [name for name in answer.headers if name.startswith("access-control-")]


# -- hosts -----------------------------------------------------------------------------------------

OUR_HOSTS = ["localhost", "localhost:8501", "LOCALHOST:8501", "127.0.0.1", "127.0.0.1:8501", "[::1]", "[::1]:8501"]
FOREIGN_HOSTS = [
    "evil.example",
    "evil.example:8501",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "evil.example#localhost",
    "user@localhost",
    "localhost:abc",
    "localhost evil.example",
    ANYWHERE,
    "192.168.1.7:8501",
    "",
]


@pytest.mark.parametrize("host", OUR_HOSTS)
def test_names_of_this_machine_pass(memory: Service, host: str) -> None:
    assert memory.client.get(f"{BASE}/info", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
@pytest.mark.parametrize("path", [*READS, "/api/nowhere", "/"])
def test_a_foreign_host_is_refused_on_every_route(memory: Service, path: str, host: str) -> None:
    answer = memory.client.get(path, headers={"Host": host})

    assert answer.status_code == 400
    assert HEADERS.items() <= answer.headers.items()


def test_a_foreign_host_can_write_nothing_even_with_the_token(guarded: Service) -> None:
    answer = guarded.client.delete(
        f"{BASE}/clear?pattern=*", headers={"Host": "evil.example", "Authorization": f"Bearer {TOKEN}"}
    )

    assert answer.status_code == 400
    assert guarded.runtime.cache.keys() == ["price:MSFT"]


@pytest.mark.parametrize(
    ("setting", "host", "status"),
    [
        ("console.example.com, ops.lan", "ops.lan:8501", 200),
        ("console.example.com", "Console.Example.COM", 200),
        ("console.example.com", "other.example.com", 400),
        ("*.example.com", "any.example.com", 200),
        ("*.example.com", "example.com.evil.net", 400),
        ("2001:db8::1", "[2001:db8::1]:8501", 200),
        ("[2001:db8::1]", "[2001:db8::1]", 200),
        ("ops.lan", "localhost", 200),
    ],
)
def test_allowed_hosts_extend_what_passes(serve: Serve, setting: str, host: str, status: int) -> None:
    service = serve({"AVCACHE_ALLOWED_HOSTS": setting})

    assert service.client.get(f"{BASE}/info", headers={"Host": host}).status_code == status


# -- addresses -------------------------------------------------------------------------------------


def knock(service: Service, server: tuple[str, int | None] | None, kind: str = "http") -> list[Message]:
    """What the stack sends to a client that reached *server*."""
    sent: list[Message] = []
    scope: Scope = {
        "type": kind,
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http" if kind == "http" else "ws",
        "path": f"{BASE}/info",
        "raw_path": f"{BASE}/info".encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
        "server": server,
        "client": ("192.0.2.7", 40_000),
        "subprotocols": [],
        "extensions": {"websocket.http.response": {}},
    }

    async def receive() -> Message:
        return {"type": "websocket.connect"} if kind == "websocket" else {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        sent.append(message)

    anyio.run(service.app, scope, receive, send)
    return sent


@pytest.mark.parametrize("server", [("192.0.2.1", 8501), (ANYWHERE, 80), ("2001:db8::1", 80), ("::ffff:192.0.2.1", 80)])
def test_without_a_token_another_address_is_refused(memory: Service, server: tuple[str, int]) -> None:
    start, body = knock(memory, server)

    assert start["status"] == 403
    assert b"AVCACHE_API_TOKEN" in body["body"]


def test_without_a_token_a_websocket_to_another_address_is_refused(memory: Service) -> None:
    start, _body = knock(memory, ("192.0.2.1", 8501), "websocket")

    assert start["type"] == "websocket.http.response.start"
    assert start["status"] == 403
    assert (b"x-content-type-options", b"nosniff") in start["headers"]


@pytest.mark.parametrize(
    "server",
    [("127.0.0.1", 80), ("127.8.8.8", 80), ("::1", 80), ("::ffff:127.0.0.1", 80), ("/run/avcache.sock", None), None],
)
def test_this_machine_passes_without_a_token(memory: Service, server: tuple[str, int | None] | None) -> None:
    assert knock(memory, server)[0]["status"] == 200


def test_with_a_token_every_address_passes(guarded: Service) -> None:
    assert knock(guarded, ("192.0.2.1", 8501))[0]["status"] == 200


LOOPBACK = ["127.0.0.1", "127.0.0.53", "::1", "[::1]", "localhost"]
BEYOND = [ANYWHERE, "::", "[::]", "", "192.168.1.7", "example.com", "localhost.example.com", "127.0.0.1.evil.net", "0"]


@pytest.mark.parametrize("address", LOOPBACK)
def test_a_bind_to_loopback_needs_no_token(address: str) -> None:
    check_bind(address, Settings.from_env({}))

    assert is_loopback(address)


@pytest.mark.parametrize("address", BEYOND)
def test_a_bind_beyond_loopback_needs_a_token(address: str) -> None:
    check_bind(address, Settings.from_env({"AVCACHE_API_TOKEN": TOKEN}))

    with pytest.raises(ConfigError, match="AVCACHE_API_TOKEN") as refusal:
        check_bind(address, Settings.from_env({}))

    assert repr(address) in str(refusal.value)


def test_the_console_does_not_start_beyond_loopback_without_a_token() -> None:
    started = subprocess.run(
        [sys.executable, "-m", "streamlit", "run", "app.py", "--server.address", ANYWHERE, "--server.port", "0"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert started.returncode != 0
    assert "avcache does not start: server address '0.0.0.0'" in started.stderr
    assert "Traceback" not in started.stderr


def test_the_documented_name_of_the_standalone_app_leads_to_it() -> None:
    script = (
        "from uvicorn.importer import import_from_string; from starlette.applications import Starlette;"
        "assert isinstance(import_from_string('avcache.api:app'), Starlette)"
    )

    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, timeout=60)


# -- every response --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("GET", path) for path in READS),
        *WRITES,
        ("GET", "/"),
        ("GET", "/api/nowhere"),
        ("DELETE", f"{BASE}/clear"),
        ("PUT", f"{BASE}/info"),
        ("HEAD", f"{BASE}/info"),
    ],
)
def test_every_response_carries_the_security_headers_once(guarded: Service, method: str, path: str) -> None:
    answer = guarded.client.request(method, path)

    assert {name: answer.headers.get_list(name) for name in HEADERS} == {name: [v] for name, v in HEADERS.items()}


# -- the console as a whole ------------------------------------------------------------------------


def ask(
    console: ConsoleServer, path: str, host: str | None = None, method: str = "GET", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    link = http.client.HTTPConnection("127.0.0.1", console.port, timeout=10)
    try:
        link.putrequest(method, path, skip_host=True)
        for name, value in {"Host": host or f"127.0.0.1:{console.port}", **headers}.items():
            link.putheader(name.replace("_", "-"), value)
        link.endheaders()
        answer = link.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, found, b"" if answer.status == 101 else answer.read()
    finally:
        link.close()


UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec_WebSocket_Version": "13",
    "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
CONSOLE_PATHS = ["/", "/keys", "/_stcore/health", "/_stcore/host-config", "/api/docs", f"{BASE}/info", f"{BASE}/keys"]


@pytest.mark.parametrize("path", CONSOLE_PATHS)
def test_the_console_refuses_foreign_hosts_everywhere(console: ConsoleServer, path: str) -> None:
    status, headers, _ = ask(console, path, "evil.example")

    assert status == 400
    assert HEADERS.items() <= headers.items()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
@pytest.mark.parametrize("path", CONSOLE_PATHS)
def test_the_console_answers_under_the_names_of_this_machine(console: ConsoleServer, path: str, host: str) -> None:
    status, headers, _ = ask(console, path, f"{host}:{console.port}")

    assert status == 200
    assert HEADERS.items() <= headers.items()


def test_the_console_opens_its_websocket_to_this_machine_only(console: ConsoleServer) -> None:
    own, _, _ = ask(console, "/_stcore/stream", **UPGRADE)
    foreign, headers, _ = ask(console, "/_stcore/stream", "evil.example", **UPGRADE)
    other_site, _, _ = ask(console, "/_stcore/stream", Origin="https://evil.example", **UPGRADE)

    assert own == 101
    assert foreign in {400, 403}
    assert headers["x-content-type-options"] == "nosniff"
    assert other_site == 403


def test_the_console_serves_the_same_rest(console: ConsoleServer) -> None:
    status, headers, body = ask(console, f"{BASE}/keys/")
    warmed = ask(console, f"{BASE}/warmup?tickers=AAPL", method="POST", Content_Length="0")

    assert status == 404
    assert headers["content-type"] == "application/problem+json"
    assert b"Not Found" in body
    assert warmed[0] == 200
    assert b'"successfully_cached":1' in warmed[2]
    assert b"price:AAPL" in ask(console, f"{BASE}/keys?pattern=price:*")[2]
