"""Every setting: its name in the environment, its default, and what is allowed."""

from __future__ import annotations

import difflib
import ipaddress
import logging
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.sources.utils import parse_env_vars

from avcache.errors import ConfigError

__all__ = ["Settings", "Source", "read_dotenv", "sources"]

logger = logging.getLogger(__name__)

_OURS = ("REDIS_", "CACHE_", "AVCACHE_", "SAMPLE_REPLAY")
_NOT_SETTINGS = ("AVCACHE_TEST_", "AVCACHE_SKIP_", "AVCACHE_CHROMIUM")
_SERVER_URL = re.compile(r"rediss?://[^\s/?#]+(/[0-9]*)?(\?\S*)?|unix://\S*/[^\s?]+(\?\S*)?")
_SENTINEL_URL = re.compile(
    r"rediss?\+sentinel://([^\s/?#@]*@)?[\w.-]+(:[1-9][0-9]{0,4})?(,[\w.-]+(:[1-9][0-9]{0,4})?)*/[A-Za-z_][\w.-]*(/[0-9]*)?"
)
_HOST = re.compile(r"[A-Za-z0-9_.-]+|[0-9A-Fa-f:.]+(%\w+)?")
_HOST_PATTERN = re.compile(r"(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_WEB_URL = re.compile(r"https?://[^\s/?#]+/?")
_PREFIX = re.compile(r"[A-Za-z0-9_.-]{1,64}:")
_CALENDAR = re.compile(r"[A-Za-z0-9_/&-]{2,20}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_TOKEN = re.compile(r"\S{16,}")


def _text(allowed: re.Pattern[str], words: str) -> AfterValidator:
    """A text all of which is *allowed*; *words* tell people what that is."""

    def check(text: str) -> str:
        if not allowed.fullmatch(text.strip()):
            raise ValueError(words)
        return text.strip()

    return AfterValidator(check)


def _secret(is_allowed: Callable[[str], object], words: str) -> AfterValidator:
    def check(secret: SecretStr) -> SecretStr:
        if not is_allowed(secret.get_secret_value()):
            raise ValueError(words)
        return secret

    return AfterValidator(check)


def _is_server_url(url: str) -> bool:
    if _SENTINEL_URL.fullmatch(url) is not None:
        return True
    try:
        # Reading the port is what checks it.
        return _SERVER_URL.fullmatch(url) is not None and urlsplit(url).port != 0
    except ValueError:
        return False


def _check_hosts(text: str) -> str:
    for host in _split(text):
        if not _HOST_PATTERN.fullmatch(host) and not _is_address(host.strip("[]")):
            raise ValueError(f"{host[:80]!r} is none: names such as example.com or *.example.com, no port, by commas")
    return text


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


Source = Literal["default", ".env", "environment"]
"""Where a setting in force comes from."""

Seconds = Annotated[float, Field(gt=0, le=30 * 24 * 3600, allow_inf_nan=False)]


class Settings(BaseSettings):
    """
    The settings of one process, frozen. `from_env` is the way in; field names in upper case are the variables' names.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True)

    redis_enabled: bool = Field(False, description="Keep entries in Redis or Valkey instead of in this process")
    redis_host: Annotated[str, _text(_HOST, "a host name or an address")] = Field(
        "localhost", description="Where the server is"
    )
    redis_port: int = Field(6379, ge=1, le=65535, description="Its port")
    redis_db: int = Field(0, ge=0, le=1_000_000, description="Number of the database")
    redis_password: SecretStr | None = Field(None, description="Password, if the server wants one")
    redis_url: (
        Annotated[
            SecretStr,
            _secret(
                _is_server_url,
                "redis://host:port/db, rediss://host:port/db (port and db are numbers), unix:///path "
                "or redis+sentinel://host:port,host:port/service/db",
            ),
        ]
        | None
    ) = Field(
        None,
        description="`redis://`, `rediss://`, `unix://` or `redis+sentinel://` address, in place of host, port and db",
    )
    redis_prefix: Annotated[
        str, _text(_PREFIX, "1 to 64 letters, digits and _ . - with a colon at the end, such as alphavelocity:")
    ] = Field(
        "alphavelocity:",
        description="Begins every key in Redis: letters, digits and _ . - with a colon at the end",
    )
    redis_max_connections: int = Field(
        50, ge=1, le=10_000, description="Most connections of one process; as many again for locks and waits"
    )
    redis_timeout: float = Field(
        0.25, ge=0.05, le=5, description="Seconds to wait for the server before memory takes over"
    )

    cache_default_ttl: Seconds = Field(3600, description="Seconds a value stays fresh where nothing else is said")
    cache_price_ttl: Seconds = Field(300, description="Seconds a price (and the history behind it) stays fresh")
    cache_momentum_ttl: Seconds = Field(1800, description="Seconds a momentum score stays fresh")
    cache_portfolio_ttl: Seconds = Field(600, description="Seconds a portfolio analysis stays fresh")
    cache_stale_ttl: float = Field(
        3600,
        ge=0,
        le=7 * 24 * 3600,
        description="Further seconds prices, scores and portfolios are served while they are loaded again",
    )
    cache_max_ttl: Seconds = Field(7 * 24 * 3600, description="Longest time to live that is accepted, seconds")
    cache_max_value_bytes: int = Field(2**20, ge=1024, description="Larger values are handed out, but not kept")
    cache_memory_max_entries: int = Field(100_000, ge=1, description="Most entries in memory; least used go first")
    cache_memory_max_bytes: int = Field(256 * 2**20, ge=2**20, description="Most bytes in memory; least used go first")

    cache_calendar: Annotated[str, _text(_CALENDAR, "the code of an exchange, such as XNYS")] | None = Field(
        None,
        description="Exchange, such as XNYS, while which is closed its last prices stay fresh until it opens",
    )

    avcache_provider: Literal["auto", "yahoo", "sample", "csv"] = Field(
        "auto",
        description="Source of prices; `auto` is the sample until Yahoo answers (with Redis: always Yahoo); "
        "`csv` is a folder of yours",
    )
    sample_replay: float = Field(
        0,
        ge=0,
        le=10_000,
        allow_inf_nan=False,
        description="Days a minute by which the sample's last year is replayed, over and over; 0: it stands still",
    )
    avcache_csv_dir: Path | None = Field(
        None, description="Folder of `AAPL.csv`, `MSFT.parquet` and the like, for the provider `csv`"
    )
    avcache_csv_currency: Annotated[str, _text(_CURRENCY, "three capitals, such as USD")] | None = Field(
        None, description="Currency of the prices in that folder"
    )
    avcache_universes: Path | None = Field(
        None, description="TOML file with named lists of tickers, and categories with targets, of yours"
    )
    avcache_yahoo_rate: float = Field(
        2, gt=0, le=1000, description="Requests a second to Yahoo by all processes; a minute's worth may come at once"
    )
    avcache_yahoo_url: Annotated[str, _text(_WEB_URL, "http://host:port or https://host:port")] | None = Field(
        None,
        description="Send what would go to Yahoo to this address: for tests and drills",
    )
    avcache_api_token: Annotated[SecretStr, _secret(_TOKEN.fullmatch, "16 or more characters, no space")] | None = (
        Field(None, description="Bearer token for whatever changes something; a must beyond loopback")
    )
    avcache_allowed_hosts: Annotated[str, AfterValidator(_check_hosts)] = Field(
        "", description="Host names, separated by commas, that may stand in the address besides localhost"
    )
    avcache_log_dir: Path = Field(Path("logs"), description="Folder of `alphavelocity.log`")
    avcache_access_log: bool = Field(False, description="Write `Cache HIT <key>` and `Cache MISS <key>` to the log")

    @classmethod
    def from_env(cls, env: Mapping[str, str], dotenv: Path | None = None) -> Settings:
        """
        Read the settings from *env*, then for what it lacks from the file *dotenv*, if there is one.

        Raises:
            ConfigError: Names every bad setting, the value found (secrets masked) and what is allowed.
        """
        merged = {**read_dotenv(dotenv), **env}
        _warn_of_unknown(cls, merged)

        class FromMapping(cls):  # type: ignore[misc, valid-type]
            @classmethod
            def settings_customise_sources(
                cls, settings_cls: type[BaseSettings], **_others: PydanticBaseSettingsSource
            ) -> tuple[PydanticBaseSettingsSource, ...]:
                return (_MappingSource(settings_cls, merged),)

        try:
            made = FromMapping()
        except ValidationError as exc:
            raise ConfigError(_explain(exc, merged)) from None
        settings = cls.model_construct(**{name: getattr(made, name) for name in cls.model_fields})
        _check_bounds(settings)
        return settings

    @property
    def redis_address(self) -> str:
        """The URL to connect to, password included: never to be shown."""
        if self.redis_url is not None:
            return self.redis_url.get_secret_value()
        host = f"[{self.redis_host}]" if ":" in self.redis_host else quote(self.redis_host)
        return f"redis://{host}:{self.redis_port}/{self.redis_db}"

    @property
    def hosts(self) -> tuple[str, ...]:
        """Host names that may stand in the address besides those of this machine."""
        return _split(self.avcache_allowed_hosts)


class _MappingSource(EnvSettingsSource):
    """Reads from a mapping instead of from the environment of the process."""

    def __init__(self, settings_cls: type[BaseSettings], env: Mapping[str, str]) -> None:
        self._env = env
        super().__init__(settings_cls)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return parse_env_vars(self._env, self.case_sensitive, self.env_ignore_empty, self.env_parse_none_str)


def sources(env: Mapping[str, str], dotenv: Mapping[str, str]) -> dict[str, Source]:
    """Where each field of `Settings` comes from, if they are read from *env* and, for what it lacks, from *dotenv*."""
    # An empty value counts as not given, and still hides the one of the file.
    given: dict[str, Source] = {
        name.lower(): "environment" if name in env else ".env" for name, value in {**dotenv, **env}.items() if value
    }
    return {field: given.get(field, "default") for field in Settings.model_fields}


def read_dotenv(path: Path | None) -> dict[str, str]:
    """
    What the file *path* sets; nothing without one.

    Raises:
        ConfigError: It cannot be read.
    """
    if path is None or not path.is_file():
        return {}
    from dotenv import dotenv_values  # noqa: PLC0415 - only where there is such a file

    try:
        # As it stands: a password may hold ${, and what it would name is in the environment of the process.
        found = dotenv_values(path, interpolate=False)
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path} cannot be read: {exc}") from exc
    return {name: value for name, value in found.items() if value is not None}


def _warn_of_unknown(settings: type[Settings], env: Mapping[str, str]) -> None:
    known = [name.upper() for name in settings.model_fields]
    for name in env:
        upper = name.upper()
        if not upper.startswith(_OURS) or upper.startswith(_NOT_SETTINGS) or upper in known:
            continue
        near = difflib.get_close_matches(upper, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        logger.warning("unknown setting %s is ignored%s", name, hint)


def _check_bounds(settings: Settings) -> None:
    """No namespace may ask for longer than the cache accepts: each of its reads would be refused."""
    names = ("cache_default_ttl", "cache_price_ttl", "cache_momentum_ttl", "cache_portfolio_ttl", "cache_stale_ttl")
    most = settings.cache_max_ttl
    over = [name for name in names if getattr(settings, name) > most]
    if over:
        found = (f"{name.upper()}={getattr(settings, name):g}" for name in over)
        raise ConfigError(f"{', '.join(found)}: at most CACHE_MAX_TTL, which is {most:g}")


def _explain(exc: ValidationError, env: Mapping[str, str]) -> str:
    found: dict[str, Any] = {name.upper(): value for name, value in env.items()}
    lines = []
    for error in exc.errors(include_url=False, include_input=False, include_context=False):
        field = str(error["loc"][0])
        name = field.upper()
        is_secret = any(word in name for word in ("PASSWORD", "TOKEN", "URL"))
        value = "***" if is_secret else repr(str(found.get(name, ""))[:80])
        own_words = error["type"] in {"value_error", "literal_error"}
        words = error["msg"].removeprefix("Value error, ") if own_words else _allowed(Settings.model_fields[field])
        lines.append(f"{name}={value}: {words}")
    return "; ".join(lines)


def _allowed(field: FieldInfo) -> str:
    """What a number or a flag may be, in words."""
    if field.annotation is bool:
        return "true or false"
    words = "a whole number" if field.annotation is int else "a number"
    for bound in field.metadata:
        for sign, word in (("gt", "more than"), ("ge", "at least"), ("le", "at most")):
            if (limit := getattr(bound, sign, None)) is not None:
                words += f", {word} {limit:,}"
    return words
