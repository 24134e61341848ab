"""Every setting: its default, what is refused and how, and what it does in a running graph."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis
from pydantic import SecretStr, ValidationError
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from avcache import runtime
from avcache.api.guard import guards
from avcache.api.routes import build_app
from avcache.config import Settings, read_dotenv, sources
from avcache.errors import ConfigError, InvalidInput, ProviderError
from avcache.runtime import Runtime
from tests.servers import RealServer, free_port
from tests.yahoo_server import YahooServer

DEFAULTS: dict[str, object] = {
    "redis_enabled": False,
    "redis_host": "localhost",
    "redis_port": 6379,
    "redis_db": 0,
    "redis_password": None,
    "redis_url": None,
    "redis_prefix": "alphavelocity:",
    "redis_max_connections": 50,
    "redis_timeout": 0.25,
    "cache_default_ttl": 3600,
    "cache_price_ttl": 300,
    "cache_momentum_ttl": 1800,
    "cache_portfolio_ttl": 600,
    "cache_stale_ttl": 3600,
    "cache_max_ttl": 7 * 24 * 3600,
    "cache_max_value_bytes": 2**20,
    "cache_memory_max_entries": 100_000,
    "cache_memory_max_bytes": 256 * 2**20,
    "cache_calendar": None,
    "avcache_provider": "auto",
    "sample_replay": 0,
    "avcache_csv_dir": None,
    "avcache_csv_currency": None,
    "avcache_universes": None,
    "avcache_yahoo_rate": 2.0,
    "avcache_yahoo_url": None,
    "avcache_api_token": None,
    "avcache_allowed_hosts": "",
    "avcache_log_dir": Path("logs"),
    "avcache_access_log": False,
}
SECRET = "canary-6f1c-of-the-secret"


# -- defaults, sources, secrets --------------------------------------------------------------------


def test_the_defaults_are_the_documented_ones() -> None:
    assert dict(Settings.from_env({})) == DEFAULTS


def test_empty_values_count_as_not_given() -> None:
    assert Settings.from_env({name.upper(): "" for name in DEFAULTS}) == Settings.from_env({})


def test_settings_are_frozen() -> None:
    settings = Settings.from_env({})

    with pytest.raises(ValidationError, match="frozen"):
        settings.redis_port = 1


@pytest.mark.parametrize("text", ["true", "TRUE", "1", "yes", "on", "True"])
def test_a_flag_is_switched_on_in_many_ways(text: str) -> None:
    assert Settings.from_env({"REDIS_ENABLED": text}).redis_enabled is True


def test_names_are_read_in_any_case() -> None:
    assert Settings.from_env({"redis_port": "7000"}).redis_port == 7000


def test_the_environment_of_the_process_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_PORT", "7000")

    assert Settings.from_env({}).redis_port == 6379


def test_the_file_is_read_and_the_environment_wins(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("# a comment\nREDIS_PORT=7000\nexport REDIS_DB='3'\nREDIS_HOST=\"filehost\"\n\nREDIS_PREFIX=\n")

    settings = Settings.from_env({"REDIS_PORT": "7001"}, file)

    assert (settings.redis_port, settings.redis_db, settings.redis_host) == (7001, 3, "filehost")
    assert settings.redis_prefix == "alphavelocity:"


def test_each_setting_tells_where_it_comes_from(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("REDIS_PORT=7000\nredis_db=3\nREDIS_HOST=filehost\nREDIS_PREFIX=mine:\nCACHE_PRICE_TTL=\n")
    env = {"redis_port": "7001", "REDIS_PREFIX": "", "REDIS_PORT": "", "AVCACHE_PROVIDER": "sample", "HOME": "/root"}

    found, settings = sources(env, read_dotenv(file)), Settings.from_env(env, file)

    told = {name: source for name, source in found.items() if source != "default"}
    assert told == {
        "redis_port": "environment",
        "redis_db": ".env",
        "redis_host": ".env",
        "avcache_provider": "environment",
    }
    assert found.keys() == Settings.model_fields.keys()
    changed = {name for name in found if getattr(settings, name) != getattr(Settings.from_env({}), name)}
    assert changed == told.keys()


def test_a_file_that_is_not_there_is_no_error(tmp_path: Path) -> None:
    assert Settings.from_env({}, tmp_path / ".env") == Settings.from_env({})


def test_a_bad_value_in_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("REDIS_PORT=abc\n")

    with pytest.raises(ConfigError, match="REDIS_PORT='abc'"):
        Settings.from_env({}, tmp_path / ".env")


def test_a_file_that_is_no_text_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"REDIS_HOST=\xff\xfe\n")

    with pytest.raises(ConfigError, match=r"\.env cannot be read"):
        Settings.from_env({}, tmp_path / ".env")


def test_a_password_in_the_file_is_taken_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/elsewhere")
    (tmp_path / ".env").write_text("REDIS_PASSWORD='pa${HOME}ss#1'\n")

    password = Settings.from_env({}, tmp_path / ".env").redis_password

    assert password == SecretStr("pa${HOME}ss#1")


def test_secrets_are_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings.from_env(
        {"REDIS_PASSWORD": SECRET, "REDIS_URL": f"redis://:{SECRET}@db/0", "AVCACHE_API_TOKEN": SECRET}
    )

    assert SECRET not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    "env",
    [
        {"REDIS_URL": f"http://:{SECRET}@db/0"},
        {"REDIS_URL": f"redis://:{SECRET}@db:abc/0"},
        {"REDIS_URL": f"redis://:{SECRET}@db/0?{SECRET}=1", "REDIS_ENABLED": "true"},
        {"AVCACHE_API_TOKEN": SECRET[:15]},
        {"AVCACHE_API_TOKEN": f"{SECRET} {SECRET}"},
        {"REDIS_PASSWORD": SECRET, "REDIS_PORT": "abc"},
    ],
)
def test_an_error_shows_no_secret(env: Mapping[str, str]) -> None:
    with pytest.raises(ConfigError) as refusal:
        runtime.build(Settings.from_env(env))

    assert SECRET[:15] not in f"{refusal.value!r} {refusal.value.__cause__!r}"
    assert refusal.value.__suppress_context__


# -- bad values ------------------------------------------------------------------------------------

PORT, WHOLE, NUMBER = "a whole number, at least 1, at most 65,535", "a whole number", "a number"
TTL = "a number, more than 0, at most 2,592,000"
PREFIX, FLAG = "letters, digits and _ . - with a colon at the end", "true or false"
URL, HOSTS = "redis://host:port/db", "names such as example.com"

BAD = [
    ("REDIS_ENABLED", ["2", "ja", " "], FLAG),
    ("REDIS_HOST", [" ", "a b", "a/b", "a\nb", "user@host", "redis://host"], "a host name or an address"),
    ("REDIS_PORT", ["abc", "0", "65536", "-1", "6379.5", " ", "0x10", "9" * 5000, "tcp://10.0.0.1:6379"], PORT),
    ("REDIS_DB", ["-1", "1000001", "abc", "1.5"], f"{WHOLE}, at least 0"),
    (
        "REDIS_URL",
        [
            "localhost:6379",
            "http://db/0",
            "redis://",
            "redis://db:abc/0",
            "redis://db:65536/0",
            "redis://db:0/0",
            "redis://db/abc",
            "redis://[::1",
            "redis://d b/0",
            "unix://",
            "redis+sentinel://db/0",
        ],
        URL,
    ),
    (
        "REDIS_PREFIX",
        [":", "a*:", "a[1]:", "a?:", "a\nb:", "a:b", "noend", "a" * 65 + ":", "a" * 300, "ü:", "a b:"],
        PREFIX,
    ),
    ("REDIS_MAX_CONNECTIONS", ["0", "10001", "many"], f"{WHOLE}, at least 1, at most 10,000"),
    ("REDIS_TIMEOUT", ["0", "-1", "6", "nan", "inf", "1s"], f"{NUMBER}, at least 0.05, at most 5"),
    ("CACHE_DEFAULT_TTL", ["0", "-5", "1e9", "5m", "nan", "inf", "None", "true"], TTL),
    ("CACHE_PRICE_TTL", ["0", "-5", "1e9", "5m", "nan"], TTL),
    ("CACHE_MOMENTUM_TTL", ["0", "-5", "1e9", "5m", "nan"], TTL),
    ("CACHE_PORTFOLIO_TTL", ["0", "-5", "1e9", "5m", "nan"], TTL),
    ("CACHE_MAX_TTL", ["0", "-5", "1e9", "5m", "inf"], TTL),
    ("CACHE_STALE_TTL", ["-1", "604801", "nan", "inf", "5m"], f"{NUMBER}, at least 0, at most 604,800"),
    ("CACHE_MAX_VALUE_BYTES", ["0", "1023", "1MB", "1e6.5"], f"{WHOLE}, at least 1,024"),
    ("CACHE_MEMORY_MAX_ENTRIES", ["0", "-1", "many"], f"{WHOLE}, at least 1"),
    ("CACHE_MEMORY_MAX_BYTES", ["0", "1000", "256MB"], f"{WHOLE}, at least 1,048,576"),
    ("CACHE_CALENDAR", ["X", "New York", "XNYS;"], "the code of an exchange, such as XNYS"),
    ("AVCACHE_PROVIDER", ["Yahoo", "none", "sample,yahoo"], "'auto', 'yahoo', 'sample' or 'csv'"),
    ("SAMPLE_REPLAY", ["-1", "10001", "nan", "inf", "fast"], f"{NUMBER}, at least 0, at most 10,000"),
    ("AVCACHE_CSV_CURRENCY", ["usd", "$", "DOLLARS"], "three capitals, such as USD"),
    ("AVCACHE_YAHOO_RATE", ["0", "-1", "1001", "nan", "fast"], f"{NUMBER}, more than 0, at most 1,000"),
    ("AVCACHE_YAHOO_URL", ["localhost", "ftp://host", "http://", "http://host/path", "http://a b"], "http://host:port"),
    ("AVCACHE_API_TOKEN", ["short", "x" * 15, "with space in the middle"], "16 or more characters, no space"),
    ("AVCACHE_ALLOWED_HOSTS", ["*", "a*b", "a.*", "http://a", "a:8501", "a/b", "a.example, b c"], HOSTS),
    ("AVCACHE_ACCESS_LOG", ["2", "debug"], FLAG),
]


@pytest.mark.parametrize(
    ("name", "value", "allowed"), [(name, value, allowed) for name, values, allowed in BAD for value in values]
)
def test_a_bad_value_is_refused_with_name_value_and_what_is_allowed(name: str, value: str, allowed: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        Settings.from_env({name: value})

    message = str(refusal.value)
    shown = "***" if any(word in name for word in ("URL", "TOKEN", "PASSWORD")) else repr(value[:80])
    assert message.startswith(f"{name}={shown}: ")
    assert allowed in message
    assert "\n" not in message
    assert len(message) < 300


def test_all_bad_values_are_named_at_once() -> None:
    with pytest.raises(ConfigError, match=r"REDIS_PORT=.*; CACHE_PRICE_TTL="):
        Settings.from_env({"REDIS_PORT": "abc", "CACHE_PRICE_TTL": "5m"})


@pytest.mark.parametrize(
    "name", ["CACHE_DEFAULT_TTL", "CACHE_PRICE_TTL", "CACHE_MOMENTUM_TTL", "CACHE_PORTFOLIO_TTL", "CACHE_STALE_TTL"]
)
def test_no_ttl_is_longer_than_the_longest(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name}=7200: at most CACHE_MAX_TTL, which is 3600"):
        Settings.from_env({name: "7200", "CACHE_MAX_TTL": "3600"})


@pytest.mark.parametrize("option", ["nonsense=1", "db=abc", "protocol=zero", "socket_timeout=soon"])
def test_an_option_in_the_url_that_is_none_is_refused_at_the_start(option: str) -> None:
    settings = Settings.from_env({"REDIS_ENABLED": "true", "REDIS_URL": f"redis://localhost/0?{option}"})

    with pytest.raises(ConfigError, match=r"REDIS_URL=\*\*\*: an option"):
        runtime.build(settings)


GOOD_URLS = [
    "redis://db",
    "redis://db:6380",
    "redis://db:6380/",
    "redis://db:6380/5",
    "redis://:p@ss@db/0",
    "redis://user:p%40ss@[::1]:6380/0",
    "rediss://db/0?ssl_cert_reqs=none",
    "redis://db?db=5",
    "unix:///run/redis.sock",
    "unix://user:pass@/run/redis.sock?db=1",
]


@pytest.mark.parametrize("url", GOOD_URLS)
def test_addresses_of_servers_are_understood(url: str) -> None:
    settings = Settings.from_env({"REDIS_ENABLED": "true", "REDIS_URL": url})

    runtime.build(settings).close()

    assert settings.redis_address == url


@pytest.mark.parametrize(
    ("host", "address"),
    [("db", "redis://db:6380/2"), (" db ", "redis://db:6380/2"), ("::1", "redis://[::1]:6380/2")],
)
def test_host_port_and_db_make_an_address(host: str, address: str) -> None:
    settings = Settings.from_env({"REDIS_HOST": host, "REDIS_PORT": "6380", "REDIS_DB": "2"})

    assert settings.redis_address == address


# -- unknown names ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("REDIS_HOTS", "; did you mean REDIS_HOST?"),
        ("CACHE_PRICE_TLL", "; did you mean CACHE_PRICE_TTL?"),
        ("AVCACHE_PROVDER", "; did you mean AVCACHE_PROVIDER?"),
        ("SAMPLE_REPLAYS", "; did you mean SAMPLE_REPLAY?"),
        ("redis_prt", "; did you mean REDIS_PORT?"),
        ("CACHE_QQQQQQQQQQQQ", ""),
    ],
)
def test_an_unknown_name_of_ours_is_warned_about(name: str, hint: str, caplog: pytest.LogCaptureFixture) -> None:
    Settings.from_env({name: SECRET})

    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == f"unknown setting {name} is ignored{hint}"


@pytest.mark.parametrize("name", ["PATH", "MY_REDIS_HOST", "REDISHOST", "AVCACHE_TEST_REDIS_URL", "REDIS_HOST"])
def test_other_names_are_none_of_our_business(name: str, caplog: pytest.LogCaptureFixture) -> None:
    Settings.from_env({name: "value"})

    assert not caplog.records


def test_an_unknown_name_in_the_file_is_warned_about(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / ".env").write_text("REDIS_PASSWROD=x\n")

    Settings.from_env({}, tmp_path / ".env")

    assert "did you mean REDIS_PASSWORD?" in caplog.text


# -- what each setting does ------------------------------------------------------------------------

Build = Callable[..., Runtime]


@pytest.fixture
def build() -> Iterator[Build]:
    """Builds runtimes on sample prices from settings given in lower case; closed after the test."""
    with ExitStack() as closing:

        def made(env: Mapping[str, str] | None = None, **settings: object) -> Runtime:
            given = {name.upper(): str(value) for name, value in settings.items()}
            wired = runtime.build(Settings.from_env({"AVCACHE_PROVIDER": "sample", **given, **(env or {})}))
            closing.callback(wired.close)
            return wired

        yield made


@pytest.fixture(scope="module")
def own() -> Iterator[RealServer]:
    """A server of this module alone."""
    try:
        server = RealServer("--databases", "16")
    except FileNotFoundError as exc:
        pytest.skip(str(exc))
    with server:
        yield server


def keys_on(server: RealServer, db: int = 0) -> set[bytes]:
    """What is kept there, without what the store needs for itself."""
    with redis.Redis(port=server.port, db=db) as client:
        return {key for key in client.scan_iter() if b":!" not in key}


@pytest.fixture
def clean(own: RealServer) -> RealServer:
    """The server, empty."""
    with redis.Redis(port=own.port) as client:
        for db in range(16):
            client.select(db)
            for key in client.scan_iter():
                client.unlink(key)
    return own


def client_of(wired: Runtime, base_url: str = "http://localhost") -> TestClient:
    app = Starlette(routes=[Mount("/api", build_app(lambda: wired))], middleware=guards(wired.settings))
    return TestClient(app, base_url)


def test_effect_of_redis_enabled(build: Build, clean: RealServer) -> None:
    build(redis_port=clean.port).cache.set("price:AAPL", 1)
    before = keys_on(clean)
    build(redis_port=clean.port, redis_enabled=True).cache.set("price:AAPL", 1)

    assert before == set()
    assert keys_on(clean) == {b"alphavelocity:price:AAPL"}


@pytest.mark.parametrize(("host", "state"), [("127.0.0.1", None), ("localhost", None), ("127.0.0.2", "degraded")])
def test_effect_of_redis_host(build: Build, clean: RealServer, host: str, state: str | None) -> None:
    wired = build(redis_enabled=True, redis_host=host, redis_port=clean.port)

    wired.start()

    assert wired.cache.state().is_degraded == (state == "degraded")


def test_effect_of_redis_port(build: Build, clean: RealServer) -> None:
    here, nowhere = (build(redis_enabled=True, redis_port=port) for port in (clean.port, free_port()))

    here.start()
    nowhere.start()

    assert [wired.cache.state().is_degraded for wired in (here, nowhere)] == [False, True]


def test_effect_of_redis_db(build: Build, clean: RealServer) -> None:
    build(redis_enabled=True, redis_port=clean.port, redis_db=7).cache.set("price:AAPL", 1)

    assert keys_on(clean, 7) == {b"alphavelocity:price:AAPL"}
    assert keys_on(clean, 0) == set()


def test_effect_of_redis_db_past_the_databases_of_the_server(build: Build, clean: RealServer) -> None:
    wired = build(redis_enabled=True, redis_port=clean.port, redis_db=16)

    wired.start()

    assert wired.cache.state().is_degraded


def test_effect_of_redis_password(build: Build) -> None:
    with RealServer() as server:
        with redis.Redis(port=server.port) as client:
            client.config_set("requirepass", SECRET)
        right, wrong, none = (
            build(redis_enabled=True, redis_port=server.port, redis_password=password)
            for password in (SECRET, "wrong", "")
        )
        for wired in (right, wrong, none):
            wired.start()

        assert [wired.cache.state().is_degraded for wired in (right, wrong, none)] == [False, True, True]
        assert SECRET not in str(wrong.cache.state().error)


@pytest.mark.parametrize("kind", ["tcp", "socket"])
def test_effect_of_redis_url(build: Build, tmp_path: Path, kind: str) -> None:
    socket = tmp_path / "s"
    with RealServer("--unixsocket", str(socket)) as server:
        url = f"redis://127.0.0.1:{server.port}/3" if kind == "tcp" else f"unix://{socket}?db=3"
        # Host, port and db would lead elsewhere: the URL takes their place.
        wired = build(redis_enabled=True, redis_url=url, redis_host="127.0.0.2", redis_port=1, redis_db=9)

        wired.cache.set("price:AAPL", 1)

        assert keys_on(server, 3) == {b"alphavelocity:price:AAPL"}


def test_effect_of_redis_prefix(build: Build, clean: RealServer) -> None:
    first, second = (build(redis_enabled=True, redis_port=clean.port, redis_prefix=name) for name in ("one:", "two:"))

    first.cache.set("price:AAPL", 1)
    second.cache.set("price:AAPL", 2)
    second.cache.clear("*")

    assert keys_on(clean) == {b"one:price:AAPL"}
    assert first.cache.get("price:AAPL") == 1


def test_effect_of_redis_max_connections(build: Build, clean: RealServer) -> None:
    wired = build(redis_enabled=True, redis_port=clean.port, redis_max_connections=1)
    with wired.cache.lock("held"), redis.Redis(port=clean.port) as client:
        threads = [threading.Thread(target=wired.cache.set, args=(f"user:{number}", 1)) for number in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        ours = [found for found in client.client_list() if int(found["id"]) != client.client_id()]

    assert len(ours) == 2
    assert not wired.cache.state().is_degraded


@pytest.mark.parametrize("timeout", [0.05, 0.6])
def test_effect_of_redis_timeout(build: Build, timeout: float) -> None:
    with RealServer() as server:
        wired = build(redis_enabled=True, redis_port=server.port, redis_timeout=timeout)
        wired.cache.get("price:AAPL")
        server.pause()
        begun = time.monotonic()

        wired.cache.get("price:AAPL")

        took = time.monotonic() - begun
        server.resume()
    assert wired.cache.state().is_degraded
    assert timeout <= took < timeout + 0.4


def test_effect_of_cache_default_ttl(build: Build) -> None:
    cache = build(cache_default_ttl=120).cache
    cache.set("user:1", 1)
    cache.set("no namespace", 1)

    assert cache.ttl("user:1") == pytest.approx(120, abs=2)
    assert cache.ttl("no namespace") == pytest.approx(120, abs=2)


def ttl_after(wired: Runtime, key: str) -> float:
    """The ttl of a set value; that of what the market loads may be up to a tenth shorter."""
    wired.cache.set(key, 1)
    found = wired.cache.ttl(key)
    assert found is not None
    return found


def test_effect_of_cache_price_ttl(build: Build) -> None:
    wired = build(cache_price_ttl=40)
    wired.market.price("AAPL")
    loaded = [wired.cache.ttl(key) for key in ("price:AAPL", "history:AAPL")]

    assert all(ttl is not None and 35 < ttl <= 40 for ttl in loaded)
    assert ttl_after(wired, "price:MSFT") == pytest.approx(40, abs=1)


def test_effect_of_cache_momentum_ttl(build: Build) -> None:
    wired = build(cache_momentum_ttl=50)
    wired.market.score("AAPL")
    loaded = wired.cache.ttl("momentum:AAPL")

    assert loaded is not None
    assert 44 < loaded <= 50
    assert ttl_after(wired, "momentum:MSFT") == pytest.approx(50, abs=1)


def test_effect_of_cache_portfolio_ttl(build: Build) -> None:
    wired = build(cache_portfolio_ttl=60)
    wired.market.portfolio({"AAPL": 10})
    (key,) = wired.cache.keys("portfolio:*")
    loaded = wired.cache.ttl(key)

    assert loaded is not None
    assert 53 < loaded <= 60
    assert ttl_after(wired, "portfolio:x") == pytest.approx(60, abs=1)


@pytest.mark.parametrize("stale", [0, 500])
def test_effect_of_cache_stale_ttl(build: Build, stale: int) -> None:
    wired = build(cache_price_ttl=100, cache_stale_ttl=stale)
    wired.market.price("AAPL")

    found = wired.cache.peek("price:AAPL")

    assert found is not None
    assert 88 + stale < found.expires_in <= 100 + stale


def test_effect_of_cache_max_ttl(build: Build) -> None:
    short = {"cache_default_ttl": 30, "cache_price_ttl": 30, "cache_momentum_ttl": 30, "cache_portfolio_ttl": 30}
    wired = build(cache_max_ttl=60, cache_stale_ttl=60, **short)

    wired.cache.set("user:1", 1, ttl=60)
    wired.market.score("AAPL")

    assert wired.cache.exists("user:1")
    assert wired.cache.exists("momentum:AAPL")
    with pytest.raises(InvalidInput, match="at most 60"):
        wired.cache.set("user:1", 1, ttl=61)


def test_effect_of_cache_max_value_bytes(build: Build) -> None:
    cache = build(cache_max_value_bytes=2000).cache

    cache.set("user:small", "x" * 1000)
    cache.set("user:large", "x" * 2000)

    assert cache.keys() == ["user:small"]
    assert cache.get_or_load("user:large", lambda: "y" * 2000) == "y" * 2000
    assert cache.keys() == ["user:small"]


def test_effect_of_cache_memory_max_entries(build: Build) -> None:
    cache = build(cache_memory_max_entries=3).cache

    for number in range(5):
        cache.set(f"user:{number}", 1)

    assert cache.keys() == ["user:2", "user:3", "user:4"]


def test_effect_of_cache_memory_max_bytes(build: Build) -> None:
    cache = build(cache_memory_max_bytes=2**20).cache

    for number in range(20):
        cache.set(f"user:{number}", b"x" * 100_000)

    size = cache.info().memory_bytes
    assert size is not None
    assert 900_000 < size <= 2**20
    assert "user:19" in cache.keys()  # noqa: SIM118 - a cache is no dict
    assert "user:0" not in cache.keys()  # noqa: SIM118


@pytest.mark.parametrize(
    ("setting", "redis_enabled", "name"),
    [
        ("sample", False, "sample"),
        ("sample", True, "sample"),
        ("yahoo", False, "yahoo"),
        ("auto", True, "yahoo"),
        ("auto", False, "sample"),
    ],
)
def test_effect_of_avcache_provider(build: Build, setting: str, redis_enabled: bool, name: str) -> None:
    wired = build({"AVCACHE_PROVIDER": setting, "REDIS_ENABLED": str(redis_enabled), "REDIS_PORT": "1"})

    assert wired.market.source == name


@pytest.mark.parametrize("provider", ["sample", "auto"])
def test_effect_of_sample_replay(build: Build, provider: str) -> None:
    wired = build({"AVCACHE_PROVIDER": provider, "SAMPLE_REPLAY": "2.5"})

    assert wired.market.label.startswith("Sample prices, replayed, day 202")
    assert wired.market.score("AAPL").as_of <= wired.market.label[-10:]


def test_sample_replay_is_nothing_to_other_providers(build: Build) -> None:
    wired = build({"AVCACHE_PROVIDER": "yahoo", "SAMPLE_REPLAY": "2.5"})

    assert wired.market.label.startswith("Yahoo")


def test_effect_of_avcache_yahoo_url(build: Build) -> None:
    with YahooServer() as yahoo:
        wired = build({"AVCACHE_PROVIDER": "yahoo"}, avcache_yahoo_url=yahoo.url)

        wired.market.price("AAPL")

        assert yahoo.charts()["AAPL"] > 0
    entry = wired.cache.peek("price:AAPL")
    assert entry is not None
    assert entry.source == "yahoo"
    assert yahoo.url.removeprefix("http://") in wired.market.label


def test_effect_of_avcache_csv_dir(build: Build, tmp_path: Path) -> None:
    (tmp_path / "ACME.csv").write_text("date,close\n2024-05-02,10\n2024-05-03,11\n")
    wired = build({"AVCACHE_PROVIDER": "csv"}, avcache_csv_dir=tmp_path, avcache_csv_currency="CHF")

    price = wired.market.price("acme")

    assert (price.price, price.currency, wired.market.source) == (11.0, "CHF", "csv")


def test_the_provider_csv_without_a_folder_is_refused(build: Build) -> None:
    with pytest.raises(ConfigError, match="AVCACHE_CSV_DIR"):
        build({"AVCACHE_PROVIDER": "csv"}).start()


def test_effect_of_avcache_csv_currency(build: Build, tmp_path: Path) -> None:
    (tmp_path / "ACME.csv").write_text("date,close\n2024-05-02,10\n2024-05-03,11\n")
    wired = build({"AVCACHE_PROVIDER": "csv"}, avcache_csv_dir=tmp_path)

    assert wired.market.price("acme").currency is None


def test_effect_of_avcache_universes(build: Build, tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('[[universe]]\nname = "Ours"\ntickers = ["AAPL", "KO"]\n')

    wired = build(avcache_universes=own)

    assert wired.market.universes.get("ours") == ("AAPL", "KO")


def test_effect_of_avcache_yahoo_rate(build: Build) -> None:
    with YahooServer() as yahoo:
        wired = build({"AVCACHE_PROVIDER": "yahoo"}, avcache_yahoo_url=yahoo.url, avcache_yahoo_rate=0.01)

        wired.market.price("AAPL")  # the one that may come at once
        second = wired.provider.histories(["KO"])["KO"]

    assert isinstance(second, ProviderError)
    assert (second.reason, yahoo.charts()["KO"]) == ("timeout", 0)


def test_effect_of_cache_calendar(build: Build) -> None:
    with pytest.raises(ConfigError, match="CACHE_CALENDAR='NOWHERE'"):
        build(cache_calendar="NOWHERE").start()

    assert build(cache_calendar="XNYS").market.freshness.is_open() in {True, False}


def test_effect_of_avcache_api_token(build: Build) -> None:
    open_, guarded = client_of(build()), client_of(build(avcache_api_token=SECRET))
    path = "/api/v1/cache/clear?pattern=*"

    answers = [
        open_.delete(path),
        guarded.delete(path),
        guarded.delete(path, headers={"Authorization": f"Bearer {SECRET}"}),
    ]

    assert [answer.status_code for answer in answers] == [200, 401, 200]


def test_effect_of_avcache_allowed_hosts(build: Build) -> None:
    closed = client_of(build(), "http://ops.lan")
    opened = client_of(build(avcache_allowed_hosts=" ops.lan , other.lan,"), "http://ops.lan")

    assert closed.get("/api/v1/cache/info").status_code == 400
    assert opened.get("/api/v1/cache/info").status_code == 200


def test_effect_of_avcache_log_dir(build: Build, tmp_path: Path) -> None:
    wired = build(avcache_log_dir=tmp_path / "deep" / "logs", avcache_access_log=True)

    wired.start()

    assert (tmp_path / "deep" / "logs" / "alphavelocity.log").is_file()


@pytest.mark.parametrize("wanted", [True, False])
def test_effect_of_avcache_access_log(build: Build, tmp_path: Path, wanted: bool) -> None:
    wired = build(avcache_log_dir=tmp_path, avcache_access_log=wanted)
    wired.start()

    wired.cache.get("price:AAPL")
    wired.close()

    log = tmp_path / "alphavelocity.log"
    assert log.exists() == wanted
    assert not wanted or "Cache MISS price:AAPL" in log.read_text()


@pytest.mark.parametrize("field", Settings.model_fields)
def test_every_setting_has_a_default_and_an_effect_above(field: str) -> None:
    assert field in DEFAULTS
    assert f"test_effect_of_{field}" in globals()
